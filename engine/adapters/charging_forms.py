"""The forms of a charging profile, from the fullest to the humblest; of no one version of OCPP.

Chargers refuse profiles for their form: purpose, kind, unit, stack level, number of periods. What
one says that it takes rules some forms out; the rest is a ladder.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Literal, TypeAlias

from msgspec import Struct

Purpose: TypeAlias = Literal["transaction", "default", "station"]
"""Of the transaction that runs, of the connector by default, or of the charge point as a whole."""

MAX_LEVEL: Final = "ChargeProfileMaxStackLevel"
MAX_PERIODS: Final = "ChargingScheduleMaxPeriods"
RATE_UNITS: Final = "ChargingScheduleAllowedChargingRateUnit"
CONNECTORS: Final = "NumberOfConnectors"


class Form(Struct, frozen=True, gc=False):
    """How a setpoint is put; ``bare``: without what is optional (numberPhases, validTo)."""

    purpose: Purpose
    unit: str
    level: int
    is_relative: bool = False
    bare: bool = False
    one_period: bool = False

    @property
    def leaves_room(self) -> bool:
        """Whether a default profile of another stack level can lie below the setpoint's."""
        return self.purpose == "transaction" or (self.purpose == "default" and self.level > 0)


class Occasion(Struct, frozen=True, gc=False):
    """What a setpoint's form depends on.

    ``unit`` is W or A where there is no choice, null where a charger may take both. ``gives_way``:
    a fallback follows the setpoint. ``may_bound_all``: the charge point as a whole may be limited.
    ``level`` is the setpoint's stack level; ``has_one_period``: a schedule has room for no more.
    """

    unit: str | None
    in_transaction: bool
    gives_way: bool
    may_bound_all: bool
    level: int
    has_one_period: bool

    @classmethod
    def of(
        cls,
        told: Mapping[str, str],
        unit: str | None,
        *,
        in_transaction: bool,
        gives_way: bool,
        may_bound_all: bool = False,
    ) -> "Occasion":
        """Return the occasion of a charger that ``told`` what it can do."""
        return cls(
            unit,
            in_transaction,
            gives_way,
            may_bound_all and _number(told, CONNECTORS) in {None, 1},
            level_of(told),
            periods_of(told) == 1,
        )


_Steps: TypeAlias = frozenset[str]
"""What is done without: absolute times, the first unit, optional fields, a level, periods."""


def _steps(*lines: str) -> tuple[_Steps, ...]:
    return tuple(frozenset(line.split()) for line in lines)


_FIRST: Final = _steps("", "absolute", "unit", "bare", "level", "periods")
_ELSEWHERE: Final = _steps("", "absolute", "unit", "bare level")
_LAST: Final = _steps(
    "absolute unit",
    "absolute bare",
    "absolute level",
    "absolute periods",
    "unit periods",
    "bare level",
    "bare periods",
    "absolute bare level",
    "absolute bare periods",
    "unit bare level",
    "absolute unit periods",
    "absolute unit bare level",
    "absolute bare level periods",
)


@lru_cache(maxsize=256)
def ladder(occasion: Occasion) -> tuple[Form, ...]:
    """Return the forms to try on an occasion, each once, in the order in which they are tried.

    Chargers are alike: a site has few occasions, and each of its commands has one.
    """
    first: Purpose = "transaction" if occasion.in_transaction else "default"
    rungs: list[tuple[Purpose, tuple[_Steps, ...]]] = [(first, _FIRST)]
    if occasion.in_transaction:
        rungs.append(("default", _ELSEWHERE))
    rungs.append((first, _LAST))
    if occasion.may_bound_all:
        rungs.append(("station", _ELSEWHERE))
    forms = (_form(occasion, purpose, one) for purpose, steps in rungs for one in steps)
    return tuple(dict.fromkeys(one for one in forms if _makes_sense(one)))


def _form(occasion: Occasion, purpose: Purpose, steps: _Steps) -> Form:
    unit = occasion.unit
    if unit is None:
        unit = "A" if "unit" in steps else "W"
    return Form(
        purpose,
        unit,
        0 if "level" in steps else occasion.level,
        is_relative="absolute" in steps,
        bare="bare" in steps,
        one_period=occasion.gives_way and ("periods" in steps or occasion.has_one_period),
    )


def _makes_sense(form: Form) -> bool:
    """Return whether a charger that takes this form is safe with it.

    Of one purpose and stack level a charger keeps one profile (OCPP 1.6, 3.13.2), so one period
    needs room below it for the fallback. The charge point as a whole has no start of charging.
    """
    if form.one_period and not form.leaves_room:
        return False
    return not (form.purpose == "station" and form.is_relative)


def periods_of(told: Mapping[str, str]) -> int:
    """Return how many periods a schedule may have; two where a charger does not say."""
    most = _number(told, MAX_PERIODS)
    return 2 if most is None else most


def level_of(told: Mapping[str, str]) -> int:
    """Return the stack level of a setpoint: 1, or 0 where the charger has no other."""
    highest = _number(told, MAX_LEVEL)
    return 1 if highest is None else min(1, highest)


def _number(told: Mapping[str, str], key: str) -> int | None:
    text = told.get(key)
    if text is None:
        return None
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() else None


# --- units


@lru_cache(maxsize=256)
def units_of(said: str) -> tuple[str, ...]:
    """Return the rate units that a charger says it takes, W first; none where it does not say.

    Chargers put it as Current and Power, A and W, in any case, alone or in a list.
    """
    words = set(re.findall(r"[a-z]+", said.lower()))
    in_watts = words & {"power", "w", "watt", "watts"}
    in_amperes = words & {"current", "a", "amp", "amps", "ampere", "amperes"}
    return ("W",) * bool(in_watts) + ("A",) * bool(in_amperes)


def only_unit(wanted: str, told: Mapping[str, str]) -> str | None:
    """Return the one unit to use, null where there is a choice.

    ``wanted`` is W, A or auto; a charger's own word counts only where it names a single unit.
    """
    if wanted != "auto":
        return wanted
    units = units_of(told.get(RATE_UNITS, ""))
    return units[0] if len(units) == 1 else None
