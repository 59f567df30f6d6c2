"""The limits of a site file: what it says of them, and whether its assets go with them."""

from collections.abc import Iterator
from typing import Final

import attrs

from engine.asset.earlier import floor_of
from engine.config.model import Site
from engine.config.table import Range, Table
from engine.phases import NOMINAL_V, PHASES, is_counted_on_each, uses_of
from engine.rules import AssetRules
from engine.types import AssetKind, to_kw, to_w

LIMIT_KEYS: Final = (
    "import_limit_kw",
    "export_limit_kw",
    "base_load_kw",
    "import_limit_a",
    "base_load_a",
)
_POWER: Final = Range(least=0, most=1_000_000_000)
_CURRENT: Final = Range(least=0, most=1_000_000)


def with_limits(site: Site, own: Table) -> Site:
    """Return a site with the limits that its file has."""
    phase_limit_w = _phase_w(own, "import_limit_a")
    if "base_load_a" in own and "import_limit_a" not in own:
        own.refuse("base_load_a", "limit", "base_load_a is only for import_limit_a")
    return attrs.evolve(
        site,
        import_limit_w=_watts(own, "import_limit_kw"),
        export_limit_w=_watts(own, "export_limit_kw"),
        base_load_w=_watts(own, "base_load_kw"),
        phase_limit_w=phase_limit_w,
        phase_base_w=_phase_w(own, "base_load_a"),
    )


def _watts(own: Table, key: str) -> int | None:
    value = own.number(key, _POWER)
    return None if value is None else to_w(value)


def _phase_w(own: Table, key: str) -> int | None:
    """Return amperes of a phase in watts."""
    value = own.number(key, _CURRENT)
    return None if value is None else int(value * NOMINAL_V)


# --- what the fallbacks come to


def check_limits(top: Table, site: Site) -> None:
    """Refuse an import limit that the site's fallbacks would break (specification 2.10)."""
    keys = [
        key
        for key, limit_w in (
            ("import_limit_kw", site.import_limit_w),
            ("import_limit_a", site.phase_limit_w),
        )
        if limit_w is not None
    ]
    if not keys:
        return
    own = top.table("site")
    sound = [
        one.rules
        for number, one in enumerate(site.assets)
        if not any(("asset", number, key) in top.findings for key in ("fallback_kw", "kind"))
    ]
    without = [one.asset_id for one in sound if _is_unbounded(one)]
    if without:
        message = f"with an import limit each charger needs fallback_kw: {', '.join(without)}"
        own.refuse(keys[0], "fallback", message)
    counted = [one for one in sound if not _is_unbounded(one)]
    if site.import_limit_w is not None:
        _check_whole(own, site, site.import_limit_w, counted)
    if site.phase_limit_w is not None:
        _check_phases(own, site, site.phase_limit_w, counted)


def _is_unbounded(rules: AssetRules) -> bool:
    return rules.fallback_w is None and rules.kind is AssetKind.EV_CHARGER


def _check_whole(own: Table, site: Site, limit_w: int, counted: list[AssetRules]) -> None:
    total_w = sum(floor_of(one)[0] for one in counted) + (site.base_load_w or 0)
    if total_w > limit_w:
        message = f"the fallbacks and the base load come to {to_kw(total_w):g} kW"
        own.refuse("import_limit_kw", "fallback", message + _with_all(counted))


def _check_phases(own: Table, site: Site, limit_w: int, counted: list[AssetRules]) -> None:
    base_w = site.phase_base_w
    if base_w is None:
        base_w = -(-(site.base_load_w or 0) // len(PHASES))
    total_w = dict.fromkeys(PHASES, base_w)
    for rules in counted:
        for use in uses_of(rules):
            total_w[use.line] += use.of(floor_of(rules)[0])
    most_w, phase = max((watts, phase) for phase, watts in total_w.items())
    if most_w > limit_w:
        message = f"the fallbacks and the base load come to {most_w / NOMINAL_V:.1f} A of {phase}"
        own.refuse("import_limit_a", "fallback", message + _with_all(counted))


def _with_all(counted: list[AssetRules]) -> str:
    batteries = [one.asset_id for one in counted if one.fallback_w is None]
    if not batteries:
        return ""
    return f"; without fallback_kw all that it can counts: {', '.join(batteries)}"


# --- what people should know


def limit_warnings(site: Site) -> Iterator[str]:
    """Yield what the site's limits do not see, or see all the time."""
    if site.import_limit_w is not None and site.base_load_w is None:
        yield (
            "site.import_limit_kw bounds the assets alone while no base load is known: "
            "give base_load_kw, or a column load_kw in the schedule"
        )
    for rules in (one.rules for one in site.assets if one.rules.fallback_w is None):
        for limit_w, most_w, what in (
            (site.import_limit_w, rules.max_charge_w, "charging"),
            (site.export_limit_w, rules.max_discharge_w, "discharging"),
        ):
            if limit_w is not None and most_w:
                yield (
                    f"{rules.asset_id}: without fallback_kw {to_kw(most_w):g} kW of {what} "
                    "are reserved for it all the time"
                )
    if site.phase_limit_w is not None:
        yield from _of_phases(site)


def _of_phases(site: Site) -> Iterator[str]:
    if site.phase_base_w is None:
        counts = "counts with a third on each phase" if site.base_load_w else "is not known"
        yield f"site.import_limit_a: the base load {counts}: give base_load_a"
    for rules in (one.rules for one in site.assets):
        if is_counted_on_each(rules):
            yield f"{rules.asset_id}: all of its power counts on each phase: {_remedy(rules)}"


def _remedy(rules: AssetRules) -> str:
    """Return what in the site file has less of an asset's power count."""
    if rules.kind is AssetKind.BATTERY or rules.options.get("phases") == 1:
        return "say by phase_rotation which it is on"
    return 'with phases and rate_unit = "A" its share does'
