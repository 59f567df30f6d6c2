"""OCPP 2.0.1: every payload that can be built is valid, and answers mean what they say."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from msgspec.structs import replace
from ocpp.messages import Call, MessageType, _validate_payload, get_validator

from engine.adapters.base import Answer, AssetView, Frame, SetpointRead
from engine.adapters.ocpp201 import Ocpp201Spelling, judge
from engine.adapters.ocpp201_calls import ACTIONS
from engine.adapters.ocpp_options import OcppOptions
from engine.commands import Attempt, Cause, CauseKind, Command, CommandType
from engine.errors import Untranslatable
from engine.types import AssetId, AssetKind, CommandId

AT = datetime(2025, 6, 3, 8, 0, 5, 250_000, tzinfo=UTC)
OWN = OcppOptions("CP-1", 2)
SPELLING = Ocpp201Spelling()
UNIT = "ChargingScheduleAllowedChargingRateUnit"
LEVELS = "ChargeProfileMaxStackLevel"
PERIODS = "ChargingScheduleMaxPeriods"
TRANSACTION = "7d7ac03a-5ccb-4ca8-a4fd-0ad1bbc15a5f"


def view(own: OcppOptions = OWN, **changes: Any) -> AssetView:  # noqa: ANN401 - fields of AssetView
    """Return a charger's view."""
    seen = AssetView(AssetId("ast_1"), AssetKind.EV_CHARGER, "CHARGING", options=own)
    return replace(seen, **changes)


def attempt(form: int = 0, **changes: Any) -> Attempt:  # noqa: ANN401 - fields of Attempt
    """Return an attempt at 7.4 kW with a lease and a fallback."""
    tried = Attempt("att_1", 1, form, AT, 900.0, 4.2, 7.4, 0.0)
    return replace(tried, **changes)


def command(kind: CommandType, **arguments: object) -> Command:
    """Return a command of a type."""
    cause = Cause(CauseKind.SCHEDULE)
    return Command(CommandId("cmd_1"), AssetId("ast_1"), kind, 7.4, AT, cause, arguments=arguments)


def spelled(kind: CommandType, seen: AssetView | None = None, **arguments: object) -> Frame:
    """Return the first frame of a command that sets no power."""
    given = command(kind, **arguments)
    return SPELLING.translate(given, seen or view(), attempt(serial=5)).frames[0]


def profile(form: int = 0, seen: AssetView | None = None, **changes: Any) -> Any:  # noqa: ANN401 - JSON
    """Return the last profile that a setpoint is spelled as."""
    payload = SPELLING.translate(
        command(CommandType.SET_CHARGE_RATE), seen or view(), attempt(form, **changes)
    )
    body = payload.frames[-1].body
    assert body["evseId"] == 2
    return body["chargingProfile"]


def everything() -> Iterator[tuple[Command, AssetView, Attempt]]:
    """Yield every kind of command in every situation that changes its spelling."""
    views = [
        view(
            attrs.evolve(OWN, rate_unit=unit, phases=phases, charge_point_max=phases == 1),
            transaction_id=transaction,
            capabilities={LEVELS: levels, PERIODS: periods},
        )
        for unit in ("auto", "W", "A")
        for phases in (1, 3)
        for transaction in (None, TRANSACTION)
        for levels in ("0", "8")
        for periods in ("1", "24")
    ]
    for seen in views:
        for form in range(20):
            for lease_s in (900.0, None):
                for fallback_kw in (4.2, 7.4, None):
                    tried = attempt(form, lease_s=lease_s, fallback_kw=fallback_kw)
                    yield command(CommandType.SET_CHARGE_RATE), seen, tried
                    lowering = replace(tried, beneath_form=form % 7)
                    yield command(CommandType.SET_CHARGE_RATE), seen, lowering
        for operative in (True, False):
            given = command(CommandType.CHANGE_AVAILABILITY, operative=operative)
            yield given, seen, attempt()
        for kind in (
            CommandType.START_CHARGING,
            CommandType.STOP_CHARGING,
            CommandType.RELEASE,
        ):
            yield command(kind), seen, attempt(serial=(1 << 40) + 3)


def test_every_payload_that_can_be_built_is_valid() -> None:
    """Against the JSON schemas that the ocpp library ships."""
    checked = 0
    for given, seen, tried in everything():
        try:
            payload = SPELLING.translate(given, seen, tried)
        except Untranslatable:
            continue
        for frame in payload.frames:
            _validate_payload(Call("1", frame.action, dict(frame.body)), "2.0.1")
            checked += 1
    assert checked > 1_000


def test_the_first_form_is_absolute_and_gives_way_to_the_fallback() -> None:
    """One schedule with an id; its start lies a minute back; then comes the fallback."""
    made = profile()
    (schedule,) = made["chargingSchedule"]
    assert made["chargingProfileKind"] == "Absolute"
    assert made["chargingProfilePurpose"] == "TxDefaultProfile"
    assert (made["id"], made["stackLevel"], schedule["id"]) == (2_000, 1, 2_000)
    assert "transactionId" not in made
    assert schedule["startSchedule"] == "2025-06-03T07:59:05Z"
    assert schedule["chargingSchedulePeriod"] == [
        {"startPeriod": 0, "limit": 7_400.0, "numberPhases": 3},
        {"startPeriod": 960, "limit": 4_200.0, "numberPhases": 3},
    ]


def test_a_transaction_gets_a_profile_of_its_own() -> None:
    """TxProfile with the transaction's id, a text, under another profile id."""
    made = profile(seen=view(transaction_id=TRANSACTION))
    assert made["chargingProfilePurpose"] == "TxProfile"
    assert (made["transactionId"], made["id"]) == (TRANSACTION, 2_010)


def test_without_a_fallback_the_lease_is_a_duration() -> None:
    """Afterwards the station is on its own; a relative one has no start."""
    (absolute,) = profile(fallback_kw=None)["chargingSchedule"]
    made = profile(1, fallback_kw=None)
    (relative,) = made["chargingSchedule"]
    assert (absolute["duration"], relative["duration"]) == (960, 900)
    assert made["validTo"] == "2025-06-03T08:15:05Z"
    assert "startSchedule" not in relative


def test_amperes_where_the_station_takes_only_those() -> None:
    """Told by the same name as in 1.6."""
    (schedule,) = profile(seen=view(capabilities={UNIT: "A"}))["chargingSchedule"]
    assert schedule["chargingRateUnit"] == "A"
    assert schedule["chargingSchedulePeriod"][0]["limit"] == 10.7


def test_in_a_transaction_the_default_profile_comes_after_the_transactions_own() -> None:
    """The ladder is that of 1.6; what would outrank the default is cleared by id."""
    told = {UNIT: "Power", LEVELS: "8", PERIODS: "24"}
    seen = view(transaction_id=TRANSACTION, capabilities=told)
    given = command(CommandType.SET_CHARGE_RATE)
    default, cleared = SPELLING.translate(given, seen, attempt(5)).frames
    assert default.body["chargingProfile"]["chargingProfilePurpose"] == "TxDefaultProfile"  # type: ignore[index]  # JSON
    assert cleared.body == {"chargingProfileId": 2_010}


def test_the_station_as_a_whole_is_evse_0() -> None:
    """Only where it may be limited as a whole, and takes nothing else."""
    own = attrs.evolve(OWN, charge_point_max=True)
    told = {UNIT: "Power", LEVELS: "8", PERIODS: "24"}
    given = command(CommandType.SET_CHARGE_RATE)
    made = SPELLING.translate(given, view(own, capabilities=told), attempt(12)).frames[0].body
    assert made["evseId"] == 0
    assert made["chargingProfile"]["chargingProfilePurpose"] == "ChargingStationMaxProfile"  # type: ignore[index]  # JSON


@pytest.mark.parametrize("power_kw", [float("nan"), float("inf"), -0.1])
def test_what_is_no_power_is_never_sent(power_kw: float) -> None:
    """The schemas of 2.0.1 would let it pass."""
    with pytest.raises(Untranslatable):
        profile(charge_kw=power_kw)


def test_a_start_has_a_number_of_its_own() -> None:
    """By the attempt and the EVSE; our tag is a central one."""
    frame = spelled(CommandType.START_CHARGING, id_tag="T")
    assert (frame.action, frame.body) == (
        "RequestStartTransaction",
        {"evseId": 2, "remoteStartId": 322, "idToken": {"idToken": "T", "type": "Central"}},
    )


def test_a_stop_names_its_transaction() -> None:
    """As the station gave it."""
    frame = spelled(CommandType.STOP_CHARGING, view(transaction_id=TRANSACTION))
    assert (frame.action, frame.body) == (
        "RequestStopTransaction",
        {"transactionId": TRANSACTION},
    )


def test_availability_is_that_of_the_evse() -> None:
    """One for both of its connectors."""
    for operative, status in ((False, "Inoperative"), (True, "Operative")):
        frame = spelled(CommandType.CHANGE_AVAILABILITY, operative=operative)
        assert frame.body == {"operationalStatus": status, "evse": {"id": 2}}


def test_a_release_clears_our_own_profiles_alone() -> None:
    """By id; a transaction's too, as one may run that nobody told us of."""
    made = SPELLING.translate(command(CommandType.RELEASE), view(), attempt())
    assert [frame.body for frame in made.frames] == [
        {"chargingProfileId": one} for one in (2_010, 2_000, 2_001)
    ]


def test_a_call_is_spelled_as_it_was_given() -> None:
    """Any action and payload."""
    frame = spelled(CommandType.CALL, action="Reset", payload={"type": "OnIdle"})
    assert (frame.action, frame.body) == ("Reset", {"type": "OnIdle"})


def test_what_a_charger_cannot_do_is_untranslatable() -> None:
    """Each with its own message."""
    cases: list[tuple[CommandType, int, str]] = [
        (CommandType.SET_DISCHARGE_RATE, 0, "discharge"),
        (CommandType.STOP_CHARGING, 0, "no transaction"),
        (CommandType.CALL, 0, "needs an action"),
        (CommandType.RELEASE, 1, "other form"),
        (CommandType.SET_CHARGE_RATE, 30, "every form"),
    ]
    for kind, form, told in cases:
        with pytest.raises(Untranslatable, match=told):
            SPELLING.translate(command(kind), view(), attempt(form))


@pytest.mark.parametrize(
    ("action", "conf", "outcome", "reason"),
    [
        ("SetChargingProfile", {"status": "Accepted"}, "accepted", None),
        ("SetChargingProfile", {"status": "Rejected", "statusInfo": {}}, "rejected", "Rejected"),
        ("SetChargingProfile", {"status": "Perhaps"}, "unknown", "Perhaps"),
        ("SetChargingProfile", {}, "unknown", "no status"),
        ("SetChargingProfile", {"status": ["Accepted"]}, "unknown", "no status"),
        ("ClearChargingProfile", {"status": "Unknown"}, "accepted", None),
        ("RequestStopTransaction", {"status": "Unknown"}, "unknown", "Unknown"),
        ("GetChargingProfiles", {"status": "NoProfiles"}, "accepted", None),
        ("GetBaseReport", {"status": "NotSupported"}, "rejected", "unsupported"),
        ("GetBaseReport", {"status": "EmptyResultSet"}, "rejected", "EmptyResultSet"),
        ("TriggerMessage", {"status": "NotImplemented"}, "rejected", "unsupported"),
        ("ChangeAvailability", {"status": "Scheduled"}, "accepted", None),
        ("Reset", {"status": "Scheduled"}, "accepted", None),
        ("UnlockConnector", {"status": "Unlocked"}, "accepted", None),
        (
            "UnlockConnector",
            {"status": "OngoingAuthorizedTransaction"},
            "rejected",
            "OngoingAuthorizedTransaction",
        ),
        ("GetTransactionStatus", {"messagesInQueue": False}, "accepted", None),
        ("CostUpdated", {}, "accepted", None),
        ("VendorsOwn", {}, "accepted", None),
        ("VendorsOwn", {"status": "Rejected"}, "rejected", "Rejected"),
    ],
)
def test_a_status_means_what_the_action_makes_of_it(
    action: str, conf: dict[str, object], outcome: str, reason: str | None
) -> None:
    """A status that nobody knows is no answer."""
    assert judge(action, conf) == (outcome, reason)


def test_every_action_of_a_central_system_is_judged_by_each_status_of_its_schema() -> None:
    """None of those that OCPP knows is taken for no answer."""
    judged = set()
    for action, own in ACTIONS.items():
        schema = get_validator(MessageType.CallResult, action, "2.0.1").schema
        told = schema if own.each is None else schema["definitions"][_item(schema, own.each)]
        for name in ("status", "attributeStatus"):
            reference = told.get("properties", {}).get(name, {}).get("$ref", "").rpartition("/")[2]
            for status in schema.get("definitions", {}).get(reference, {}).get("enum", ()):
                conf = {name: status} if own.each is None else {own.each: [{name: status}]}
                assert judge(action, conf)[0] in {"accepted", "rejected"}, (action, status)
                judged.add(action)
    assert {one for one, own in ACTIONS.items() if own.accepted} == judged


def _item(schema: Any, name: str) -> str:  # noqa: ANN401 - JSON
    reference = schema["properties"][name]["items"]["$ref"]
    return str(reference).rpartition("/")[2]


def test_a_call_that_only_reads_controls_nothing() -> None:
    """It may be asked without anybody having to be sure of what it has done."""
    for action, controls in (("GetVariables", False), ("Reset", True), ("Vendor", True)):
        assert spelled(CommandType.CALL, action=action, payload={}).control is controls


@pytest.mark.parametrize(
    ("statuses", "of_set", "of_get"),
    [
        (["Accepted", "RebootRequired"], ("accepted", None), ("accepted", None)),
        (["Accepted", "Rejected"], ("rejected", "Rejected"), ("accepted", None)),
        (["Rejected", "Perhaps"], ("unknown", "Perhaps"), ("rejected", "Rejected")),
        (["UnknownVariable"], ("rejected", "UnknownVariable"), ("rejected", "UnknownVariable")),
    ],
)
def test_of_several_the_worst_counts_but_for_reading(
    statuses: list[str], of_set: tuple[str, str | None], of_get: tuple[str, str | None]
) -> None:
    """What could be read is of use even if not all could be."""
    results = [{"attributeStatus": one} for one in statuses]
    assert judge("SetVariables", {"setVariableResult": [*results, "x"]}) == of_set
    assert judge("GetVariables", {"getVariableResult": results}) == of_get


@pytest.mark.parametrize("conf", [{}, {"setVariableResult": []}, {"setVariableResult": "x"}])
def test_a_list_that_is_not_there_is_no_answer(conf: dict[str, object]) -> None:
    """As a status that is not there is none."""
    assert judge("SetVariables", conf) == ("unknown", "no setVariableResult")


def test_a_composite_schedule_tells_the_limit_that_holds() -> None:
    """Under another name than in 1.6; nothing where there is none."""
    schedule = {
        "evseId": 2,
        "duration": 60,
        "scheduleStart": "2025-06-03T08:00:00Z",
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0, "numberPhases": 1}],
    }
    given = ({"status": "Accepted", "schedule": schedule},)
    (read,) = SPELLING.interpret(Answer("raw", values=given), view())
    assert isinstance(read, SetpointRead)
    assert read.charge_kw == pytest.approx(3.68)
    values: list[object] = [{"status": "Rejected"}, {"schedule": {}}, "text"]
    for value in values:
        assert SPELLING.interpret(Answer("raw", values=(value,)), view()) == ()


def test_the_question_after_an_unknown_outcome_is_valid() -> None:
    """It only reads."""
    frame = SPELLING.questions(view())[0].frames[0]
    _validate_payload(Call("1", frame.action, dict(frame.body)), "2.0.1")
    assert not frame.control


def test_the_question_what_flows_now_is_valid() -> None:
    """It only reads, and the answer says nothing: a sample follows it."""
    frame = SPELLING.sampling(view())[0].frames[0]
    _validate_payload(Call("1", frame.action, dict(frame.body)), "2.0.1")
    assert not frame.control
    assert SPELLING.interpret(Answer("raw", values=({"status": "Accepted"},)), view()) == ()


def test_the_evses_of_a_station_share_its_link() -> None:
    """By its identity."""
    assert SPELLING.slot_key(OWN) == "CP-1"
