"""The pages of the documentation, run as they stand there."""

import fnmatch
import importlib.resources
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from actors.sim.battery_quirks import QUIRKS as BATTERY_QUIRKS
from actors.sim.quirks import QUIRKS as CHARGER_QUIRKS
from actors.testing import KINDS, POINTS, Fault
from engine.adapters.profile import BUILTIN

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PAGES = ["how-to/adapter.md", "how-to/test-with-faults.md", "determinism.md"]
NAMED = re.compile(r"^# (\w+\.py)$")


def blocks(page: str) -> list[tuple[str, str]]:
    """Return the blocks of a page, each with its language."""
    return BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))


def write(folder: Path, block: str) -> None:
    """Write a file that a block names; what is there of a test file goes before it."""
    first, _, code = block.partition("\n")
    named = NAMED.match(first)
    assert named is not None, first
    file = folder / named[1]
    before = file.read_text(encoding="utf-8") if file.exists() and "test" in named[1] else ""
    file.write_text(f"{before}\n\n{code}" if before else code, encoding="utf-8")


def run(folder: Path, command: str) -> str:
    """Return what a command of a page prints; pytest runs a page's tests in their order."""
    program, *arguments = command.split()
    start = {"pytest": ["-m", "pytest", "-p", "no:randomly"], "python": []}[program]
    environment = {**os.environ, "COLUMNS": "80"}
    done = subprocess.run(
        [sys.executable, *start, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=120,
        env=environment,
    )
    return done.stdout


def shows(expected: str, shown: str) -> bool:
    """Return whether output is as a page has it; ``…`` stands for whatever is there."""
    pattern = re.sub(r"([\[\]*?])", r"[\1]", expected).replace("…", "*")
    return fnmatch.fnmatchcase(shown.strip(), pattern.strip())


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", PAGES)
def test_a_page_does_what_it_says(tmp_path: Path, page: str) -> None:
    """Its files, in their order, and what its commands print."""
    commands = 0
    for language, block in blocks(page):
        if language == "python":
            write(tmp_path, block)
            continue
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            shown = run(tmp_path, command)
            assert shows(expected, shown), f"{command}\n{shown}"
            commands += 1
    assert commands > 0


def test_the_reference_names_every_kind_of_fault_and_every_point() -> None:
    """One that is missing there, nobody finds."""
    page = (DOCS / "reference" / "faults.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert set() == KINDS - named
    assert set() == set(POINTS) - named


def test_the_references_rules_are_rules() -> None:
    """As they stand there."""
    found: list[object] = []
    code = blocks("reference/faults.md")[0][1].replace("\nFault(", "\nmade += Fault(", 2)
    code = re.sub(r"^made \+= (.*)$", r"made.append(\1)", code, flags=re.MULTILINE)
    exec(compile(code, "faults.md", "exec"), {"made": found})  # noqa: S102 - the page's own words
    assert [isinstance(one, Fault) for one in found] == [True, True]


def test_the_reference_points_to_the_quirks() -> None:
    """They are kinds of fault as well, but for the battery's that is called as one of the store."""
    page = (DOCS / "reference" / "faults.md").read_text(encoding="utf-8")
    assert "(quirks.md)" in page
    for quirk in (*CHARGER_QUIRKS, *BATTERY_QUIRKS):
        assert Fault(kind=quirk).is_of_device == (quirk != "slow")


def test_the_page_of_what_was_tried_names_every_built_in_profile() -> None:
    """And that none but our own was tried on hardware stands in each of their files."""
    page = (DOCS / "compatibility.md").read_text(encoding="utf-8")
    assert {*BUILTIN, "sunspec"} == set(re.findall(r"^\| `([a-z0-9-]+)` \|", page, re.MULTILINE))
    files = importlib.resources.files("engine.adapters") / "profiles"
    for name in BUILTIN[1:]:
        text = (files / f"{name}.toml").read_text(encoding="utf-8")
        assert "# Tried against a simulated map only, not on hardware." in text
