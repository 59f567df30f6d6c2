"""The versions of OCPP-J that are spoken here, as data: who may ask what, and how faults are named.

Sources: OCPP 1.6 edition 2, sections 4 and 5; OCPP 2.0.1 edition 2, part 2; OCPP-J of both.
"""

from collections.abc import Callable, Container, Mapping
from typing import Final

import attrs
from websockets.typing import Subprotocol

from engine.adapters import ocpp16, ocpp16_calls, ocpp201, ocpp201_calls
from engine.adapters.base import Outcome


@attrs.frozen(eq=False)
class Version:
    """One version of OCPP.

    ``name`` is that of site files and schemas, ``protocol`` the websocket's subprotocol. A charge
    point may ask ``theirs``, a central system ``ours``; some are both. ``judge`` tells what an
    answer to a CALL of ours means. ``missing`` and ``malformed`` are the CALLERROR codes of a
    message that lacks a field and of one that is no CALL.
    """

    name: str
    protocol: str
    ours: frozenset[str]
    theirs: frozenset[str]
    judge: Callable[[str, Mapping[str, object]], tuple[Outcome, str | None]]
    missing: str
    malformed: str


V16: Final = Version(
    name="1.6",
    protocol=ocpp16.PROTOCOL,
    ours=frozenset(ocpp16_calls.ACTIONS),
    judge=ocpp16_calls.judge,
    missing="OccurenceConstraintViolation",  # misspelled in OCPP-J 1.6
    malformed="FormationViolation",
    theirs=frozenset(
        {
            "Authorize",
            "BootNotification",
            "DataTransfer",
            "DiagnosticsStatusNotification",
            "FirmwareStatusNotification",
            "Heartbeat",
            "LogStatusNotification",
            "MeterValues",
            "SecurityEventNotification",
            "SignCertificate",
            "SignedFirmwareStatusNotification",
            "StartTransaction",
            "StatusNotification",
            "StopTransaction",
        }
    ),
)

V201: Final = Version(
    name="2.0.1",
    protocol=ocpp201.PROTOCOL,
    ours=frozenset(ocpp201_calls.ACTIONS),
    judge=ocpp201_calls.judge,
    missing="OccurrenceConstraintViolation",
    malformed="RpcFrameworkError",
    theirs=frozenset(
        {
            "Authorize",
            "BootNotification",
            "ClearedChargingLimit",
            "DataTransfer",
            "FirmwareStatusNotification",
            "Get15118EVCertificate",
            "GetCertificateStatus",
            "Heartbeat",
            "LogStatusNotification",
            "MeterValues",
            "NotifyChargingLimit",
            "NotifyCustomerInformation",
            "NotifyDisplayMessages",
            "NotifyEVChargingNeeds",
            "NotifyEVChargingSchedule",
            "NotifyEvent",
            "NotifyMonitoringReport",
            "NotifyReport",
            "PublishFirmwareStatusNotification",
            "ReportChargingProfiles",
            "ReservationStatusUpdate",
            "SecurityEventNotification",
            "SignCertificate",
            "StatusNotification",
            "TransactionEvent",
        }
    ),
)

_NEWEST_FIRST: Final = (V201, V16)


def subprotocols(versions: Container[str]) -> list[Subprotocol]:
    """Return the subprotocols of some versions, the newest first: in this order they are chosen."""
    return [Subprotocol(one.protocol) for one in _NEWEST_FIRST if one.name in versions]


def version_of(subprotocol: str | None) -> Version:
    """Return the version of a subprotocol that was agreed upon."""
    return next(one for one in _NEWEST_FIRST if one.protocol == subprotocol)
