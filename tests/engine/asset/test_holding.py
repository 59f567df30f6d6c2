"""Which command goes in which state: the whole grid, for a charger and a battery."""

import pytest

from actors.testing.rig import Rig, battery_rules, charger_rules, plan_of
from engine.adapters import base
from engine.asset import messages as message
from engine.asset.holding import hold_reason, is_increase, is_stale
from engine.asset.state import UNKNOWN_HOLDING, Holding
from engine.commands import CommandType
from engine.events import RELEASED, Setpoint
from engine.types import Channel

CHARGE = Channel.CHARGE

# One row per state: what becomes of START, STOP, CHANGE_AVAILABILITY, CALL, RELEASE, 0 kW, a
# decrease to 3 kW and an increase to 9 kW of an asset that holds 5 kW. "go" or why it waits.
EV_COLUMNS = ("START", "STOP", "AVAILABILITY", "CALL", "RELEASE", "ZERO", "LESS", "MORE")
EV_GRID = {
    "AVAILABLE": ("go", "go", "go", "go", "go", "go", "go", "go"),
    "PREPARING": ("go", "go", "go", "go", "go", "go", "go", "go"),
    "CHARGING": ("go", "go", "go", "go", "go", "go", "go", "go"),
    "SUSPENDED": ("go", "go", "go", "go", "go", "go", "go", "go"),
    "FINISHING": ("go", "go", "go", "go", "go", "go", "go", "go"),
    "FAULTED": ("faulted", "go", "go", "go", "go", "go", "faulted", "faulted"),
    "UNAVAILABLE": ("unavailable", "go", "go", "go", "go", "go", "unavailable", "unavailable"),
    "stale": ("stale", "go", "go", "go", "go", "go", "go", "stale"),
    "offline": ("offline",) * 8,
    "not known": ("stale", "go", "go", "go", "go", "go", "go", "stale"),
    "FAULTED and stale": ("faulted", "go", "go", "go", "go", "go", "faulted", "faulted"),
    "overlaid": ("unavailable", "go", "go", "go", "go", "go", "unavailable", "unavailable"),
}
BATTERY_COLUMNS = ("STOP", "CALL", "RELEASE", "ZERO", "LESS", "MORE", "LESS_OUT", "MORE_OUT")
BATTERY_GRID = {
    "IDLE": ("go", "go", "go", "go", "go", "go", "go", "go"),
    "CHARGING": ("go", "go", "go", "go", "go", "go", "go", "go"),
    "DISCHARGING": ("go", "go", "go", "go", "go", "go", "go", "go"),
    "FAULTED": ("go", "go", "go", "go", "faulted", "faulted", "faulted", "faulted"),
    "UNAVAILABLE": ("go", "go", "go", "go") + ("unavailable",) * 4,
    "stale": ("go", "go", "go", "go", "go", "stale", "stale", "stale"),
    "offline": ("offline",) * 8,
    "not known": ("go", "go", "go", "go", "go", "stale", "stale", "stale"),
    "FAULTED and stale": ("go", "go", "go", "go", "faulted", "faulted", "faulted", "faulted"),
}
COMMANDS: dict[str, tuple[CommandType, Setpoint | None]] = {
    "START": (CommandType.START_CHARGING, None),
    "STOP": (CommandType.STOP_CHARGING, None),
    "AVAILABILITY": (CommandType.CHANGE_AVAILABILITY, None),
    "CALL": (CommandType.CALL, None),
    "RELEASE": (CommandType.RELEASE, RELEASED),
    "ZERO": (CommandType.SET_CHARGE_RATE, Setpoint(0, 0)),
    "LESS": (CommandType.SET_CHARGE_RATE, Setpoint(3_000, 0)),
    "MORE": (CommandType.SET_CHARGE_RATE, Setpoint(9_000, 0)),
    "LESS_OUT": (CommandType.SET_DISCHARGE_RATE, Setpoint(0, 3_000)),
    "MORE_OUT": (CommandType.SET_DISCHARGE_RATE, Setpoint(0, 9_000)),
}


def held(rig: Rig, state: str) -> Rig:
    """Bring an asset that holds 5 kW into a state."""
    normal = "CHARGING"
    rig.connect(normal)
    rig.offer(plan_of((0, CHARGE, 5_000)), 9_000)
    rig.read_back()
    match state:
        case "offline":
            rig.observe(base.Disconnected())
        case "stale":
            rig.advance(61, alive=False)
        case "overlaid":
            rig.observe(base.StateReported("UNAVAILABLE", "x", whole_device=True))
        case "not known":
            rig.restart()
            rig.observe(base.SetpointRead(5.0, 0.0), base.Connected())
        case "FAULTED and stale":
            rig.observe(base.StateReported("FAULTED", "x"))
            rig.advance(61, alive=False)
        case _:
            rig.observe(base.StateReported(state, state))
    return rig


def verdict(rig: Rig, command: str) -> str:
    """Return what becomes of a command now."""
    kind, setpoint = COMMANDS[command]
    return hold_reason(rig.state, kind, setpoint, rig.now) or "go"


@pytest.mark.parametrize("state", EV_GRID)
def test_what_a_charger_takes(state: str) -> None:
    """Every cell of its grid."""
    rig = held(Rig(charger_rules()), state)
    assert EV_GRID[state] == tuple(verdict(rig, command) for command in EV_COLUMNS)


@pytest.mark.parametrize("state", BATTERY_GRID)
def test_what_a_battery_takes(state: str) -> None:
    """Every cell of its grid."""
    rig = held(Rig(battery_rules()), state)
    assert BATTERY_GRID[state] == tuple(verdict(rig, command) for command in BATTERY_COLUMNS)


@pytest.mark.parametrize("rules", [charger_rules(), battery_rules()])
def test_an_asset_that_never_connected_holds_everything(rules: object) -> None:
    """It is offline."""
    rig = Rig(rules)  # type: ignore[arg-type]  # one of the two
    assert {verdict(rig, command) for command in COMMANDS} == {"offline"}


@pytest.mark.parametrize(
    ("holding", "target", "increase"),
    [
        (UNKNOWN_HOLDING, Setpoint(1, 0), True),
        (UNKNOWN_HOLDING, Setpoint(0, 0), False),
        (UNKNOWN_HOLDING, RELEASED, False),
        (Holding(5_000, 0), Setpoint(5_000, 0), False),
        (Holding(5_000, 0), Setpoint(5_001, 0), True),
        (Holding(0, 5_000), Setpoint(0, 4_999), False),
        (Holding(0, 5_000), Setpoint(0, 5_001), True),
        (Holding(None, None, released=True), Setpoint(1, 0), True),
        (Holding(5_000, 0), Setpoint(0, 1), True),
    ],
)
def test_what_may_raise_power(holding: Holding, target: Setpoint, *, increase: bool) -> None:
    """Above zero with nothing known it may; a release is always allowed."""
    assert is_increase(holding, target) is increase


def test_a_device_is_stale_after_stale_s() -> None:
    """No frame, pong or good poll for so long."""
    rig = Rig(charger_rules())
    rig.connect()
    rig.advance(60, alive=False)
    assert not is_stale(rig.state, rig.now)
    rig.advance(0.001, alive=False)
    assert is_stale(rig.state, rig.now)
    rig.observe(base.Seen())
    assert not is_stale(rig.state, rig.now)


def test_a_late_answer_is_no_sign_of_life() -> None:
    """It was on its way for who knows how long."""
    rig = Rig(charger_rules())
    rig.connect()
    rig.advance(61, alive=False)
    rig.observe(base.LateAnswer("att_old", "raw"))
    assert is_stale(rig.state, rig.now)


def test_a_held_command_goes_with_the_first_sign_of_life() -> None:
    """Held is PENDING with its reason; it is told once."""
    rig = Rig(charger_rules())
    rig.connect("CHARGING")
    rig.advance(61, alive=False)
    rig.offer(plan_of((61, CHARGE, 5_000)), 9_000)
    assert rig.story() == ["1.0.0 PENDING held:stale"]
    assert rig.tell(message.Woke()) == []
    rig.observe(base.Seen())
    assert rig.story() == ["1.0.0 DISPATCHED"]


def test_a_new_reason_to_hold_is_told() -> None:
    """From stale to offline, from offline to faulted."""
    rig = Rig(charger_rules())
    rig.connect("CHARGING")
    rig.advance(61, alive=False)
    rig.offer(plan_of((61, CHARGE, 5_000)), 9_000)
    rig.observe(base.Disconnected())
    assert rig.story() == ["1.0.0 PENDING held:offline"]
    rig.observe(base.StateReported("FAULTED", "Faulted"), base.Connected())
    assert rig.story() == ["1.0.0 PENDING held:faulted"]


def test_a_fault_lets_zero_through() -> None:
    """And holds what comes after it until it is over."""
    rig = held(Rig(charger_rules(failsafe_after_s=100_000)), "FAULTED")
    rig.offer(plan_of((0, CHARGE, 0), (60, CHARGE, 7_000)), 9_000, sequence=2)
    assert rig.sent[-1]["charge_kw"] == 0
    rig.answer()
    rig.advance(60)
    assert len(rig.sent) == 2
    rig.observe(base.StateReported("AVAILABLE", "Available"))
    assert [one["charge_kw"] for one in rig.sent][-1] == 7


def test_the_second_half_of_a_pair_may_be_held_alone() -> None:
    """The zero goes, the increase waits."""
    rig = Rig(battery_rules())
    rig.connect("FAULTED")
    both = plan_of((0, Channel.DISCHARGE, 0), (0, CHARGE, 5_000), columns=("c", "d"))
    rig.offer(both, 900)
    rig.read_back()
    assert rig.story() == ["1.0.0 COMPLETED", "1.0.1 PENDING held:faulted"]


@pytest.mark.parametrize(
    ("state", "reason"), [("FAULTED", "held:faulted"), ("UNAVAILABLE", "held:unavailable")]
)
def test_a_start_waits_while_others_go(state: str, reason: str) -> None:
    """One order that is held does not hold the next."""
    rig = Rig(charger_rules())
    rig.connect(state)
    reply = rig.replies.append
    rig.tell(
        message.CommandRequested(CommandType.START_CHARGING, "ann", "why", {}, reply),
        message.CommandRequested(CommandType.STOP_CHARGING, "ann", "why", {}, reply),
    )
    start, stop = (rig.history()[str(one)] for one in rig.replies)
    assert (start.reason, stop.status) == (reason, "DISPATCHED")


def test_a_start_that_waits_too_long_expires() -> None:
    """After 300 s of the device clock."""
    rig = Rig(charger_rules())
    rig.connect("FAULTED")
    reply = rig.replies.append
    rig.tell(message.CommandRequested(CommandType.START_CHARGING, "ann", "why", {}, reply))
    rig.advance(300)
    record = rig.history()[str(rig.replies[0])]
    assert (record.status, record.reason) == ("CANCELLED", "expired")


def test_a_command_on_the_wire_does_not_expire() -> None:
    """Its answer comes first."""
    rig = Rig(charger_rules(command_timeout_s=400))
    rig.connect("CHARGING")
    reply = rig.replies.append
    rig.tell(message.CommandRequested(CommandType.START_CHARGING, "ann", "why", {}, reply))
    rig.advance(301)
    rig.answer()
    assert rig.history()[str(rig.replies[0])].status == "COMPLETED"


def test_the_higher_priority_goes_first() -> None:
    """Of two orders that wait."""
    rig = Rig(charger_rules())
    reply = rig.replies.append
    rig.tell(
        message.CommandRequested(CommandType.CALL, "ann", "why", {}, reply),
        message.CommandRequested(CommandType.CALL, "ann", "why", {}, reply, 2),
    )
    rig.connect("CHARGING")
    low, high = (rig.history()[str(one)] for one in rig.replies)
    assert (low.status, high.status) == ("PENDING", "DISPATCHED")
