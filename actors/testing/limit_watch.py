"""What devices really draw, held against the site's limits: above for a moment, or with an alarm.

So is what they would allow if every transaction ended now, and other vehicles came. A device that
cannot be heard is left out: nobody can measure what it draws.
"""

from collections.abc import Iterator

import attrs

from actors.sim.charger import SimCharger
from actors.testing.phased import PHASES, Phased
from actors.testing.simulation import Simulation


@attrs.define
class LimitWatch:
    """Looks at all devices from time to time, in device seconds.

    Limits and base load are kilowatts. ``patience_s``: so long may power be above a limit before
    there is an alarm, since vehicles ramp down and meters tell only now and then. ``phased`` is
    where the phases have limits too.
    """

    import_kw: float
    export_kw: float
    base_kw: float
    patience_s: float
    phased: Phased | None = None
    looks: int = 0
    above: int = 0
    """How often power was above a limit."""
    alarmed: int = 0
    """How often it was so with an alarm."""
    beneath: int = 0
    """How often what lies beneath transactions was looked at."""
    violations: list[str] = attrs.field(factory=list)
    _since_s: dict[str, float] = attrs.field(factory=dict)

    def look(self, run: Simulation, now_s: float) -> None:
        """Look once; the engine has to be running."""
        views = run.state()
        heard = {name for name, one in views.items() if one.connected and not one.stale}
        powers_kw = {name: _power_kw(run, name) for name in heard}
        alarms = [alarm for one in views.values() for alarm in one.alarms]
        alarms += run.site_state.exceeded
        self.looks += 1
        lines = (*self._lines(powers_kw), self._next(run, powers_kw))
        for direction, power_kw, most_kw in lines:
            if power_kw <= most_kw * 1.05 + 0.2:
                self._since_s.pop(direction, None)
                continue
            self.above += 1
            self.alarmed += bool(alarms)
            if alarms:
                self._since_s.pop(direction, None)
            elif now_s - self._since_s.setdefault(direction, now_s) > self.patience_s:
                self.violations.append(
                    f"{direction} of {power_kw:.1f} kW against {most_kw:.1f} kW for "
                    f"{self.patience_s:g} s at {now_s:.0f} s, and no alarm"
                )

    def _next(self, run: Simulation, powers_kw: dict[str, float]) -> tuple[str, float, float]:
        """Return what the next vehicles might draw together, by the defaults of their chargers.

        Who lied of a profile is left out, as is who was never given a default.
        """
        liars = {one.asset for one in run.world.faults.injected if one.kind == "ignore"}
        total_kw = 0.0
        for name, power_kw in powers_kw.items():
            device = run.devices[name]
            if not isinstance(device, SimCharger):
                total_kw += power_kw
            elif name not in liars:
                connector = device.connector(1)
                total_kw += (connector.beneath_w or 0.0) / 1_000
                self.beneath += None not in {connector.beneath_w, connector.transaction_id}
        return "import of the next vehicles", total_kw, self.import_kw - self.base_kw

    def _lines(self, powers_kw: dict[str, float]) -> Iterator[tuple[str, float, float]]:
        total_kw = sum(powers_kw.values())
        yield "import", total_kw, self.import_kw - self.base_kw
        yield "export", -total_kw, self.export_kw
        if self.phased is None:
            return
        on_kw = dict.fromkeys(PHASES, 0.0)
        for name, power_kw in powers_kw.items():
            for phase, part_kw in self.phased.assets[name].parts(power_kw):
                on_kw[phase] += part_kw
        for phase, part_kw in on_kw.items():
            yield phase, part_kw, self.phased.limit_kw - self.base_kw / len(PHASES)


def _power_kw(run: Simulation, asset_id: str) -> float:
    """Return what a device draws in truth, charging positive."""
    device = run.devices[asset_id]
    if isinstance(device, SimCharger):
        return device.connector(1).power_w / 1_000
    return device.power_w() / 1_000
