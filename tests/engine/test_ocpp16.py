"""OCPP 1.6: every payload that can be built is valid, and answers mean what they say."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest
from msgspec.structs import replace
from ocpp.messages import Call, MessageType, _validate_payload, get_validator

from engine.adapters.base import Answer, AssetView, SetpointRead
from engine.adapters.charging_profiles import limit_of, unit_of
from engine.adapters.ocpp16 import Ocpp16Spelling, OcppOptions, judge, options_of
from engine.adapters.ocpp16_calls import ACTIONS
from engine.commands import Attempt, Cause, CauseKind, Command, CommandType
from engine.errors import Untranslatable, UsageError
from engine.types import AssetId, AssetKind, CommandId

AT = datetime(2025, 6, 3, 8, 0, 5, 250_000, tzinfo=UTC)
OWN = OcppOptions("CP-1", 2)
SPELLING = Ocpp16Spelling()
LEVELS = "ChargeProfileMaxStackLevel"
PERIODS = "ChargingScheduleMaxPeriods"


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
    return Command(
        CommandId("cmd_1"),
        AssetId("ast_1"),
        kind,
        7.4,
        AT,
        Cause(CauseKind.SCHEDULE),
        arguments=arguments,
    )


def profile(form: int = 0, seen: AssetView | None = None, **changes: Any) -> Any:  # noqa: ANN401 - JSON
    """Return the last profile that a setpoint is spelled as."""
    payload = SPELLING.translate(
        command(CommandType.SET_CHARGE_RATE), seen or view(), attempt(form, **changes)
    )
    return payload.frames[-1].body["csChargingProfiles"]


TOLD = {
    "ChargingScheduleAllowedChargingRateUnit": "Power",
    LEVELS: "8",
    PERIODS: "24",
}


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
        for transaction in (None, "123456")
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
        for kind in (
            CommandType.START_CHARGING,
            CommandType.STOP_CHARGING,
            CommandType.CHANGE_AVAILABILITY,
            CommandType.RELEASE,
        ):
            yield command(kind), seen, attempt()


def test_every_payload_that_can_be_built_is_valid() -> None:
    """Against the JSON schemas that the ocpp library ships."""
    checked = 0
    for given, seen, tried in everything():
        try:
            payload = SPELLING.translate(given, seen, tried)
        except Untranslatable:
            continue
        for frame in payload.frames:
            _validate_payload(Call("1", frame.action, dict(frame.body)), "1.6")
            checked += 1
    assert checked > 1_000


def test_the_first_form_is_absolute_and_gives_way_to_the_fallback() -> None:
    """Its start lies a minute back; the second period begins when the lease ends."""
    made = profile()
    schedule = made["chargingSchedule"]
    assert made["chargingProfileKind"] == "Absolute"
    assert made["chargingProfilePurpose"] == "TxDefaultProfile"
    assert made["chargingProfileId"] == 2_000
    assert schedule["startSchedule"] == "2025-06-03T07:59:05Z"
    assert schedule["chargingSchedulePeriod"] == [
        {"startPeriod": 0, "limit": 7_400.0, "numberPhases": 3},
        {"startPeriod": 960, "limit": 4_200.0, "numberPhases": 3},
    ]


def test_a_transaction_gets_a_profile_of_its_own() -> None:
    """TxProfile with the transaction's id, under another profile id."""
    made = profile(seen=view(transaction_id="77"))
    assert made["chargingProfilePurpose"] == "TxProfile"
    assert made["transactionId"] == 77
    assert made["chargingProfileId"] == 2_010


def test_without_a_fallback_the_lease_is_a_duration() -> None:
    """Afterwards the charger is on its own."""
    schedule = profile(fallback_kw=None)["chargingSchedule"]
    assert schedule["duration"] == 960
    assert len(schedule["chargingSchedulePeriod"]) == 1


def spelled(form: int = 0, seen: AssetView | None = None, **changes: Any) -> list[Any]:  # noqa: ANN401 - JSON
    """Return the frames of a setpoint: a profile, or the id of one that is cleared."""
    payload = SPELLING.translate(
        command(CommandType.SET_CHARGE_RATE), seen or view(), attempt(form, **changes)
    )
    return [one.body.get("csChargingProfiles", one.body.get("id")) for one in payload.frames]


def test_the_ladder_goes_down_by_one_thing_at_a_time() -> None:
    """Relative; the other unit; no numberPhases; stack level 0; one period; then several."""
    fallback, relative = spelled(1)
    assert (fallback["chargingProfileKind"], relative["chargingProfileKind"]) == ("Relative",) * 2
    assert profile(2)["chargingSchedule"]["chargingRateUnit"] == "A"
    assert "numberPhases" not in profile(3)["chargingSchedule"]["chargingSchedulePeriod"][0]
    assert profile(4)["stackLevel"] == 0
    assert [one["stackLevel"] for one in spelled(5)] == [0, 1]
    assert len(profile(5)["chargingSchedule"]["chargingSchedulePeriod"]) == 1


def test_the_ladder_of_forms_comes_to_an_end() -> None:
    """Fewer forms are left where a charger has said what it takes, or no fallback is wanted."""
    counts = []
    for seen, lease_s in ((view(), 900.0), (view(), None), (view(capabilities=TOLD), 900.0)):
        form = 0
        while True:
            try:
                profile(form, seen, lease_s=lease_s)
            except Untranslatable:
                break
            form += 1
        counts.append(form)
    assert counts == [18, 12, 12]


@pytest.mark.parametrize("kind", ["Absolute", "Relative"])
def test_there_is_a_form_for_who_takes_amperes_and_one_period_only(kind: str) -> None:
    """And says neither: with two things to do without, none of the single steps is enough."""
    forms = [profile(form, view(), lease_s=900.0) for form in range(18)]
    assert any(
        one["chargingProfileKind"] == kind
        and one["chargingSchedule"]["chargingRateUnit"] == "A"
        and len(one["chargingSchedule"]["chargingSchedulePeriod"]) == 1
        for one in forms
    )


def test_a_relative_profile_ends_at_a_moment() -> None:
    """Wherever a charger lets it start: validTo is the lease's end, and the fallback lies below."""
    began_at = AT - timedelta(hours=1)
    seen = view(transaction_id="7", transaction_began_at=began_at)
    fallback, setpoint = spelled(1, seen)
    assert setpoint["validTo"] == "2025-06-03T08:15:05Z"
    assert [
        one["startPeriod"] for one in setpoint["chargingSchedule"]["chargingSchedulePeriod"]
    ] == [
        0,
        4_500,
    ]
    assert (fallback["chargingProfilePurpose"], fallback["stackLevel"]) == ("TxDefaultProfile", 0)
    assert "startSchedule" not in setpoint["chargingSchedule"]


def test_a_schedule_starts_by_the_chargers_own_clock() -> None:
    """The same moment as ever, put as a clock that is wrong puts it."""
    made = profile(seen=view(clock_ahead_s=-3_600))
    assert made["chargingSchedule"]["startSchedule"] == "2025-06-03T06:59:05Z"
    assert [one["startPeriod"] for one in made["chargingSchedule"]["chargingSchedulePeriod"]] == [
        0,
        960,
    ]
    ends = profile(1, view(transaction_id="7", clock_ahead_s=600))["validTo"]
    assert ends == "2025-06-03T08:25:05Z"


AHEAD = ((300.0, 22.0), (600.5, 7.0))


@pytest.mark.parametrize(
    ("told", "starts"),
    [("24", [0, 360, 660, 960]), ("3", [0, 360, 960]), ("2", [0, 960]), ("", [0, 960])],
)
def test_planned_changes_go_along_as_far_as_there_is_room(told: str, starts: list[int]) -> None:
    """The fallback at the lease's end keeps its place."""
    made = profile(seen=view(capabilities={PERIODS: told}), ahead=AHEAD)
    periods = made["chargingSchedule"]["chargingSchedulePeriod"]
    assert [one["startPeriod"] for one in periods] == starts
    assert periods[-1]["limit"] == 4_200.0


def test_planned_changes_go_along_in_forms_with_a_known_start_alone() -> None:
    """Nor is there room for them in one period; without a fallback there is a duration."""
    seen = view(capabilities=TOLD)
    relative = profile(1, seen, ahead=AHEAD)["chargingSchedule"]["chargingSchedulePeriod"]
    assert [one["startPeriod"] for one in relative] == [0, 900]
    one = profile(seen=view(capabilities={PERIODS: "1"}), ahead=AHEAD)["chargingSchedule"]
    assert len(one["chargingSchedulePeriod"]) == 1
    bare = profile(seen=seen, ahead=AHEAD, fallback_kw=None)["chargingSchedule"]
    assert [one["startPeriod"] for one in bare["chargingSchedulePeriod"]] == [0, 360, 660]
    assert bare["duration"] == 960


def test_a_relative_profile_without_room_below_it_counts_from_its_start_alone() -> None:
    """On the only stack level the fallback can but be its second period."""
    (made,) = spelled(1, view(capabilities={LEVELS: "0"}))
    assert "validTo" not in made
    assert len(made["chargingSchedule"]["chargingSchedulePeriod"]) == 2


def test_in_a_transaction_the_default_profile_comes_after_the_transactions_own() -> None:
    """It is set first, then the one that would outrank it is cleared, once."""
    seen = view(transaction_id="7", capabilities=TOLD)
    form = 5
    default, cleared = spelled(form, seen)
    assert default["chargingProfilePurpose"] == "TxDefaultProfile"
    assert cleared == 2_010
    assert len(spelled(form, replace(seen, held_form=form))) == 1


def test_a_transactions_profile_is_set_over_the_default_which_stays() -> None:
    """Nothing is cleared."""
    assert len(spelled(0, view(transaction_id="7"))) == 1


MAX = attrs.evolve(OWN, charge_point_max=True)


def test_the_charge_point_as_a_whole_is_limited_last_and_only_if_it_may_be() -> None:
    """On connector 0, never relative; then what would bind beside it is cleared."""
    seen = view(MAX, capabilities={**TOLD, "NumberOfConnectors": "1"})
    payload = SPELLING.translate(command(CommandType.SET_CHARGE_RATE), seen, attempt(12))
    made = payload.frames[0].body
    assert made["connectorId"] == 0
    assert made["csChargingProfiles"]["chargingProfilePurpose"] == "ChargePointMaxProfile"  # type: ignore[index]  # JSON
    assert made["csChargingProfiles"]["chargingProfileKind"] == "Absolute"  # type: ignore[index]  # JSON
    assert [one.body["id"] for one in payload.frames[1:]] == [2_010, 2_000, 2_001]
    two = view(MAX, capabilities={**TOLD, "NumberOfConnectors": "2"})
    for other in (two, view(capabilities=TOLD)):
        with pytest.raises(Untranslatable):
            profile(12, other)


def test_a_limit_of_the_whole_is_cleared_once_the_connector_has_its_own() -> None:
    """It may be of an earlier time; and a release clears it too."""
    assert spelled(0, view(MAX))[1:] == [2_020]
    assert len(spelled(0, view(MAX, held_form=0))) == 1
    made = SPELLING.translate(command(CommandType.RELEASE), view(MAX), attempt())
    assert [frame.body["id"] for frame in made.frames] == [2_020, 2_010, 2_000, 2_001]


def test_a_charger_that_takes_one_period_gets_one_in_every_form() -> None:
    """The fallback has a profile of its own below the setpoint's, of the same kind."""
    for form, kind in enumerate(("Absolute", "Relative", "Absolute")):
        made = SPELLING.translate(
            command(CommandType.SET_CHARGE_RATE),
            view(capabilities={PERIODS: " 1"}, transaction_id="7"),
            attempt(form),
        )
        fallback, setpoint = [frame.body["csChargingProfiles"] for frame in made.frames]
        assert isinstance(fallback, dict)
        assert isinstance(setpoint, dict)
        assert (fallback["chargingProfileKind"], setpoint["chargingProfileKind"]) == (kind, kind)
        assert (fallback["chargingProfileId"], setpoint["chargingProfileId"]) == (2_001, 2_010)
        assert "duration" not in fallback["chargingSchedule"]
        assert setpoint["chargingSchedule"]["duration"] == (900 if kind == "Relative" else 960)


def test_two_profiles_of_one_purpose_need_two_stack_levels() -> None:
    """A charger keeps one per level: the setpoint would take the fallback's place."""
    one_level = view(capabilities={LEVELS: "0", PERIODS: "1"})
    with pytest.raises(Untranslatable, match="no room"):
        SPELLING.translate(command(CommandType.SET_CHARGE_RATE), one_level, attempt())
    seen = replace(one_level, transaction_id="7")
    made = SPELLING.translate(command(CommandType.SET_CHARGE_RATE), seen, attempt())
    assert len(made.frames) == 2


@pytest.mark.parametrize("power_kw", [float("nan"), float("inf"), -0.1, None])
def test_what_is_no_power_is_never_sent(power_kw: float | None) -> None:
    """Not every charger refuses a limit that is not a number, or negative."""
    with pytest.raises(Untranslatable):
        profile(charge_kw=power_kw)


@pytest.mark.parametrize(
    ("own", "power_kw", "unit", "limit", "applied_kw"),
    [
        ({}, 2.3147, "W", 0.0, 0.0),
        ({"min_a": 0}, 2.3147, "W", 2_314.7, 2.3147),
        ({"below_min": "minimum"}, 2.0, "W", 4_140.0, 4.14),
        ({}, 11.0, "A", 15.9, 10.971),
        ({"phases": 1}, 3.68, "A", 16.0, 3.68),
        ({"voltage": 240}, 11.0, "A", 15.2, 10.944),
        ({}, 0.0, "A", 0.0, 0.0),
    ],
)
def test_limits_are_rounded_down_to_a_tenth(
    own: dict[str, Any], power_kw: float, unit: str, limit: float, applied_kw: float
) -> None:
    """Both numbers are known: what was asked and what it comes to."""
    assert limit_of(power_kw, attrs.evolve(OWN, **own), unit) == (limit, applied_kw)


@pytest.mark.parametrize(
    ("power_kw", "held_kw", "limit"),
    [
        (4.2, 3.0, 0.0),
        (4.485, 3.0, 4_485.0),
        (4.2, 4.2, 4_200.0),
        (4.2, 11.0, 4_200.0),
        (4.2, 0.0, 4_200.0),
        (4.2, None, 4_200.0),
        (0.0, 3.0, 0.0),
    ],
)
def test_what_is_off_for_being_too_little_takes_some_more_to_come_on(
    power_kw: float, held_kw: float | None, limit: float
) -> None:
    """Half an ampere, or to be asked twice: a plan around 6 A does not switch all the time."""
    seen = view(held_charge_kw=held_kw)
    made = profile(seen=seen, charge_kw=power_kw)
    periods = [one["limit"] for one in made["chargingSchedule"]["chargingSchedulePeriod"]]
    assert periods == [limit, 4_200.0]


@pytest.mark.parametrize(
    ("told", "unit"),
    [
        ("Current", "A"),
        ("Power", "W"),
        ("Current,Power", "W"),
        ("a", "A"),
        ('["Current"]', "A"),
        ("Current; W", "W"),
        ("W", "W"),
        ("", "W"),
        ("x", "W"),
    ],
)
def test_the_rate_unit_is_what_the_charger_takes(told: str, unit: str) -> None:
    """Watts by preference; the site file's word outranks the charger's."""
    key = "ChargingScheduleAllowedChargingRateUnit"
    assert unit_of(OWN, {key: told}) == unit
    assert unit_of(attrs.evolve(OWN, rate_unit="A"), {key: told}) == "A"


def test_the_stack_level_is_one_where_there_is_one() -> None:
    """A charger with a single level gets level 0."""
    assert profile(seen=view(capabilities={LEVELS: "0"}))["stackLevel"] == 0
    assert profile(seen=view(capabilities={LEVELS: "many"}))["stackLevel"] == 1


def test_what_a_charger_cannot_do_is_untranslatable() -> None:
    """Each with its own message."""
    cases: list[tuple[Command, AssetView, str]] = [
        (command(CommandType.SET_DISCHARGE_RATE), view(), "discharge"),
        (command(CommandType.STOP_CHARGING), view(), "no transaction"),
        (command(CommandType.STOP_CHARGING), view(transaction_id="x"), "none of OCPP 1.6"),
        (command(CommandType.CALL), view(), "needs an action"),
    ]
    for given, seen, told in cases:
        with pytest.raises(Untranslatable, match=told):
            SPELLING.translate(given, seen, attempt())
    for kind in (CommandType.RELEASE, CommandType.START_CHARGING):
        with pytest.raises(Untranslatable, match="other form"):
            SPELLING.translate(command(kind), view(), attempt(1))


def test_a_call_is_spelled_as_it_was_given() -> None:
    """Any action and payload."""
    given = command(CommandType.CALL, action="Reset", payload={"type": "Soft"})
    frame = SPELLING.translate(given, view(), attempt()).frames[0]
    assert (frame.action, frame.body) == ("Reset", {"type": "Soft"})


@pytest.mark.parametrize("transaction_id", [None, "7"])
def test_a_release_clears_our_own_profiles_alone(transaction_id: str | None) -> None:
    """By id; a transaction's too, as one may run that nobody told us of."""
    seen = view(transaction_id=transaction_id)
    made = SPELLING.translate(command(CommandType.RELEASE), seen, attempt())
    assert [frame.body["id"] for frame in made.frames] == [2_010, 2_000, 2_001]


def test_an_inoperative_charger_is_asked_for() -> None:
    """ChangeAvailability has two types."""
    given = command(CommandType.CHANGE_AVAILABILITY, operative=False)
    assert SPELLING.translate(given, view(), attempt()).frames[0].body["type"] == "Inoperative"


@pytest.mark.parametrize(
    ("action", "conf", "outcome", "reason"),
    [
        ("SetChargingProfile", {"status": "Accepted"}, "accepted", None),
        ("SetChargingProfile", {"status": "Rejected"}, "rejected", "Rejected"),
        ("SetChargingProfile", {"status": "NotSupported"}, "rejected", "unsupported"),
        ("ChangeAvailability", {"status": "Scheduled"}, "accepted", None),
        ("ClearChargingProfile", {"status": "Unknown"}, "accepted", None),
        ("SetChargingProfile", {"status": " accepted"}, "accepted", None),
        ("SetChargingProfile", {"status": "REJECTED"}, "rejected", "REJECTED"),
        ("SetChargingProfile", {"status": "Perhaps"}, "unknown", "Perhaps"),
        ("SetChargingProfile", {}, "unknown", "no status"),
        ("SetChargingProfile", {"status": ["Accepted"]}, "unknown", "no status"),
        ("UnlockConnector", {"status": "UnlockFailed"}, "rejected", "UnlockFailed"),
        ("GetConfiguration", {}, "accepted", None),
        ("GetLocalListVersion", {"listVersion": 3}, "accepted", None),
        ("GetLocalListVersion", {"listVersion": -1}, "rejected", "unsupported"),
        ("UpdateFirmware", {}, "accepted", None),
        ("UnlockConnector", {"status": "Accepted"}, "unknown", "Accepted"),
        ("ReserveNow", {"status": "Occupied"}, "rejected", "Occupied"),
        ("SendLocalList", {"status": "VersionMismatch"}, "rejected", "VersionMismatch"),
        ("TriggerMessage", {"status": "NotImplemented"}, "rejected", "unsupported"),
        ("GetInstalledCertificateIds", {"status": "NotFound"}, "accepted", None),
        ("GetLog", {"status": "AcceptedCanceled"}, "accepted", None),
        ("BlinkVendor", {}, "accepted", None),
        ("BlinkVendor", {"status": "Rejected"}, "rejected", "Rejected"),
        ("BlinkVendor", {"status": 5}, "unknown", "no status"),
    ],
)
def test_a_status_means_what_the_action_makes_of_it(
    action: str, conf: dict[str, object], outcome: str, reason: str | None
) -> None:
    """A status that nobody knows is no answer."""
    assert judge(action, conf) == (outcome, reason)


def test_every_action_of_a_central_system_is_judged_by_each_status_of_its_schema() -> None:
    """None of those that OCPP knows is taken for no answer."""
    for action in ACTIONS:
        schema = get_validator(MessageType.CallResult, action, "1.6", Decimal).schema
        told = schema["properties"].get("status", {}) if "properties" in schema else {}
        if "$ref" in told:
            told = schema["definitions"][told["$ref"].rpartition("/")[2]]
        for status in told.get("enum", ()):
            assert judge(action, {"status": status})[0] in {"accepted", "rejected"}, (
                action,
                status,
            )


def test_a_call_that_only_reads_controls_nothing() -> None:
    """It may be asked without anybody having to be sure of what it has done."""
    for action, controls in (("GetConfiguration", False), ("Reset", True), ("Vendor", True)):
        given = command(CommandType.CALL, action=action, payload={})
        assert SPELLING.translate(given, view(), attempt()).frames[0].control is controls


def composite(unit: str = "W", **period: object) -> Answer:
    """Return the answer to GetCompositeSchedule with one period."""
    schedule = {"chargingRateUnit": unit, "chargingSchedulePeriod": [period]}
    return Answer("raw", values=({"status": "Accepted", "chargingSchedule": schedule},))


def test_a_composite_schedule_tells_the_limit_that_holds() -> None:
    """In watts or amperes, by the charger's phases where it names them."""
    read = SPELLING.interpret(composite(limit=7_400.0), view())[0]
    amperes = SPELLING.interpret(composite("A", limit=16, numberPhases=1), view())[0]
    assert isinstance(read, SetpointRead)
    assert isinstance(amperes, SetpointRead)
    assert read.charge_kw == pytest.approx(7.4)
    assert amperes.charge_kw == pytest.approx(3.68)


@pytest.mark.parametrize(
    "value",
    [
        {"status": "Rejected"},
        {"chargingSchedule": None},
        {"chargingSchedule": {"chargingSchedulePeriod": []}},
        {"chargingSchedule": {"chargingSchedulePeriod": [{"limit": "x"}]}},
        {"chargingSchedule": {"chargingSchedulePeriod": [{"limit": -1}]}},
        {"chargingSchedule": {"chargingSchedulePeriod": [{"limit": 10**400}]}},
        "text",
    ],
)
def test_what_is_no_composite_schedule_tells_nothing(value: object) -> None:
    """Whatever came instead."""
    assert SPELLING.interpret(Answer("raw", values=(value,)), view()) == ()


def test_the_question_after_an_unknown_outcome_is_valid() -> None:
    """It only reads."""
    frame = SPELLING.questions(view())[0].frames[0]
    _validate_payload(Call("1", frame.action, dict(frame.body)), "1.6")
    assert not frame.control


def test_the_question_what_flows_now_is_valid() -> None:
    """It only reads, and the answer says nothing: a sample follows it."""
    frame = SPELLING.sampling(view())[0].frames[0]
    _validate_payload(Call("1", frame.action, dict(frame.body)), "1.6")
    assert not frame.control
    assert SPELLING.interpret(Answer("raw", values=({"status": "Accepted"},)), view()) == ()


def test_options_of_another_adapter_are_refused() -> None:
    """Whoever asks for them has mixed up two adapters."""
    with pytest.raises(UsageError):
        options_of(object())
    assert SPELLING.slot_key(OWN) == "CP-1"


@pytest.mark.parametrize(
    "keys",
    [
        {"charge_point": " "},
        {"charge_point": "CP:1"},
        {"charge_point": "CP\n1"},
        {"charge_point": "C" * 49},
        {"connector": 0},
        {"min_a": float("nan")},
        {"min_a": -1.0},
        {"phases": 4},
        {"rate_unit": "kW"},
        {"voltage": 0.0},
        {"below_min": "duty"},
        {"hysteresis_a": -1.0},
        {"sample_interval_s": -1},
    ],
    ids=str,
)
def test_options_that_cannot_be_are_refused_by_name(keys: dict[str, Any]) -> None:
    """Each with the key that is at fault."""
    given: dict[str, Any] = {"charge_point": "CP-1", **keys}
    with pytest.raises(ValueError, match=next(iter(keys))):
        OcppOptions(**given)


def test_secrets_are_not_shown() -> None:
    """Neither printed nor recorded."""
    own = OcppOptions("CP-1", password="0123456789abcdef")
    assert "0123456789abcdef" not in repr(own)
    assert attrs.fields_dict(OcppOptions)["password"].metadata["secret"]


WAKING = attrs.evolve(OWN, wake_up="pause")


def periods(seen: AssetView, form: int = 0, **changes: Any) -> list[tuple[int, float]]:  # noqa: ANN401 - fields of Attempt
    """Return the periods of a setpoint that is given to a sleeping vehicle the second time."""
    made = profile(form, seen, **{"nudge": 2, **changes})["chargingSchedule"]
    return [(one["startPeriod"], one["limit"]) for one in made["chargingSchedulePeriod"]]


def test_a_sleeping_vehicle_is_woken_by_a_pause_where_a_charger_has_a_period_for_it() -> None:
    """The second time, if that is wanted; the limit and the fallback come after it."""
    seen = view(WAKING, capabilities={PERIODS: "4"})
    woken = [(0, 0.0), (80, 7400.0)]
    assert periods(seen) == [*woken, (960, 4200.0)]
    assert periods(seen, ahead=AHEAD[:2])[:2] == woken
    assert len(periods(seen, ahead=AHEAD[:2])) == 4
    assert periods(seen, lease_s=None) == woken
    assert periods(seen, fallback_kw=None) == woken
    plain = [(0, 7400.0), (960, 4200.0)]
    assert periods(seen, nudge=1) == plain
    assert periods(view(capabilities={PERIODS: "4"})) == plain
    assert periods(view(WAKING)) == plain
    assert periods(view(WAKING, capabilities={PERIODS: "2"}), fallback_kw=None) == woken
    assert periods(seen, ahead=((9.0, 1.0), *AHEAD))[2][0] == 360
    assert periods(seen, lease_s=20.0) == [(0, 7400.0), (80, 4200.0)]
    assert periods(seen, 1) == [(0, 7400.0), (900, 4200.0)]
    assert periods(view(WAKING, capabilities={PERIODS: "1"})) == [(0, 7400.0)]
