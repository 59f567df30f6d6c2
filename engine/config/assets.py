"""The [[asset]] entries of a site file."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, assert_never

import attrs

from engine.config.checks import Check
from engine.config.defaults import NAMES, SECONDS, read_defaults
from engine.config.model import AssetConfig, Defaults
from engine.config.options import keys_of, read_options, recordable
from engine.config.table import Range, Table
from engine.phases import PHASES
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
    "on_interference",
    "hold_max_s",
    "phase_rotation",
    "priority",
    "verify",
    *NAMES,
)
_OF_KIND: Final[Mapping[AssetKind, tuple[str, ...]]] = {
    AssetKind.EV_CHARGER: ("max_kw", "start", "below_min", "periods_ahead"),
    AssetKind.BATTERY: ("max_charge_kw", "max_discharge_kw", "idle_w"),
}
_ADAPTER: Final[Mapping[AssetKind, str]] = {
    AssetKind.EV_CHARGER: "ocpp",
    AssetKind.BATTERY: "modbus",
}
_OF_A_CHARGER: Final = ("auto", "measured", "composite", "ack")
_OF_A_BATTERY: Final = ("readback", "measured", "ack")
_MOST_KW: Final = 1_000_000.0
_MOST_AHEAD: Final = 22  # and the present one and the fallback: 24 is what many chargers take


@attrs.frozen
class Surroundings:
    """What an asset's entry is read with: what the file says elsewhere, and the adapters."""

    defaults: Defaults
    id_tag: str
    option_types: Mapping[str, type]
    checks: tuple[Check, ...]


def read_assets(top: Table, around: Surroundings) -> tuple[AssetConfig, ...]:
    """Return the assets of a site file; what is wrong with them is a finding."""
    entries = top.raw("asset")
    if not isinstance(entries, list) or not entries:
        top.refuse("asset", "missing", "a site needs an asset, under the header [[asset]]")
        return ()
    tables = [Table(entry, ("asset", n), top.findings) for n, entry in enumerate(entries)]
    assets = tuple(_asset(table, around) for table in tables)
    _check_unique(tables, assets)
    _check(tables, assets, around.checks)
    return assets


def _asset(table: Table, around: Surroundings) -> AssetConfig:
    asset_id = table.text("id", needed=True) or ""
    if _ASSET_ID.fullmatch(asset_id) is None:
        table.refuse("id", "id", "must be ast_ and then lower-case letters, digits or _")
    kind = _kind(table)
    own = _of_kind(table, kind) | _policies(table) | _timing(read_defaults(table, around.defaults))
    adapter = _adapter(table, kind, around.option_types)
    options = _options(table, kind, adapter, around.option_types)
    rotation = _phase_rotation(table, getattr(options, "phases", None))
    rules = AssetRules(
        AssetId(asset_id),
        kind or AssetKind.EV_CHARGER,
        adapter,
        table.text("schedule_key") or asset_id,
        priority=table.whole("priority", Range(least=1, most=1_000_000)) or 1,
        id_tag=around.id_tag,
        phase_rotation=rotation,
        options=recordable(options),
        **own,
    )
    return AssetConfig(rules, options)


def _kind(table: Table) -> AssetKind | None:
    """Return an asset's kind; without one, what depends on it is not looked at."""
    if "kind" not in table:
        table.refuse("kind", "missing", "this key is needed: battery or ev_charger")
    kind = table.choice("kind", [one.value for one in AssetKind], "")
    return AssetKind(kind) if kind else None


def _adapter(table: Table, kind: AssetKind | None, option_types: Mapping[str, type]) -> str:
    """Return an asset's adapter; those built in serve one kind each."""
    adapter = table.choice("adapter", option_types, _ADAPTER[kind] if kind else "")
    if kind is None or table.refused("adapter"):
        return adapter
    if adapter not in option_types:
        table.refuse("adapter", "choice", f"must be one of {', '.join(sorted(option_types))}")
    serves = next((one for one, name in _ADAPTER.items() if name == adapter), kind)
    if serves is not kind:
        table.refuse("adapter", "kind", f"{adapter!r} is for the kind {serves.value}")
    return adapter


def _options(
    table: Table, kind: AssetKind | None, adapter: str, option_types: Mapping[str, type]
) -> object:
    """Return the adapter's own options; where it does not fit, any adapter's may be meant."""
    if table.refused("adapter") and table.raw("adapter") != adapter:
        return None  # of one that is not installed nobody knows them
    every = {key for keys in _OF_KIND.values() for key in keys}
    if table.refused("adapter") or adapter not in option_types:
        table.known(every.union(_COMMON, *map(keys_of, option_types.values())))
        return None
    elsewhere = {
        key: f"{key!r} is for the kind {other.value}"
        for other, keys in _OF_KIND.items()
        for key in keys
    }
    own = _OF_KIND[kind] if kind else every
    return read_options(table, (*_COMMON, *own), option_types[adapter], elsewhere)


# --- what becomes rules


def _of_kind(table: Table, kind: AssetKind | None) -> dict[str, Any]:
    match kind:
        case AssetKind.EV_CHARGER:
            return _charger(table)
        case AssetKind.BATTERY:
            return _battery(table)
        case None:
            return {"max_charge_w": 0}
        case _:
            assert_never(kind)


def _charger(table: Table) -> dict[str, Any]:
    max_kw = table.number("max_kw", Range(above=0, most=_MOST_KW), needed=True)
    return {
        "max_charge_w": to_w(max_kw or 0.0),
        "fallback_w": _fallback_w(table, 0.0, max_kw),
        "start": table.choice("start", ("charger", "engine"), "charger"),
        "below_min": table.choice("below_min", ("off", "minimum"), "off"),
        "periods_ahead": table.whole("periods_ahead", Range(least=0, most=_MOST_AHEAD)) or 0,
        "verify": table.choice("verify", _OF_A_CHARGER, "auto"),
    }


def _battery(table: Table) -> dict[str, Any]:
    within = Range(least=0, most=_MOST_KW)
    charge_kw = table.number("max_charge_kw", within, needed=True)
    discharge_kw = table.number("max_discharge_kw", within, needed=True)
    idle_w = table.whole("idle_w", Range(least=0, most=1_000_000))
    return {
        "max_charge_w": to_w(charge_kw or 0.0),
        "max_discharge_w": to_w(discharge_kw or 0.0),
        "fallback_w": _fallback_w(
            table, None if discharge_kw is None else -discharge_kw, charge_kw
        ),
        "idle_w": 100 if idle_w is None else idle_w,
        "verify": table.choice("verify", _OF_A_BATTERY, "readback"),
    }


def _fallback_w(table: Table, least_kw: float | None, most_kw: float | None) -> int | None:
    """Return the fallback; a limit that is itself refused is null and bounds nothing."""
    within = Range(
        least=-_MOST_KW if least_kw is None else least_kw,
        most=_MOST_KW if most_kw is None else most_kw,
    )
    value = table.number("fallback_kw", within)
    return None if value is None else to_w(value)


def _policies(table: Table) -> dict[str, Any]:
    on_end = table.choice("on_schedule_end", ("fallback", "release", "hold"), "fallback")
    hold_max_s = table.number("hold_max_s", SECONDS)
    if on_end == "hold" and "hold_max_s" not in table:
        table.refuse("on_schedule_end", "hold", 'on_schedule_end = "hold" needs hold_max_s')
    if on_end != "hold" and "hold_max_s" in table and not table.refused("on_schedule_end"):
        table.refuse("hold_max_s", "hold", 'hold_max_s is only for on_schedule_end = "hold"')
    return {
        "on_schedule_end": on_end,
        "hold_max_s": hold_max_s,
        "on_stop": table.choice("on_stop", ("release", "hold", "fallback"), "release"),
        "on_interference": table.choice(
            "on_interference", ("reassert", "yield", "alarm"), "reassert"
        ),
    }


def _phase_rotation(table: Table, phases: int | None) -> tuple[str, ...]:
    """Return which phases of the connection an asset's own are on."""
    told = table.raw("phase_rotation")
    if told is None:
        return ()
    found = [one for one in told if one in PHASES] if isinstance(told, list) else []
    if not found or found != told or len(set(found)) < len(found):
        message = 'must be a list of "L1", "L2" and "L3", each once at the most'
        table.refuse("phase_rotation", "phases", message)
        return ()
    if phases is not None and len(found) != phases:
        message = f"names {len(found)} of the connection's phases, and phases says {phases}"
        table.refuse("phase_rotation", "phases", message)
    return tuple(found)


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


# --- the assets beside each other


def _check_unique(tables: list[Table], assets: tuple[AssetConfig, ...]) -> None:
    ids: dict[str, int] = {}
    keys: dict[tuple[AssetKind, str], AssetId] = {}
    for number, (table, asset) in enumerate(zip(tables, assets, strict=True)):
        rules = asset.rules
        if ids.setdefault(rules.asset_id, number) != number:
            table.refuse("id", "duplicate", "another asset has this id")
        if table.refused("kind") or ("schedule_key" not in table and table.refused("id")):
            continue
        key = (rules.kind, rules.schedule_key)
        if key in keys:
            table.refuse("schedule_key", "duplicate", f"{keys[key]} has this schedule_key")
        keys.setdefault(key, rules.asset_id)


def _check(tables: list[Table], assets: tuple[AssetConfig, ...], checks: Iterable[Check]) -> None:
    """Ask of the assets whose id and options are sound whether they go together."""
    sound = {
        asset.rules.asset_id: (table, asset)
        for table, asset in zip(tables, assets, strict=True)
        if asset.options is not None and not table.refused("id")
    }
    for check in checks:
        for asset_id, key, message in check(tuple(asset for _, asset in sound.values())):
            sound[AssetId(asset_id)][0].refuse(key, "conflict", message, secret=True)
