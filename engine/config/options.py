"""An adapter's own keys of an [[asset]], as its attrs class has them."""

import enum
import math
import re
import typing
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, TypeAlias

import attrs
import cattrs
from cattrs.gen import make_dict_structure_fn

from engine.config.table import WHOLE_BITS, Table, is_a, name_of

Field: TypeAlias = "attrs.Attribute[Any]"

_SCALARS: Final[tuple[type, ...]] = (str, int, float, bool)


def read_options(
    table: Table, common: Collection[str], options_type: type, elsewhere: Mapping[str, str]
) -> object:
    """Return an asset's options; null where something is wrong with them, which is a finding.

    Args:
        table: the asset's entry.
        common: the keys that are not the adapter's; it may have them as well.
        options_type: the adapter's attrs class; a ValueError of its validators is a finding.
        elsewhere: what to say of keys that belong to another kind of asset.
    """
    fields = _fields(options_type)
    table.known({*common, *fields}, elsewhere)
    values = _structured(table, fields, typing.get_type_hints(options_type))
    lacks = [key for key, one in fields.items() if _is_needed(one) and key not in values]
    for key in lacks:
        table.refuse(key, "missing", "this key is needed")
    options = None if lacks else _built(table, fields, values, options_type)
    return None if any(table.refused(key) for key in fields) else options


def recordable(options: object) -> dict[str, object]:
    """Return the options that may stand in an event: scalars, no address and no secret."""
    kind: Any = type(options)
    if not attrs.has(kind):
        return {}
    return {
        field.name: value
        for field in attrs.fields(kind)
        if not field.metadata.get("secret")
        and not field.metadata.get("address")
        and isinstance(value := getattr(options, field.name), str | int | float | bool | None)
    }


def _fields(options_type: Any) -> dict[str, Field]:  # noqa: ANN401 - attrs knows no type of its classes
    return {str(one.alias): one for one in attrs.fields(options_type) if one.init}


def keys_of(options_type: type) -> Collection[str]:
    """Return the keys that an adapter's attrs class has."""
    return _fields(options_type).keys()


def _is_needed(field: Field) -> bool:
    return field.default is attrs.NOTHING


def _is_secret(field: Field) -> bool:
    return bool(field.metadata.get("secret"))


def _structured(
    table: Table, fields: Mapping[str, Field], hints: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the given values as their fields' types have them."""
    values: dict[str, Any] = {}
    for key, field in fields.items():
        if key not in table:
            continue
        try:
            values[key] = _CONVERTER.structure(table.raw(key), hints.get(field.name, Any))
        except Exception as error:  # noqa: BLE001 - cattrs raises a bare Exception for a Literal
            table.refuse(key, "type", _said(field, error), secret=_is_secret(field))
    return values


def _built(
    table: Table, fields: Mapping[str, Field], values: dict[str, Any], options_type: type
) -> object:
    """Return the options; a value that they object to is left out, to hear the next objection."""
    try:
        return options_type(**values)
    except (ValueError, TypeError) as error:
        key = _blamed(error, values)
        if key is None:
            table.refuse("adapter", "options", _message(error))
            return None
        field = fields[key]
        table.refuse(key, "options", _said(field, error), secret=_is_secret(field))
        rest = {name: value for name, value in values.items() if name != key}
        return None if _is_needed(field) else _built(table, fields, rest, options_type)


def _blamed(error: Exception, values: Mapping[str, Any]) -> str | None:
    """Return the key that an objection names first; attrs' validators begin with it."""
    places = {key: re.search(rf"\b{re.escape(key)}\b", str(error)) for key in values}
    found = [(place.start(), key) for key, place in places.items() if place is not None]
    return min(found)[1] if found else None


def _said(field: Field, error: Exception) -> str:
    """Return an objection to a field's value as one line, without the value if it is secret."""
    inner = getattr(error, "exceptions", None)
    if inner:
        return _said(field, inner[0])
    if _is_secret(field) and not isinstance(error, Unfit):
        return "cannot be used; its value is not shown"
    return _message(error)


def _message(error: Exception) -> str:
    """Return an error's own words; attrs adds the field and the value as further arguments."""
    return str(error.args[0]) if error.args else "cannot be used"


# --- from TOML to the fields' types


class Unfit(ValueError):
    """A value that is not of its field's type; the message never shows it."""


def _scalar(value: Any, kind: type) -> object:  # noqa: ANN401 - whatever stands there
    """Return a scalar that is of its type already; cattrs would make a text of anything."""
    if issubclass(kind, enum.Enum):
        return kind(value)
    if not is_a(value, kind):
        raise Unfit(f"must be {name_of(kind)}, not {name_of(type(value))}")
    if isinstance(value, float) and not math.isfinite(value):
        raise Unfit("must be a finite number")
    if isinstance(value, int) and value.bit_length() > WHOLE_BITS:
        raise Unfit("must be a number of 64 bits")
    return float(value) if kind is float else value


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    for kind in _SCALARS:
        converter.register_structure_hook(kind, _scalar)
    converter.register_structure_hook_factory(attrs.has, lambda kind: _table(converter, kind))
    return converter


def _table(converter: cattrs.Converter, kind: Any) -> Callable[[Any, Any], Any]:  # noqa: ANN401 - attrs knows no type of its classes
    """Return what makes an attrs class of a table within an asset's entry."""
    structure = make_dict_structure_fn(kind, converter)
    fields = _fields(kind)

    def structured(value: Any, kind: Any) -> Any:  # noqa: ANN401 - as cattrs has it
        if not isinstance(value, Mapping):
            raise Unfit(f"must be a table, not {name_of(type(value))}")
        for key in value:
            if key not in fields:
                raise Unfit(f"no key is called {key!r}; there are {', '.join(sorted(fields))}")
        return structure(value, kind)

    return structured


_CONVERTER: Final = _converter()
