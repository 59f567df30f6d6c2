"""Whatever the wire does to a control frame or its answer, the device ends at its setpoint.

Real engines and sockets: a charger and a battery, each behind a proxy, and one fault for each.
"""

import random
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeAlias

import attrs
import pytest

from actors.cli.places import reader_of
from actors.clock import DeviceClock
from actors.handles import CommandHandle
from actors.system import ActorSystem
from actors.testing.faults import Direction, Fault, Faults
from actors.testing.promises import judge
from actors.testing.proxy import Proxy
from actors.testing.site import TestSite, free_port, simulated_site
from actors.testing.waiting import wait_until
from engine.history import AttemptRecord
from engine.types import AssetId

Rate: TypeAlias = tuple[str, float]
Pair: TypeAlias = tuple[str | None, str | None]

CHARGER: Final = "ast_a"
BATTERY: Final = "ast_battery"
HEARTBEAT: Final = frozenset({30})
IN_TIME_S: Final = 0.2
LATE_S: Final = 4.0
FAULTS: Final = {"late": "delay", "refuse": "reset"}
"""Beside those that are called so: one beyond the time-out, one before two refused connections."""
STRUCK: Final[dict[str, Pair]] = {
    "drop": ("timed_out", "timed_out"),
    "delay": ("accepted", "accepted"),
    "late": ("timed_out", "timed_out"),
    "duplicate": ("accepted", "any"),
    "reorder": ("timed_out", "timed_out"),
    "garbage": ("timed_out", "unknown"),
    "cut": ("link_lost", "link_lost"),
    "half_open": ("timed_out", "timed_out"),
    "drip": ("accepted", "accepted"),
    "reset": ("link_lost", "link_lost"),
    "refuse": ("link_lost", "link_lost"),
    "latency": ("accepted", "accepted"),
}
"""How the struck attempt ends, the charger's and the battery's: an answer too many is no answer."""
QUICK: Final = """
[defaults]
command_timeout_seconds = 3
"""


@attrs.define
class Wired:
    """A site whose devices are behind proxies, with an engine that runs."""

    site: TestSite
    faults: Faults
    charger: Proxy
    battery: Proxy
    system: ActorSystem
    earlier: Collection[str] = ()

    def send(self, charger: Rate, battery: Rate) -> list[CommandHandle]:
        """Set a rate at each device, by hand."""
        return [
            self.system.send(asset, type_, kw=kw, by="ann", reason="test")
            for asset, (type_, kw) in ((CHARGER, charger), (BATTERY, battery))
        ]

    def set_at(self, charger: Rate, battery: Rate) -> None:
        """Set a rate at each device, and wait until it holds and the battery's heartbeat is out."""
        for handle in self.send(charger, battery):
            handle.wait(40)
        wait_until(lambda: self._written() >= 2)
        self.earlier = {one.id for asset in (CHARGER, BATTERY) for one in self._attempts(asset)}

    def _written(self) -> int:
        passed = ((one.direction, one.action) for one in self.battery.messages())
        return sum(one == ("out", 6) for one in passed)

    def outcomes(self, asset: str) -> Sequence[str | None]:
        """Return how an asset's attempts have ended so far, those of `set_at` left out."""
        attempts = [one for one in self._attempts(asset) if one.id not in self.earlier]
        return [one.outcome for one in sorted(attempts, key=lambda one: one.sent_at)]

    def _attempts(self, asset: str) -> Collection[AttemptRecord]:
        """Return each once: commands may share one."""
        return {
            attempt.id: attempt
            for record in self.system.history_since_open()
            if record.asset_id == asset
            for attempt in record.attempts
        }.values()

    def struck(self) -> set[tuple[str, str | None]]:
        """Return what was struck, and whose it was."""
        return {(one.kind, one.asset) for one in self.faults.injected}

    def strike(self, kind: str, direction: Direction, nth: int) -> None:
        """Let the wire do something to each device's next control frame or its answer."""
        seconds = LATE_S if kind == "late" else IN_TIME_S
        for asset, action, number in ((CHARGER, "SetChargingProfile", 1), (BATTERY, 6, nth)):
            fault = Fault(
                kind=FAULTS.get(kind, kind),
                asset=asset,
                direction=direction,
                action=None if kind == "latency" else action,
                nth=number,
                seconds=seconds,
            )
            self.faults.add(fault)
            if kind == "refuse":
                self.faults.add(Fault(kind="refuse", asset=asset, times=2))


@contextmanager
def wired(folder: Path, seed: str) -> Iterator[Wired]:
    """Give a charger that charges and a battery, both connected to an engine by proxies."""
    with simulated_site(folder, ("a",), extra=QUICK) as site:
        text = site.file.read_text()
        depot, engine_port = site.depot, free_port()
        battery_port = int(text.rsplit("port = ", 1)[1].split()[0])
        faults = Faults(DeviceClock().now_us, seed)
        charger = Proxy("ocpp", engine_port, faults, (CHARGER,), site.ocpp_port)
        battery = Proxy("modbus", battery_port, faults, (BATTERY,))
        for proxy in (charger, battery):
            depot.do(proxy.start())
        text = text.replace(f":{site.ocpp_port}", f":{engine_port}")
        site.file.write_text(text.replace(f"port = {battery_port}", f"port = {battery.port}"))
        try:
            with ActorSystem.open(site.file) as system:
                wait_until(lambda: system.state()[CHARGER].transaction_id is not None)
                wait_until(lambda: system.state()[BATTERY].state_known)
                yield Wired(site, faults, charger, battery, system)
        finally:
            for proxy in (charger, battery):
                depot.do(proxy.stop())


@pytest.mark.timeout(150)
@pytest.mark.parametrize("direction", ["in", "out"])
@pytest.mark.parametrize("kind", list(STRUCK))
def test_a_command_whose_frame_or_answer_is_struck_is_completed(
    tmp_path: Path, kind: str, direction: Direction
) -> None:
    """Which of a battery's two writes it is, is drawn from the seed."""
    seed = f"{kind} {direction}"
    nth = random.Random(seed).randint(1, 2)
    with wired(tmp_path, seed) as own:
        own.set_at(("SET_CHARGE_RATE", 11), ("SET_CHARGE_RATE", 12.5))
        own.strike(kind, direction, nth)
        handles = own.send(("SET_CHARGE_RATE", 7), ("SET_DISCHARGE_RATE", 20))
        if kind == "half_open":
            wait_until(lambda: own.outcomes(CHARGER)[:1] == ["timed_out"])
            own.site.depot.do(own.charger.cut())  # as a network that was away says at last
        assert [one.wait(40).status.value for one in handles] == ["COMPLETED", "COMPLETED"]
        found = own.outcomes(CHARGER)[0], own.outcomes(BATTERY)[nth - 1]
        assert _but_for_any(STRUCK[kind], found) == found
        assert {(FAULTS.get(kind, kind), asset) for asset in (CHARGER, BATTERY)} <= own.struck()
        assert own.site.charger("a").connectors[1].limit_w == 7_000
        assert own.site.battery.setpoint_w() == -20_000
        left = 2 if kind == "half_open" else 1  # the device has heard of no end
        wait_until(lambda: own.battery.open == left)
        own.faults.clear()
    assert_promises(own)


def _but_for_any(expected: Pair, found: Pair) -> Pair:
    charger, battery = (
        was if one == "any" else one for one, was in zip(expected, found, strict=True)
    )
    return charger, battery


def assert_promises(own: Wired) -> None:
    """The log is whole, and the devices saw what it says, but for what the wire did to it."""
    site = own.site
    with reader_of(str(site.file)) as reader:
        records = list(reader.records())
        assert reader.verify().problems == ()
    charger, battery = site.charger("a").wire_log.entries, site.battery.wire_log.entries
    batteries = {AssetId(BATTERY): (battery, HEARTBEAT)}
    found = judge(records, {"a": charger}, batteries, own.faults.injected)
    assert found.violations == ()
    assert found.counts["OCPP control frames"] >= 2
    assert found.counts["Modbus writes"] >= 3
