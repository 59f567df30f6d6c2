"""OCPP 1.6: what a central system may ask, and what the answers mean; pure.

Sources: OCPP 1.6 edition 2, chapters 5 and 6; security whitepaper edition 3 (certificates, logs,
signed firmware).
"""

from collections.abc import Mapping
from typing import Final

import attrs

from engine.adapters.base import Outcome


@attrs.frozen
class Action:
    """What an action's status may be; one without any is done once it is answered.

    ``reads``: it changes nothing of what the charge point does.
    """

    accepted: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    reads: bool = False


def _says(accepted: str, refused: str = "", *, reads: bool = False) -> Action:
    return Action(frozenset(accepted.split()), frozenset(refused.split()), reads)


ACTIONS: Final[Mapping[str, Action]] = {
    "CancelReservation": _says("Accepted", "Rejected"),
    "CertificateSigned": _says("Accepted", "Rejected"),
    "ChangeAvailability": _says("Accepted Scheduled", "Rejected"),
    "ChangeConfiguration": _says("Accepted RebootRequired", "Rejected"),
    "ClearCache": _says("Accepted", "Rejected"),
    # That there is no such profile is as clear as it gets.
    "ClearChargingProfile": _says("Accepted Unknown", "Rejected"),
    "DataTransfer": _says("Accepted", "Rejected UnknownMessageId UnknownVendorId"),
    "DeleteCertificate": _says("Accepted", "Failed NotFound"),
    "ExtendedTriggerMessage": _says("Accepted", "Rejected", reads=True),
    "GetCompositeSchedule": _says("Accepted", "Rejected", reads=True),
    "GetConfiguration": Action(reads=True),
    "GetDiagnostics": Action(reads=True),
    "GetInstalledCertificateIds": _says("Accepted NotFound", reads=True),
    "GetLocalListVersion": Action(reads=True),
    "GetLog": _says("Accepted AcceptedCanceled", "Rejected", reads=True),
    "InstallCertificate": _says("Accepted", "Failed Rejected"),
    "RemoteStartTransaction": _says("Accepted", "Rejected"),
    "RemoteStopTransaction": _says("Accepted", "Rejected"),
    "ReserveNow": _says("Accepted", "Faulted Occupied Rejected Unavailable"),
    "Reset": _says("Accepted", "Rejected"),
    "SendLocalList": _says("Accepted", "Failed VersionMismatch"),
    "SetChargingProfile": _says("Accepted", "Rejected"),
    "SignedUpdateFirmware": _says(
        "Accepted AcceptedCanceled", "InvalidCertificate Rejected RevokedCertificate"
    ),
    "TriggerMessage": _says("Accepted", "Rejected", reads=True),
    "UnlockConnector": _says("Unlocked", "UnlockFailed"),
    "UpdateFirmware": Action(),
}
"""What a central system may ask of a charge point."""

_OTHER: Final = _says("Accepted", "Failed Rejected")
_UNSUPPORTED: Final = frozenset({"NotImplemented", "NotSupported"})
_NO_LIST: Final = -1  # 5.10: the charge point keeps no local list


def reads(action: str) -> bool:
    """Return whether a CALL only reads; one that nobody knows may do anything."""
    return ACTIONS.get(action, _OTHER).reads


def judge(action: str, conf: Mapping[str, object]) -> tuple[Outcome, str | None]:
    """Return what a CALLRESULT means for its CALL, and how it was put if it is a refusal.

    A status that nobody knows is no answer, and ``unknown``, as is one that is missing; a vendor's
    own action need not have one.
    """
    own = ACTIONS.get(action, _OTHER)
    if not own.accepted:
        has_none = action == "GetLocalListVersion" and conf.get("listVersion") == _NO_LIST
        return ("rejected", "unsupported") if has_none else ("accepted", None)
    status = conf.get("status")
    if not isinstance(status, str):
        is_answer = own is _OTHER and "status" not in conf
        return ("accepted", None) if is_answer else ("unknown", "no status")
    if status in own.accepted:
        return "accepted", None
    if status in _UNSUPPORTED:
        return "rejected", "unsupported"
    return ("rejected" if status in own.refused else "unknown"), status
