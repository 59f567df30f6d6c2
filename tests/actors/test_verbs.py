"""Verbs that read a store: what they refuse and in which words, and what they print of nothing."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import attrs
import pytest

from actors.cli import main, setpoint
from actors.cli.places import reader_of
from actors.store import open_store
from actors.testing.instant import opened, plan
from actors.testing.waiting import wait_until

LATER = "2100-01-01T00:00Z"


@attrs.frozen
class Told:
    """What a verb said, and its exit status."""

    code: object
    out: str
    err: str


Verb: TypeAlias = Callable[..., Told]


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Verb:
    """Give what runs a verb as the shell does, exit status and all."""

    def run(*arguments: object) -> Told:
        monkeypatch.setattr(sys, "argv", ["setpoint", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Told(ended.value.code, said.out, said.err)

    return run


@pytest.fixture
def depot(tmp_path: Path) -> Path:
    """Give a site file, whose store has on record: ast_0, that it names, and ast_1, that it had."""
    with opened(tmp_path) as system:
        system.submit(plan(5.0, 7.0))
        wait_until(lambda: all(v.held_charge_kw == 5.0 for v in system.state().values()))
    assets = "".join(
        f'[[asset]]\nid = "ast_{n}"\nkind = "ev_charger"\ncharge_point = "CP-{n}"\nmax_kw = 22\n'
        for n in (0, 2)
    )
    file = tmp_path / "site.toml"
    store = '[store]\nurl = "sqlite:///t.db"\n'
    ocpp = "[ocpp]\nsecurity_profile = 0\n"
    file.write_text(f'[site]\nid = "sit_t"\n{store}{ocpp}{assets}', encoding="utf-8")
    return file


@pytest.mark.parametrize("name", ["history", "report"])
def test_an_asset_that_nobody_knows_is_refused_with_those_that_there_are(
    depot: Path, verb: Verb, name: str
) -> None:
    """Neither the site nor its store has it; an empty answer would look like one without events."""
    nobody = verb(name, depot, "--asset", "NOBODY")
    assert (nobody.code, nobody.out) == (2, "")
    assert nobody.err == "no asset is called 'NOBODY'; there are ast_0, ast_1, ast_2\n"
    near = verb(name, depot.parent / "t.db", "--asset", "ast-1")
    assert (near.code, near.out) == (2, "")
    assert near.err == "no asset is called 'ast-1'; did you mean 'ast_1' or 'ast_0'?\n"


def test_an_asset_is_known_by_the_site_or_by_its_store(depot: Path, verb: Verb) -> None:
    """One that was taken out of the site has its history; one that is new has none yet."""
    removed = verb("history", depot, "--asset", "ast_1", "--json")
    assert removed.code == 0
    assert {json.loads(line)["asset_id"] for line in removed.out.splitlines()} == {"ast_1"}
    new = verb("history", depot, "--asset", "ast_2", "--json")
    assert (new.code, new.out, new.err) == (0, "", "")
    elsewhere = verb("history", depot.parent / "t.db", "--asset", "ast_2")
    assert elsewhere.code == 2
    unexplained = verb("why", depot, "ast_2")
    assert (unexplained.code, unexplained.err) == (2, "nothing is on record of ast_2 yet\n")


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("history", ("--since", LATER)),
        ("report", ("--since", LATER)),
        ("state", ("--at", "2020-01-01T00:00Z")),
        ("diff", ("--from", LATER, "--to", LATER)),
        ("tail", ("--since", 1_000_000)),
    ],
)
def test_nothing_as_csv_is_a_header(
    depot: Path, verb: Verb, name: str, given: tuple[object, ...]
) -> None:
    """The same that stands above something, with the fields of the JSON."""
    ample = {"diff": ("--from", "2020-01-01T00:00Z", "--to", LATER), "tail": ("--since", 0)}
    nothing = verb(name, depot, "--csv", *given)
    something = verb(name, depot, "--csv", *ample.get(name, ()))
    first = json.loads(verb(name, depot, "--json", *ample.get(name, ())).out.splitlines()[0])
    assert nothing.code == something.code == 0
    assert nothing.out == ",".join(first) + "\n"
    assert something.out.startswith(nothing.out)
    assert len(something.out.splitlines()) > 1


def test_no_problem_as_csv_is_a_header(depot: Path, verb: Verb) -> None:
    """That of the problems."""
    assert verb("verify", depot, "--csv").out == "position,stream,version,what\n"


@pytest.mark.parametrize("name", ["history", "report", "state", "tail", "verify"])
def test_a_verb_prints_one_form_at_a_time(depot: Path, verb: Verb, name: str) -> None:
    """Who asks for two is told so, in either order."""
    for forms in (("--json", "--csv"), ("--csv", "--json")):
        told = verb(name, depot, *forms)
        assert (told.code, told.out, told.err) == (2, "", "--json or --csv, not both\n")


def test_a_status_that_there_is_not_is_told_with_all_that_there_are(
    depot: Path, verb: Verb
) -> None:
    """As types and causes are."""
    told = verb("history", depot, "--status", "NO")
    assert (told.code, told.out) == (2, "")
    assert told.err == (
        "'NO' is no status; there are PENDING, DISPATCHED, ACKNOWLEDGED, COMPLETED, FAILED, "
        "TIMED_OUT, CANCELLED\n"
    )


def test_a_position_is_not_below_zero(depot: Path, verb: Verb) -> None:
    """Nor is there one that no store can count to."""
    for since in (-4, 2**63):
        told = verb("tail", depot, "--since", since)
        assert (told.code, told.out) == (2, "")
        assert told.err == f"a position is from 0 to 9223372036854775807, not {since}\n"


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("history", ("--since", "0001-01-01T00:00+05:00")),
        ("history", ("--until", "9999-12-31T23:59-05:00")),
        ("state", ("--at", "9999-12-31T23:59-05:00")),
    ],
)
def test_a_time_that_utc_does_not_have_is_refused(
    depot: Path, verb: Verb, name: str, given: tuple[str, str]
) -> None:
    """One that is long past or far off is fine."""
    told = verb(name, depot, *given)
    assert (told.code, told.out) == (2, "")
    assert told.err == f"'{given[1]}' is not in the years 1 to 9999 of UTC\n"
    assert verb("history", depot, "--since", "0001-01-01T00:00Z").code == 0


def test_an_end_before_the_beginning_is_refused(depot: Path, verb: Verb) -> None:
    """As diff does it."""
    told = verb("report", depot, "--since", LATER, "--until", "2020-01-01T00:00Z")
    assert (told.code, told.out) == (2, "")
    assert " comes before 2100-01-01T00:00:00.000000Z" in told.err


@pytest.mark.parametrize("name", ["history", "state", "tail", "verify", "rebuild"])
def test_what_is_no_store_is_told_by_its_name(tmp_path: Path, verb: Verb, name: str) -> None:
    """A text, a folder: with what is wanted in their place."""
    (tmp_path / "site.txt").write_text("[site]\n", encoding="utf-8")
    text = verb(name, tmp_path / "site.txt")
    assert (text.code, text.out) == (2, "")
    assert "site.txt is no store" in text.err
    assert "a site file's name ends with .toml" in text.err
    folder = verb(name, tmp_path)
    assert (folder.code, folder.err) == (2, f"{tmp_path} is a folder, not a store\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("send", "ast_0", "RELEASE", "--by", "\udcff", "--reason", "a test"),
        ("call", "ast_0", "\udcff", "{}", "--by", "ann", "--reason", "a test"),
    ],
)
def test_bytes_that_are_no_text_are_refused(
    depot: Path, verb: Verb, arguments: tuple[str, ...]
) -> None:
    """As the shell hands them on; they could not go on record."""
    told = verb(arguments[0], depot, *arguments[1:])
    assert (told.code, told.err) == (2, "'\\udcff' is not UTF-8\n")


@pytest.mark.parametrize("fault", [ZeroDivisionError(), UnicodeEncodeError("utf-8", "x", 0, 1, "")])
def test_a_fault_of_our_own_is_not_told_as_somebody_elses(
    monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    """It keeps its traceback: nobody could mend it by typing something else."""

    def fails(**_: object) -> None:
        raise fault

    monkeypatch.setattr(sys, "argv", ["setpoint", "history"])
    monkeypatch.setattr(setpoint, "main", fails)
    with pytest.raises(type(fault)):
        main()


def test_a_store_as_a_site_file_is_told_so(depot: Path, verb: Verb) -> None:
    """A site file is a text."""
    told = verb("check", depot.parent / "t.db")
    assert told.code == 2
    assert "t.db: not UTF-8, as a TOML file is" in told.err


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (("send", "ast_0", "RELEASE", "--wait", "nan"), "--wait"),
        (("send", "ast_0", "RELEASE", "--wait", "-1"), "--wait"),
        (("call", "ast_0", "Reset", "{}", "--wait", "inf"), "--wait"),
        (("send", "ast_0", "SET_CHARGE_RATE", "--kw", "nan"), "--kw"),
        (("override", "ast_0", "inf", "--until", "unplugged"), "KW"),
    ],
)
def test_numbers_by_hand_are_numbers(
    depot: Path, verb: Verb, arguments: tuple[str, ...], option: str
) -> None:
    """They are refused before an engine is looked for."""
    name, *rest = arguments
    told = verb(name, depot, *rest, "--by", "ann", "--reason", "a test")
    assert told.code == 2
    assert f"Invalid value for '{option}'" in told.err


@pytest.mark.parametrize("lease", ["nan", "0", "-1", "1e12"])
def test_a_lease_is_as_long_as_a_site_file_may_say(verb: Verb, lease: str) -> None:
    """Above 0 s, and not for ever."""
    told = verb("profile", "check", "generic-battery", "--lease", lease)
    assert told.code == 2
    assert "Invalid value for '--lease'" in told.err


def test_a_profile_is_told_as_one(tmp_path: Path, verb: Verb) -> None:
    """One that there is not with those that there are; one that has to be learned, in JSON too."""
    unknown = verb("profile", "check", "lamp")
    assert unknown.code == 2
    assert unknown.err.startswith("register profile refused: 1 problem\n")
    assert "no built-in profile is called 'lamp'; there are " in unknown.err
    assert "a file's name ends with .toml" in unknown.err
    (tmp_path / "own.toml").write_text("[profile]\n", encoding="utf-8")
    assert "register profile refused: " in verb("profile", "check", tmp_path / "own.toml").err
    learned = json.loads(verb("profile", "check", "sunspec", "--json").out)
    assert learned["learns"] is True
    assert json.loads(verb("profile", "check", "generic-battery", "--json").out)["learns"] is False


@pytest.mark.parametrize("name", ["all.json", "all", "all.jsonl.gz"])
def test_an_export_is_refused_with_the_endings_that_there_are(
    depot: Path, verb: Verb, name: str
) -> None:
    """Help says them too."""
    told = verb("export", depot, depot.parent / name)
    assert told.code == 2
    assert told.err == f"{name}: an export's name ends with .jsonl, .csv or .parquet\n"
    assert ".jsonl, .csv or .parquet" in verb("export", "--help").out


def test_who_holds_a_store_is_told_to_who_wants_to_write(depot: Path, verb: Verb) -> None:
    """By the process; the outcome is no."""
    url = f"sqlite:///{depot.parent / 't.db'}"
    held = open_store(url)
    told = verb("archive", depot, depot.parent / "old.db", "--before", LATER)
    held.close()
    assert told.code == 1
    holder = f"process {os.getpid()} holds t.db.lock"
    assert told.err == f"another engine has the store: {holder}; stop it first\n"


def test_a_reader_knows_the_assets_of_the_site_that_it_is_opened_by(depot: Path) -> None:
    """Only the site file's name says that one is expected."""
    with reader_of(str(depot)) as reader:
        assert reader.assets() == ["ast_0", "ast_1"]
