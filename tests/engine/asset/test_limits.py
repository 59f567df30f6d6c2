"""An asset's own limits, lowered in the site file after a setpoint was planned or set by hand."""

import pytest

from actors.testing.rig import Rig, battery_rules, charger_rules, plan_of
from engine.asset import messages as message
from engine.commands import CommandType
from engine.events import Setpoint
from engine.types import Channel

CHARGE, DISCHARGE = Channel.CHARGE, Channel.DISCHARGE
LOWER = message.Configured(charger_rules(failsafe_after_s=100_000, max_charge_w=9_000))


@pytest.fixture
def rig() -> Rig:
    """Return a charger that holds 11 kW by its plan, with 7 and 16 kW to come."""
    rig = Rig(charger_rules(failsafe_after_s=100_000))
    rig.connect("CHARGING")
    rig.offer(plan_of((0, CHARGE, 11_000), (900, CHARGE, 7_000), (1800, CHARGE, 16_000)), 2700)
    rig.answer()
    return rig


def powers(rig: Rig) -> list[object]:
    """Return what was sent, in kilowatts."""
    return [body["charge_kw"] for body in rig.sent]


def test_a_lower_limit_is_obeyed_at_once(rig: Rig) -> None:
    """What the plan says above it is set at the limit, without waiting for the next change."""
    rig.tell(LOWER)
    assert powers(rig) == [11, 9]


def test_a_planned_change_above_the_limit_is_applied_at_it(rig: Rig) -> None:
    """The plan's own command says what was planned and what was applied; what is below goes on."""
    rig.tell(LOWER)
    rig.answer()
    rig.advance(900)
    rig.answer()
    rig.advance(900)
    rig.answer()
    assert powers(rig) == [11, 9, 7, 9]
    assert rig.history()["cmd_1.0.2"].value_kw == 16
    assert "1.0.2 COMPLETED" in rig.story()


def test_what_is_set_by_hand_is_limited_too(rig: Rig) -> None:
    """The limit outranks the operator."""
    rig.tell(
        message.OverrideRequested(
            Setpoint(20_000, 0),
            CommandType.SET_CHARGE_RATE,
            "unplugged",
            None,
            "ann",
            "why",
            "override",
            rig.replies.append,
        )
    )
    rig.answer()
    rig.tell(LOWER)
    assert powers(rig) == [11, 20, 9]


def test_what_is_held_after_the_horizon_is_limited_too() -> None:
    """A battery that discharges holds no more than it may."""
    held = {"on_schedule_end": "hold", "hold_max_s": 3_600.0, "failsafe_after_s": 100_000}
    rig = Rig(battery_rules(**held))
    rig.connect("IDLE")
    rig.offer(plan_of((0, CHARGE, 0), (0, DISCHARGE, 30_000), columns=("c", "d")), 900)
    rig.read_back()
    rig.read_back()
    rig.advance(900)
    rig.tell(message.Configured(battery_rules(**held, max_discharge_w=20_000)))
    assert rig.state.desired is not None
    assert Setpoint(0, 20_000) == rig.state.desired.target
