"""The bench ``ocpp``: setpoints to charge points in another process, beside the bare library."""

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result
from ocpp.v16.enums import Action
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from actors.bench.chargers import IDENTITY
from actors.bench.engine import Dispatched, herd
from actors.bench.peer import Peer
from actors.bench.wire import depot
from actors.clock import steady_s

if TYPE_CHECKING:
    import pandas as pd

CHARGERS: Final = 500
SLOTS: Final = 3
DEVICES: Final = "actors.bench.chargers"

_HEAD: Final = """
[ocpp]
listen = "127.0.0.1:0"
security_profile = 0
"""
_CHARGER: Final = """
[[asset]]
id = "ast_{number}"
kind = "ev_charger"
schedule_key = "{number}"
adapter = "ocpp"
charge_point = "{identity}"
max_kw = 22
fallback_kw = 4.2
on_stop = "hold"
verify = "ack"
"""


def dispatch(devices: Peer, chargers: int = CHARGERS, slots: int = SLOTS) -> Dispatched:
    """Dispatch every slot to all charge points, by the engine and then by the bare library.

    Raises:
        ValueError: the charge points have not been asked as often as they should have.
    """
    commands, took_s = _engine(devices, chargers, slots)
    bare_s = asyncio.run(_bare(devices, chargers, slots))
    return Dispatched(commands, took_s, bare_s)


def _check(devices: Peer, expected: int) -> None:
    asked = int(devices.ask("close")[0])
    if asked != expected:
        raise ValueError(f"{asked} charging profiles were set, not {expected}")


def _engine(devices: Peer, chargers: int, slots: int) -> tuple[int, float]:
    entries = (
        _CHARGER.format(number=number, identity=IDENTITY.format(number=number))
        for number in range(chargers)
    )
    with depot("".join((_HEAD, *entries)), _schedule(chargers, slots)) as running:
        url = running.system.ocpp_url or ""
        devices.ask("connect", url.rpartition(":")[2], chargers)
        running.begin()
        done = running.measure()
        _check(devices, chargers * (slots + 1))
        return done


def _schedule(chargers: int, slots: int) -> "pd.DataFrame":
    """Return a schedule of one slot more, as the first is not measured."""
    return herd([str(number) for number in range(chargers)], slots + 1)


# --- the limit: the library as it comes, its validation included


class _Bare(ChargePoint):  # type: ignore[misc]  # the library has no types
    """A charge point of a central system that does nothing but what the library asks for."""

    @on(Action.boot_notification)  # type: ignore[untyped-decorator]
    def on_boot(self, **_: object) -> call_result.BootNotification:
        """Accept."""
        return call_result.BootNotification("2025-01-01T00:00:00Z", 30, "Accepted")

    @on(Action.status_notification)  # type: ignore[untyped-decorator]
    def on_status(self, **_: object) -> call_result.StatusNotification:
        """Take note."""
        return call_result.StatusNotification()

    async def limit(self, watts: float) -> None:
        """Set what the engine sets.

        Raises:
            ValueError: it is not accepted.
        """
        result = await self.call(call.SetChargingProfile(1, _profile(watts)), suppress=False)
        if result.status != "Accepted":
            raise ValueError(result.status)


def _profile(watts: float) -> dict[str, object]:
    periods = [
        {"startPeriod": 0, "limit": watts, "numberPhases": 3},
        {"startPeriod": 960, "limit": 4_200.0, "numberPhases": 3},
    ]
    schedule = {
        "chargingRateUnit": "W",
        "chargingSchedulePeriod": periods,
        "startSchedule": "2025-01-01T00:00:00Z",
    }
    return {
        "chargingProfileId": 1_000,
        "stackLevel": 1,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": schedule,
    }


async def _bare(devices: Peer, chargers: int, slots: int) -> float:
    """Return how long the same slots take when a plain loop asks all charge points at once."""
    points: list[_Bare] = []

    async def attend(socket: ServerConnection) -> None:
        request = socket.request
        point = _Bare("" if request is None else request.path, socket)
        points.append(point)
        with contextlib.suppress(ConnectionClosed):
            await point.start()

    async with serve(attend, "127.0.0.1", 0, subprotocols=["ocpp1.6"]) as server:  # type: ignore[list-item]  # a plain text
        port = server.sockets[0].getsockname()[1]
        await asyncio.to_thread(devices.ask, "connect", port, chargers)
        began_s = steady_s()
        for slot in range(slots + 1):
            if slot == 1:
                began_s = steady_s()
            await asyncio.gather(*(point.limit(100.0 * slot) for point in points))
        took_s = steady_s() - began_s
        await asyncio.to_thread(_check, devices, chargers * (slots + 1))
        return took_s
