"""One connector of a simulated charge point: its status, its vehicle, its transaction."""

from typing import TYPE_CHECKING, Any

import attrs

from actors.sim.vehicle import Charging, Vehicle

if TYPE_CHECKING:
    from datetime import datetime

    from actors.sim.charger import SimCharger

_CHARGER_KW = 22.0


@attrs.frozen
class Arrival:
    """A vehicle comes ``at_s`` seconds of simulated time after the start, and may leave."""

    connector: int
    at_s: float
    vehicle: Vehicle = attrs.field(factory=Vehicle)
    leaves_at_s: float | None = None


class Connector:
    """A connector; everything it reports goes through its charge point."""

    def __init__(self, number: int, charger: "SimCharger") -> None:
        """Begin available."""
        self.number = number
        self.status = "Available"
        self.transaction_id: int | None = None
        self.began: datetime | None = None
        self.charging: Charging | None = None
        self.operative = True
        self._charger = charger
        self._leaves_at_s: float | None = None
        self._since_meter_s = 0.0
        self._meter_wh = 0.0
        self._busy = False
        self._broken = False

    @property
    def power_kw(self) -> float:
        """What flows now."""
        return 0.0 if self.charging is None else self.charging.power_kw

    @property
    def limit_kw(self) -> float:
        """The limit that holds now."""
        now = self._charger.setup.now()
        return min(_CHARGER_KW, self._charger.limits.limit_kw(self.number, now, self.began))

    async def become(self, status: str) -> None:
        """Change the status, and say so."""
        if status == self.status:
            return
        self.status = status
        if self._charger.booted.is_set():
            await self._charger.call("StatusNotification", self._charger.status(self.number))

    # --- the vehicle

    async def plug_in(self, arrival: Arrival) -> None:
        """A vehicle is plugged in, and charging begins by itself with a tag that is known."""
        self.charging = Charging.of(arrival.vehicle)
        self._leaves_at_s = arrival.leaves_at_s
        await self._charger.booted.wait()
        await self.become("Preparing")
        await self.start("SIM-TAG")

    async def unplug(self) -> None:
        """The vehicle leaves; a transaction ends with it."""
        self.charging = None
        self._leaves_at_s = None
        if self.transaction_id is not None:
            await self.stop("EVDisconnected")
        await self.become("Available")

    async def fault(self) -> None:
        """Something breaks."""
        self._broken = True
        await self.become("Faulted")

    async def repair(self) -> None:
        """It works again."""
        self._broken = False
        if self.charging is None:
            await self.become("Available")
        elif self.transaction_id is None:
            await self.become("Preparing")
        else:
            await self.become(self._charging_status(self.charging))

    # --- the transaction

    async def start(self, tag: str) -> None:
        """Begin a transaction; charging begins when it is accepted."""
        if self.transaction_id is not None:
            return
        began = self._charger.setup.now()
        conf = await self._charger.call(
            "StartTransaction",
            {
                "connectorId": self.number,
                "idTag": tag,
                "meterStart": round(self._meter_wh),
                "timestamp": self._charger.timestamp(),
            },
        )
        if conf.get("idTagInfo", {}).get("status") != "Accepted":
            return
        if "forgets_limit" in self._charger.quirks:
            self._charger.limits.forget()
        self.transaction_id = int(conf["transactionId"])
        self.began = began
        await self.become("Charging" if self.limit_kw > 0 else "SuspendedEVSE")

    async def stop(self, reason: str) -> None:
        """End the transaction."""
        if self.transaction_id is None:
            return
        payload: dict[str, Any] = {
            "transactionId": self.transaction_id,
            "meterStop": round(self._meter_wh),
            "timestamp": self._charger.timestamp(),
            "reason": reason,
        }
        self.transaction_id = None
        self.began = None
        self._charger.limits.end_transaction(self.number)
        await self._charger.call("StopTransaction", payload)
        if self.charging is not None:
            await self.become("Finishing")

    # --- time

    async def advance(self, seconds: float, elapsed_s: float) -> None:
        """Let time pass: power flows, the status follows, the meter speaks."""
        if self._busy:
            return
        self._busy = True
        try:
            await self._advance(seconds, elapsed_s)
        except (ConnectionError, TimeoutError):
            return  # it is said again when there is a connection
        finally:
            self._busy = False

    async def _advance(self, seconds: float, elapsed_s: float) -> None:
        if self._leaves_at_s is not None and elapsed_s >= self._leaves_at_s:
            await self.unplug()
        charging = self.charging
        if charging is None or self.transaction_id is None:
            return
        if self._broken:
            charging.power_kw = 0.0
            return
        before_kwh = charging.energy_kwh
        charging.advance(seconds, self.limit_kw)
        self._meter_wh += (charging.energy_kwh - before_kwh) * 1_000
        if self._charger.booted.is_set():
            await self.become(self._charging_status(charging))
            self._since_meter_s += seconds / self._charger.setup.speed
            if self._since_meter_s >= self._charger.setup.meter_s:
                self._since_meter_s = 0.0
                await self._charger.call("MeterValues", self.meter_values())

    def _charging_status(self, charging: Charging) -> str:
        if charging.is_full:
            return "SuspendedEV"
        return "Charging" if charging.wanted_kw(self.limit_kw) > 0 else "SuspendedEVSE"

    def meter_values(self) -> dict[str, Any]:
        """Return a MeterValues' payload."""
        soc_pct = 0.0 if self.charging is None else self.charging.soc_pct
        samples = [
            {
                "value": f"{self.power_kw * 1_000:.0f}",
                "measurand": "Power.Active.Import",
                "unit": "W",
            },
            {
                "value": f"{self._meter_wh:.0f}",
                "measurand": "Energy.Active.Import.Register",
                "unit": "Wh",
            },
            {"value": f"{soc_pct:.1f}", "measurand": "SoC", "unit": "Percent"},
        ]
        payload: dict[str, Any] = {
            "connectorId": self.number,
            "meterValue": [{"timestamp": self._charger.timestamp(), "sampledValue": samples}],
        }
        if self.transaction_id is not None:
            payload["transactionId"] = self.transaction_id
        return payload
