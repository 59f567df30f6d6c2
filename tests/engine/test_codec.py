"""Events as bytes: the same ones each time, back again, and across versions of the schema."""

from typing import Any, get_type_hints

import attrs
import msgspec
import pytest
from msgspec.structs import replace

from engine import events
from engine.adapters.base import Frame, Payload
from engine.codec import Codec, Header, Row
from engine.commands import Cause, CauseKind, CommandStatus, CommandType
from engine.errors import StoreCorrupt
from engine.events import RELEASED, Decision, Setpoint, Step, Taken
from engine.plans import Plan, PlanRef
from engine.rules import AssetRules
from engine.types import AssetId, AssetKind, CommandId, ScheduleId
from engine.upcasters import SCHEMA, UPCASTERS, Upcaster

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
    "Evse": events.Evse(((1, "Occupied"),), "SUSPENDED", "ev", "tx-1", 5, True, True, True),  # noqa: FBT003 - flags
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
        is_list = kind.__args__[-1] is ...
        return (sample(inner),) if is_list else tuple(map(sample, kind.__args__))
    if text.startswith("dict["):
        return {"ast_1": sample(kind.__args__[1])}
    if "Literal" in text:
        return kind.__args__[-1]
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


RETIRED = CODEC.encode(HEADER, events.AssetRetired()).state


def body(*, schema: int = 1, at_us: int = 1) -> bytes:
    """Return the bytes of a row, whose event is AssetRetired."""
    return msgspec.msgpack.encode((schema, 1, at_us, 2, None, None, {}))


@pytest.mark.parametrize(
    ("topic", "state", "told"),
    [
        ("asset.retired", b"junk", "truncated|malformed|Expected"),
        ("asset.retired", RETIRED[:-1], "truncated"),
        ("asset.retired", b"\x91" * 5_000, "Expected|recursion"),
        ("asset.unheard_of", RETIRED, "knows no such event"),
        ("asset.recovered", RETIRED, "missing required field `epoch`"),
        ("asset.retired", body(schema=2), "schema 2 is newer than this version's, 1"),
        ("asset.retired", body(schema=0), "Expected `int` >= 1"),
        ("asset.retired", body(at_us=1 << 62), "Expected `int` <= "),
    ],
)
def test_a_row_that_cannot_be_read_is_named(topic: str, state: bytes, told: str) -> None:
    """By position, stream, version and topic, with what is wrong with it."""
    where = "position 4, stream s, version 1"
    with pytest.raises(StoreCorrupt, match=rf"{where} \({topic}\) cannot be read: .*({told})"):
        CODEC.decode(Row("s", 1, topic, state, 4))
    with pytest.raises(StoreCorrupt, match="the row at stream s, version 1"):
        CODEC.decode(Row("s", 1, topic, state))


@attrs.frozen
class Renamed:
    """An event whose field had another name in the first schema."""

    power_w: int


LIFTS: dict[tuple[str, int], Upcaster] = {
    ("t", 1): lambda old: {"watts": old["kilowatts"] * 1_000},
    ("t", 2): lambda old: {"power_w": old["watts"]},
}
LIFTING = Codec({"t": Renamed}, LIFTS, schema=4)


@pytest.mark.parametrize(
    ("schema", "fields"), [(1, {"kilowatts": 5}), (2, {"watts": 5_000}), (3, {"power_w": 5_000})]
)
def test_an_older_row_is_lifted_step_by_step(schema: int, fields: dict[str, int]) -> None:
    """What was written years ago is read as what it is called today."""
    state = msgspec.msgpack.encode((schema, 1, 2, 3, None, None, fields))
    record = LIFTING.decode(Row("s", 1, "t", state))
    assert record.event == Renamed(5_000)
    assert record.header.schema == schema


def test_a_row_that_cannot_be_lifted_is_named() -> None:
    """Whatever the lifting function stumbles over."""
    state = msgspec.msgpack.encode((1, 1, 2, 3, None, None, {}))
    with pytest.raises(StoreCorrupt, match="position 9, stream s, version 1"):
        LIFTING.decode(Row("s", 1, "t", state, 9))


def test_what_lifts_is_for_events_there_are_and_older_schemas() -> None:
    """A topic is stable for ever; the present schema needs no lifting."""
    assert {topic for topic, _ in UPCASTERS} <= set(events.TOPICS)
    assert all(1 <= schema < SCHEMA for _, schema in UPCASTERS)
