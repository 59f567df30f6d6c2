"""What a simulated charge point does beside charging: lists, reservations, firmware, certificates.

OCPP 1.6 edition 2: 5.1 and 5.13 (reservation), 5.9, 5.10 and 5.15 (diagnostics and local lists),
5.19 (firmware); security whitepaper edition 3. Nothing is really fetched, signed or installed.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from actors.sim.answers import status
from actors.sim.ocpp16.station import Station16
from actors.sim.outbox import Notice
from actors.sim.reply import Reply
from actors.sim.version import Answering

_DIAGNOSTICS: Final = ("Uploading", "Uploaded")
_FIRMWARE: Final = ("Downloading", "Downloaded", "Installing", "Installed")
_SIGNED: Final = ("Downloading", "Downloaded", "SignatureVerified", "Installing", "Installed")


def _say(station: Station16, action: str, states: tuple[str, ...], **more: object) -> None:
    for each in states:
        station.cabinet.post(Notice(action, {"status": each, **more}))


def _later(
    station: Station16, action: str, states: tuple[str, ...], **more: object
) -> Callable[[], None]:
    return lambda: _say(station, action, states, **more)


# --- lists


def _list_version(station: Station16, payload: Mapping[str, Any]) -> Reply:
    del payload
    return Reply({"listVersion": station.records.list_version})


def _send_list(station: Station16, payload: Mapping[str, Any]) -> Reply:
    records, version = station.records, payload["listVersion"]
    entries = payload.get("localAuthorizationList", [])
    if payload["updateType"] == "Differential" and version <= records.list_version:
        return status("VersionMismatch")
    if payload["updateType"] == "Full":
        records.tags.clear()
    for entry in entries:
        if "idTagInfo" in entry:
            records.tags[entry["idTag"]] = entry["idTagInfo"]
        else:
            records.tags.pop(entry["idTag"], None)
    records.list_version = version
    return status("Accepted")


# --- reservations


def _reserve(station: Station16, payload: Mapping[str, Any]) -> Reply:
    connector = station.connectors.get(payload["connectorId"])
    if connector is None:
        return status("Rejected")
    if connector.status in {"Faulted", "Unavailable"}:
        return status(connector.status)
    if connector.status not in {"Available", "Reserved"}:
        return status("Occupied")

    def then() -> None:
        connector.reservation = payload["reservationId"]
        station.refresh()

    return status("Accepted", then)


def _cancel(station: Station16, payload: Mapping[str, Any]) -> Reply:
    for connector in station.connectors.values():
        if connector.reservation == payload["reservationId"]:
            connector.reservation = None
            return status("Accepted", station.refresh)
    return status("Rejected")


# --- diagnostics, logs and firmware


def _diagnostics(station: Station16, payload: Mapping[str, Any]) -> Reply:
    del payload
    then = _later(station, "DiagnosticsStatusNotification", _DIAGNOSTICS)
    return Reply({"fileName": "diagnostics.log"}, then)


def _log(station: Station16, payload: Mapping[str, Any]) -> Reply:
    more = {"requestId": payload["requestId"]}
    then = _later(station, "LogStatusNotification", _DIAGNOSTICS, **more)
    return Reply({"status": "Accepted", "filename": "log.txt"}, then)


def _firmware(station: Station16, payload: Mapping[str, Any]) -> Reply:
    del payload
    return Reply({}, _later(station, "FirmwareStatusNotification", _FIRMWARE))


def _signed_firmware(station: Station16, payload: Mapping[str, Any]) -> Reply:
    if not payload["firmware"]["signature"]:
        return status("InvalidCertificate")
    more = {"requestId": payload["requestId"]}
    return status("Accepted", _later(station, "SignedFirmwareStatusNotification", _SIGNED, **more))


# --- certificates


def _install(station: Station16, payload: Mapping[str, Any]) -> Reply:
    text = payload["certificate"]
    if "BEGIN CERTIFICATE" not in text:
        return status("Rejected")
    hashes: dict[str, object] = {
        "hashAlgorithm": "SHA256",
        "issuerNameHash": "0" * 64,
        "issuerKeyHash": "0" * 64,
        "serialNumber": str(len(station.records.certificates) + 1),
    }
    station.records.certificates.append((payload["certificateType"], hashes))
    return status("Accepted")


def _installed(station: Station16, payload: Mapping[str, Any]) -> Reply:
    wanted = payload["certificateType"]
    found = [hashes for kind, hashes in station.records.certificates if kind == wanted]
    if not found:
        return status("NotFound")
    return Reply({"status": "Accepted", "certificateHashData": found})


def _delete(station: Station16, payload: Mapping[str, Any]) -> Reply:
    kept = station.records.certificates
    left = [each for each in kept if each[1] != payload["certificateHashData"]]
    if len(left) == len(kept):
        return status("NotFound")
    station.records.certificates = left
    return status("Accepted")


def _signed(station: Station16, payload: Mapping[str, Any]) -> Reply:
    del station
    return status("Accepted" if "BEGIN CERTIFICATE" in payload["certificateChain"] else "Rejected")


UPKEEP: Final[Mapping[str, Answering]] = MappingProxyType(
    {
        "CancelReservation": _cancel,
        "CertificateSigned": _signed,
        "DeleteCertificate": _delete,
        "GetDiagnostics": _diagnostics,
        "GetInstalledCertificateIds": _installed,
        "GetLocalListVersion": _list_version,
        "GetLog": _log,
        "InstallCertificate": _install,
        "ReserveNow": _reserve,
        "SendLocalList": _send_list,
        "SignedUpdateFirmware": _signed_firmware,
        "UpdateFirmware": _firmware,
    }
)
"""What it answers, by a CALL's action."""
