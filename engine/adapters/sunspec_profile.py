"""SunSpec: the register profile of a device, made of what its own map says.

The sign of active power is that of a generator in SunSpec: discharging is positive. Model 124 has
no power of its own: ``InWRte`` and ``OutWRte`` bound charging and discharging in percent of
``WChaMax``, and a negative bound forces the other direction. So both are written, to meet at it.

Sources: SunSpec models 124 (basic storage control), 704 (DER AC controls), 713, 802, 701, 702.
"""

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Final

import attrs

from engine.adapters.registers import (
    SETTING_MODES,
    Control,
    ModeWrite,
    Register,
    RegisterProfile,
    raw_range,
)
from engine.adapters.sunspec import (
    AC_CONTROLS,
    AC_MEASUREMENT,
    AC_RATINGS,
    BATTERY,
    CAPACITY,
    INVERTERS,
    POINTS,
    PROFILE,
    STORAGE,
    Facts,
    register_at,
)

POLL_S: Final = 5.0
_ENABLED: Final = Fraction(1)
_WATTS: Final = Fraction(1)
_BOTH_BOUNDS: Final = Fraction(3)
_PERCENT: Final = 100
_MOST_EXPONENT: Final = 10
_KEPT: Final = 256
"""How many devices' profiles are kept, as each attempt asks for one."""
_CHARGE_STATES: Final[Mapping[int, str]] = {
    6: "IDLE",
    1: "IDLE",
    2: "IDLE",
    3: "DISCHARGING",
    4: "CHARGING",
    5: "IDLE",
    7: "IDLE",
}
"""ChaSt: holding, off, empty, discharging, charging, full, testing."""


UNLEARNED: Final = RegisterProfile(
    PROFILE,
    "the SunSpec map of the device itself",
    (Register("power_setpoint_w", 0, "i32", writable=True),),
    "signed",
    learns=True,
)
"""Stands for a device that has not been asked: no limits, steps of a watt. Nobody speaks by it."""


def profile_from(facts: Facts) -> RegisterProfile:
    """Return the profile of a device whose map says this.

    Raises:
        LookupError: it cannot be controlled by what it has; says what it is that is missing.
    """
    return _profile(tuple(sorted(facts.items())))


@lru_cache(_KEPT)
def _profile(facts: tuple[tuple[str, str], ...]) -> RegisterProfile:
    return _Map(dict(facts)).profile()


class _Map:
    """One device's map, on its way to a profile."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts

    def profile(self) -> RegisterProfile:
        if "sunspec" not in self.facts:
            raise LookupError("no SunSpec map at 40000, 0 or 50000")
        if self.has(AC_CONTROLS, "WSet", "WSetEna", "WSetMod"):
            return self.by_power()
        if self.has(STORAGE, "InWRte", "OutWRte", "StorCtl_Mod", "WChaMax"):
            return self.by_bounds()
        has = self.facts["models"] or "none"
        raise LookupError(
            f"it has neither model 704 with WSet nor 124 with InWRte and OutWRte, but {has}"
        )

    # --- control

    def by_power(self) -> RegisterProfile:
        """Model 704: a power in watts, with a timer and the fallback that it leads to."""
        names = ("WSetMod", "WSetEnaRvrt", "WSetRvrtTms", "WSetEna")
        reverted: tuple[Register, ...] = ()
        enabled = ModeWrite("WSetEnaRvrt", Fraction(0))
        if self.has(AC_CONTROLS, "WSetRvrt", "WSetEnaRvrt"):
            reverted = (self.power_point("WSetRvrt"),)
            enabled = ModeWrite("WSetEnaRvrt", None, "fallback_given")
        setpoint = attrs.evolve(self.power_point("WSet"), role="power_setpoint_w")
        registers = (setpoint, *reverted, *self.implemented(AC_CONTROLS, *names))
        writes = (
            ModeWrite("WSetMod", _WATTS),
            ModeWrite("power_setpoint_w", None),
            ModeWrite("WSetRvrt", None, "fallback"),
            enabled,
            ModeWrite("WSetRvrtTms", None, "lease"),
            ModeWrite("WSetEna", _ENABLED),
        )
        return self.made("signed", registers, writes, "WSetEna")

    def power_point(self, name: str) -> Register:
        """Return a power of model 704, within the ratings."""
        least, most = self.ratings()
        scale = self.factor(AC_CONTROLS, "WSet_SF")
        return attrs.evolve(
            self.written(AC_CONTROLS, name),
            scale=scale,
            minimum=(raw_range("i32")[0] + 1) * scale if least is None else least,
            maximum=raw_range("i32")[1] * scale if most is None else most,
        )

    def by_bounds(self) -> RegisterProfile:
        """Model 124: two bounds in percent of the greatest charge power."""
        most_w = self.number(STORAGE, "WChaMax") * self.factor(STORAGE, "WChaMax_SF")
        scale = most_w * self.factor(STORAGE, "InOutWRte_SF") / _PERCENT
        if not scale:
            raise LookupError("its WChaMax is 0, so that percents of it are no power")
        charge, discharge = (
            attrs.evolve(
                self.written(STORAGE, name), role=role, scale=scale, minimum=-most_w, maximum=most_w
            )
            for name, role in (("InWRte", "charge_setpoint_w"), ("OutWRte", "discharge_setpoint_w"))
        )
        timer = self.implemented(STORAGE, "InOutWRte_RvrtTms")
        registers = (discharge, charge, self.written(STORAGE, "StorCtl_Mod"), *timer)
        writes = (
            ModeWrite("InOutWRte_RvrtTms", None, "lease"),
            ModeWrite("discharge_setpoint_w", None),
            ModeWrite("charge_setpoint_w", None),
            ModeWrite("StorCtl_Mod", _BOTH_BOUNDS),
        )
        return self.made("bounds", registers, writes, "StorCtl_Mod")

    def made(
        self,
        control: Control,
        registers: tuple[Register, ...],
        writes: tuple[ModeWrite, ...],
        switch: str,
    ) -> RegisterProfile:
        """Return a profile that makes the same writes for each mode, and has one switch for all."""
        roles = {one.role for one in registers}
        setting = tuple(one for one in writes if one.role in roles)
        modes = {
            **dict.fromkeys(SETTING_MODES, setting),
            "release": (ModeWrite(switch, Fraction(0)),),
        }
        told = (*self.charge(), *self.state(), *self.power())
        return RegisterProfile(
            PROFILE,
            UNLEARNED.source,
            (*told, *registers),
            control,
            charge_sign=-1,
            poll_s=POLL_S,
            modes=modes,
            block_writes=True,
        )

    def ratings(self) -> tuple[Fraction | None, Fraction | None]:
        """Return the least and the greatest power of model 702, a generator's way round."""
        factor = self.factor(AC_RATINGS, "W_SF")
        charge = discharge = None
        if self.has(AC_RATINGS, "WChaRteMaxRtg"):
            charge = -self.number(AC_RATINGS, "WChaRteMaxRtg") * factor
        if self.has(AC_RATINGS, "WDisChaRteMaxRtg"):
            discharge = self.number(AC_RATINGS, "WDisChaRteMaxRtg") * factor
        return charge, discharge

    # --- what it tells

    def charge(self) -> Iterator[Register]:
        """Yield the state of charge, from the first model that has it."""
        sources = ((CAPACITY, "SoC", "Pct_SF"), (BATTERY, "SoC", "SoC_SF"))
        yield from self.first((*sources, (STORAGE, "ChaState", "ChaState_SF")), "soc_pct")

    def state(self) -> Iterator[Register]:
        """Yield whether it charges, where the battery says so."""
        sources = ((STORAGE, "ChaSt", ""), (BATTERY, "ChaSt", ""))
        for register in self.first(sources, "state"):
            yield attrs.evolve(register, enum=_CHARGE_STATES)

    def power(self) -> Iterator[Register]:
        """Yield the power; an inverter's own, which has the sun in it, only for want of a state."""
        sources = [(AC_MEASUREMENT, "W", "W_SF"), (BATTERY, "W", "W_SF")]
        if not any(self.state()):
            sources += [(model, "W", "W_SF") for model in INVERTERS]
        yield from self.first(sources, "power_w")

    def first(self, sources: Iterable[tuple[int, str, str]], role: str) -> Iterator[Register]:
        for model, name, factor in sources:
            if self.has(model, name):
                yield attrs.evolve(
                    self.point(model, name), role=role, scale=self.factor(model, factor)
                )
                return

    # --- points

    def has(self, model: int, *names: str) -> bool:
        """Return whether a model has these points, and they are implemented."""
        return all(f"{model}.{name}" in self.facts for name in names)

    def number(self, model: int, name: str) -> Fraction:
        return Fraction(self.facts[f"{model}.{name}"])

    def factor(self, model: int, name: str) -> Fraction:
        """Return a scale factor; one that is not implemented is 1."""
        if not self.has(model, name):
            return Fraction(1)
        exponent = int(self.number(model, name))
        if abs(exponent) > _MOST_EXPONENT:
            raise LookupError(f"its scale factor {name} of model {model} is {exponent}")
        return Fraction(10) ** exponent

    def point(self, model: int, name: str) -> Register:
        point = next(one for one in POINTS[model] if one.name == name)
        return register_at(point, int(self.facts[f"{model}"]))

    def implemented(self, model: int, *names: str) -> Iterator[Register]:
        return (self.written(model, name) for name in names if self.has(model, name))

    def written(self, model: int, name: str) -> Register:
        """Return a point to write; its pattern for "not implemented" is never written.

        Nor is 0 to a timer, which would be none at all.
        """
        register = self.point(model, name)
        low, high = raw_range(register.type)
        minimum = Fraction(1) if name.endswith("RvrtTms") else None
        maximum = None if low else high - 1
        return attrs.evolve(
            register, role=name, writable=True, write_function=16, minimum=minimum, maximum=maximum
        )
