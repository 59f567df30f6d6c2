"""A simulated charge point and a central system by hand, for tests of what passes between them."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from actors.clock import wall_now
from actors.sim.central import RawCentral
from actors.sim.charger import ChargerSetup, Pace, SimCharger
from actors.sim.vehicle import Vehicle
from actors.sim.wirelog import WireLog

START: Final = datetime(2026, 1, 5, 12, tzinfo=UTC)
QUICK: Final = Pace(
    tick_s=0.01,
    slow_s=0.3,
    late_s=1.0,
    reboot_s=0.01,
    boot_retry_s=0.01,
    reconnect_s=0.01,
)
_WAIT_S: Final = 15.0
_QUIET: Final = {"MeterValueSampleInterval": "0"}

Scenario: TypeAlias = Callable[[SimCharger, RawCentral], Awaitable[None]]


class Clock:
    """Time that stands at `START` until a test moves it."""

    def __init__(self) -> None:
        """Begin at noon."""
        self.at = START

    def __call__(self) -> datetime:
        """Return the time."""
        return self.at

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.at += timedelta(seconds=seconds)


def play(
    scenario: Scenario,
    log: WireLog | None = None,
    central: RawCentral | None = None,
    **setup: Any,  # noqa: ANN401 - whatever a ChargerSetup has
) -> None:
    """Run a scenario with a quick charge point and a central system; all they say is well formed.

    Raises:
        AssertionError: a message did not fit its schema.
    """
    version = setup.get("version", "1.6")
    chosen = {"now": wall_now, "pace": QUICK, "configuration": _QUIET, **setup}

    async def run() -> None:
        async with central or RawCentral(version) as system, asyncio.timeout(_WAIT_S):
            charger = SimCharger(ChargerSetup("CP-1", system.url, **chosen), log)
            running = asyncio.create_task(charger.run())
            try:
                await scenario(charger, system)
            finally:
                await charger.stop()
                await running
            if system.problems:
                raise AssertionError(system.problems)

    asyncio.run(run())


def profile(
    limit: float = 6_000.0,
    purpose: str = "TxDefaultProfile",
    periods: tuple[tuple[int, float], ...] = (),
    **more: object,
) -> dict[str, Any]:
    """Return a SetChargingProfile for connector 1 with periods of seconds and watts.

    It begins at `START`; ``unit`` and what else is given goes into the profile itself.
    """
    schedule: dict[str, object] = {
        "startSchedule": START.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "chargingRateUnit": more.pop("unit", "W"),
        "chargingSchedulePeriod": [
            {"startPeriod": start_s, "limit": value} for start_s, value in periods or ((0, limit),)
        ],
    }
    body = {
        "chargingProfileId": 1_000,
        "stackLevel": 1,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": schedule,
        **more,
    }
    return {"connectorId": 1, "csChargingProfiles": body}


def profile_201(
    limit: float = 6_000.0,
    evse: int = 1,
    **more: Any,  # noqa: ANN401 - as `profile` takes it
) -> dict[str, Any]:
    """Return a SetChargingProfile of OCPP 2.0.1 with the same profile; ``more`` goes into it."""
    body = profile(limit, **more)["csChargingProfiles"]
    schedule = {"id": 1, **body.pop("chargingSchedule")}
    return {
        "evseId": evse,
        "chargingProfile": {
            "id": body.pop("chargingProfileId"),
            **body,
            "chargingSchedule": [schedule],
        },
    }


async def charging(charger: SimCharger, vehicle: Vehicle | None = None) -> Any:  # noqa: ANN401 - a number in 1.6, a text in 2.0.1
    """Boot, plug a vehicle in, and wait for the transaction; return its id."""
    await charger.booted.wait()
    charger.plug_in(1, vehicle)
    await charger.until(lambda: charger.connector(1).transaction_id is not None)
    return charger.connector(1).transaction_id
