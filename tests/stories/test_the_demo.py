"""The demo is what a newcomer sees first."""

import re
import subprocess
import sys

import pytest


@pytest.mark.timeout(120)
def test_the_demo_ends_well_within_a_minute() -> None:
    """More than a hundred commands, a fault, a re-plan, an early departure, and a summary."""
    done = subprocess.run(
        [sys.executable, "-m", "actors.cli", "demo"],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    found = re.search(r"(\d+) commands in (\d+) s", done.stdout)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert found is not None
    assert int(found[1]) > 100
    assert "early_departure" in done.stdout
    assert "superseded" in done.stdout
    assert "FAULTED" in done.stdout
