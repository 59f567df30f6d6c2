"""Events as bytes: the same ones each time, back again, and across versions of the schema."""

from typing import Any, get_type_hints

import attrs
import msgspec
import pytest
from msgspec.structs import replace

from engine import codec as codec_module
from engine import events
from engine.adapters.base import Frame, Payload
from engine.codec import Codec, Header, Row
from engine.commands import Cause, CauseKind, CommandStatus, CommandType
from engine.errors import StoreCorrupt
from engine.events import RELEASED, Decision, Setpoint, Step, Taken
from engine.plans import Plan, PlanRef
from engine.rules import AssetRules
from engine.types import AssetId, AssetKind, CommandId, ScheduleId

HEADER = Header(3, "ast_1", 7, 11, 12, "sch_1", None)
CODEC = Codec(events.TOPICS)
_STEP = Step((CommandId("cmd_1"),), CommandType.SET_CHARGE_RATE, 5, Setpoint(5, 0))
_DECISION = Decision(
    RELEASED, "schedule", (_STEP,), 1, taken=Taken(ScheduleId("sch_1"), 2), losers=(("x", 1, 0),)
)
_SAMPLES: dict[Any, Any] = {
    int: 5,
    str: "x",
    bool: True,
    float: 2.5,
    bytes: b"\x00x",
    "Setpoint": RELEASED,
    "Decision": _DECISION,
    "Payload": Payload((Frame("a", {"b": [1, 2.5, {"c": None}]}),), 1.5),
    "PlanRef": PlanRef(ScheduleId("sch_1"), 1, 0),
    "Plan": Plan(("ev_1_kw",), b"12345678", b"\x00", b"1234"),
    "Cause": Cause(CauseKind.OPERATOR, by="anna"),
    "AssetRules": AssetRules(AssetId("ast_1"), AssetKind.BATTERY, "modbus", "b", 5),
    "CommandType": CommandType.RELEASE,
    "CommandStatus": CommandStatus.PENDING,
}


def sample(kind: Any) -> Any:  # noqa: ANN401, PLR0911 - an annotation; one return per form
    """Return a value of a field's type."""
    if kind in _SAMPLES:
        return _SAMPLES[kind]
    name = getattr(kind, "__name__", str(kind))
    if name in _SAMPLES:
        return _SAMPLES[name]
    text = str(kind)
    if text.startswith("tuple["):
        inner = kind.__args__[0]
        return (sample(inner),) if len(kind.__args__) == 2 else tuple(map(sample, kind.__args__))
    if text.startswith("dict["):
        return {"ast_1": sample(kind.__args__[1])}
    if "Literal" in text:
        return "accepted"
    if hasattr(kind, "__args__"):
        return sample(kind.__args__[0])
    if hasattr(kind, "__supertype__"):
        return sample(kind.__supertype__)
    return {"any": 1}


def filled(kind: type) -> object:
    """Return an event with every field set."""
    return kind(**{name: sample(type_) for name, type_ in get_type_hints(kind).items()})


@pytest.mark.parametrize("topic", sorted(events.TOPICS))
def test_every_event_comes_back_as_it_was(topic: str) -> None:
    """Bytes are the same each time."""
    event = filled(events.TOPICS[topic])
    row = CODEC.encode(HEADER, event)
    again = CODEC.encode(HEADER, event)
    record = CODEC.decode(replace(row, position=9))
    assert row.topic == topic
    assert row == again
    assert record.event == event
    assert record.header == HEADER
    assert record.position == 9


def test_an_event_id_says_where_the_event_stands() -> None:
    """No two events of a store have the same."""
    assert HEADER.event_id == "evt_3_ast_1_7"


@pytest.mark.parametrize(
    "row",
    [
        Row("s", 1, "asset.retired", b"junk", 4),
        Row("s", 1, "asset.unheard_of", CODEC.encode(HEADER, events.AssetRetired()).state, 4),
        Row("s", 1, "asset.recovered", CODEC.encode(HEADER, events.AssetRetired()).state, 4),
    ],
)
def test_a_row_that_cannot_be_read_is_named(row: Row) -> None:
    """By position, stream and version."""
    with pytest.raises(StoreCorrupt, match="position 4, stream s, version 1"):
        CODEC.decode(row)


@attrs.frozen
class Renamed:
    """An event whose field had another name in the first schema."""

    power_w: int


def test_an_older_row_is_lifted_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written years ago is read as what it is called today."""
    monkeypatch.setattr(codec_module, "SCHEMA", 3)
    state = msgspec.msgpack.encode((1, 1, 2, 3, None, None, {"watts": 5}))
    lifted = Codec({"t": Renamed}, {("t", 1): lambda old: {"power_w": old["watts"]}})
    assert lifted.decode(Row("s", 1, "t", state)).event == Renamed(5)
