"""What becomes of a schedule at intake: whose its columns are, and what is taken from it.

Pure: the frame itself is read in ``engine.frames``, the only place that knows pandas.
"""

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Final, Literal

import attrs

from engine.errors import Problem
from engine.naming import is_text
from engine.plans import Plan
from engine.rules import AssetRules
from engine.types import AssetId, AssetKind

_EV: Final = re.compile(r"ev_(.+)_kw", re.DOTALL)
_BATTERY: Final = re.compile(r"battery_(?:(.+)_)?(?:dis)?charge_kw", re.DOTALL)
_SECOND: Final = re.compile(r"(.+)\.[1-9][0-9]*", re.DOTALL)
"""What pandas.read_csv makes of the name of a column that is there already."""


@attrs.frozen
class Intent:
    """How its caller wants a schedule taken.

    ``timezone`` (an IANA name) is that of an index without one. ``asset_map`` maps a vehicle id,
    ``battery`` or a battery's id to an asset id, in place of the assets' own ``schedule_key``.
    ``limits`` says what becomes of a power above the asset's limit. ``slot`` is the length of the
    only slot of a one-row schedule, and without meaning for others.
    """

    timezone: str | None = None
    asset_map: Mapping[str, str] | None = None
    limits: Literal["refuse", "clamp"] = "refuse"
    slot: timedelta | None = None

    @property
    def unusable(self) -> tuple[Problem, ...]:
        """What of it is not even of its kind, so that no schedule can be read by it."""
        found = []
        if not isinstance(self.timezone, str | None):
            message = "timezone is the name of a time zone"
            found.append(Problem("timezone", message, value=str(self.timezone)))
        if not _is_a_map(self.asset_map):
            message = "asset_map maps names of a schedule, as texts, to ids of assets"
            found.append(Problem("asset_map", message, value=str(self.asset_map)))
        return tuple(found)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with it, whatever the schedule: a mistyped ``limits`` decides nothing."""
        if self.limits in ("refuse", "clamp"):
            return ()
        return (Problem("limits", "limits is refuse or clamp", value=self.limits),)


def _is_a_map(given: object) -> bool:
    if given is None:
        return True
    return isinstance(given, Mapping) and all(map(is_text, given))


@attrs.frozen
class Clamp:
    """A power above its asset's limit that was cut to it; ``row`` is the slot, ISO 8601 UTC."""

    row: str
    column: str
    from_kw: float
    to_kw: float


@attrs.frozen
class Intake:
    """What is taken from a schedule. Times are plan clock, microseconds since 1970 UTC.

    ``start_us`` is the first slot that is not over, ``horizon_us`` the end of the last. ``plans``
    are in the order of the columns. ``clamped`` lists the slots that are not over. ``digest``
    (SHA-256) covers the slots that are over too: it stays the same as time passes. ``load`` is the
    base load, null where it was not asked for or is not there.
    """

    start_us: int
    horizon_us: int
    shortest_slot_us: int
    plans: dict[AssetId, Plan]
    ignored_columns: tuple[str, ...]
    clamped: tuple[Clamp, ...]
    digest: bytes
    load: Plan | None = None


@attrs.frozen
class Matching:
    """Which column (its position in the frame) sets which asset's channel.

    A battery with only one of its two columns is in one of the two; the other is planned as 0.
    """

    charge: dict[AssetId, int]
    discharge: dict[AssetId, int]
    ignored: tuple[str, ...]
    problems: tuple[Problem, ...]


@attrs.frozen
class _Names:
    """Whose each possible column is, per channel, and the names that several assets could have."""

    charge: dict[Hashable, AssetId]
    discharge: dict[Hashable, AssetId]
    clashes: dict[Hashable, list[AssetId]]


def match(
    columns: Sequence[Hashable],
    assets: Mapping[AssetId, AssetRules],
    asset_map: Mapping[str, str] | None,
) -> Matching:
    """Return which of a frame's columns set which asset's channel (specification 2.3).

    Columns that look like a power of a vehicle or battery must belong to exactly one asset; all
    others are ignored.
    """
    names = _names(_keyed(assets, asset_map))
    charge, twice_charge = _placed(columns, names.charge)
    discharge, twice_discharge = _placed(columns, names.discharge)
    others = (c for c in columns if c not in names.charge and c not in names.discharge)
    rest = tuple(dict.fromkeys(others))
    problems = [
        *_wrong_maps(columns, assets, asset_map or {}),
        *_repeated(columns),
        *_renamed(rest, columns),
        *_unwritable(rest),
        *twice_charge,
        *twice_discharge,
        *_homeless(rest, names.clashes, _keyed(assets, asset_map)),
    ]
    if not charge and not discharge and not problems:
        message = "no column of the form ev_{id}_kw, battery_charge_kw or battery_discharge_kw"
        problems.append(Problem("no_columns", message))
    ignored = tuple(str(column) for column in rest if not _meant(column))
    return Matching(charge, discharge, ignored, tuple(problems))


def _keyed(
    assets: Mapping[AssetId, AssetRules], asset_map: Mapping[str, str] | None
) -> Iterator[tuple[str, AssetRules]]:
    if asset_map is None:
        for rules in assets.values():
            yield rules.schedule_key, rules
    else:
        for key, asset_id in asset_map.items():
            if (found := assets.get(AssetId(asset_id))) is not None:
                yield key, found


def _names(keyed: Iterable[tuple[str, AssetRules]]) -> _Names:
    names = _Names({}, {}, {})
    for key, rules in keyed:
        if rules.kind is AssetKind.EV_CHARGER:
            for name in _charger_names(key):
                _claim(names.charge, name, rules.asset_id, names.clashes)
        else:
            charge, discharge = _battery_names(key)
            _claim(names.charge, charge, rules.asset_id, names.clashes)
            _claim(names.discharge, discharge, rules.asset_id, names.clashes)
    for clash in names.clashes:
        names.charge.pop(clash, None)
        names.discharge.pop(clash, None)
    return names


def _claim(
    names: dict[Hashable, AssetId],
    name: str,
    asset_id: AssetId,
    clashes: dict[Hashable, list[AssetId]],
) -> None:
    first = names.setdefault(name, asset_id)
    if first != asset_id:
        clashes.setdefault(name, [first]).append(asset_id)


def _charger_names(key: str) -> tuple[str, ...]:
    """Return a charger's columns; a vehicle id that begins with ``ev_`` may leave out the other."""
    return (f"ev_{key}_kw", f"{key}_kw") if key.startswith("ev_") else (f"ev_{key}_kw",)


def _battery_names(key: str) -> tuple[str, str]:
    stem = key if key == "battery" else f"battery_{key}"
    return f"{stem}_charge_kw", f"{stem}_discharge_kw"


def _placed(
    columns: Sequence[Hashable], names: Mapping[Hashable, AssetId]
) -> tuple[dict[AssetId, int], list[Problem]]:
    found: dict[AssetId, int] = {}
    problems = []
    for position, column in enumerate(columns):
        asset_id = names.get(column)
        if asset_id is None:
            continue
        first = columns[found.setdefault(asset_id, position)]
        if first != column:
            message = f"{first} sets the same power of {asset_id}"
            problems.append(Problem("same_power", message, column=str(column)))
    return found, problems


def _wrong_maps(
    columns: Sequence[Hashable],
    assets: Mapping[AssetId, AssetRules],
    asset_map: Mapping[str, str],
) -> Iterator[Problem]:
    present = frozenset(columns)
    for key, asset_id in asset_map.items():
        if asset_id not in assets:
            message = f"asset_map gives {key!r} to an asset that the site does not have"
            yield Problem("unknown_asset", message, value=asset_id)
        if present.isdisjoint((*_charger_names(key), *_battery_names(key))):
            message = "no column of the schedule belongs to this key of asset_map"
            yield Problem("asset_map", message, value=key)


def _repeated(columns: Sequence[Hashable]) -> Iterator[Problem]:
    if len(frozenset(columns)) == len(columns):
        return
    for column, count in Counter(columns).items():
        if count > 1:
            message = f"the column is there {count} times"
            yield Problem("duplicate_column", message, column=str(column))


def _renamed(rest: Sequence[Hashable], columns: Sequence[Hashable]) -> Iterator[Problem]:
    """Yield the columns that are a power's for the second time, under a name that pandas made."""
    for column in rest:
        second = _SECOND.fullmatch(column) if isinstance(column, str) else None
        if second is not None and second[1] in columns and _meant(second[1]):
            message = f"this is a second {second[1]}, as pandas.read_csv renames it"
            yield Problem("duplicate_column", message, column=second[0])


def _unwritable(rest: Sequence[Hashable]) -> Iterator[Problem]:
    """Yield the columns whose names could not go on record."""
    for column in rest:
        if isinstance(column, str) and not is_text(column):
            yield Problem("column_name", "no text has such a character", column=ascii(column))


def _meant(column: Hashable) -> tuple[str, ...]:
    """Return the keys that a column's name could mean; none for a column that is ignored."""
    if not isinstance(column, str):
        return ()
    if (found := _EV.fullmatch(column)) is not None:
        return found[1], f"ev_{found[1]}"
    if (found := _BATTERY.fullmatch(column)) is not None:
        return (found[1] or "battery",)
    return ()


def _homeless(
    rest: Sequence[Hashable],
    clashes: Mapping[Hashable, list[AssetId]],
    keyed: Iterable[tuple[str, AssetRules]],
) -> Iterator[Problem]:
    """Yield the problems of columns that look like an asset's and are not one asset's."""
    owners = {key: rules.asset_id for key, rules in keyed} if rest else {}
    for column in rest:
        keys = _meant(column)
        found = next((owners[key] for key in keys if key in owners), None)
        if column in clashes:
            message = f"could belong to {' or '.join(clashes[column])}"
            yield Problem("ambiguous_column", message, column=str(column))
        elif found is not None:
            message = f"{found} is not an asset that takes this column"
            yield Problem("wrong_kind", message, column=str(column))
        elif keys:
            message = f"no asset for {' or '.join(repr(key) for key in keys)}"
            yield Problem("no_asset", message, column=str(column))
