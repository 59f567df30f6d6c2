"""The page on quirks says what there is: every name, every row, every test."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner

from actors.cli import setpoint
from actors.sim.battery_quirks import QUIRKS as BATTERY_QUIRKS
from actors.sim.quirks import QUIRKS as CHARGER_QUIRKS
from engine.errors import UsageError

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "reference" / "quirks.md").read_text(encoding="utf-8")
REGISTRIES: Final[Mapping[str, Mapping[str, str]]] = {
    "charger": CHARGER_QUIRKS,
    "battery": BATTERY_QUIRKS,
}


def table(heading: str) -> Iterator[list[str]]:
    """Yield the rows of the first table below a heading, as cells."""
    below = PAGE.partition(f"# {heading}\n")[2].partition("\n#")[0]
    lines = [line for line in below.splitlines() if line.startswith("|")]
    for line in lines[2:]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


def named(cell: str) -> Iterator[tuple[str, str]]:
    """Yield the quirks that a cell names, each with its device."""
    for part in cell.split(";"):
        device = part.split()[0]
        for name in re.findall(r"`([^`]+)`", part):
            yield device, name


def names_in(file: str) -> set[str]:
    """Return the names of a test module's tests."""
    found = next((ROOT / "tests").rglob(file))
    tree = ast.parse(found.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


ROWS: Final = list(table("What the engine makes of them"))


def test_all_twenty_five_are_there() -> None:
    """In their order."""
    numbers = [int(row[0]) for row in ROWS]
    assert numbers == list(range(1, 26))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_rows_quirks_can_be_chosen_and_its_test_exists(row: list[str]) -> None:
    """By the names that the command line takes."""
    quirks = list(named(row[2]))
    assert quirks
    assert [name for device, name in quirks if name not in REGISTRIES[device]] == []
    for one in re.findall(r"`([^`]+)`", row[4]):
        file, _, test = one.partition("::")
        assert test in names_in(file)


@pytest.mark.parametrize("device", ["charger", "battery"])
def test_every_name_is_listed_with_what_it_does(device: str) -> None:
    """As the command line tells it."""
    told = {row[0].strip("`"): row[1] for row in table(f"Of a {device}")}
    assert told == dict(REGISTRIES[device])


@pytest.mark.parametrize("device", ["charger", "battery"])
def test_the_command_line_lists_the_quirks(device: str) -> None:
    """A line each, whatever else is missing."""
    done = CliRunner().invoke(setpoint, ["sim", device, "--quirk", "help"])
    told = dict(line.split(maxsplit=1) for line in done.output.splitlines())
    assert (done.exit_code, told) == (0, dict(REGISTRIES[device]))


@pytest.mark.parametrize(
    "arguments",
    [
        ["charger", "--url", "ws://127.0.0.1:1", "--id", "CP", "--quirk", "silence"],
        ["battery", "--listen", "127.0.0.1:0", "--quirk", "silence"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_quirk_that_nobody_has_is_refused_with_the_nearest(arguments: list[str]) -> None:
    """Before anything is opened."""
    refused = CliRunner().invoke(setpoint, ["sim", *arguments]).exception
    assert isinstance(refused, UsageError)
    assert "silent" in str(refused)
