import asyncio
from typing import Any

import pytest
from ocpp.messages import MessageType, get_validator

from actors.sim.central import RawCentral
from actors.sim.charger import SimCharger
from actors.sim.ocppj import CALLERROR, CALLRESULT
from actors.sim.quirks import QUIRKS, Quirk, Quirks
from actors.sim.wirelog import WireLog
from actors.testing.charging import Clock, charging, play, profile
from engine.errors import UsageError

RELATIVE = profile(chargingProfileKind="Relative")
TX = "TxProfile"


def test_every_quirk_says_what_it_does() -> None:
    """By the name that the command line takes."""
    assert set(QUIRKS) == {str(quirk) for quirk in Quirk}


def test_an_unknown_quirk_is_refused_with_the_nearest_name() -> None:
    """At once, not by doing nothing."""
    with pytest.raises(UsageError, match="did you mean silent"):
        Quirks(["silence"])


def test_a_silent_charge_point_neither_obeys_nor_answers() -> None:
    """Control frames only; once healed it does both again."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        charger.fail("silent")
        asked = asyncio.ensure_future(central.ask("SetChargingProfile", profile()))
        await central.ask("GetConfiguration", {})
        assert not asked.done()
        assert charger.connector(1).limit_w == 22_000.0
        charger.heal("silent")
        assert await central.status_of("SetChargingProfile", profile()) == "Accepted"
        asked.cancel()

    play(scenario, now=Clock())


def test_an_unanswered_command_is_obeyed() -> None:
    """Which its sender cannot know."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        asked = asyncio.ensure_future(central.ask("SetChargingProfile", profile()))
        await charger.until(lambda: charger.connector(1).limit_w == 6_000.0)
        await central.ask("GetConfiguration", {})
        assert not asked.done()
        asked.cancel()

    play(scenario, now=Clock(), quirks={"unanswered"})


def test_numbers_are_exact_whoever_read_the_schema_first() -> None:
    """The library keeps one reading of each schema for everybody."""
    get_validator(MessageType.CallResult, "GetCompositeSchedule", "1.6")  # binary floats

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        assert await central.status_of("SetChargingProfile", profile(limit=4_123.4)) == "Accepted"
        answer = await central.ask("GetCompositeSchedule", {"connectorId": 1, "duration": 60})
        assert answer[0] == CALLRESULT

    play(scenario, now=Clock())


def test_a_late_answer_comes_after_others() -> None:
    """The command was obeyed long before."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        asked = asyncio.ensure_future(central.ask("SetChargingProfile", profile()))
        await central.ask("GetConfiguration", {})
        assert not asked.done()
        assert charger.connector(1).limit_w == 6_000.0
        assert (await asked)[2] == {"status": "Accepted"}

    play(scenario, now=Clock(), quirks={"late_answer"})


def test_slow_answers_come() -> None:
    """Everything takes its time, reads too."""
    log = WireLog()

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        asked = asyncio.ensure_future(central.ask("GetConfiguration", {}))
        await charger.until(lambda: any(e.action == "GetConfiguration" for e in log.entries))
        assert not asked.done()
        assert (await asked)[0] == CALLRESULT

    play(scenario, log=log, quirks={"slow_answers"})


@pytest.mark.parametrize(
    ("quirk", "asked", "expected"),
    [
        ("reject_profile", profile(), "Rejected"),
        ("one_period", profile(periods=((0, 6_000.0), (960, 4_200.0))), "Rejected"),
        ("one_period", profile(), "Accepted"),
        ("amps_only", profile(), "Rejected"),
        ("amps_only", profile(10.0, unit="A"), "Accepted"),
        ("watts_only", profile(10.0, unit="A"), "Rejected"),
        ("watts_only", profile(), "Accepted"),
        ("relative_only", profile(), "Rejected"),
        ("relative_only", RELATIVE, "Accepted"),
        ("accept_ignore", profile(), "Accepted"),
        ("txprofile_without_tx_accepted", profile(purpose=TX), "Accepted"),
    ],
)
def test_profiles_are_refused_by_taste(quirk: str, asked: dict[str, Any], expected: str) -> None:
    """Healed, it takes what it refused."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        assert await central.status_of("SetChargingProfile", asked) == expected
        charger.heal(quirk)
        if asked["csChargingProfiles"]["chargingProfilePurpose"] != TX:
            assert await central.status_of("SetChargingProfile", asked) == "Accepted"

    play(scenario, now=Clock(), quirks={quirk})


@pytest.mark.parametrize(
    ("quirk", "key", "value"),
    [
        ("amps_only", "ChargingScheduleAllowedChargingRateUnit", "Current"),
        ("watts_only", "ChargingScheduleAllowedChargingRateUnit", "Power"),
        ("one_period", "ChargingScheduleMaxPeriods", "1"),
        (
            "no_smart_charging",
            "SupportedFeatureProfiles",
            "Core,FirmwareManagement,LocalAuthListManagement,RemoteTrigger,Reservation",
        ),
    ],
)
def test_the_configuration_owns_up_to_it(quirk: str, key: str, value: str) -> None:
    """Who asks first needs no refusal."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        frame = await central.ask("GetConfiguration", {"key": [key]})
        assert frame[2]["configurationKey"][0]["value"] == value

    play(scenario, quirks={quirk})


def test_what_is_accepted_and_ignored_has_no_effect() -> None:
    """The composite schedule says the truth."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        await central.ask("SetChargingProfile", profile())
        frame = await central.ask("GetCompositeSchedule", {"connectorId": 1, "duration": 60})
        (period,) = frame[2]["chargingSchedule"]["chargingSchedulePeriod"]
        assert period["limit"] == 22_000.0

    play(scenario, now=Clock(), quirks={"accept_ignore"})


@pytest.mark.parametrize(
    ("quirk", "action", "payload", "code"),
    [
        ("callerror", "SetChargingProfile", profile(), "InternalError"),
        ("no_smart_charging", "SetChargingProfile", profile(), "NotImplemented"),
        ("no_smart_charging", "ClearChargingProfile", {}, "NotImplemented"),
        (
            "no_composite",
            "GetCompositeSchedule",
            {"connectorId": 1, "duration": 60},
            "NotImplemented",
        ),
    ],
)
def test_some_answer_with_errors(
    quirk: str, action: str, payload: dict[str, Any], code: str
) -> None:
    """Healed, they answer."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        failed = await central.ask(action, payload)
        charger.heal(quirk)
        assert (failed[0], failed[2]) == (CALLERROR, code)
        assert (await central.ask(action, payload))[0] == CALLRESULT

    play(scenario, now=Clock(), quirks={quirk})


def test_a_vendors_field_is_in_every_answer() -> None:
    """Beside what the schema knows."""
    central = RawCentral()

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        frame = await central.ask("ClearCache", {})
        assert frame[2] == {"status": "Accepted", "vendorNote": "hello"}
        assert len(central.problems) == 1
        central.problems.clear()

    play(scenario, central=central, quirks={"extra_field"})


@pytest.mark.parametrize("forgets", [True, False])
def test_a_reboot_may_cost_the_limit(*, forgets: bool) -> None:
    """TxDefaultProfiles are meant to stay."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        await central.ask("SetChargingProfile", profile())
        await charger.reboot()
        await charger.booted.wait()
        assert charger.connector(1).limit_w == (22_000.0 if forgets else 6_000.0)

    play(scenario, now=Clock(), quirks={"forgets_limit"} if forgets else set())


def test_a_transactions_start_may_cost_the_limit() -> None:
    """From then on it is full power."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        await central.ask("SetChargingProfile", profile())
        await charging(charger)
        assert charger.connector(1).limit_w == 22_000.0

    play(scenario, now=Clock(), quirks={"forgets_limit"})


def test_a_transaction_may_go_on_after_a_reboot() -> None:
    """With its id, which no StartTransaction tells anew."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        number = await charging(charger)
        central.told.clear()
        await charger.reboot()
        await charger.booted.wait()
        await central.hear("StatusNotification", connectorId=1, status="Charging")
        assert charger.connector(1).transaction_id == number
        assert central.actions() == ["BootNotification"]

    play(scenario, quirks={"resumes_transaction"})


def test_after_a_boot_some_do_not_tell_their_status() -> None:
    """Until it changes, or somebody asks."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        await central.ask("TriggerMessage", {"requestedMessage": "Heartbeat"})
        await central.hear("Heartbeat")
        assert central.statuses() == []
        await central.ask("TriggerMessage", {"requestedMessage": "StatusNotification"})
        await central.hear("StatusNotification", connectorId=1, status="Available")

    play(scenario, quirks={"no_status_after_boot"})


def test_some_boot_on_every_connection() -> None:
    """Though they were never off."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await central.hear("StatusNotification", connectorId=1)
        central.told.clear()
        await charger.drop()
        await central.hear("BootNotification")
        await central.hear("StatusNotification", connectorId=1)

    play(scenario, quirks={"boots_on_reconnect"})


def test_some_know_few_states() -> None:
    """Available and Charging have to do."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charging(charger)
        await central.hear("StatusNotification", status="Charging")
        await central.ask("SetChargingProfile", profile(0.0))
        await charger.until(lambda: charger.connector(1).status == "SuspendedEVSE")
        charger.unplug(1)
        await charger.until(lambda: central.statuses()[-1] == "Available")
        assert central.statuses() == ["Available", "Charging", "Available"]

    play(scenario, now=Clock(), quirks={"few_states"})


def test_some_report_a_status_that_nobody_knows() -> None:
    """Which breaks the schema."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charging(charger)
        await central.ask("SetChargingProfile", profile(0.0))
        await central.hear("StatusNotification", status="Suspended")
        assert len(central.problems) == 1
        central.problems.clear()

    play(scenario, now=Clock(), quirks={"unknown_status"})


def test_a_slow_clock_lets_a_profile_begin_late() -> None:
    """One that begins a minute back holds at once even so."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        await central.ask("SetChargingProfile", profile())
        assert charger.connector(1).limit_w == 22_000.0
        charger.heal("clock_behind")
        await charger.until(lambda: charger.connector(1).limit_w == 6_000.0)

    play(scenario, now=Clock(), quirks={"clock_behind"})


@pytest.mark.parametrize(
    ("quirk", "limit_w"), [("relative_from_receipt", 9_000.0), (None, 4_200.0)]
)
def test_a_relative_schedule_may_begin_when_it_comes(quirk: str | None, limit_w: float) -> None:
    """By the standard it begins with the transaction, which is an hour old here."""
    clock = Clock()

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charging(charger)
        clock.advance(3_600.0)
        lease = profile(
            purpose=TX, periods=((0, 9_000.0), (900, 4_200.0)), chargingProfileKind="Relative"
        )
        del lease["csChargingProfiles"]["chargingSchedule"]["startSchedule"]
        await central.ask("SetChargingProfile", lease)
        assert charger.connector(1).limit_w == limit_w

    play(scenario, now=clock, quirks=set() if quirk is None else {quirk})
