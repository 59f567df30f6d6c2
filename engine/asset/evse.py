"""What the reports of an EVSE make of its state (specification 5, OCPP 2.0.1); pure.

A connector only says that it is occupied; what its vehicle does comes with the transaction, which
may begin before the vehicle is there and end before it leaves. So a report means what it means
together with what was said before.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from engine.adapters.base import ChargingReported, ConnectorReported, PowerMeasured
from engine.asset.state import Device
from engine.events import Evse

_CONNECTORS: Final[Mapping[str, str]] = {
    "Occupied": "PREPARING",
    "Reserved": "AVAILABLE",
    "Available": "AVAILABLE",
    "Unavailable": "UNAVAILABLE",
    "Faulted": "FAULTED",
}
"""The statuses of a connector; of several, the first that one of them has is the EVSE's."""

_SPELLED: Final = {status.lower(): status for status in _CONNECTORS}
_MOST_CONNECTORS: Final = 16
"""Of one EVSE; no station has more, and whoever tells of more has its numbers wrong."""
_OUT_OF_ORDER: Final = frozenset({"Unavailable", "Faulted"})
_FREE: Final = frozenset({"Available", "Reserved"})
_CHARGING: Final[Mapping[str, tuple[str, str | None]]] = {
    "Charging": ("CHARGING", None),
    "SuspendedEV": ("SUSPENDED", "ev"),
    "SuspendedEVSE": ("SUSPENDED", "evse"),
}
_HAS_CHARGED: Final = frozenset({"CHARGING", "SUSPENDED"})


class Meaning(Struct, frozen=True, gc=False):
    """What a report comes to.

    ``evse`` is what is known now; ``state`` is null where it stays as it is, also where the report
    was not ``understood``.
    """

    evse: Evse
    state: str | None = None
    detail: dict[str, str] = field(default_factory=dict)
    understood: bool = True


def status_of(evse: Evse) -> str | None:
    """Return the status of an EVSE by those of its connectors, null where none was told."""
    told = {status for _, status in evse.connectors}
    return next((status for status in _CONNECTORS if status in told), None)


def is_here(device: Device, transaction_id: str | None) -> bool:
    """Return whether a transaction runs here, or is the one that ended last."""
    both = (one for one in (device.transaction, device.last_transaction) if one is not None)
    return any(one.transaction_id == transaction_id for one in both)


def is_elsewhere(device: Device, seen: PowerMeasured) -> bool:
    """Return whether a power was told to all, and is of another's transaction."""
    return seen.transaction_id is not None and not is_here(device, seen.transaction_id)


def connector_reported(device: Device, seen: ConnectorReported) -> Meaning:
    """Return what a connector's status means; some stations speak of the EVSE as connector 0."""
    evse, told = device.evse, _SPELLED.get(seen.status.lower())
    if told is None:
        return Meaning(evse, understood=False)
    evse = _with_connector(evse, max(seen.connector_id, 0), told)
    if len(evse.connectors) > _MOST_CONNECTORS:
        return Meaning(device.evse, understood=False)
    status = status_of(evse)
    if status == "Occupied":
        return _occupied(device, evse)
    if status in _FREE:
        evse = _empty(evse)
    detail = {"reserved": "yes"} if status == "Reserved" else {}
    return Meaning(evse, _CONNECTORS[status or told], detail)


def _with_connector(evse: Evse, connector_id: int, status: str) -> Evse:
    """Return the EVSE with a connector's status; 0 is all of its connectors, until one speaks."""
    others = (one for one in evse.connectors if connector_id and one[0] not in {0, connector_id})
    return replace(evse, connectors=tuple(sorted((*others, (connector_id, status)))))


def _occupied(device: Device, evse: Evse) -> Meaning:
    """A vehicle is there: it is as its transaction has it, or waits for one, or has had one."""
    running, last = device.transaction, device.last_transaction
    if evse.session is None:
        return Meaning(replace(evse, session="PREPARING"), "PREPARING")
    has_ended = last is not None and last.ended and last.transaction_id == evse.transaction_id
    if running is None and has_ended and evse.has_vehicle:
        evse = replace(evse, session="FINISHING", suspended_by=None)
    return Meaning(evse, evse.session, _detail(evse))


def charging_reported(device: Device, seen: ChargingReported) -> Meaning:
    """Return what a transaction's newest event means; one that is older than that, nothing."""
    evse = device.evse
    is_same = seen.transaction_id == evse.transaction_id
    if _is_over(device, seen) or (is_same and seen.seq_no < evse.seq_no):
        return Meaning(evse)
    if not is_same:
        session = None if evse.session == "FINISHING" else evse.session
        evse = replace(_empty(evse), session=session, was_connected=False)
    evse = replace(evse, transaction_id=seen.transaction_id, seq_no=seen.seq_no)
    evse = replace(evse, stopped=evse.stopped or seen.stopped)
    if seen.phase == "ended":
        return _placed(_ended(evse, seen))
    if seen.charging is None:
        return Meaning(evse)
    return _placed(_going_on(evse, seen, seen.charging))


def ended_unseen(device: Device) -> Meaning:
    """Return what it means that the newest transaction is over, and nobody said how it left."""
    evse = device.evse
    return _placed(_occupied(device, evse)) if evse.has_vehicle else Meaning(evse)


def _is_over(device: Device, seen: ChargingReported) -> bool:
    """Return whether an event comes late: another transaction runs, or its own has ended.

    An end says once how its transaction left the EVSE, also if it is told again.
    """
    running, last, evse = device.transaction, device.last_transaction, device.evse
    if running is not None:
        return running.transaction_id != seen.transaction_id
    has_ended = last is not None and last.ended and last.transaction_id == seen.transaction_id
    if seen.phase != "ended":
        return has_ended
    is_told = evse.transaction_id == seen.transaction_id and 0 < seen.seq_no <= evse.seq_no
    return has_ended and is_told and not evse.has_vehicle


def _ended(evse: Evse, seen: ChargingReported) -> Meaning:
    """Whoever has left frees the EVSE; who has not may stay for as long as it takes."""
    if seen.left or seen.charging == "Idle" or status_of(evse) in _FREE:
        return Meaning(_left(evse), "AVAILABLE")
    return Meaning(replace(evse, session="FINISHING", suspended_by=None), "FINISHING")


def _going_on(evse: Evse, seen: ChargingReported, charging: str) -> Meaning:
    if charging == "Idle":
        if evse.was_connected:
            return Meaning(_left(evse), "AVAILABLE")
        return Meaning(replace(evse, session="PREPARING", suspended_by=None), "PREPARING")
    if charging == "EVConnected":
        session, suspended_by = _connected(evse), None
    elif charging in _CHARGING:
        session, suspended_by = _CHARGING[charging]
        evse = replace(evse, stopped=False)
    else:
        return Meaning(evse, understood=False)
    evse = replace(
        _occupying(evse, seen.connector_id),
        session=session,
        suspended_by=suspended_by,
        was_connected=True,
        has_vehicle=True,
    )
    return Meaning(evse, session, _detail(evse))


def _connected(evse: Evse) -> str:
    """Return what a vehicle is that takes nothing: before it has charged, between, or after."""
    if evse.stopped or (evse.session == "FINISHING" and evse.has_vehicle):
        return "FINISHING"
    is_between = evse.has_vehicle and evse.session in _HAS_CHARGED
    return "SUSPENDED" if is_between else "PREPARING"


def _left(evse: Evse) -> Evse:
    """Return the EVSE without its vehicle, and no connector occupied."""
    free = {"Occupied": "Available"}
    connectors = tuple((own_id, free.get(status, status)) for own_id, status in evse.connectors)
    return replace(_empty(evse), connectors=connectors)


def _empty(evse: Evse) -> Evse:
    return replace(evse, session=None, suspended_by=None, has_vehicle=False, stopped=False)


def _occupying(evse: Evse, connector_id: int | None) -> Evse:
    """Return the EVSE with the connector occupied that a vehicle must be at.

    Some stations never say so.
    """
    known = dict(evse.connectors)
    own_id = connector_id if connector_id is not None and connector_id > 0 else None
    if own_id is None and len(known) == 1:
        (own_id,) = known
    is_one_too_many = own_id not in known and len(known) >= _MOST_CONNECTORS
    if own_id is None or is_one_too_many or known.get(own_id) in _OUT_OF_ORDER:
        return evse
    return _with_connector(evse, own_id, "Occupied")


def _placed(meaning: Meaning) -> Meaning:
    """Return the meaning with the connector's word before the transaction's."""
    status = status_of(meaning.evse)
    if status in _OUT_OF_ORDER and meaning.state is not None:
        return replace(meaning, state=_CONNECTORS[status or ""], detail={})
    return meaning


def _detail(evse: Evse) -> dict[str, str]:
    return {} if evse.suspended_by is None else {"suspended_by": evse.suspended_by}
