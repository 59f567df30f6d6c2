"""OCPP 2.0.1: what a central system may ask, and what the answers mean; pure.

Source: OCPP 2.0.1 edition 2, part 2, 1 (messages) and 3 (enumerations).
"""

from collections.abc import Mapping
from typing import Final

from engine.adapters.base import Outcome
from engine.adapters.ocpp_calls import OTHER, Action, judged, says

# That there is none of what was asked for, or to be taken away, is as clear as it gets.
ACTIONS: Final[Mapping[str, Action]] = {
    "CancelReservation": says("Accepted", "Rejected"),
    "CertificateSigned": says("Accepted", "Rejected"),
    "ChangeAvailability": says("Accepted Scheduled", "Rejected"),
    "ClearCache": says("Accepted", "Rejected"),
    "ClearChargingProfile": says("Accepted Unknown"),
    "ClearDisplayMessage": says("Accepted Unknown"),
    "ClearVariableMonitoring": says("Accepted", "NotFound Rejected", each="clearMonitoringResult"),
    "CostUpdated": Action(),
    "CustomerInformation": says("Accepted", "Invalid Rejected"),
    "DataTransfer": says("Accepted", "Rejected UnknownMessageId UnknownVendorId"),
    "DeleteCertificate": says("Accepted", "Failed NotFound"),
    "GetBaseReport": says("Accepted", "EmptyResultSet Rejected", reads=True),
    "GetChargingProfiles": says("Accepted NoProfiles", reads=True),
    "GetCompositeSchedule": says("Accepted", "Rejected", reads=True),
    "GetDisplayMessages": says("Accepted Unknown", reads=True),
    "GetInstalledCertificateIds": says("Accepted NotFound", reads=True),
    "GetLocalListVersion": Action(reads=True),
    "GetLog": says("Accepted AcceptedCanceled", "Rejected", reads=True),
    "GetMonitoringReport": says("Accepted", "EmptyResultSet Rejected", reads=True),
    "GetReport": says("Accepted", "EmptyResultSet Rejected", reads=True),
    "GetTransactionStatus": Action(reads=True),
    "GetVariables": says(
        "Accepted",
        "NotSupportedAttributeType Rejected UnknownComponent UnknownVariable",
        reads=True,
        each="getVariableResult",
    ),
    "InstallCertificate": says("Accepted", "Failed Rejected"),
    "PublishFirmware": says("Accepted", "Rejected"),
    "RequestStartTransaction": says("Accepted", "Rejected"),
    "RequestStopTransaction": says("Accepted", "Rejected"),
    "ReserveNow": says("Accepted", "Faulted Occupied Rejected Unavailable"),
    "Reset": says("Accepted Scheduled", "Rejected"),
    "SendLocalList": says("Accepted", "Failed VersionMismatch"),
    "SetChargingProfile": says("Accepted", "Rejected"),
    "SetDisplayMessage": says(
        "Accepted",
        "NotSupportedMessageFormat NotSupportedPriority NotSupportedState Rejected "
        "UnknownTransaction",
    ),
    "SetMonitoringBase": says("Accepted", "EmptyResultSet Rejected"),
    "SetMonitoringLevel": says("Accepted", "Rejected"),
    "SetNetworkProfile": says("Accepted", "Failed Rejected"),
    "SetVariableMonitoring": says(
        "Accepted",
        "Duplicate Rejected UnknownComponent UnknownVariable UnsupportedMonitorType",
        each="setMonitoringResult",
    ),
    "SetVariables": says(
        "Accepted RebootRequired",
        "NotSupportedAttributeType Rejected UnknownComponent UnknownVariable",
        each="setVariableResult",
    ),
    "TriggerMessage": says("Accepted", "Rejected", reads=True),
    "UnlockConnector": says(
        "Unlocked", "OngoingAuthorizedTransaction UnknownConnector UnlockFailed"
    ),
    "UnpublishFirmware": says("NoFirmware Unpublished", "DownloadOngoing"),
    "UpdateFirmware": says(
        "Accepted AcceptedCanceled", "InvalidCertificate Rejected RevokedCertificate"
    ),
}
"""What a central system may ask of a charging station."""

_NAMES: Final = ("status", "attributeStatus")
_WORST_FIRST: Final[tuple[Outcome, ...]] = ("unknown", "rejected", "accepted")


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
        return "accepted", None
    if own is OTHER and "status" not in conf:
        return "accepted", None
    if own.each is None:
        return judged(own, conf.get("status"))
    return _judged_together(own, own.each, conf.get(own.each))


def _judged_together(own: Action, name: str, results: object) -> tuple[Outcome, str | None]:
    """Return the worst of several; of what is only read the best: one value is of use."""
    listed = results if isinstance(results, list) else ()
    verdicts = [judged(own, _status_in(one)) for one in listed if isinstance(one, Mapping)]
    if not verdicts:
        return "unknown", f"no {name}"
    worst_first = sorted(verdicts, key=lambda one: _WORST_FIRST.index(one[0]))
    return worst_first[-1 if own.reads else 0]


def _status_in(result: Mapping[str, object]) -> object:
    return next((result[name] for name in _NAMES if name in result), None)
