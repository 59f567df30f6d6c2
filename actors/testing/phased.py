"""A site whose phases have limits too, as a seed draws it: which asset is on which phases."""

import itertools
import math
import random
from collections.abc import Iterator, Mapping
from typing import Final, Self

import attrs

from actors.sim.vehicle import Vehicle

PHASES: Final = ("L1", "L2", "L3")
_SHARE: Final = 0.4  # of all seeds
_VOLTS: Final = 230
_FALLBACK_KW: Final = 4.2
_ROOMS_KW: Final = (1.5, 3.0, 6.0)
_EVEN: Final = 'phases = 3\nrate_unit = "A"\n'
_SINGLE: Final = 'phases = 1\nrate_unit = "A"\n'
_MOST_SINGLE: Final = 2


@attrs.frozen
class Wiring:
    """One asset: the keys of its entry, and which phases its own are on in truth."""

    keys: str
    rotation: tuple[str, ...] = PHASES
    fallback_kw: Mapping[str, float] = attrs.field(factory=dict)
    phases: int = 3
    """Those of the vehicle that comes to it."""

    @property
    def vehicle(self) -> Vehicle:
        """The vehicle that comes to it."""
        return Vehicle(max_kw=11.0 if self.phases == len(PHASES) else 7.4, phases=self.phases)

    def parts(self, power: float) -> Iterator[tuple[str, float]]:
        """Yield what a power is on each phase."""
        used = self.rotation[: self.phases]
        return ((phase, power / len(used)) for phase in used)


@attrs.frozen
class Phased:
    """The site: what each phase may carry, and how its assets are wired."""

    import_a: int
    assets: Mapping[str, Wiring]

    @classmethod
    def drawn(cls, seed: int, chargers: int, batteries: int, base_kw: float) -> Self | None:
        """Return what a seed draws; null for most, whose phases have no limit.

        There is room for all fallbacks, and some more.
        """
        source = random.Random(f"phases {seed}")
        if source.random() >= _SHARE:
            return None
        assets: dict[str, Wiring] = {}
        for number in range(1, chargers + 1):
            singles = sum(len(one.rotation) == 1 for one in assets.values())
            kind = source.choice(("even", "even", "single"))
            if number == 1:
                kind = source.choice(("even", "watts"))
            made = {"even": _even, "single": _single, "watts": _watts}[
                "even" if kind == "single" and singles == _MOST_SINGLE else kind
            ]
            assets[f"ast_charger_{number}"] = made(source)
        for number in range(1, batteries + 1):
            assets[f"ast_battery_{number}"] = _battery(source)
        floors = dict.fromkeys(PHASES, base_kw / len(PHASES))
        for one in assets.values():
            for phase, kw in one.fallback_kw.items():
                floors[phase] += kw
        most_kw = max(floors.values()) + source.choice(_ROOMS_KW)
        return cls(math.ceil(most_kw * 1_000 / _VOLTS), assets)

    @property
    def limit_kw(self) -> float:
        """What each phase may carry."""
        return self.import_a * _VOLTS / 1_000

    def text(self, text: str) -> str:
        """Return a site file with the limit, and with each asset's own keys."""
        text = text.replace("[site]", f"[site]\nimport_limit_a = {self.import_a}", 1)
        for name, wiring in self.assets.items():
            own = f'id = "{name}"\n'
            text = text.replace(own, own + wiring.keys, 1)
        return text


def _even(source: random.Random) -> Wiring:
    rotation = source.choice(tuple(itertools.permutations(PHASES)))
    each = dict.fromkeys(PHASES, _FALLBACK_KW / len(PHASES))
    return Wiring(_EVEN + _keys(rotation), rotation, each, source.choice((1, 3)))


def _watts(source: random.Random) -> Wiring:
    """Return a charger of which all may come to be on any phase."""
    return Wiring("", PHASES, dict.fromkeys(PHASES, _FALLBACK_KW), source.choice((1, 3)))


def _single(source: random.Random) -> Wiring:
    rotation = (source.choice(PHASES),)
    return Wiring(_SINGLE + _keys(rotation), rotation, {rotation[0]: _FALLBACK_KW}, 1)


def _battery(source: random.Random) -> Wiring:
    rotation = source.choice((PHASES, PHASES[-1:]))
    return Wiring(_keys(rotation), rotation, {}, len(rotation))


def _keys(rotation: tuple[str, ...]) -> str:
    return f"phase_rotation = [{', '.join(repr(one) for one in rotation)}]\n"
