"""What is found wrong with a CALL is what the ocpp library's own validators find."""

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from ocpp.messages import get_validator

from actors.links.ocpp.framing import DEPTH, Call, Garbage, parse
from actors.links.ocpp.shapes import flaws, shape_of
from actors.links.ocpp.versions import V16, V201, Version

ACTIONS = [(version, action) for version in (V16, V201) for action in sorted(version.theirs)]
JUNK: tuple[Any, ...] = (None, True, 0, 1.5, "x", [], {}, [None], {"a": 1})


def example(schema: dict[str, Any], whole: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """Return a value that a schema allows, with everything that it knows of."""
    if "$ref" in schema:
        return example(whole["definitions"][schema["$ref"].rpartition("/")[2]], whole)
    match schema.get("type"):
        case "object":
            known = schema.get("properties", {})
            return {name: example(one, whole) for name, one in known.items()}
        case "array":
            return [example(schema["items"], whole) for _ in range(2)]
        case "integer" | "number":
            return 1
        case "boolean":
            return True
        case _:
            return "x"


def places(value: object, so_far: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of every part of a value."""
    parts: Iterator[tuple[Any, Any]] = iter(())
    if isinstance(value, dict):
        parts = iter(value.items())
    elif isinstance(value, list):
        parts = iter(enumerate(value))
    for step, one in parts:
        yield (*so_far, step)
        yield from places(one, (*so_far, step))


def spoiled(payload: Any, draw: random.Random) -> Any:  # noqa: ANN401 - JSON
    """Return a payload with some of its parts taken away, or of another type."""
    for _ in range(draw.randrange(1, 4)):
        every = list(places(payload))
        if not every:
            return payload
        *way, last = draw.choice(every)
        parent = payload
        for step in way:
            parent = parent[step]
        if draw.random() < 0.4:
            del parent[last]
        else:
            parent[last] = json.loads(json.dumps(draw.choice(JUNK)))
    return payload


@pytest.mark.parametrize(
    ("version", "action"), ACTIONS, ids=[f"{one.name} {action}" for one, action in ACTIONS]
)
def test_the_flaws_of_a_payload_are_those_of_its_schema(version: Version, action: str) -> None:
    """As far as they matter: fields that are missing, and values of another type."""
    validator = get_validator(2, action, version.name)
    draw = random.Random(7)
    whole = validator.schema
    shape = shape_of(action, version.name)
    assert list(flaws(shape, example(whole, whole))) == []
    for _ in range(60):
        payload = spoiled(example(whole, whole), draw)
        expected = sorted(
            (list(one.absolute_path), one.validator, one.message[:40])
            for one in validator.iter_errors(payload)
            if one.validator in {"required", "type"}
        )
        found = sorted((list(one.place), one.kind, one.text[:40]) for one in flaws(shape, payload))
        assert found == expected


def test_what_is_wanted_at_a_place_is_told() -> None:
    """All the fields that have to be there, or the type."""
    shape = shape_of("MeterValues", "1.6")
    value = {"sampledValue": [{"value": 1}]}
    told = [(one.place, one.wanted) for one in flaws(shape, {"meterValue": [value]})]
    assert told == [
        ((), ("connectorId", "meterValue")),
        (("meterValue", 0), ("timestamp", "sampledValue")),
        (("meterValue", 0, "sampledValue", 0, "value"), "string"),
    ]


@pytest.mark.parametrize(("levels", "is_taken"), [(DEPTH, True), (DEPTH + 1, False)])
@pytest.mark.parametrize("pair", ["[]", "{}"])
def test_a_frame_is_nested_so_deep_and_no_deeper(pair: str, levels: int, *, is_taken: bool) -> None:
    """The frame itself, its payload, and what is in that."""
    inner = levels - 2
    opened = "[" * inner if pair == "[]" else '{"a":' * (inner - 1) + "{"
    closed = "]" * inner if pair == "[]" else "}" * inner
    found = parse(f'[2,"c","Heartbeat",{{"x":{opened}{closed}}}]'.encode())
    assert isinstance(found, Call if is_taken else Garbage)
