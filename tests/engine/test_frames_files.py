import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from engine.errors import Problem, ScheduleRefused
from engine.frames import load_file, read_schedule
from engine.intake import Intent
from engine.rules import AssetRules
from engine.types import AssetId, AssetKind

CAR = AssetId("ast_car")
SITE = {CAR: AssetRules(CAR, AssetKind.EV_CHARGER, "test", "car", 22_000)}
SCHEDULES = Path(__file__).parents[1] / "fixtures" / "schedules"
HOURS = pd.DatetimeIndex(["2025-03-12T00:00Z", "2025-03-12T01:00Z"])
EXPECTED = pd.DataFrame({"ev_car_kw": [7.4, 0.0]}, HOURS)


def refused(path: Path, timezone: str | None = None) -> tuple[Problem, ...]:
    """Return why a file is refused; every problem names it."""
    with pytest.raises(ScheduleRefused) as caught:
        load_file(path, timezone)
    assert {problem.file for problem in caught.value.problems} == {str(path)}
    return caught.value.problems


def csv_of(folder: Path, text: str) -> Path:
    """Return a CSV file with this text."""
    path = folder / "plan.csv"
    path.write_text(text, encoding="utf-8", newline="")
    return path


def json_of(folder: Path, content: object) -> Path:
    """Return a JSON file with this content."""
    path = folder / "plan.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


# --- CSV


@pytest.mark.parametrize(("name", "hours"), [("spring_92", 23), ("autumn_100", 25)])
def test_a_file_may_change_its_offset_in_the_middle(name: str, hours: int) -> None:
    """Days on which the clock changes have 92 or 100 quarter-hours, all in UTC."""
    schedule = load_file(SCHEDULES / f"{name}.csv")
    assert isinstance(schedule.index, pd.DatetimeIndex)
    assert str(schedule.index.tz) == "UTC"
    assert len(schedule) == 4 * hours
    assert schedule.index.is_monotonic_increasing
    assert schedule.columns.tolist()[0] == "ev_van_kw"


@pytest.mark.parametrize(
    "text",
    [
        "timestamp,ev_car_kw\n2025-03-12T00:00Z,7.4\n2025-03-12T01:00Z,0\n",
        "ev_car_kw,TIME\r\n7.4,2025-03-12 01:00:00+01:00\r\n0.0,2025-03-12 01:00Z\r\n",
        "slot, ev_car_kw\n\n2025-03-12T00:00+00:00, 7.4\n \n2025-03-12T01:00+00:00, -0.0",
        '\ufeff"index","ev_car_kw"\n"2025-03-12T00:00Z","7.4"\n"2025-03-12T02:00+0100","0"\n',
    ],
)
def test_csv_files_are_read_in_their_usual_variety(tmp_path: Path, text: str) -> None:
    """Named or first column, blanks, quotes, line ends, a byte order mark."""
    pd.testing.assert_frame_equal(load_file(csv_of(tmp_path, text)), EXPECTED, check_freq=False)


def test_cells_that_hold_no_number_stay_texts(tmp_path: Path) -> None:
    """So that the schedule is refused for them alone, each by its row."""
    text = "time,ev_car_kw\n2025-03-12T00:00Z,abc\n2025-03-12T01:00Z,7\n2025-03-12T02:00Z,\n"
    with pytest.raises(ScheduleRefused) as caught:
        read_schedule(load_file(csv_of(tmp_path, text)), SITE)
    assert [(problem.rule, problem.row) for problem in caught.value.problems] == [
        ("string", "2025-03-12T00:00:00+00:00"),
        ("missing", "2025-03-12T02:00:00+00:00"),
    ]


@pytest.mark.parametrize("cell", ["", "nan", "NaN"])
def test_an_empty_cell_is_a_missing_value(tmp_path: Path, cell: str) -> None:
    """Not zero."""
    path = csv_of(tmp_path, f"t,ev_car_kw\n2025-03-12T00:00Z,1\n2025-03-12T01:00Z,{cell}\n")
    assert load_file(path)["ev_car_kw"].isna().tolist() == [False, True]


def test_a_repeated_column_of_a_file_is_not_renamed(tmp_path: Path) -> None:
    """The schedule is refused for it by its own name."""
    text = "t,ev_car_kw,ev_car_kw\n2025-03-12T00:00Z,1,1\n2025-03-12T01:00Z,1,1\n"
    with pytest.raises(ScheduleRefused, match="duplicate_column"):
        read_schedule(load_file(csv_of(tmp_path, text)), SITE)


def test_a_repeated_column_that_pandas_renamed_is_refused(tmp_path: Path) -> None:
    """Once, as what it is; it would be ignored, and one of the two taken without a word."""
    text = "t,ev_car_kw,ev_car_kw\n2025-03-12T00:00Z,1,2\n2025-03-12T01:00Z,1,2\n"
    frame = pd.read_csv(csv_of(tmp_path, text), index_col=0)
    frame.index = pd.to_datetime(frame.index, utc=True)
    with pytest.raises(ScheduleRefused) as caught:
        read_schedule(frame, SITE)
    (problem,) = caught.value.problems
    assert (problem.rule, problem.column) == ("duplicate_column", "ev_car_kw.1")
    assert problem.message == "this is a second ev_car_kw, as pandas.read_csv renames it"


@pytest.mark.parametrize(
    ("row", "seen"),
    [
        ("2025-03-12T00:00Z;7,4", "semicolons"),
        ("2025-03-12T00:00Z;7.4", "semicolons"),
        ("2025-03-12T00:00Z\t7.4", "tabs"),
        ("2025-03-12T00:00Z|7.4", "bars"),
    ],
)
def test_other_separators_than_commas_are_told_as_what_they_are(
    tmp_path: Path, row: str, seen: str
) -> None:
    """By the header, whatever the rows below it would be taken for."""
    header = f"t{row[17]}ev_car_kw"
    (problem,) = refused(csv_of(tmp_path, f"{header}\n{row}\n"))
    assert (problem.rule, problem.value, problem.line) == ("separator", header, 1)
    assert problem.message == f"{seen} between the columns: write commas, and points in decimals"


def test_rows_of_another_length_are_refused_by_line(tmp_path: Path) -> None:
    """Every one of them, also after a blank line or a quoted line break."""
    text = 't,ev_car_kw\n\n2025-03-12T00:00Z\n"2025-03-12T01:00Z","a\nb"\n2025-03-12T02:00Z,1,2\n'
    found = refused(csv_of(tmp_path, text))
    assert [(problem.rule, problem.line) for problem in found] == [
        ("row_length", 3),
        ("row_length", 6),
    ]
    assert found[0].message == "1 fields under 2 columns"


def test_a_file_with_nothing_but_a_header_is_an_empty_schedule(tmp_path: Path) -> None:
    """It is refused as such, with whatever else is wrong with it."""
    with pytest.raises(ScheduleRefused, match="no rows"):
        read_schedule(load_file(csv_of(tmp_path, "t,ev_car_kw\n")), SITE)


@pytest.mark.parametrize(
    ("text", "rule", "line"),
    [
        ("", "empty", None),
        ("\n\n", "empty", None),
        ('t,ev_car_kw\n2025-03-12T00:00Z,"1" 2\n', "unreadable", 2),
    ],
)
def test_csv_files_that_cannot_be_read_are_refused(
    tmp_path: Path, text: str, rule: str, line: int | None
) -> None:
    """With the line where the reader knows it."""
    (problem,) = refused(csv_of(tmp_path, text))
    assert (problem.rule, problem.line) == (rule, line)


@pytest.mark.parametrize(
    ("intent", "rule"),
    [
        ({"timezone": 5}, "timezone"),
        ({"asset_map": 5}, "asset_map"),
        ({"asset_map": {1: "ast_car"}}, "asset_map"),
        ({"asset_map": {"\ud800": "ast_car"}}, "asset_map"),
    ],
)
def test_an_intent_of_no_kind_is_refused(intent: dict[str, Any], rule: str) -> None:
    """In words, whether or not it would be needed."""
    with pytest.raises(ScheduleRefused) as caught:
        read_schedule(EXPECTED, SITE, Intent(**intent))
    assert [problem.rule for problem in caught.value.problems] == [rule]


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    """UTF-8 is expected."""
    path = tmp_path / "plan.csv"
    path.write_bytes("t,ev_ä_kw\n".encode("latin-1"))
    (problem,) = refused(path)
    assert (problem.rule, problem.message[:10]) == ("unreadable", "not UTF-8:")


# --- times


@pytest.mark.parametrize(
    "cell", ["", "abc", "1741737600", "12/03/2025 01:00", "2025-02-30T00:00Z", "nan"]
)
def test_texts_that_are_no_times_are_refused_by_line(tmp_path: Path, cell: str) -> None:
    """Only ISO 8601 is read: no epoch, no guess at day and month."""
    (problem,) = refused(csv_of(tmp_path, f"t,ev_car_kw\n2025-03-12T00:00Z,1\n{cell},1\n"))
    assert (problem.rule, problem.line) == ("not_a_time", 3)


def test_a_time_without_an_offset_among_others_is_refused_by_line(tmp_path: Path) -> None:
    """Naming a time zone does not help: the file is at odds with itself."""
    path = csv_of(tmp_path, "t,ev_car_kw\n2025-03-12T00:00Z,1\n2025-03-12T01:00,1\n")
    (problem,) = refused(path, "Europe/Berlin")
    assert (problem.rule, problem.row, problem.line) == ("naive", "2025-03-12T01:00:00", 3)


def test_local_times_need_the_name_of_their_zone(tmp_path: Path) -> None:
    """Without it the index stays naive, and intake refuses it with all other problems."""
    path = csv_of(tmp_path, "t,ev_car_kw\n2025-03-12T01:00,7.4\n2025-03-12T02:00,0\n")
    naive = load_file(path)
    assert isinstance(naive.index, pd.DatetimeIndex)
    assert naive.index.tz is None
    with pytest.raises(ScheduleRefused, match="naive"):
        read_schedule(naive, SITE)
    aware = load_file(path, "Europe/Berlin")
    expected = read_schedule(EXPECTED, SITE)
    assert read_schedule(aware, SITE) == expected
    assert read_schedule(naive, SITE, Intent(timezone="Europe/Berlin")) == expected


def test_doubtful_local_times_of_a_file_are_refused_by_name(tmp_path: Path) -> None:
    """The hour that is missing in March."""
    path = csv_of(tmp_path, "t,ev_car_kw\n2025-03-30T01:30,1\n2025-03-30T02:30,1\n")
    (problem,) = refused(path, "Europe/Berlin")
    assert (problem.rule, problem.row) == ("missing_time", "2025-03-30T02:30:00")


# --- JSON


@pytest.mark.parametrize(
    "content",
    [
        [
            {"timestamp": "2025-03-12T00:00Z", "ev_car_kw": 7.4},
            {"timestamp": "2025-03-12T02:00+01:00", "ev_car_kw": 0.0},
        ],
        {
            "columns": ["ev_car_kw"],
            "index": ["2025-03-12T00:00:00.000Z", "2025-03-12T01:00:00.000Z"],
            "data": [[7.4], [0]],
        },
        {"ev_car_kw": {"2025-03-12T00:00Z": 7.4, "2025-03-12T01:00Z": 0}},
    ],
)
def test_json_files_are_read_in_three_forms(tmp_path: Path, content: object) -> None:
    """Records, and what pandas writes by split or by columns."""
    found = load_file(json_of(tmp_path, content))
    pd.testing.assert_frame_equal(found, EXPECTED, check_freq=False)


def test_what_pandas_writes_is_read_again(tmp_path: Path) -> None:
    """With ISO dates, as split and as columns."""
    path = tmp_path / "plan.json"
    for orient in ("split", "columns"):
        EXPECTED.to_json(path, orient=orient, date_format="iso")
        pd.testing.assert_frame_equal(load_file(path), EXPECTED, check_freq=False)


@pytest.mark.parametrize(
    ("content", "rule", "line"),
    [
        ("{\n", "unreadable", 2),
        ("[" * 100_000, "unreadable", None),
        ("1" * 5000, "unreadable", None),
        ({"ev_car_kw": [1, 2]}, "shape", None),
        ([1, 2], "shape", None),
        (7, "shape", None),
        ("[]", "empty", None),
        ("{}", "empty", None),
        ('[{"t": "2025-03-12T00:00Z", "t": "2025-03-12T01:00Z"}]', "duplicate_key", None),
        ({"columns": ["a"], "index": ["2025-03-12T00:00Z"], "data": [[1, 2]]}, "unreadable", None),
        ({"ev_car_kw": {"1741737600000": 1}}, "not_a_time", None),
        ([{"t": None, "ev_car_kw": 1}], "not_a_time", None),
        ([{"t": 5, "ev_car_kw": 1}], "not_a_time", None),
    ],
)
def test_json_files_that_hold_no_schedule_are_refused(
    tmp_path: Path, content: object, rule: str, line: int | None
) -> None:
    """With the line where the reader knows it."""
    (problem,) = refused(json_of(tmp_path, content))
    assert (problem.rule, problem.line) == (rule, line)


def test_a_value_missing_from_a_record_is_missing_from_the_schedule(tmp_path: Path) -> None:
    """Also one that is null; neither is 0."""
    content = [
        {"t": "2025-03-12T00:00Z", "ev_car_kw": 1},
        {"t": "2025-03-12T01:00Z"},
        {"t": "2025-03-12T02:00Z", "ev_car_kw": None},
    ]
    with pytest.raises(ScheduleRefused) as caught:
        read_schedule(load_file(json_of(tmp_path, content)), SITE)
    assert [problem.rule for problem in caught.value.problems] == ["missing", "missing"]


# --- Parquet, and files of no known kind


@pytest.mark.parametrize("frame", [EXPECTED, EXPECTED.rename_axis("time").reset_index()])
def test_a_parquet_file_has_its_times_in_the_index_or_in_a_column(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frame: pd.DataFrame
) -> None:
    """Times that are stored as such are taken as they are."""
    monkeypatch.setattr(pd, "read_parquet", {tmp_path / "plan.parquet": frame}.get)
    found = load_file(tmp_path / "plan.parquet")
    pd.testing.assert_frame_equal(found, EXPECTED, check_freq=False, check_names=False)


def test_a_parquet_file_without_its_reader_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What to install, not a traceback."""

    def unavailable(_: Path) -> pd.DataFrame:
        raise ImportError

    monkeypatch.setattr(pd, "read_parquet", unavailable)
    (problem,) = refused(tmp_path / "plan.parquet")
    assert "setpoint[parquet]" in problem.message


def test_a_row_of_a_parquet_file_without_a_time_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No time is not a time."""
    frame = EXPECTED.set_axis(pd.DatetimeIndex([HOURS[0], pd.NaT]), axis=0)
    monkeypatch.setattr(pd, "read_parquet", {tmp_path / "plan.parquet": frame}.get)
    assert [problem.rule for problem in refused(tmp_path / "plan.parquet")] == ["not_a_time"]


@pytest.mark.parametrize(
    ("name", "rule", "message"),
    [
        ("plan.xlsx", "file_type", "not a schedule file: expected .csv, .json, .parquet"),
        ("plan.csv", "unreadable", "No such file or directory"),
    ],
)
def test_a_file_that_is_not_there_or_of_no_known_kind_is_refused(
    tmp_path: Path, name: str, rule: str, message: str
) -> None:
    """By its name."""
    (problem,) = refused(tmp_path / name)
    assert (problem.rule, problem.message) == (rule, message)
    assert str(problem) == f"{tmp_path / name}: {message} [{rule}]"
