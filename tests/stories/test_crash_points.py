"""A crash at every point, for every command type on both protocols: the promise holds each time."""

import contextlib
import itertools
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

import attrs
import pytest

from actors.cli.places import reader_of
from actors.sim.connector import Arrival
from actors.system import ActorSystem
from actors.testing.crashes import POINTS, Crash, Point, crashing
from actors.testing.promises import judge
from actors.testing.site import TestSite, simulated_site
from actors.testing.waiting import wait_until
from engine.commands import FINAL
from engine.errors import SetpointError
from engine.types import AssetId

HEARTBEAT: Final = frozenset({30})
CLOSE_S: Final = 0.5
"""Whether devices were handed back is not what these tests look at."""
MOST: Final = 30
"""No command takes so many steps."""

CHARGER, BATTERY = "ast_a", "ast_battery"
COMMANDS: Final = (
    (CHARGER, "SET_CHARGE_RATE"),
    (CHARGER, "START_CHARGING"),
    (CHARGER, "STOP_CHARGING"),
    (CHARGER, "CHANGE_AVAILABILITY"),
    (CHARGER, "RELEASE"),
    (CHARGER, "CALL"),
    (BATTERY, "SET_CHARGE_RATE"),
    (BATTERY, "SET_DISCHARGE_RATE"),
    (BATTERY, "STOP_CHARGING"),
    (BATTERY, "RELEASE"),
    (BATTERY, "CALL"),
)
CALLS: Final[dict[str, tuple[str, dict[str, object]]]] = {
    CHARGER: ("UnlockConnector", {"connectorId": 1}),
    BATTERY: ("write_register", {"address": 20, "value": 11}),
}
WHO: Final = {"by": "anna", "reason": "a test"}


@pytest.fixture
def site(tmp_path: Path, asset: str) -> Iterator[TestSite]:
    """Give a battery, or a charger with a vehicle beside one, that outlive every engine."""
    keys = ("a",) if asset == CHARGER else ()
    defaults = "[defaults]\ncommand_timeout_seconds = 3\n"
    with simulated_site(tmp_path, keys, extra=defaults) as made:
        yield made


@attrs.define
class Rounds:
    """Engines of one site, one after the other, each with a command of one type."""

    site: TestSite
    asset: str
    type: str
    numbers: Iterator[int] = attrs.field(factory=itertools.count)

    def run(self, point: Point, nth: int) -> bool:
        """Let an engine end at a point, if it comes there, and another go on; return if it did."""
        crash = Crash(self._seen)
        with crashing(crash):
            told, before = self._begun(crash, point, nth)
            crashed = crash.happened.is_set()
        with crashing(Crash(self._seen)), self._opened() as system:
            wait_until(lambda: self._is_over(system, before, started=False))
        self._judge(told)
        return crashed

    def _begun(self, crash: Crash, point: Point, nth: int) -> tuple[str | None, Collection[str]]:
        """Let an engine take a command; return its id if that was told, and those before it."""
        with self._opened() as system:
            before = {one.id for one in system.history()}
            if (self.asset, self.type) == (CHARGER, "STOP_CHARGING"):
                self._charge(system)
            crash.arm(system, point, nth)
            told = self._command(system)
            wait_until(lambda: crash.happened.is_set() or self._is_over(system, before))
            crash.disarm()
            return told, before

    @contextlib.contextmanager
    def _opened(self) -> Iterator[ActorSystem]:
        system = ActorSystem.open(self.site.file)
        try:
            wait_until(
                lambda: all(one.state_known and one.connected for one in system.state().values())
            )
            yield system
        finally:
            system.close(CLOSE_S)

    def _charge(self, system: ActorSystem) -> None:
        """Let a vehicle arrive, so that there is a charge to stop."""
        charger = self.site.charger("a")
        self.site.depot.do(charger.connector(1).unplug())
        wait_until(lambda: system.state()[CHARGER].state == "AVAILABLE")
        self.site.depot.do(charger.connector(1).plug_in(Arrival(1, 0.0)))
        wait_until(lambda: system.state()[CHARGER].transaction_id is not None)

    def _seen(self) -> int:
        writes = self.site.writes() if self.asset == BATTERY else self.site.control_frames()
        return len(writes)

    def _command(self, system: ActorSystem) -> str | None:
        """Ask for the command; return its id if that was told."""
        number = next(self.numbers)
        with contextlib.suppress(SetpointError):
            if self.type == "CALL":
                action, payload = CALLS[self.asset]
                return system.call(self.asset, action, payload).id
            kw = 5.0 + number % 3 if self.type.startswith("SET_") else None
            operative = number % 2 == 1
            handle = system.send(self.asset, self.type, kw=kw, operative=operative, **WHO)
            return handle.id
        return None

    def _is_over(
        self, system: ActorSystem, before: Collection[str], *, started: bool = True
    ) -> bool:
        """Return whether every command there is is over, one of them new where it ``started``."""
        history = system.history()
        over = all(one.status in FINAL for one in history)
        return over and (not started or any(one.id not in before for one in history))

    def _judge(self, told: str | None) -> None:
        """Hold the log against the devices, now that nobody adds to either."""
        with reader_of(str(self.site.file)) as reader:
            records, history = list(reader.records()), reader.history()
            assert reader.verify().problems == ()
        chargers = {key: self.site.charger(key).log.entries for key in self.site.keys}
        battery = {AssetId(BATTERY): (self.site.battery.wire_log.entries, HEARTBEAT)}
        assert judge(records, chargers, battery).violations == ()
        assert told is None or told in {one.id for one in history}


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("asset", "type_"), COMMANDS)
def test_a_crash_at_every_point_leaves_the_truth(site: TestSite, asset: str, type_: str) -> None:
    """For every k, until a run comes to its end without a crash."""
    rounds = Rounds(site, asset, type_)
    crashes: dict[str, int] = {}
    for point in POINTS:
        for nth in range(1, MOST):
            if not rounds.run(point, nth):
                break
            crashes[point] = nth
    assert set(crashes) == set(POINTS), crashes
    print(f"{asset} {type_}: {crashes}")  # noqa: T201 - the counts are part of the report
