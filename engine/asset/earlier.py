"""What a device may still do by an earlier entry of the site file, until it is set anew."""

from msgspec import Struct
from msgspec.structs import replace

from engine.phases import PHASES, shares_of
from engine.rules import AssetRules
from engine.types import AssetKind


class Earlier(Struct, frozen=True, gc=False):
    """The most that earlier entries said of a device; whole watts.

    ``charge_w`` and ``discharge_w`` are what it can, ``least_w`` what a setpoint below its minimum
    may have become, the floors what it goes to at the end of its lease; ``shares`` among how many
    phases its power is divided at the least. ``since_us`` is when the entry in force came (device
    clock): what is set after that is set by it.
    """

    charge_w: int
    discharge_w: int
    least_w: int
    floor_charge_w: int
    floor_discharge_w: int
    shares: int = 3
    since_us: int = 0


def floor_of(rules: AssetRules) -> tuple[int, int]:
    """Return what a device may go to when its lease ends: its fallback, else all that it can."""
    power_w = rules.fallback_w
    if power_w is None:
        return rules.max_charge_w, rules.max_discharge_w
    if rules.kind is AssetKind.BATTERY and power_w < 0:
        return 0, -power_w
    return raised_w(power_w, minimum_of(rules)), 0


def minimum_of(rules: AssetRules) -> int:
    """Return what a setpoint becomes that is too little for a device: 0 where it stays as it is."""
    return rules.least_w if rules.below_min == "minimum" else 0


def raised_w(power_w: int, minimum_w: int) -> int:
    """Return a power, at least a minimum if it is above 0."""
    return max(power_w, minimum_w) if power_w > 0 else power_w


def entry_ended(earlier: Earlier | None, rules: AssetRules, *, was_set: bool = True) -> Earlier:
    """Return what is to be kept in mind when an entry is in force no more.

    A device that ``was_set`` by us was given its fallback too, and in some unit.
    """
    floor = floor_of(rules) if was_set else (0, 0)
    shares = shares_of(rules) if was_set else len(PHASES)
    own = Earlier(rules.max_charge_w, rules.max_discharge_w, minimum_of(rules), *floor, shares)
    if earlier is None:
        return own
    most = Earlier(*map(max, _powers(own), _powers(earlier)))
    return replace(most, shares=min(shares, earlier.shares))


def entry_began(earlier: Earlier | None, rules: AssetRules, since_us: int) -> Earlier | None:
    """Return what is to be kept in mind under a new entry; null if that says no less."""
    if earlier is None:
        return None
    most = entry_ended(earlier, rules)
    return None if most == entry_ended(None, rules) else replace(most, since_us=since_us)


def _powers(one: Earlier) -> tuple[int, int, int, int, int]:
    return (
        one.charge_w,
        one.discharge_w,
        one.least_w,
        one.floor_charge_w,
        one.floor_discharge_w,
    )
