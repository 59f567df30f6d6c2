"""CALLs that break their schema and can be understood all the same: put right, then read.

Charge points send null for what they leave out, numbers as text, a thing where a list of things
belongs, and leave out what nobody needs. A field too many, a text too long and a word that no list
has need no mending: whoever reads the payload expects them. One value among others that cannot be
read is left out, and so is a part that is not needed.
"""

import copy
import functools
import itertools
import operator
from collections.abc import Mapping
from typing import Any, Final

import attrs
import msgspec

from actors.links.ocpp.framing import Call
from actors.links.ocpp.shapes import Flaw, Shape, Step, flaws, shape_of
from actors.links.ocpp.versions import Version
from engine.adapters.samples import number

_ROUNDS: Final = 4
_MOST_FAULTS: Final = 32
"""A frame with more is not put right: each takes its time, and all charge points share it."""
_SAID: Final = 200
_NO_METER: Final = 1 << 60
_NEEDLESS: Final[Mapping[str, Mapping[str, object]]] = {
    "BootNotification": {
        "chargePointVendor": "",
        "chargePointModel": "",
        "vendorName": "",
        "model": "",
        "reason": "Unknown",
        "chargingStation": {},
    },
    "MeterValues": {"timestamp": ""},
    "StatusNotification": {"errorCode": "NoError", "timestamp": ""},
    "StartTransaction": {"meterStart": 0},
    "StopTransaction": {"meterStop": _NO_METER, "timestamp": "", "transactionId": 0},
    "TransactionEvent": {"timestamp": ""},
}
"""What stands in for a field that its schema asks for and that can be done without."""
_WHATEVER_IT_SAYS: Final = frozenset({"StopTransaction"})
"""What is read without any field that cannot be: it has happened (OCPP 1.6, 4.10)."""
_ENCODED: Final = msgspec.json.Encoder().encode
_COPIED: Final = msgspec.json.Decoder(dict[str, Any]).decode
"""Twenty times as fast as `copy.deepcopy`: what is mended may be long."""
_TRUTHS: Final = {"true": True, "false": False}


@attrs.frozen
class Fault:
    """Why a CALL cannot be read: the code and the text of its CALLERROR."""

    code: str
    text: str


def understood(call: Call, version: Version) -> Call | Fault:
    """Return a CALL as it can be read, put right where need be, or why it cannot."""
    if call.action not in version.theirs:
        if call.action in version.ours:
            return Fault("NotSupported", f"{call.action} is for the central system to ask")
        return Fault("NotImplemented", f"no action is called {call.action[:50]}")
    shape = shape_of(call.action, version.name)
    found = _first(shape, call.payload)
    if not found:
        return call
    payload = _COPIED(_ENCODED(call.payload))
    for _ in range(_ROUNDS):
        if len(found) > _MOST_FAULTS:
            break
        _mend_all(call.action, payload, found)
        found = _first(shape, payload)
        if not found:
            return attrs.evolve(call, payload=payload)
    code = version.missing if found[0].kind == "required" else "TypeConstraintViolation"
    return Fault(code, found[0].text[:_SAID])


def _first(shape: Shape, payload: dict[str, Any]) -> list[Flaw]:
    """Return what is wrong, the first of it where there is more than is put right."""
    return list(itertools.islice(flaws(shape, payload), _MOST_FAULTS + 1))


def _mend_all(action: str, payload: dict[str, Any], found: list[Flaw]) -> None:
    """Put right what can be, in place; what cannot goes, where it may."""
    faulty = [flaw for flaw in found if not _mend(action, payload, flaw)]
    gone = {_part(flaw) for flaw in faulty if _may_go(action, flaw)}
    for place in sorted(gone, reverse=True):
        del _at(payload, place[:-1])[place[-1]]


def _mend(action: str, payload: dict[str, Any], flaw: Flaw) -> bool:
    """Put one thing right; return whether that helped."""
    place = flaw.place
    if flaw.kind == "required":
        parent = _at(payload, place)
        for name, value in _NEEDLESS.get(action, {}).items():
            if name in flaw.wanted and name not in parent:
                parent[name] = copy.deepcopy(value)
                return True
        return False
    if not place:
        return False
    parent, step = _at(payload, place[:-1]), place[-1]
    value = parent[step]
    if value is None and isinstance(parent, dict):
        del parent[step]
        return True
    parent[step] = _as(str(flaw.wanted), value, rounded=_is_meter(place))
    return parent[step] is not value


def _at(payload: dict[str, Any], place: tuple[Any, ...]) -> Any:  # noqa: ANN401 - of JSON
    return functools.reduce(operator.getitem, place, payload)


def _may_go(action: str, flaw: Flaw) -> bool:
    """Return whether a faulty thing can be left out: a part can, a plain field of the CALL not.

    What cannot be without it is faulty then, and goes in the same way.
    """
    place = flaw.place
    is_part = len(place) > 1 or flaw.kind == "required" or flaw.wanted == "object"
    return bool(place) and (is_part or action in _WHATEVER_IT_SAYS)


def _part(flaw: Flaw) -> tuple[Step, ...]:
    """Return the place of what goes: of a list, the whole entry, lest half of it be misread."""
    place = flaw.place
    inner = [number for number, step in enumerate(place, 1) if isinstance(step, int)]
    return place[: inner[-1]] if inner else place


def _is_meter(place: tuple[Any, ...]) -> bool:
    """Return whether a place has a meter's reading, of which some tell fractions."""
    return isinstance(place[-1], str) and place[-1].startswith("meter")


def _as(wanted: str, value: object, *, rounded: bool) -> object:
    """Return a value as the type of JSON that is wanted, if it can be meant so."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match wanted:
        case "string" if is_number:
            return str(value)
        case "integer" | "number" if is_number or isinstance(value, str):
            found = number(value)
            if found is None:
                return value
            is_whole = found.is_integer() or (rounded and wanted == "integer")
            return round(found) if is_whole else found
        case "boolean" if isinstance(value, str):
            return _TRUTHS.get(value.strip().lower(), value)
        case "array":
            return [value]
        case _:
            return value
