"""The README's example, run as it stands there."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.testing.simulation import Simulation
from actors.testing.site import TestSite
from engine.errors import CommandRefused, UsageError
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


def test_who_cannot_be_told_is_no_subscriber(setpoint_site: Callable[..., Simulation]) -> None:
    """At once, and not at the first event; nor is one of events that there are not."""
    system = setpoint_site()
    nobody: Any = 3
    with pytest.raises(UsageError, match="3 cannot be called"):
        system.subscribe(nobody)
    with pytest.raises(UsageError, match="'COMMAND_EXPLODED' is no type of event; there are"):
        system.subscribe(print, "COMMAND_EXPLODED")


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
        lambda: system.pause("ast_charger_1", by="", reason="a test"),
        lambda: system.override("ast_charger_1", nonsense, until="unplugged", by="a", reason="b"),
        lambda: system.send("ast_charger_1", "CALL", by="anna", reason="a test"),
        lambda: system.call("ast_charger_1", "", {}),
    )

    for ask in asks:
        with pytest.raises(CommandRefused):
            ask()

    system.wait_for(lambda: system.state()["ast_charger_1"].connected)
    assert system.verified().ok
    assert system.history(cause="operator").to_frame().empty
    assert ActorCrashed not in {type(one.event) for one in system.records()}
