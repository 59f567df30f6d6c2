"""Random steps of a small depot, found and shrunk by Hypothesis: the promise after every step."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import pandas as pd
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.standing import PlanStart
from actors.testing.crashes import POINTS, Crashed, Point
from actors.testing.faults import Fault
from actors.testing.simulation import Simulation
from actors.testing.sites import site_file, site_text
from actors.testing.turns import START
from engine.commands import FINAL
from engine.errors import SetpointError, UsageError
from engine.types import to_us

EXAMPLES: Final = int(os.environ.get("SETPOINT_MACHINE_EXAMPLES", "25"))
CHARGER, BATTERY = "ast_charger_1", "ast_battery_1"
ASSETS: Final = st.sampled_from((CHARGER, BATTERY))
POWERS: Final = st.sampled_from((0.0, 5.0, 11.0))
CHARGER_FAULTS: Final = st.sampled_from(
    ("drop", "cut", "half_open", "garbage", "reject", "error", "ignore", "silent", "late_answer")
)
BATTERY_FAULTS: Final = st.sampled_from(
    ("drop", "cut", "half_open", "garbage", "reject", "error", "ignore", "alter", "wrong_echo")
)
STORE_FAULTS: Final = st.sampled_from(("locked", "full", "slow", "reply_lost"))
ACTOR_FAULTS: Final = st.sampled_from(("raise", "raise_late", "hang", "die"))


@contextlib.contextmanager
def asking() -> Iterator[None]:
    """Ask for something that may be refused, or at which the engine may crash."""
    with contextlib.suppress(SetpointError, Crashed):
        yield


class Depot(RuleBasedStateMachine):
    """A charger, a battery, people, a planner, and whatever goes wrong."""

    @initialize(seed=st.integers(0, 9))
    def open(self, seed: int) -> None:
        """Begin at six in the morning, at 900 times the speed."""
        with tempfile.TemporaryDirectory() as folder:
            file = site_file(site_text(1, 1), Path(folder))
            self.run = Simulation.of(file, seed, start=PlanStart(to_us(START), 900.0))
        self.run.advance(2)

    @rule(powers=st.lists(POWERS, min_size=2, max_size=6), discharges=st.booleans())
    def plan(self, powers: list[float], *, discharges: bool) -> None:
        """The planner plans anew, from the slot that runs now on."""
        begins = pd.Timestamp(self.run.plan_now).floor("15min")
        index = pd.date_range(begins, periods=len(powers), freq="15min")
        none = [0.0] * len(powers)
        columns = {
            "ev_1_kw": powers,
            "battery_b1_charge_kw": none if discharges else powers,
            "battery_b1_discharge_kw": powers if discharges else none,
        }
        with asking():
            self.run.submit(pd.DataFrame(columns, index=index))

    @rule(asset=ASSETS, kw=POWERS)
    def rate(self, asset: str, kw: float) -> None:
        """A person sends a rate."""
        with asking():
            self.run.send(asset, "SET_CHARGE_RATE", kw=kw, by="anna", reason="a test")

    @rule(asset=ASSETS, kw=POWERS, minutes=st.integers(1, 60))
    def override(self, asset: str, kw: float, minutes: int) -> None:
        """A person outranks the plan for a while."""
        until = self.run.plan_now + timedelta(minutes=minutes)
        with asking():
            self.run.override(asset, kw, until=until, by="anna", reason="a test")

    @rule(asset=ASSETS)
    def pause(self, asset: str) -> None:
        """A person pauses an asset."""
        with asking():
            self.run.pause(asset, by="anna", reason="a test")

    @rule(asset=ASSETS)
    def resume(self, asset: str) -> None:
        """And lets it go on."""
        with asking():
            self.run.resume(asset, by="anna", reason="a test")

    @rule(starts=st.booleans())
    def transaction(self, *, starts: bool) -> None:
        """A person starts or stops a charge."""
        kind = "START_CHARGING" if starts else "STOP_CHARGING"
        with asking():
            self.run.send(CHARGER, kind, by="anna", reason="a test")

    @rule(comes=st.booleans())
    def vehicle(self, *, comes: bool) -> None:
        """A vehicle comes or goes."""
        charger = self.run.charger(CHARGER)
        with contextlib.suppress(UsageError):  # it is as it should be already
            if comes:
                charger.plug_in(1)
            else:
                charger.unplug(1)

    @rule(kind=CHARGER_FAULTS, nth=st.integers(1, 3))
    def charger_fault(self, kind: str, nth: int) -> None:
        """The charger, or the way to it, fails."""
        self.run.world.faults.add(Fault(kind=kind, asset=CHARGER, direction="in", nth=nth))

    @rule(kind=BATTERY_FAULTS, nth=st.integers(1, 3))
    def battery_fault(self, kind: str, nth: int) -> None:
        """The battery does."""
        self.run.world.faults.add(Fault(kind=kind, asset=BATTERY, direction="in", nth=nth))

    @rule(kind=STORE_FAULTS, nth=st.integers(1, 3))
    def store_fault(self, kind: str, nth: int) -> None:
        """The store does."""
        self.run.world.faults.add(Fault(kind=kind, nth=nth, seconds=0.5))

    @rule(kind=ACTOR_FAULTS, asset=ASSETS, nth=st.integers(1, 3))
    def actor_fault(self, kind: str, asset: str, nth: int) -> None:
        """The engine itself does."""
        self.run.world.faults.add(Fault(kind=kind, asset=asset, action="Woke", nth=nth))

    @rule(point=st.sampled_from(POINTS), nth=st.integers(1, 4))
    def crash(self, point: Point, nth: int) -> None:
        """The engine is killed, sooner or later."""
        if not self.run.crash.happened:
            self.run.crash_at(point, nth)

    @precondition(lambda self: self.run.crash.happened)
    @rule()
    def restart(self) -> None:
        """Somebody starts it again."""
        with contextlib.suppress(Crashed):
            self.run.restart()

    @precondition(lambda self: not self.run.crash.happened)
    @rule(seconds=st.sampled_from((1.5, 3.0)))
    def usurp(self, seconds: float) -> None:
        """Another engine takes over while this one is stopped."""
        with contextlib.suppress(Crashed):
            self.run.usurp(seconds)

    @rule(seconds=st.sampled_from((0.001, 0.1, 1.0, 3.0, 20.0)))
    def time(self, seconds: float) -> None:
        """Time goes on."""
        self.run.advance(seconds)

    @invariant()
    def the_promise_holds(self) -> None:
        """Whatever has happened so far."""
        if hasattr(self, "run"):
            self.run.assert_promises()

    def teardown(self) -> None:
        """All gets well: every command comes to its end, and the promise still holds."""
        if not hasattr(self, "run"):
            return
        run = self.run
        try:
            run.world.faults.clear()
            run.crash.disarm()
            if run.crash.happened:
                run.restart()
            for asset in (CHARGER, BATTERY):
                with asking():
                    run.resume(asset, by="anna", reason="a test")
            run.advance(130)
            waits = [
                one.id
                for one in run.history()
                if one.status not in FINAL and not str(one.reason).startswith("held:")
            ]
            assert waits == []
            run.stop()
            run.assert_promises()
        finally:
            run.close()


TestDepot = Depot.TestCase
TestDepot.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
pytestmark = pytest.mark.timeout(600)
