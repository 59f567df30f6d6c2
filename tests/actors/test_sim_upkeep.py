"""What a simulated charge point of OCPP 1.6 does beside charging."""

from typing import Any

import pytest

from actors.sim.central import RawCentral
from actors.sim.charger import SimCharger
from actors.testing.charging import play

WHEN = "2030-01-01T00:00:00Z"
RESERVED = {"connectorId": 1, "expiryDate": WHEN, "idTag": "A", "reservationId": 3}
FIRMWARE = {
    "location": "http://127.0.0.1/f",
    "retrieveDateTime": WHEN,
    "signingCertificate": "c",
    "signature": "",
}


def test_a_reservation_is_told_and_ends_when_it_is_cancelled_or_a_vehicle_comes() -> None:
    """Reserved is a status of its own."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        assert await central.status_of("ReserveNow", RESERVED) == "Accepted"
        await charger.until(lambda: charger.connector(1).status == "Reserved")
        assert await central.status_of("CancelReservation", {"reservationId": 3}) == "Accepted"
        await charger.until(lambda: charger.connector(1).status == "Available")
        assert await central.status_of("CancelReservation", {"reservationId": 3}) == "Rejected"
        assert await central.status_of("ReserveNow", RESERVED) == "Accepted"
        charger.plug_in(1)
        assert charger.connector(1).status == "Preparing"
        assert await central.status_of("ReserveNow", RESERVED) == "Occupied"
        charger.connector(1).error_code = "GroundFailure"
        assert await central.status_of("ReserveNow", RESERVED) == "Faulted"
        other = {**RESERVED, "connectorId": 7}
        assert await central.status_of("ReserveNow", other) == "Rejected"

    play(scenario)


def test_a_local_list_is_replaced_or_changed_by_a_newer_one() -> None:
    """An older difference is refused; an entry without idTagInfo goes."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        entries = [{"idTag": tag, "idTagInfo": {"status": "Accepted"}} for tag in ("A", "B")]
        lists: list[tuple[int, str, list[dict[str, Any]], str]] = [
            (4, "Full", entries, "Accepted"),
            (5, "Differential", [{"idTag": "A"}], "Accepted"),
            (5, "Differential", [], "VersionMismatch"),
        ]
        for version, kind, tags, expected in lists:
            body = {"listVersion": version, "updateType": kind, "localAuthorizationList": tags}
            assert await central.status_of("SendLocalList", body) == expected
        told = await central.ask("GetLocalListVersion", {})
        assert told[2] == {"listVersion": 5}
        assert set(charger.station.records.tags) == {"B"}  # type: ignore[attr-defined]  # of 1.6

    play(scenario)


@pytest.mark.parametrize(
    ("action", "payload", "told"),
    [
        ("GetDiagnostics", {"location": "x"}, "DiagnosticsStatusNotification"),
        (
            "UpdateFirmware",
            {"location": "x", "retrieveDate": WHEN},
            "FirmwareStatusNotification",
        ),
        (
            "GetLog",
            {"logType": "SecurityLog", "requestId": 1, "log": {"remoteLocation": "x"}},
            "LogStatusNotification",
        ),
        (
            "SignedUpdateFirmware",
            {"requestId": 1, "firmware": {**FIRMWARE, "signature": "s"}},
            "SignedFirmwareStatusNotification",
        ),
    ],
)
def test_progress_is_told(action: str, payload: dict[str, object], told: str) -> None:
    """After the answer, one notification after the other."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        await central.ask(action, payload)
        await central.hear(told)

    play(scenario)


def test_firmware_without_a_signature_and_a_certificate_that_is_none_are_refused() -> None:
    """Each by its own status."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        update = {"requestId": 1, "firmware": FIRMWARE}
        assert await central.status_of("SignedUpdateFirmware", update) == "InvalidCertificate"
        kind = {"certificateType": "CentralSystemRootCertificate"}
        given = {**kind, "certificate": "none"}
        assert await central.status_of("InstallCertificate", given) == "Rejected"
        assert await central.status_of("CertificateSigned", {"certificateChain": "x"}) == "Rejected"
        given = {**kind, "certificate": "-----BEGIN CERTIFICATE-----"}
        assert await central.status_of("InstallCertificate", given) == "Accepted"
        found = await central.ask("GetInstalledCertificateIds", kind)
        (hashes,) = found[2]["certificateHashData"]
        gone = {"certificateHashData": hashes}
        assert await central.status_of("DeleteCertificate", gone) == "Accepted"
        assert await central.status_of("DeleteCertificate", gone) == "NotFound"
        assert await central.status_of("GetInstalledCertificateIds", kind) == "NotFound"

    play(scenario)
