"""The example projects, as somebody runs them who has copied them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def run_pytest(folder: Path, *arguments: str) -> str:
    """Run pytest in a folder of its own, and return what it says at the end."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout.splitlines()[-1]


@pytest.mark.timeout(150)
def test_the_custom_adapter_passes_its_tests(tmp_path: Path) -> None:
    """The conformance tests with the link, over real sockets, and three seeds of a street."""
    folder = tmp_path / "custom-adapter"
    shutil.copytree(EXAMPLES / "custom-adapter", folder)
    assert run_pytest(folder).startswith("25 passed, 1 skipped in ")


def test_the_custom_adapters_test_file_is_short() -> None:
    """Under forty lines: it says what is particular, and nothing else."""
    text = (EXAMPLES / "custom-adapter" / "test_lamppost.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 40
