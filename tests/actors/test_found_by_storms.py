"""What storms have found in the engine: each once more, alone."""

from collections.abc import Callable

from actors.testing.faults import Fault, Faults
from actors.testing.simulation import Simulation
from actors.testing.world import WorldClock

Site = Callable[..., Simulation]


def test_a_lost_question_is_asked_again(
    setpoint_site: Site, setpoint_clock: WorldClock, setpoint_faults: Faults
) -> None:
    """A charger that is not asked again how it is would be stale until it says so by itself."""
    system = setpoint_site()
    setpoint_clock.advance(5)
    setpoint_faults.add(Fault(kind="drop", direction="in", action="TriggerMessage", times=3))
    system.restart()
    setpoint_clock.advance(12)
    assert not system.state()["ast_charger_1"].state_known
    setpoint_clock.advance(60)
    assert [one.kind for one in setpoint_faults.injected] == ["drop"] * 3
    assert system.state()["ast_charger_1"].state_known
    assert system.state()["ast_charger_2"].state_known
