"""The lines of a site's connection, the whole and its phases: what an asset's power takes of each.

A phase carries amperes; they are reckoned in watts at the nominal voltage, so that all limits of a
site are told in one unit.
"""

from collections.abc import Iterator
from typing import Final, cast

from msgspec import Struct

from engine.rules import AssetRules
from engine.types import AssetKind

WHOLE: Final = ""
"""The connection as a whole, beside its phases."""

PHASES: Final = ("L1", "L2", "L3")
NOMINAL_V: Final = 230
"""Volts between phase and neutral (IEC 60038)."""
_LEAST_V, _MOST_V = 50, 1_000
"""What is beyond low voltage (IEC 60038) is no voltage between phase and neutral."""
_TENTHS: Final = 10


class Use(Struct, frozen=True, gc=False):
    """What an asset's power takes of one line: ``share`` of ``parts``, rounded up."""

    line: str
    share: int = 1
    parts: int = 1

    def of(self, power_w: int) -> int:
        """Return what a power takes of the line, in watts."""
        return -(-power_w * self.share // self.parts)

    def most_w(self, room_w: int) -> int:
        """Return the most power that takes no more of the line than there is room."""
        return room_w * self.parts // self.share


WHOLE_ALONE: Final = (Use(WHOLE),)
"""What most accounts use. They are told from others at a glance: assets claim by the thousand."""


def uses_of(rules: AssetRules, shares: int | None = None) -> tuple[Use, ...]:
    """Return what an asset may take of each phase that it may be on.

    A phase takes an equal share of the power where nothing else can happen: of a battery whose
    phases are given, and of a charger that is limited in amperes on a number of phases that is
    known. A charger that is limited in watts may give a vehicle all of them on one phase. Who is on
    fewer than three, and nobody says on which, counts on each. ``shares`` are those of an entry of
    the site file before, by which a device was set.
    """
    parts = round(_voltage(rules) * _TENTHS) * (shares or shares_of(rules))
    phases = rules.phase_rotation or PHASES
    return tuple(Use(one, NOMINAL_V * _TENTHS, parts) for one in phases)


def is_counted_on_each(rules: AssetRules) -> bool:
    """Return whether all of an asset's power counts on more than one phase."""
    return shares_of(rules) == 1 and len(uses_of(rules)) > 1


def measured_on(rules: AssetRules, power_w: int, phases: int | None) -> Iterator[tuple[str, int]]:
    """Yield what a measured power takes of each phase.

    A vehicle that is measured to charge on some ``phases`` does so on the first ones of its
    charger; null where that is not known: then it counts as what is reserved for it.
    """
    rotation = rules.phase_rotation or (PHASES if _wired(rules) == len(PHASES) else ())
    if phases is not None and 0 < phases <= len(rotation):
        for one in rotation[:phases]:
            yield one, -(-power_w // phases)
    else:
        for use in uses_of(rules):
            yield use.line, use.of(power_w)


def shares_of(rules: AssetRules) -> int:
    """Return among how many phases a power is always divided evenly."""
    wired = _wired(rules) or 1
    is_even = rules.kind is AssetKind.BATTERY or rules.options.get("rate_unit") == "A"
    return wired if is_even else 1


def _wired(rules: AssetRules) -> int | None:
    """Return on how many phases an asset is, null where that is not known."""
    phases = rules.options.get("phases")
    if isinstance(phases, int) and 0 < phases <= len(PHASES):
        return phases
    if rules.kind is AssetKind.BATTERY or len(rules.phase_rotation) == 1:
        return len(rules.phase_rotation) or None
    return None


def _voltage(rules: AssetRules) -> float:
    volts = rules.options.get("voltage")
    is_one = isinstance(volts, int | float) and _LEAST_V <= volts <= _MOST_V
    return cast("float", volts) if is_one else NOMINAL_V
