"""Whatever a central system of OCPP 1.6 may ask goes out by hand, is on record and judged."""

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from actors.control import NotReachable, request
from actors.testing.site import TestSite
from actors.testing.waiting import wait_until
from engine.adapters.ocpp16_calls import ACTIONS

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
HASHES = {
    "hashAlgorithm": "SHA256",
    "issuerNameHash": "0" * 64,
    "issuerKeyHash": "0" * 64,
    "serialNumber": "1",
}
WHEN = "2030-01-01T00:00:00Z"
PLACE = "http://127.0.0.1/file"
PROFILE = {
    "chargingProfileId": 77,
    "stackLevel": 5,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Absolute",
    "chargingSchedule": {
        "chargingRateUnit": "W",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 3000.0}],
    },
}
FIRMWARE = {
    "location": PLACE,
    "retrieveDateTime": WHEN,
    "signingCertificate": CERTIFICATE,
    "signature": "abc",
}
CALLS: tuple[tuple[str, dict[str, Any], str, str | None], ...] = (
    ("GetConfiguration", {"key": ["NumberOfConnectors"]}, "COMPLETED", None),
    ("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "60"}, "COMPLETED", None),
    ("ChangeConfiguration", {"key": "Nonsense", "value": "1"}, "FAILED", "unsupported"),
    ("ChangeConfiguration", {"key": "NumberOfConnectors", "value": "9"}, "FAILED", "Rejected"),
    ("ClearCache", {}, "COMPLETED", None),
    ("DataTransfer", {"vendorId": "nobody"}, "FAILED", "UnknownVendorId"),
    ("TriggerMessage", {"requestedMessage": "Heartbeat"}, "COMPLETED", None),
    ("ExtendedTriggerMessage", {"requestedMessage": "Heartbeat"}, "COMPLETED", None),
    (
        "ExtendedTriggerMessage",
        {"requestedMessage": "SignChargePointCertificate"},
        "FAILED",
        "unsupported",
    ),
    ("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": PROFILE}, "COMPLETED", None),
    ("GetCompositeSchedule", {"connectorId": 1, "duration": 60}, "COMPLETED", None),
    ("ClearChargingProfile", {"id": 77}, "COMPLETED", None),
    ("ClearChargingProfile", {"id": 77}, "COMPLETED", None),
    ("GetLocalListVersion", {}, "COMPLETED", None),
    (
        "SendLocalList",
        {
            "listVersion": 5,
            "updateType": "Full",
            "localAuthorizationList": [{"idTag": "A", "idTagInfo": {"status": "Accepted"}}],
        },
        "COMPLETED",
        None,
    ),
    (
        "SendLocalList",
        {"listVersion": 4, "updateType": "Differential"},
        "FAILED",
        "VersionMismatch",
    ),
    (
        "ReserveNow",
        {"connectorId": 1, "expiryDate": WHEN, "idTag": "A", "reservationId": 3},
        "FAILED",
        "Occupied",
    ),
    ("CancelReservation", {"reservationId": 3}, "FAILED", "Rejected"),
    ("GetDiagnostics", {"location": PLACE}, "COMPLETED", None),
    ("UpdateFirmware", {"location": PLACE, "retrieveDate": WHEN}, "COMPLETED", None),
    (
        "GetLog",
        {"logType": "SecurityLog", "requestId": 1, "log": {"remoteLocation": PLACE}},
        "COMPLETED",
        None,
    ),
    ("SignedUpdateFirmware", {"requestId": 2, "firmware": FIRMWARE}, "COMPLETED", None),
    (
        "GetInstalledCertificateIds",
        {"certificateType": "CentralSystemRootCertificate"},
        "COMPLETED",
        None,
    ),
    (
        "InstallCertificate",
        {"certificateType": "CentralSystemRootCertificate", "certificate": CERTIFICATE},
        "COMPLETED",
        None,
    ),
    ("DeleteCertificate", {"certificateHashData": HASHES}, "COMPLETED", None),
    ("DeleteCertificate", {"certificateHashData": HASHES}, "FAILED", "NotFound"),
    ("CertificateSigned", {"certificateChain": CERTIFICATE}, "COMPLETED", None),
    ("RemoteStopTransaction", {"transactionId": 99}, "FAILED", "Rejected"),
    ("RemoteStartTransaction", {"connectorId": 9, "idTag": "A"}, "FAILED", "Rejected"),
    ("ChangeAvailability", {"connectorId": 1, "type": "Operative"}, "COMPLETED", None),
    ("UnlockConnector", {"connectorId": 7}, "FAILED", "unsupported"),
    ("MakeCoffee", {}, "FAILED", "unsupported"),
    ("ClearCache", {"gently": True}, "FAILED", "FormationViolation"),
    ("Reset", {"type": "Soft"}, "COMPLETED", None),
)


@pytest.fixture
def engine(depot: TestSite) -> Iterator[TestSite]:
    """Give a site whose engine runs, with every asset reported."""
    process = depot.started("run", str(depot.file))
    wait_until(lambda: charges(depot), engines=(process,))
    yield depot
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0, (depot.folder / "err.txt").read_text()


def charges(site: TestSite) -> bool:
    """Return whether the running engine knows of a transaction at both chargers."""
    states = ask(site, "state", {}) or []
    return bool(states) and all(one["state_known"] and one["transaction_id"] for one in states[:2])


def ask(site: TestSite, op: str, args: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """Ask the running engine, null while there is none."""
    try:
        return request(str(site.folder / ".sit_test.sock"), op, args, 30.0)
    except NotReachable:
        return None


@pytest.mark.timeout(120)
def test_every_call_of_a_central_system_is_carried_out_and_judged(engine: TestSite) -> None:
    """Each is one frame at the charger, and one command on record with the answer as received."""
    before = len(engine.charger("a").wire_log.entries)
    for action, payload, _, _ in CALLS:
        args = {"asset": "ast_a", "action": action, "payload": payload, "wait_s": 20.0}
        ask(engine, "call", {**args, "by": "ann", "reason": "a test"})
    rows: list[dict[str, Any]] = [one for one in engine.history() if one["type"] == "CALL"]
    told = [(one["status"], one["reason"]) for one in rows]
    wanted = [(status, reason) for _, _, status, reason in CALLS]
    assert list(zip(CALLS, wanted, strict=True)) == list(zip(CALLS, told, strict=True))
    assert {1} == {len(one["attempts"]) for one in rows}
    assert all(one["attempts"][0]["answer"]["raw"] for one in rows)
    entries = engine.charger("a").wire_log.entries[before:]
    for row in rows:
        own_id = row["attempts"][0]["id"]
        heard = [e for e in entries if e.direction == "in" and e.message_id == own_id]
        assert len(heard) == 1, row
    assert {action for action, *_ in CALLS} - {"MakeCoffee"} == set(ACTIONS)


@pytest.mark.timeout(120)
def test_who_clears_our_profile_by_hand_gets_it_set_again(engine: TestSite) -> None:
    """Nobody knows what a charger holds after a call that changes something."""
    rate = {"asset": "ast_a", "type": "SET_CHARGE_RATE", "kw": 6.0, "by": "ann", "reason": "test"}
    ask(engine, "send", {**rate, "wait_s": 20.0})
    args: dict[str, Any] = {"asset": "ast_a", "action": "ClearChargingProfile", "payload": {}}
    ask(engine, "call", {**args, "wait_s": 20.0, "by": "ann", "reason": "a test"})
    connector = engine.charger("a").connector(1)
    wait_until(lambda: connector.limit_w == 6_000.0)
    kinds = [one["cause"]["kind"] for one in engine.history()]  # type: ignore[index]  # JSON
    assert kinds == ["operator", "operator", "rule:reassert"]
