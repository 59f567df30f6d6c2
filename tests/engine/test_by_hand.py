"""What people ask for by hand."""

from datetime import UTC, datetime

import attrs
import pytest

from engine.by_hand import (
    call_arguments,
    check_schedule_id,
    check_words,
    command_arguments,
    command_type,
    override_end,
    signed_target,
    target_of,
)
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
    for name in ("FLY", 5):
        with pytest.raises(CommandRefused, match=f"{name!r} is no command type; there are SET_CH"):
            command_type(name)


def test_a_call_is_not_sent_without_an_action() -> None:
    """It would go on record and fail: there is another way for it."""
    for name in ("CALL", "call"):
        with pytest.raises(CommandRefused, match="needs an action and its payload: use call"):
            command_type(name)


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
    for none in (1e308, True, "5", None):
        with pytest.raises(CommandRefused, match="not a number"):
            signed_target(CHARGER, none)


@pytest.mark.parametrize("text", ["monday", "sch_", "sch_a b", "sch_/", "", 5, b"sch_a"])
def test_a_schedule_id_has_a_form(text: str) -> None:
    """None is fine: one is made."""
    check_schedule_id(None)
    check_schedule_id("sch_day-1_b")
    with pytest.raises(CommandRefused):
        check_schedule_id(text)


@pytest.mark.parametrize(
    ("by", "reason"), [(None, "why"), ("", "why"), (" ", "why"), ("anna", 5), ("anna\ud800", "why")]
)
def test_who_asks_and_why_are_words_that_can_be_written_down(by: object, reason: object) -> None:
    """What cannot be read from the log again must not come into it."""
    with pytest.raises(CommandRefused, match=r"by|reason"):
        check_words(by, reason)
    check_words("anna", "")


def test_a_change_of_availability_says_which() -> None:
    """By a truth value: any text would mean operative."""
    wanted = CommandType.CHANGE_AVAILABILITY
    assert command_arguments(wanted, False) == {"operative": False}  # noqa: FBT003 - what is given
    assert command_arguments(CommandType.RELEASE, "no") == {}
    with pytest.raises(CommandRefused, match="operative is true or false, not 'no'"):
        command_arguments(wanted, "no")


def test_a_calls_payload_is_kept_as_it_will_be_read() -> None:
    """A tuple is a list and a key is text, and the caller's own object can change later."""
    inner = {"a": (1, 2.5)}
    payload = {"x": inner, 7: None}

    arguments = call_arguments("Reset", payload)  # type: ignore[arg-type]
    inner["a"] = (3, 4.5)

    assert arguments == {"action": "Reset", "payload": {"x": {"a": [1, 2.5]}, "7": None}}


@pytest.mark.parametrize(
    "payload",
    [
        {"a": object()},
        {"a": {1, 2}},
        {"a": float("nan")},
        {"a": "\ud800"},
        {"a": 10**5000},
        None,
        [],
    ],
)
def test_a_payload_that_json_cannot_say_is_refused(payload: object) -> None:
    """It would come into no event, and its asset would fail on it."""
    with pytest.raises(CommandRefused, match="payload"):
        call_arguments("Reset", payload)  # type: ignore[arg-type]


def test_a_payload_has_so_many_levels_and_no_more() -> None:
    """What is too deep to be read from the log is not written to it."""
    deep: dict[str, object] = {}
    for _ in range(31):
        deep = {"a": [], "b": deep}

    assert call_arguments("Reset", deep)["payload"] == deep
    with pytest.raises(CommandRefused, match="32 levels"):
        call_arguments("Reset", {"a": deep})
    with pytest.raises(CommandRefused, match="text"):
        call_arguments(5, {})
    with pytest.raises(CommandRefused, match="action must not be empty"):
        call_arguments(" ", {})


def test_an_override_ends_at_a_time_or_by_a_word() -> None:
    """Another word would be an override without an end."""
    assert override_end("unplugged") == ("unplugged", None)
    assert override_end(datetime(1970, 1, 1, 0, 1, tzinfo=UTC)) == ("time", 60_000_000)
    nevers: tuple[object, ...] = ("never", None, 5, [])
    for never in nevers:
        with pytest.raises(CommandRefused, match="ends"):
            override_end(never)
    with pytest.raises(CommandRefused, match="has no time zone"):
        override_end(datetime(2030, 1, 1))  # noqa: DTZ001 - that is what is refused


@pytest.mark.parametrize("kw", [True, "5", None])
def test_a_power_is_a_number(kw: object) -> None:
    """Texts and truth values are none, also where Python would reckon with them."""
    with pytest.raises(CommandRefused, match="needs a power"):
        target_of(CHARGER, CommandType.SET_CHARGE_RATE, kw)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "kind", sorted(set(CommandType) - {CommandType.SET_CHARGE_RATE, CommandType.SET_DISCHARGE_RATE})
)
def test_what_sets_no_power_takes_none(kind: CommandType) -> None:
    """A power that nobody would heed is refused, not dropped."""
    with pytest.raises(CommandRefused, match=f"{kind} takes no power"):
        target_of(BATTERY, kind, 2.0)
