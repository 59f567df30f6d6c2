"""The benches of growth on small sizes, and the page and the plots that they fill."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from actors.bench import growth, registry
from actors.bench.page import BEGIN, END, Page
from actors.bench.plots import Plot, number, svg
from actors.bench.rows import Row, row, within
from actors.cli.bench import bench
from actors.store import open_store
from engine.errors import UsageError

NAMES = ["dispatch", "replan", "recover"]


def test_growth_by_assets_has_a_row_for_each_cost_and_size() -> None:
    """Beside what the smallest costs, times as many assets."""
    found = list(growth.by_assets(1, (3, 6)))
    assert [one["bench"] for one in found] == [f"{name}_by_assets" for name in NAMES for _ in "ab"]
    assert [one["size"] for one in found] == [3, 6, 3, 6, 3, 6]
    for small, large in zip(found[::2], found[1::2], strict=True):
        assert small["limit"] == small["value"]
        assert large["limit"] == pytest.approx(2 * small["value"], abs=2e-4)  # type: ignore[operator]


def test_growth_by_events_is_beside_the_shortest_log() -> None:
    """A cost that does not grow has the ratio 1."""
    found = list(growth.by_events(1, (60, 120), assets=4))
    assert [one["bench"] for one in found] == [f"{name}_by_events" for name in NAMES for _ in "ab"]
    for short, long in zip(found[::2], found[1::2], strict=True):
        assert short["ratio"] == 1.0
        assert long["limit"] == short["limit"]
        assert long["size"] > short["size"]  # type: ignore[operator]


@pytest.mark.parametrize(("length", "schedules"), [(100, 1), (1_000, 3), (10_000, 26)])
def test_a_log_is_about_as_long_as_it_is_asked_to_be(
    tmp_path: Path, length: int, schedules: int
) -> None:
    """With at most 48 changes an asset and schedule, and a snapshot of all that is needed."""
    depot = growth.Depot.of(length, 4)
    assert depot.schedules == schedules
    assert 0.9 * length < depot.write(tmp_path) < 1.15 * length
    store = open_store(depot.site(tmp_path).store_url, read_only=True)
    assert len(list(store.snapshots())) == 5
    store.close()


def test_a_copy_that_lacks_events_is_not_measured(tmp_path: Path) -> None:
    """What SQLite had not put into the file yet would be missing."""
    depot = growth.Depot.of(60, 4)
    depot.write(tmp_path)
    with pytest.raises(ValueError, match="of 1000 events"):
        growth._cost_of_copy(depot, tmp_path, 1_000)  # noqa: SLF001 - a check within


# --- the page


def _grown(name: str) -> list[Row]:
    found = ((1_000, 0.25, 0.25), (10_000, 2.0, 2.5))
    return [
        {**row(name, [value], "s", (limit, "in proportion"), (limit / value, None)), "size": size}
        for size, value, limit in found
    ]


def test_a_page_is_filled_between_its_marks(tmp_path: Path) -> None:
    """What stands around them stays; figures of before go."""
    page = tmp_path / "benchmarks.md"
    page.write_text(f"# Mine\n\n{BEGIN}\nold\n{END}\n\nAfter.\n")
    Page.of(tmp_path).fill([within("lateness", [25.0], 50.0, "ms"), *_grown("replan_by_assets")])
    told = page.read_text()
    assert told.startswith(f"# Mine\n\n{BEGIN}\n")
    assert told.endswith(f"{END}\n\nAfter.\n")
    assert "old" not in told
    assert "| lateness | 25 ms | 2.00 | 50 ms | 1 |" in told
    assert "![Re-plan by assets](benchmarks/replan_by_assets.svg)" in told
    assert "| 10,000 | 2 s | 1.25 | in proportion: 2.5 s |  |" in told


def test_a_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    """It may be another one."""
    (tmp_path / "benchmarks.md").write_text("# Mine\n")
    with pytest.raises(UsageError, match="has no lines"):
        Page.of(tmp_path)


def test_the_page_of_the_documentation_can_be_filled() -> None:
    """It says around the figures what was measured."""
    page = Page.of(Path(__file__).parents[2] / "docs")
    assert "setpoint bench --full --plots docs" in page.before
    names = [name for name in registry.BENCHES if name not in page.before]
    assert names == []


def test_the_command_writes_page_and_plots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is in the documentation comes from it."""
    monkeypatch.setattr(registry, "BENCHES", {"one": lambda _: within("one", [1.0], 2.0, "s")})
    monkeypatch.setattr(registry, "LONG", {"two": lambda _: _grown("recover_by_events")})
    monkeypatch.setattr("actors.cli.bench.settle", lambda: None)
    said = CliRunner().invoke(bench, ["--full", "--plots", str(tmp_path)])
    assert said.exit_code == 0
    assert "recover_by_events 10000 2 s  1.25 x in proportion" in said.output
    assert (tmp_path / "benchmarks" / "recover_by_events.svg").exists()
    assert "## Restart by stored events" in (tmp_path / "benchmarks.md").read_text()


# --- the plots


def test_a_plot_is_a_document_with_its_points_and_labels() -> None:
    """Powers of ten are as far apart as each other."""
    points = [(10.0, 1.0), (100.0, 10.0), (1_000.0, 100.0)]
    made = svg(Plot("Cost & size", "assets", "s", points, points[:1] * 2, "the same"))
    root = ET.fromstring(made)  # noqa: S314 - made here
    space = "{http://www.w3.org/2000/svg}"
    across = [float(one.get("cx", "")) for one in root.iter(f"{space}circle")]
    up = [float(one.get("cy", "")) for one in root.iter(f"{space}circle")]
    assert across[1] - across[0] == pytest.approx(across[2] - across[1], abs=0.2)
    assert up[0] - up[1] == pytest.approx(up[1] - up[2], abs=0.2)
    assert up[0] > up[1]
    texts = [one.text for one in root.iter(f"{space}text")]
    assert {"Cost & size", "assets", "s", "1,000", "dashed: the same"} <= set(texts)


def test_a_plot_of_one_point_has_axes_all_the_same() -> None:
    """A power of ten at least."""
    made = svg(Plot("one", "x", "y", [(10.0, 1.0)], [(10.0, 1.0)], "it"))
    ET.fromstring(made)  # noqa: S314 - made here
    assert ">100<" in made


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "0"),
        (0.0123, "0.0123"),
        (0.5, "0.5"),
        (9.876, "9.88"),
        (99.96, "100"),
        (12_345.6, "12,346"),
    ],
)
def test_numbers_are_told_to_three_digits(value: float, said: str) -> None:
    """As people write them."""
    assert number(value) == said
