"""What a setpoint may take of each phase of a connection, worked out from what was sent.

Not by the functions that granted it: of a charger the profile's own unit says whether a vehicle on
one phase could take all of it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeAlias

from engine.adapters.base import Frame
from engine.events import RELEASED, Setpoint
from engine.rules import AssetRules
from engine.types import AssetKind

PHASES: Final = ("L1", "L2", "L3")
VOLTS: Final = 230
Loads: TypeAlias = Mapping[str, float]
"""Watts at 230 V, by the name of the phase."""


def sent_on(frames: Iterable[Frame], setpoint: Setpoint, rules: AssetRules) -> Loads:
    """Return what a setpoint that was sent in frames may take of each phase."""
    if setpoint == RELEASED:
        return alone_on(rules, rules.max_charge_w)
    limits = [one for frame in frames for one in _limits(frame.body)]
    if not limits:
        return alone_on(rules, setpoint.charge_w or 0)
    return dict.fromkeys(rules.phase_rotation or PHASES, max(limits))


def alone_on(rules: AssetRules, power_w: int) -> Loads:
    """Return what a power takes of each phase by the site file alone: a fallback, a battery's."""
    phases = rules.phase_rotation or PHASES
    shares = 1
    if rules.kind is AssetKind.BATTERY:
        shares = len(rules.phase_rotation) or 1
    elif rules.options.get("rate_unit") == "A":
        told = rules.options.get("phases") or len(rules.phase_rotation) == 1
        shares = int(told) if isinstance(told, int) and told else 1
    return dict.fromkeys(phases, power_w / shares)


def most_of(loads: Iterable[Loads]) -> dict[str, float]:
    """Return the most of each phase."""
    most = dict.fromkeys(PHASES, 0.0)
    for one in loads:
        for phase, power_w in one.items():
            most[phase] = max(most[phase], power_w)
    return most


def _limits(body: object) -> Iterator[float]:
    """Yield what the periods of the schedules in a message allow on one phase, in watts.

    Amperes are of each phase; watts are of all together, and one phase may take them all.
    """
    if isinstance(body, list | tuple):
        for one in body:
            yield from _limits(one)
    elif isinstance(body, Mapping):
        periods = body.get("chargingSchedulePeriod")
        per_unit_w = VOLTS if body.get("chargingRateUnit") == "A" else 1
        for period in periods if isinstance(periods, list | tuple) else ():
            yield period["limit"] * per_unit_w
        for one in body.values():
            yield from _limits(one)
