"""What matters of a message's schema: what has to be there, and of which type things are.

The ocpp library's validators know more than that, and take a third of a second for the longest
frame, in which every other charge point waits. What they would say of it is found here in a few
milliseconds, in a schema that is read once.
"""

import functools
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, TypeAlias

import attrs
from ocpp.messages import get_validator

Step: TypeAlias = str | int
"""A field's name, or an entry's number."""

_CALL: Final = 2
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}
"""The types of JSON as they are read; a truth is no number (JSON Schema, draft 4)."""


@attrs.frozen
class Flaw:
    """What is wrong at a place: a field that is missing there, or a value of another type.

    ``wanted`` are the names of all fields that have to be there, or the type's name.
    """

    place: tuple[Step, ...]
    kind: Literal["required", "type"]
    wanted: tuple[str, ...] | str
    text: str


@attrs.frozen
class Shape:
    """A part of a schema; null where anything goes."""

    name: str | None = None
    types: tuple[type, ...] = ()
    required: tuple[str, ...] = ()
    fields: Mapping[str, "Shape"] = attrs.field(factory=dict)
    entry: "Shape | None" = None


@functools.cache
def shape_of(action: str, version: str) -> Shape:
    """Return the shape of a CALL's payload in a version of OCPP."""
    schema = get_validator(_CALL, action, version).schema
    return _shape(schema, schema)


def _shape(schema: Mapping[str, Any], whole: Mapping[str, Any]) -> Shape:
    if "$ref" in schema:
        named = schema["$ref"].rpartition("/")[2]
        return _shape(whole["definitions"][named], whole)
    name = schema.get("type")
    fields = {field: _shape(one, whole) for field, one in schema.get("properties", {}).items()}
    entry = _shape(schema["items"], whole) if "items" in schema else None
    types = () if name is None else _TYPES[name]
    return Shape(name, types, tuple(schema.get("required", ())), fields, entry)


def flaws(shape: Shape, payload: object) -> Iterator[Flaw]:
    """Yield what is wrong with a payload, as it is come upon."""
    yield from _flaws(shape, payload, ())


def _flaws(shape: Shape, value: Any, place: tuple[Step, ...]) -> Iterator[Flaw]:  # noqa: ANN401 - of JSON
    if shape.name is not None and type(value) not in shape.types:
        text = f"{value!r:.100} is not of type {shape.name!r}"
        yield Flaw(place, "type", shape.name, text)
    elif isinstance(value, dict):
        yield from _missing(shape, value, place)
        fields = shape.fields
        for name, one in value.items():
            inner = fields.get(name)
            if inner is not None and not _is_plain(inner, one):
                yield from _flaws(inner, one, (*place, name))
    elif isinstance(value, list) and shape.entry is not None:
        for number, one in enumerate(value):
            if not _is_plain(shape.entry, one):
                yield from _flaws(shape.entry, one, (*place, number))


def _is_plain(shape: Shape, value: object) -> bool:
    """Return whether a value is as it should be and has no parts: the most of all are."""
    kind = type(value)
    return kind in shape.types and kind is not dict and kind is not list


def _missing(shape: Shape, value: Mapping[str, Any], place: tuple[Step, ...]) -> Iterator[Flaw]:
    for name in shape.required:
        if name not in value:
            yield Flaw(place, "required", shape.required, f"{name!r} is a required property")
