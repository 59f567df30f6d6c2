"""The README's example, run as it stands there."""

import re
from pathlib import Path

import pytest

from actors.testing.site import TestSite

README = Path(__file__).parents[2] / "README.md"


@pytest.mark.timeout(60)
def test_the_readmes_example_runs(
    depot: TestSite, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the README shows an embedder works against real sockets."""
    found = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    code = found[1]
    assert len([line for line in code.splitlines() if line.strip()]) <= 15
    monkeypatch.chdir(depot.folder)
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102 - the README's own words
    told = capsys.readouterr().out
    assert "COMPLETED" in told
