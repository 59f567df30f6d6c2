"""The README's example, run as it stands there."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.testing.simulation import Simulation
from actors.testing.site import TestSite
from engine.errors import CommandRefused
from engine.events import ActorCrashed

README = Path(__file__).parents[2] / "README.md"


@pytest.mark.timeout(120)
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


def test_what_cannot_be_read_again_is_not_written(setpoint_site: Callable[..., Simulation]) -> None:
    """A host that passes nonsense is told so; its asset and its record are as they were."""
    system = setpoint_site()
    nonsense: Any = None
    asks = (
        lambda: system.send("ast_charger_1", "RELEASE", by=nonsense, reason="a test"),
        lambda: system.override("ast_charger_1", 5, until="unplugged", by="anna", reason=nonsense),
        lambda: system.override("ast_charger_1", 5, until=nonsense, by="anna", reason="a test"),
        lambda: system.call("ast_charger_1", "Reset", {"type": object()}),
        lambda: system.call("ast_charger_1", "Reset", {"type": "\ud800"}),
        lambda: system.clear_override("ast_charger_1", by="\ud800", reason="a test"),
    )

    for ask in asks:
        with pytest.raises(CommandRefused):
            ask()

    system.wait_for(lambda: system.state()["ast_charger_1"].connected)
    assert system.verified().ok
    assert system.history(cause="operator").to_frame().empty
    assert ActorCrashed not in {type(one.event) for one in system.records()}
