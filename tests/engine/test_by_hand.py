"""What people ask for by hand."""

import attrs
import pytest

from engine.by_hand import check_schedule_id, command_type, signed_target, target_of
from engine.commands import CommandType
from engine.errors import CommandRefused
from engine.events import RELEASED, Setpoint
from engine.rules import AssetRules
from engine.types import AssetId, AssetKind

CHARGER = AssetRules(AssetId("ast_1"), AssetKind.EV_CHARGER, "ocpp", "1", 22_000)
BATTERY = attrs.evolve(CHARGER, kind=AssetKind.BATTERY)


def test_a_type_is_known_by_its_name_in_any_case() -> None:
    """Another name is refused with those that there are."""
    assert command_type("set_charge_rate") is CommandType.SET_CHARGE_RATE
    with pytest.raises(CommandRefused, match="FLY"):
        command_type("FLY")


@pytest.mark.parametrize(
    ("rules", "kind", "kw", "target"),
    [
        (CHARGER, CommandType.RELEASE, None, RELEASED),
        (CHARGER, CommandType.STOP_CHARGING, None, None),
        (BATTERY, CommandType.STOP_CHARGING, None, Setpoint(0, 0)),
        (CHARGER, CommandType.START_CHARGING, None, None),
        (CHARGER, CommandType.SET_CHARGE_RATE, 7.4, Setpoint(7_400, 0)),
        (BATTERY, CommandType.SET_DISCHARGE_RATE, 5.0, Setpoint(0, 5_000)),
    ],
)
def test_a_command_by_hand_has_a_target_or_none(
    rules: AssetRules, kind: CommandType, kw: float | None, target: Setpoint | None
) -> None:
    """A battery's stop is the pair (0, 0)."""
    assert target_of(rules, kind, kw) == target


@pytest.mark.parametrize("kw", [None, -1.0, 1e308, float("inf"), float("nan")])
def test_a_rate_needs_a_power(kw: float | None) -> None:
    """Of 0 kW or more."""
    with pytest.raises(CommandRefused, match="needs a power"):
        target_of(CHARGER, CommandType.SET_CHARGE_RATE, kw)


def test_a_signed_power_discharges_below_zero() -> None:
    """A charger cannot."""
    assert signed_target(BATTERY, -5.0) == Setpoint(0, 5_000)
    assert signed_target(CHARGER, 5.0) == Setpoint(5_000, 0)
    with pytest.raises(CommandRefused, match="cannot discharge"):
        signed_target(CHARGER, -5.0)
    with pytest.raises(CommandRefused, match="not a number"):
        signed_target(CHARGER, float("nan"))
    with pytest.raises(CommandRefused, match="not a number"):
        signed_target(CHARGER, 1e308)


@pytest.mark.parametrize("text", ["monday", "sch_", "sch_a b", "sch_/"])
def test_a_schedule_id_has_a_form(text: str) -> None:
    """None is fine: one is made."""
    check_schedule_id(None)
    check_schedule_id("sch_day-1_b")
    with pytest.raises(CommandRefused):
        check_schedule_id(text)
