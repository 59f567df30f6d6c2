"""How a simulated charge point answers the central system's CALLs (OCPP 1.6, section 5)."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

import attrs

if TYPE_CHECKING:
    from actors.sim.charger import SimCharger
    from actors.sim.connector import Connector

After = Callable[[], Awaitable[None]]


@attrs.frozen
class Given:
    """An answer; ``after`` is done once it is out. ``control``: the CALL wanted something done."""

    payload: dict[str, Any]
    after: After | None = None
    control: bool = True
    error: str | None = None


def answer(charger: "SimCharger", action: str, payload: dict[str, Any]) -> Given:
    """Return the answer to a CALL; an action that is not known is a CALLERROR."""
    handler = _ANSWERS.get(action)
    if handler is None:
        return Given({}, error="NotImplemented")
    control = action not in _READS
    if control and "callerror" in charger.quirks:
        return Given({}, error="InternalError")
    if control and "silent" in charger.quirks:
        return Given({})
    given = handler(charger, payload)
    if "extra_field" in charger.quirks:
        given = attrs.evolve(given, payload={**given.payload, "vendorNote": "hello"})
    return attrs.evolve(given, control=control)


def _status(status: str, after: After | None = None) -> Given:
    return Given({"status": status}, after)


def _set_profile(charger: "SimCharger", payload: dict[str, Any]) -> Given:
    connector = int(payload["connectorId"])
    body = payload["csChargingProfiles"]
    if _refuses(charger, connector, body):
        return _status("Rejected")
    if "accept_ignore" not in charger.quirks:
        charger.limits.set(connector, body, charger.setup.now())
    return _status("Accepted")


def _refuses(charger: "SimCharger", connector: int, body: dict[str, Any]) -> bool:
    quirks = charger.quirks
    schedule = body["chargingSchedule"]
    if "reject_profile" in quirks:
        return True
    if "amps_only" in quirks and schedule["chargingRateUnit"] != "A":
        return True
    if "one_period" in quirks and len(schedule["chargingSchedulePeriod"]) > 1:
        return True
    if body["chargingProfilePurpose"] != "TxProfile":
        return False
    own = charger.connectors.get(connector)
    if own is None:
        return True
    running = own.transaction_id
    wanted = body.get("transactionId", running)
    return "txprofile_without_tx" not in quirks and (running is None or wanted != running)


def _clear_profile(charger: "SimCharger", payload: dict[str, Any]) -> Given:
    return _status("Accepted" if charger.limits.clear(payload) else "Unknown")


def _composite(charger: "SimCharger", payload: dict[str, Any]) -> Given:
    connector = charger.connectors.get(int(payload["connectorId"]))
    if connector is None:
        return _status("Rejected")
    now = charger.setup.now()
    periods = [
        {"startPeriod": second, "limit": round(min(limit_kw, 22.0) * 1_000, 1)}
        for second, limit_kw in charger.limits.composite(
            connector.number, now, connector.began, int(payload["duration"])
        )
    ]
    schedule = {
        "duration": payload["duration"],
        "chargingRateUnit": "W",
        "chargingSchedulePeriod": periods,
    }
    return Given(
        {
            "status": "Accepted",
            "connectorId": connector.number,
            "scheduleStart": charger.timestamp(),
            "chargingSchedule": schedule,
        }
    )


def _start(charger: "SimCharger", payload: dict[str, Any]) -> Given:
    connector = charger.connectors.get(int(payload.get("connectorId", 1)))
    if connector is None or connector.transaction_id is not None or connector.charging is None:
        return _status("Rejected")
    tag = str(payload["idTag"])
    return _status("Accepted", lambda: connector.start(tag))


def _stop(charger: "SimCharger", payload: dict[str, Any]) -> Given:
    for connector in charger.connectors.values():
        if connector.transaction_id == payload["transactionId"]:
            return _status("Accepted", _stopping(connector))
    return _status("Rejected")


def _stopping(connector: "Connector") -> After:
    async def stop() -> None:
        await connector.stop("Remote")

    return stop


def _availability(charger: "SimCharger", payload: dict[str, Any]) -> Given:
    number, operative = int(payload["connectorId"]), payload["type"] == "Operative"
    chosen = [one for one in charger.connectors.values() if number in {0, one.number}]
    busy = any(one.transaction_id is not None for one in chosen)

    async def change() -> None:
        for connector in chosen:
            connector.operative = operative
            await connector.become("Available" if operative else "Unavailable")

    if busy and not operative:
        return _status("Scheduled")
    return _status("Accepted", change)


def _trigger(charger: "SimCharger", payload: dict[str, Any]) -> Given:
    wanted = payload["requestedMessage"]
    number = int(payload.get("connectorId", 1))

    async def report() -> None:
        if wanted == "StatusNotification":
            await charger.call("StatusNotification", charger.status(number))
        elif wanted == "MeterValues":
            await charger.call("MeterValues", charger.connectors[number].meter_values())
        else:
            await charger.call("Heartbeat", {})

    if wanted not in {"StatusNotification", "MeterValues", "Heartbeat"}:
        return _status("NotImplemented")
    return _status("Accepted", report)


def _get_configuration(charger: "SimCharger", payload: dict[str, Any]) -> Given:
    wanted = payload.get("key") or list(charger.configuration)
    told = dict(charger.configuration)
    if "amps_only" in charger.quirks:
        told["ChargingScheduleAllowedChargingRateUnit"] = "Current"
    known = [{"key": key, "readonly": False, "value": told[key]} for key in wanted if key in told]
    return Given(
        {"configurationKey": known, "unknownKey": [key for key in wanted if key not in told]}
    )


def _change_configuration(charger: "SimCharger", payload: dict[str, Any]) -> Given:
    if payload["key"] not in charger.configuration:
        return _status("NotSupported")
    charger.configuration[payload["key"]] = str(payload["value"])
    return _status("Accepted")


def _reset(charger: "SimCharger", payload: dict[str, Any]) -> Given:
    del payload
    return _status("Accepted", charger.reboot)


def _unlock(charger: "SimCharger", payload: dict[str, Any]) -> Given:
    del charger, payload
    return _status("Unlocked")


def _data_transfer(charger: "SimCharger", payload: dict[str, Any]) -> Given:
    del charger, payload
    return _status("UnknownVendorId")


_READS: Final = frozenset({"GetCompositeSchedule", "GetConfiguration", "TriggerMessage"})
_ANSWERS: Final[dict[str, Callable[["SimCharger", dict[str, Any]], Given]]] = {
    "SetChargingProfile": _set_profile,
    "ClearChargingProfile": _clear_profile,
    "GetCompositeSchedule": _composite,
    "RemoteStartTransaction": _start,
    "RemoteStopTransaction": _stop,
    "ChangeAvailability": _availability,
    "TriggerMessage": _trigger,
    "GetConfiguration": _get_configuration,
    "ChangeConfiguration": _change_configuration,
    "Reset": _reset,
    "UnlockConnector": _unlock,
    "DataTransfer": _data_transfer,
}
