"""The [[asset]] entries of a site file."""

import re
from collections.abc import Mapping
from typing import Any, Final

import attrs
import cattrs
from cattrs.errors import BaseValidationError, ForbiddenExtraKeysError

from engine.config.model import AssetConfig, Defaults, OcppListen
from engine.config.table import Table
from engine.rules import AssetRules
from engine.types import AssetId, AssetKind, to_w

_ASSET_ID: Final = re.compile(r"ast_[a-z0-9_]+")
_COMMON: Final = (
    "id",
    "kind",
    "schedule_key",
    "adapter",
    "fallback_kw",
    "on_schedule_end",
    "on_stop",
    "hold_max_s",
    "priority",
    "verify",
    *(field.name for field in attrs.fields(Defaults)),
)
_OF_KIND: Final = {
    AssetKind.EV_CHARGER: ("max_kw", "start", "below_min"),
    AssetKind.BATTERY: ("max_charge_kw", "max_discharge_kw", "idle_w"),
}
_LATER: Final = ("composite", "measured", "auto")


def read_assets(
    top: Table, defaults: Defaults, ocpp: OcppListen | None, option_types: Mapping[str, type]
) -> tuple[AssetConfig, ...]:
    """Return the assets of a site file; what is wrong with them is a finding."""
    entries = top.raw("asset")
    if not isinstance(entries, list) or not entries:
        top.refuse("asset", "missing", "a site needs an [[asset]]")
        return ()
    tables = [Table(entry, ("asset", n), top.findings) for n, entry in enumerate(entries)]
    tag = "SETPOINT" if ocpp is None else ocpp.setpoint_id_tag
    assets = tuple(_asset(table, defaults, tag, option_types) for table in tables)
    _check_unique(tables, assets)
    return assets


def _asset(
    table: Table, defaults: Defaults, tag: str, option_types: Mapping[str, type]
) -> AssetConfig:
    from engine.config.site import read_defaults  # noqa: PLC0415 - each reads the other's tables

    asset_id = table.text("id", "ast_unnamed", needed=True) or ""
    if _ASSET_ID.fullmatch(asset_id) is None:
        table.refuse("id", "id", "an asset's id is ast_ and lower-case letters, digits or _")
    if "kind" not in table:
        table.refuse("kind", "missing", "this key is needed: ev_charger or battery")
    kind = AssetKind(table.choice("kind", "ev_charger", [one.value for one in AssetKind]))
    adapter = table.choice(
        "adapter", "ocpp" if kind is AssetKind.EV_CHARGER else "modbus", list(option_types)
    )
    options = _options(table, kind, option_types.get(adapter))
    own = read_defaults(table, defaults, only=False)
    charge_w, discharge_w = _limits(table, kind)
    rules = AssetRules(
        AssetId(asset_id),
        kind,
        adapter,
        table.text("schedule_key", asset_id) or asset_id,
        charge_w,
        discharge_w,
        fallback_w=_fallback(table, kind, charge_w, discharge_w),
        priority=table.whole("priority", 1, least=1, most=1_000_000),
        id_tag=tag,
        options=_recordable(options),
        **_policies(table, kind),
        **_timing(own),
    )
    return AssetConfig(rules, options)


def _timing(own: Defaults) -> dict[str, Any]:
    return {
        "dispatch_interval_s": own.dispatch_interval_seconds,
        "command_timeout_s": own.command_timeout_seconds,
        "max_retries": own.max_retries,
        "retry_backoff_factor": own.retry_backoff_factor,
        "stale_s": own.stale_state_seconds,
        "failsafe_after_s": own.failsafe_after_s,
        "departure_grace_s": own.departure_grace_s,
        "settle_s": own.settle_s,
        "reassert_s": own.reassert_s,
    }


def _limits(table: Table, kind: AssetKind) -> tuple[int, int]:
    if kind is AssetKind.EV_CHARGER:
        return to_w(table.number("max_kw", 1.0, above=0, most=1e6, needed=True) or 1.0), 0
    charge = table.number("max_charge_kw", 1.0, least=0, most=1e6, needed=True)
    discharge = table.number("max_discharge_kw", 1.0, least=0, most=1e6, needed=True)
    return to_w(charge or 0.0), to_w(discharge or 0.0)


def _fallback(table: Table, kind: AssetKind, charge_w: int, discharge_w: int) -> int | None:
    least = 0.0 if kind is AssetKind.EV_CHARGER else -discharge_w / 1_000
    value = table.number("fallback_kw", least=least, most=charge_w / 1_000)
    return None if value is None else to_w(value)


def _policies(table: Table, kind: AssetKind) -> dict[str, Any]:
    charger = kind is AssetKind.EV_CHARGER
    on_end = table.choice("on_schedule_end", "fallback", ("fallback", "release", "hold"))
    hold_max_s = table.number("hold_max_s", above=0)
    if on_end == "hold" and "hold_max_s" not in table:
        table.refuse("on_schedule_end", "hold", 'on_schedule_end = "hold" needs hold_max_s')
    if on_end != "hold" and "hold_max_s" in table:
        table.refuse("hold_max_s", "hold", 'hold_max_s is only for on_schedule_end = "hold"')
    return {
        "on_schedule_end": on_end,
        "hold_max_s": hold_max_s,
        "on_stop": table.choice("on_stop", "release", ("release", "hold", "fallback")),
        "verify": table.choice(
            "verify",
            "ack" if charger else "readback",
            ("ack",) if charger else ("ack", "readback"),
            _LATER,
        ),
        "start": table.choice("start", "charger", ("charger", "engine")) if charger else "charger",
        "below_min": table.choice("below_min", "off", ("off", "minimum")) if charger else "off",
        "idle_w": 100 if charger else table.whole("idle_w", 100, least=0, most=1_000_000),
    }


# --- the adapter's own keys


def _options(table: Table, kind: AssetKind, options_type: Any) -> object:  # noqa: ANN401 - an attrs class
    common = (*_COMMON, *_OF_KIND[kind])
    if options_type is None:
        return None
    declared: tuple[attrs.Attribute[Any], ...] = attrs.fields(options_type)
    fields = {field.name: field for field in declared if field.init}
    table.known((*common, *fields))
    given = {name: table.raw(name) for name in fields if name in table}
    if "below_min" in fields:
        given["below_min"] = table.choice("below_min", "off", ("off", "minimum"))
    for name, field in fields.items():
        if field.default is attrs.NOTHING and name not in given:
            table.refuse(name, "missing", "this key is needed")
            return None
    return _structured(table, given, options_type)


def _structured(table: Table, given: Mapping[str, Any], options_type: Any) -> object:  # noqa: ANN401 - an attrs class
    for name, value in given.items():
        field = getattr(attrs.fields(options_type), name)
        if not _fits(value, field.type):
            table.refuse(name, "type", f"this is {_type_name(field.type)}")
            return None
    try:
        return cattrs.Converter(forbid_extra_keys=True).structure(given, options_type)
    except (BaseValidationError, ForbiddenExtraKeysError, ValueError, TypeError) as error:
        _refuse_each(table, error, given)
        return None


def _fits(value: object, kind: Any) -> bool:  # noqa: ANN401 - an annotation
    names = str(kind)
    if isinstance(value, bool):
        return "bool" in names
    if isinstance(value, int):
        return "int" in names or "float" in names
    if isinstance(value, float):
        return "float" in names
    return "str" in names if isinstance(value, str) else True


def _type_name(kind: Any) -> str:  # noqa: ANN401 - an annotation
    names = str(kind)
    for part, name in (("int", "a whole number"), ("float", "a number"), ("bool", "true or false")):
        if part in names:
            return name
    return "a text"


def _refuse_each(table: Table, error: BaseException, given: Mapping[str, Any]) -> None:
    """Turn what a class of options objects to into problems of its keys."""
    inner = getattr(error, "exceptions", None)
    for one in inner or (error,):
        notes = [str(note) for note in getattr(one, "__notes__", ())]
        text = " ".join([str(one), *notes])
        key = next((name for name in given if re.search(rf"\b{name}\b", text)), "adapter")
        table.refuse(key, "options", str(one))


def _recordable(options: object) -> dict[str, object]:
    """Return the options that may stand in an event: no address and no secret."""
    if not attrs.has(type(options)):
        return {}
    found: dict[str, object] = {}
    kind: Any = type(options)
    for field in attrs.fields(kind):
        value = getattr(options, field.name)
        hidden = field.metadata.get("secret") or field.metadata.get("address")
        if not hidden and isinstance(value, str | int | float | bool | None):
            found[field.name] = value
    return found


def _check_unique(tables: list[Table], assets: tuple[AssetConfig, ...]) -> None:
    ids: dict[str, int] = {}
    keys: dict[tuple[AssetKind, str], int] = {}
    places: dict[object, int] = {}
    for number, (table, asset) in enumerate(zip(tables, assets, strict=True)):
        rules = asset.rules
        if ids.setdefault(rules.asset_id, number) != number:
            table.refuse("id", "duplicate", f"another asset is called {rules.asset_id}")
        if keys.setdefault((rules.kind, rules.schedule_key), number) != number:
            table.refuse("schedule_key", "duplicate", "another asset has this schedule_key")
        place = _place(asset.options)
        if place is not None and places.setdefault(place, number) != number:
            key = "connector" if hasattr(asset.options, "connector") else "unit"
            table.refuse(key, "duplicate", "another asset is this very device")


def _place(options: object) -> object:
    if hasattr(options, "charge_point"):
        return (options.charge_point, getattr(options, "connector", 1))
    if hasattr(options, "host"):
        return (options.host, getattr(options, "port", 0), getattr(options, "unit", 0))
    return None
