"""A storm: a day of a depot in which much goes wrong, drawn from a seed, and what is promised.

Schedules, re-plans, people, vehicles, faults of many kinds, a crash and a restart; at the end all
is well again, and then every command is over and each device holds what it should.
"""

import contextlib
import functools
import random
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, cast

import attrs

from actors.sim.charger import SimCharger
from actors.sim.timetable import Arrival
from actors.sim.vehicle import Vehicle
from actors.standing import PlanStart
from actors.testing.crashes import POINTS, Crashed
from actors.testing.faults import Direction, Fault
from actors.testing.limit_watch import LimitWatch
from actors.testing.phased import Phased
from actors.testing.promises import CONTROL_ACTIONS, WRITES
from actors.testing.schedules import rolling
from actors.testing.simulation import Simulation, heartbeats_of
from actors.testing.sites import site_text
from actors.testing.turns import START
from engine.commands import FINAL
from engine.errors import SetpointError, UsageError
from engine.types import US_PER_S, to_us

SLOT: Final = timedelta(minutes=15)
SPEED: Final = 900.0

_OF_CHARGERS: Final = (
    *("drop", "delay", "duplicate", "garbage", "cut", "half_open", "reorder"),
    *("reject", "error", "ignore", "reboot", "skew"),
    *("silent", "unanswered", "late_answer", "extra_field"),
)
_OF_BATTERIES: Final = (
    *("drop", "delay", "duplicate", "garbage", "cut", "half_open"),
    *("reject", "error", "ignore", "alter", "wrong_echo", "reboot", "silent", "mute"),
    *("wrong_transaction", "zero_transaction", "wrong_function", "answer_twice"),
)
_OF_ACTORS: Final = ("raise", "raise_late", "hang", "die")
_OF_STORES: Final = ("locked", "full", "slow", "reply_lost", "wall_jump")
_USURPED: Final = 0.3  # of all storms
_LIES: Final = 0.25  # of all faults under limits
_WAYS: Final[tuple[Direction | None, ...]] = ("in", "out", None)
_SKEWS: Final = (-3_600.0, -50.0, 90.0, 3_600.0)
_ACTIONS: Final = (
    *("SetChargingProfile", "ClearChargingProfile"),
    *("RemoteStartTransaction", "RequestStartTransaction", "TransactionEvent", None),
)
_NEWER: Final = 0.4  # of all charge points: those that speak 2.0.1
_CONTROL: Final = CONTROL_ACTIONS | WRITES
_MESSAGES: Final = ("Woke", "Observed", "AttemptAnswered", "PlanOffered", "QuestionAnswered")


@attrs.frozen
class Limits:
    """A site's limits in kilowatts, and how long power may be above them without an alarm."""

    import_kw: float = 50.0
    export_kw: float = 5.0
    base_kw: float = 10.0
    settle_s: float = 20.0
    patience_s: float = 45.0

    @property
    def text(self) -> str:
        """The keys of ``[site]``."""
        return (
            f"import_limit_kw = {self.import_kw}\nexport_limit_kw = {self.export_kw}\n"
            f"base_load_kw = {self.base_kw}"
        )


@attrs.frozen
class Size:
    """How much happens in a storm; ``calm`` is the share of slots in which nothing changes.

    With ``limits`` the site has some, and they are kept too.
    """

    chargers: int = 5
    batteries: int = 5
    slots: int = 96
    replans: int = 3
    faults: int = 20
    kinds: int = 6
    frames: int = 200
    calm: float = 0.8
    speed: float = SPEED
    limits: Limits | None = None


LIMITED: Final = Size(
    chargers=6, batteries=1, slots=24, frames=100, calm=0.3, speed=90.0, limits=Limits()
)
"""A storm under site limits."""


@attrs.define
class Storm:
    """One storm; `run` plays it and returns what it counted."""

    folder: Path
    seed: int
    size: Size = Size()
    story: list[str] = attrs.field(factory=list)
    """What was done when, for people who look at a seed that failed."""

    @functools.cached_property
    def phased(self) -> Phased | None:
        """How its assets are wired where its phases have limits too, as some seeds have it."""
        size, limits = self.size, self.size.limits
        if limits is None:
            return None
        return Phased.drawn(self.seed, size.chargers, size.batteries, limits.base_kw)

    def vehicle(self, asset: str) -> Vehicle:
        """Return the vehicle that comes to a charger."""
        return Vehicle() if self.phased is None else self.phased.assets[asset].vehicle

    def run(self) -> Counter[str]:
        """Play it through.

        Raises:
            AssertionError: a promise was broken; it names which, and where.
        """
        file = self.folder / f"storm_{self.seed}.toml"
        file.write_text(self._site(), encoding="utf-8")
        source = random.Random(f"storm {self.seed}")
        arrivals = {
            f"CP-{number}": (
                Arrival(
                    1, source.choice((0.0, 0.0, 9_000.0)), self.vehicle(f"ast_charger_{number}")
                ),
            )
            for number in range(1, self.size.chargers + 1)
        }
        newer = {identity: "2.0.1" for identity in arrivals if source.random() < _NEWER}
        start = PlanStart(to_us(START), self.size.speed)
        with Simulation.of(file, self.seed, start=start, arrivals=arrivals, versions=newer) as run:
            played = _Played(self, run, source)
            played.through()
            counts = run.assert_promises() + played.counts
            counts.update(f"fault {one.kind}" for one in run.world.faults.injected)
        return counts

    def _site(self) -> str:
        """Return the site file; devices under limits have little time to settle, and are believed.

        Who is believed can lie: what is measured would give it away before there is any harm.
        """
        size, limits = self.size, self.size.limits
        if limits is None:
            return site_text(size.chargers, size.batteries, started=2)
        text = site_text(size.chargers, size.batteries, started=2, limits=limits.text)
        text = text.replace('adapter = "ocpp"', 'adapter = "ocpp"\nverify = "ack"')
        text = text.replace("[defaults]", f"[defaults]\nsettle_s = {limits.settle_s}", 1)
        return text if self.phased is None else self.phased.text(text)


class _Played:
    def __init__(self, storm: Storm, run: Simulation, source: random.Random) -> None:
        self.counts: Counter[str] = Counter()
        self._storm = storm
        self._run = run
        self._random = source
        self._assets = list(run.devices)
        limits = storm.size.limits
        self._watch = None
        if limits is not None:
            kept = (limits.import_kw, limits.export_kw, limits.base_kw, limits.patience_s)
            self._watch = LimitWatch(*kept, storm.phased)
            self.counts["storms with limits of phases"] += storm.phased is not None

    def through(self) -> None:
        """Play the day, then let all be well, and look."""
        run, size = self._run, self._storm.size
        self._try(lambda: run.submit(self._schedule(START, size.slots)))
        steps = [self._replan] * size.replans + [self._fault] * size.faults * 2
        steps += [self._person] * 10 + [self._vehicle] * 4 + [self._crash]
        steps += [self._usurp] * (self._random.random() < _USURPED)
        self._random.shuffle(steps)
        pause_s = size.slots * SLOT.total_seconds() / size.speed / len(steps)
        for step in steps:
            step()
            self._pass(self._random.uniform(0.2, 1.8) * pause_s)
            self._restart_if_crashed()
        self._at_least()
        self._calm_down()
        self._judge_limits()

    def _pass(self, seconds: float) -> None:
        """Let time pass, and look at the limits every second."""
        watch, run = self._watch, self._run
        if watch is None:
            run.advance(seconds)
            return
        while seconds > 0:
            run.advance(min(seconds, 1.0))
            seconds -= 1.0
            if run.crash.happened:
                return
            watch.look(run, run.plan_clocks.now().device_us / US_PER_S)

    def _judge_limits(self) -> None:
        watch = self._watch
        if watch is None:
            return
        if watch.violations:
            raise AssertionError("\n".join(watch.violations))
        self.counts["looks at the power"] += watch.looks
        self.counts["looks above a limit"] += watch.above
        self.counts["looks beneath transactions"] += watch.beneath
        self.counts["looks above a limit with an alarm"] += watch.alarmed

    # --- what happens

    def _schedule(self, begins: datetime, slots: int) -> object:
        chargers = [f"{number}" for number in range(1, self._storm.size.chargers + 1)]
        batteries = [f"b{number}" for number in range(1, self._storm.size.batteries + 1)]
        return rolling(self._random, begins, slots, (chargers, batteries), self._storm.size.calm)

    def _replan(self) -> None:
        now = self._now()
        begins = START + (now - START) // SLOT * SLOT
        left = self._storm.size.slots - (begins - START) // SLOT
        self._tell(f"re-plan from {begins:%H:%M}")
        self._try(lambda: self._run.submit(self._schedule(begins, max(left, 2))))
        self.counts["re-plans"] += 1

    def _fault(self) -> None:
        if self._watch is not None and self._random.random() < _LIES:
            self._lie()
        family = self._random.random()
        asset = self._random.choice(self._assets)
        nth = self._random.randint(1, 4)
        if family < 0.12:  # noqa: PLR2004 - shares of the families
            self._add(Fault(kind=self._random.choice(_OF_STORES), nth=nth, seconds=0.5))
        elif family < 0.24:  # noqa: PLR2004 - likewise
            kind, message = self._random.choice(_OF_ACTORS), self._random.choice(_MESSAGES)
            self._add(Fault(kind=kind, asset=asset, action=message, nth=nth))
        elif isinstance(self._run.devices[asset], SimCharger):
            kind, action = self._random.choice(_OF_CHARGERS), self._random.choice(_ACTIONS)
            way = self._random.choice(_WAYS)
            seconds = self._random.choice(_SKEWS) if kind == "skew" else 1.0
            self._add(
                Fault(
                    kind=kind,
                    asset=asset,
                    direction=way,
                    action=action,
                    nth=nth,
                    seconds=seconds,
                )
            )
        else:
            kind, function = self._random.choice(_OF_BATTERIES), self._random.choice((6, 3, None))
            way = self._random.choice(_WAYS)
            self._add(Fault(kind=kind, asset=asset, direction=way, action=function, nth=nth))

    def _lie(self) -> None:
        """Let a charger accept setpoints for a while, and do as it likes."""
        asset = self._random.choice(self._assets)
        if isinstance(self._run.devices[asset], SimCharger):
            lie = Fault(kind="ignore", asset=asset, action="SetChargingProfile", times=6)
            self._add(lie)

    def _add(self, fault: Fault) -> None:
        self._tell(str(fault))
        self._run.world.faults.add(fault)

    def _person(self) -> None:
        asset = self._random.choice(self._assets)
        run = self._run
        by, why = "anna", "a storm"
        kw = self._random.choice((0.0, 5.0, 9.0))
        until = self._now() + timedelta(minutes=self._random.randint(5, 90))
        wanted: tuple[tuple[str, Callable[[], object]], ...] = (
            ("rate", lambda: run.send(asset, "SET_CHARGE_RATE", kw=kw, by=by, reason=why)),
            ("stop", lambda: run.send(asset, "STOP_CHARGING", by=by, reason=why)),
            ("start", lambda: run.send(asset, "START_CHARGING", by=by, reason=why)),
            ("release", lambda: run.send(asset, "RELEASE", by=by, reason=why)),
            ("override", lambda: run.override(asset, kw, until=until, by=by, reason=why)),
            ("pause", lambda: run.pause(asset, by=by, reason=why)),
            ("resume", lambda: run.resume(asset, by=by, reason=why)),
        )
        name, ask = self._random.choice(wanted)
        self._tell(f"{name} {asset} {kw}")
        self._try(ask)

    def _vehicle(self) -> None:
        asset = self._random.choice(self._assets)
        device = self._run.devices[asset]
        if not isinstance(device, SimCharger):
            return
        self._tell(f"vehicle at {asset}")
        with contextlib.suppress(UsageError):  # it is as it should be already
            if self._random.random() < 0.5:  # noqa: PLR2004 - one or the other
                device.plug_in(1, self._storm.vehicle(asset))
            else:
                device.unplug(1)

    def _crash(self) -> None:
        point, nth = self._random.choice(POINTS), self._random.randint(1, 8)
        self._tell(f"crash {point} {nth}")
        self._run.crash_at(point, nth)

    def _usurp(self) -> None:
        if not self._run.crash.happened:
            self._tell("usurp")
            self.counts["usurped"] += 1
            self._try(lambda: self._run.usurp(self._random.choice((1.5, 3.0, 6.0))))

    # --- what has to be

    def _restart_if_crashed(self) -> None:
        if self._run.crash.happened:
            self._tell("restart")
            self.counts["crashes"] += 1
            self._run.restart()

    def _at_least(self) -> None:
        """Let as much go wrong as was asked for, as much be sent, and one crash happen."""
        faults, size = self._run.world.faults, self._storm.size
        for _ in range(100):
            kinds = {one.kind for one in faults.injected}
            if len(faults.injected) >= size.faults and len(kinds) >= size.kinds:
                break
            self._fault()
            self._run.advance(1)
            self._restart_if_crashed()
        for _ in range(100):
            if self._frames() >= size.frames:
                break
            self._person()
            self._run.advance(1)
            self._restart_if_crashed()
        if not self.counts["crashes"]:
            self._run.crash_at("before_append")
            self._try(lambda: self._run.submit(self._schedule(self._now(), 2)))
            self._restart_if_crashed()

    def _frames(self) -> int:
        """Return how many control frames the devices have seen, heartbeats aside."""
        count = 0
        for device in self._run.devices.values():
            aside = frozenset() if isinstance(device, SimCharger) else heartbeats_of(device)
            count += sum(
                one.direction == "in"
                and one.action in _CONTROL
                and cast("Mapping[str, object]", one.payload).get("address") not in aside
                for one in device.wire_log.entries
            )
        return count

    def _calm_down(self) -> None:
        """Let all be well: then everything comes to its end."""
        run = self._run
        run.world.faults.clear()
        for asset in self._assets:
            with contextlib.suppress(SetpointError):
                run.resume(asset, by="anna", reason="the storm is over")
        end = START + self._storm.size.slots * SLOT + timedelta(minutes=30)
        if self._now() < end:
            run.run_until(end)
        if not run.wait_for(lambda: run.is_done() and not self._open(), 120):
            raise AssertionError(f"seed {self._storm.seed}: not over: {', '.join(self._open())}")
        run.stop()

    def _open(self) -> list[str]:
        return [
            f"{one.id} of {one.asset_id} {one.status} {one.reason}"
            for one in self._run.history()
            if one.status not in FINAL
        ]

    def _try(self, ask: Callable[[], object]) -> None:
        """Ask for something; it may be refused, or the engine crash at it."""
        with contextlib.suppress(SetpointError, Crashed):
            ask()

    def _now(self) -> datetime:
        return self._run.plan_now

    def _tell(self, what: str) -> None:
        self._storm.story.append(f"{self._now():%H:%M:%S} {what}")
