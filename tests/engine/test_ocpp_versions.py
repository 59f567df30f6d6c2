"""Each charger is spoken to in the version that it has agreed to."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from engine.adapters.base import Answer, AssetView
from engine.adapters.ocpp import OcppOptions, OcppSpelling
from engine.commands import Attempt, Cause, CauseKind, Command, CommandType
from engine.types import AssetId, AssetKind, CommandId

AT = datetime(2025, 6, 3, 8, tzinfo=UTC)
BOTH = ("1.6", "2.0.1")
UNKNOWN = AssetView(AssetId("a"), AssetKind.EV_CHARGER, "AVAILABLE", options=OcppOptions("CP-1"))
START = Command(
    CommandId("cmd_1"),
    AssetId("a"),
    CommandType.START_CHARGING,
    None,
    AT,
    Cause(CauseKind.OPERATOR),
)
ATTEMPT = Attempt("att_1", 1, 0, AT, None, None, None, None)


@pytest.mark.parametrize(
    ("offered", "spoken", "action"),
    [
        (BOTH, None, "RemoteStartTransaction"),
        (BOTH, "ocpp1.6", "RemoteStartTransaction"),
        (BOTH, "ocpp2.0.1", "RequestStartTransaction"),
        (("2.0.1", "1.6"), None, "RemoteStartTransaction"),
        (("2.0.1",), None, "RequestStartTransaction"),
        (("1.6",), None, "RemoteStartTransaction"),
    ],
)
def test_a_command_is_spelled_in_the_version_of_its_charger(
    offered: tuple[str, ...], spoken: str | None, action: str
) -> None:
    """One that has never connected is taken to speak the oldest that is offered."""
    told = {} if spoken is None else {"protocol": spoken}
    seen = replace(UNKNOWN, capabilities=told)
    assert OcppSpelling(offered).translate(START, seen, ATTEMPT).frames[0].action == action


@pytest.mark.parametrize(
    ("conf", "is_later"),
    [({"status": "Scheduled"}, True), ({"status": "Accepted"}, False), (5, False)],
)
def test_a_charger_that_answers_scheduled_does_it_later(conf: object, *, is_later: bool) -> None:
    """A change of availability during a charge, say."""
    assert OcppSpelling().defers(Answer("raw", values=(conf,))) is is_later


def test_questions_and_their_answers_are_of_that_version_too() -> None:
    """A composite schedule has another name in each."""
    spelling = OcppSpelling(BOTH)
    assert (spelling.protocol, OcppSpelling(("2.0.1",)).protocol) == ("ocpp1.6", "ocpp2.0.1")
    assert spelling.slot_key(OcppOptions("CP-1")) == "CP-1"
    periods = {"chargingRateUnit": "W", "chargingSchedulePeriod": [{"limit": 7}]}
    for protocol, place, schedule in (
        ("ocpp1.6", "connectorId", "chargingSchedule"),
        ("ocpp2.0.1", "evseId", "schedule"),
    ):
        seen = replace(UNKNOWN, capabilities={"protocol": protocol})
        assert place in spelling.questions(seen)[0].frames[0].body
        assert spelling.sampling(seen)[0].frames[0].action == "TriggerMessage"
        assert spelling.interpret(Answer("raw", values=({schedule: periods},)), seen)


# --- the default beneath a transaction's own setpoint

RATE = replace(START, type=CommandType.SET_CHARGE_RATE, value_kw=7.4)
SETPOINT = replace(ATTEMPT, lease_s=900.0, fallback_kw=4.2, charge_kw=7.4, discharge_kw=0.0)
PROTOCOLS = ("ocpp1.6", "ocpp2.0.1")
TOLD: tuple[dict[str, str], ...] = (
    {},
    {"ChargeProfileMaxStackLevel": "0"},
    {"ChargingScheduleMaxPeriods": "1"},
    {"ChargingScheduleAllowedChargingRateUnit": "Current"},
)


def bodies(seen: AssetView, attempt: Attempt) -> list[dict[str, object]]:
    """Return what is sent for a setpoint."""
    return [frame.body for frame in OcppSpelling(BOTH).translate(RATE, seen, attempt).frames]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("told", TOLD)
@pytest.mark.parametrize("form", range(5))
def test_a_default_is_lowered_as_it_would_be_set(
    protocol: str, told: dict[str, str], form: int
) -> None:
    """It goes before the transaction's own, in the form and under the id of the one it replaces.

    It is for whoever comes next: not of the phases, nor since the start, of who charges now.
    """
    seen = replace(UNKNOWN, capabilities={**told, "protocol": protocol})
    since = AT - timedelta(minutes=5)
    charging = replace(seen, transaction_id="7", transaction_began_at=since, phases=1)
    set_before = bodies(seen, replace(SETPOINT, form=form))
    default = [one for one in set_before if len(one) > 1][-1]  # what clears has an id alone
    lowered, *own = bodies(charging, replace(SETPOINT, beneath_form=form))
    assert lowered == default
    assert own == bodies(charging, SETPOINT)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_where_a_setpoint_is_the_default_itself_there_is_none_to_lower(protocol: str) -> None:
    """Of a charger that takes no TxProfile, and of one without a transaction."""
    seen = replace(UNKNOWN, capabilities={"protocol": protocol})
    charging, other = replace(seen, transaction_id="7"), replace(SETPOINT, form=6)
    assert bodies(seen, replace(SETPOINT, beneath_form=0)) == bodies(seen, SETPOINT)
    assert bodies(charging, replace(other, beneath_form=0)) == bodies(charging, other)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_default_without_a_form_of_its_own_gets_one_that_ends_in_the_fallback(
    protocol: str,
) -> None:
    """One period and one level leave no room: nothing would be below it when its lease is over."""
    told = {"ChargeProfileMaxStackLevel": "0", "ChargingScheduleMaxPeriods": "1"}
    seen = replace(UNKNOWN, transaction_id="7", capabilities={**told, "protocol": protocol})
    lowered = str(bodies(seen, replace(SETPOINT, beneath_form=0))[0])
    assert "TxDefaultProfile" in lowered
    assert lowered.count("startPeriod") == 2
