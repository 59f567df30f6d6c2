"""Powers, times and devices as people say them."""

from datetime import tzinfo

from engine.asset import AssetState
from engine.commands import CommandType
from engine.events import RELEASED, Setpoint
from engine.types import AssetKind, from_us, to_kw


class Words:
    """How one asset's facts are put into words, times in one zone."""

    def __init__(self, timezone: tzinfo, state: AssetState) -> None:
        """Speak of an asset."""
        self._timezone = timezone
        rules = state.rules
        self.is_battery = rules is not None and rules.kind is AssetKind.BATTERY
        self.device = "battery" if self.is_battery else "charger"

    def time(self, moment_us: int) -> str:
        """Return a moment with its offset, to the second."""
        local = from_us(moment_us).astimezone(self._timezone)
        return local.isoformat(sep=" ", timespec="seconds")

    def power(self, power_w: int | None) -> str:
        """Return watts as kilowatts."""
        return "nothing" if power_w is None else f"{to_kw(power_w):g} kW"

    def setpoint(self, target: Setpoint) -> str:
        """Return what should hold."""
        if target == RELEASED:
            return "its own control"
        if not self.is_battery:
            return self.power(target.charge_w)
        parts = [
            f"{verb} {self.power(power_w)}"
            for verb, power_w in (("charge", target.charge_w), ("discharge", target.discharge_w))
            if power_w
        ]
        return " and ".join(parts) or "0 kW"

    def command(self, type_: CommandType, value_w: int | None) -> str:
        """Return a command with its value."""
        return type_.value if value_w is None else f"{type_.value} {self.power(value_w)}"
