"""OCPP 1.6: what a central system may ask, and what the answers mean; pure.

Sources: OCPP 1.6 edition 2, chapters 5 and 6; security whitepaper edition 3 (certificates, logs,
signed firmware).
"""

from collections.abc import Mapping
from typing import Final

from engine.adapters.base import Outcome
from engine.adapters.ocpp_calls import OTHER, Action, judged, says

ACTIONS: Final[Mapping[str, Action]] = {
    "CancelReservation": says("Accepted", "Rejected"),
    "CertificateSigned": says("Accepted", "Rejected"),
    "ChangeAvailability": says("Accepted Scheduled", "Rejected"),
    "ChangeConfiguration": says("Accepted RebootRequired", "Rejected"),
    "ClearCache": says("Accepted", "Rejected"),
    # That there is no such profile is as clear as it gets.
    "ClearChargingProfile": says("Accepted Unknown", "Rejected"),
    "DataTransfer": says("Accepted", "Rejected UnknownMessageId UnknownVendorId"),
    "DeleteCertificate": says("Accepted", "Failed NotFound"),
    "ExtendedTriggerMessage": says("Accepted", "Rejected", reads=True),
    "GetCompositeSchedule": says("Accepted", "Rejected", reads=True),
    "GetConfiguration": Action(reads=True),
    "GetDiagnostics": Action(reads=True),
    "GetInstalledCertificateIds": says("Accepted NotFound", reads=True),
    "GetLocalListVersion": Action(reads=True),
    "GetLog": says("Accepted AcceptedCanceled", "Rejected", reads=True),
    "InstallCertificate": says("Accepted", "Failed Rejected"),
    "RemoteStartTransaction": says("Accepted", "Rejected"),
    "RemoteStopTransaction": says("Accepted", "Rejected"),
    "ReserveNow": says("Accepted", "Faulted Occupied Rejected Unavailable"),
    "Reset": says("Accepted", "Rejected"),
    "SendLocalList": says("Accepted", "Failed VersionMismatch"),
    "SetChargingProfile": says("Accepted", "Rejected"),
    "SignedUpdateFirmware": says(
        "Accepted AcceptedCanceled", "InvalidCertificate Rejected RevokedCertificate"
    ),
    "TriggerMessage": says("Accepted", "Rejected", reads=True),
    "UnlockConnector": says("Unlocked", "UnlockFailed"),
    "UpdateFirmware": Action(),
}
"""What a central system may ask of a charge point."""

_NO_LIST: Final = -1  # 5.10: the charge point keeps no local list


def reads(action: str) -> bool:
    """Return whether a CALL only reads; one that nobody knows may do anything."""
    return ACTIONS.get(action, OTHER).reads


def judge(action: str, conf: Mapping[str, object]) -> tuple[Outcome, str | None]:
    """Return what a CALLRESULT means for its CALL, and how it was put if it is a refusal.

    A status that nobody knows is no answer, and ``unknown``, as is one that is missing; a vendor's
    own action need not have one.
    """
    own = ACTIONS.get(action, OTHER)
    if not own.accepted:
        has_none = action == "GetLocalListVersion" and conf.get("listVersion") == _NO_LIST
        return ("rejected", "unsupported") if has_none else ("accepted", None)
    if own is OTHER and "status" not in conf:
        return "accepted", None
    return judged(own, conf.get("status"))
