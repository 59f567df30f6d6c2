"""An engine from open to close: the store and its journal, the runtime, the actors, the clock."""

import contextlib
import itertools
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from os import PathLike
from typing import Self

import attrs

from actors.adapters import default_adapters, option_types
from actors.assembly import Assembly, Parts, rules_of
from actors.clock import Clocks, steady_s
from actors.dispatcher import Swept
from actors.environment import read_site
from actors.fence import Fence, claim
from actors.following import Follower
from actors.grants import Claimed, Look, book_of, first_grants, grants_of
from actors.ids import Ids
from actors.journal import Journal
from actors.journalled import Supervised
from actors.profiles import limits_check
from actors.publishing import Publisher
from actors.reading import VOCABULARY, Reader
from actors.recovery import Recovery, accepted_again, rebuilt, recover
from actors.runtime import Runtime
from actors.site import Noted, SiteActor
from actors.snapshots import Snapshots
from actors.standing import PlanStart, clocks_for
from actors.store import Store, open_store
from actors.store.tables import place_of
from actors.supervisor import CrashLedger
from engine import events
from engine.adapters.registry import AdapterRegistry
from engine.asset import AssetState
from engine.asset import messages as message
from engine.bus import Event
from engine.codec import Codec
from engine.commands import FINAL
from engine.config import Site
from engine.errors import SetpointError
from engine.history import History, histories
from engine.rules import AssetRules
from engine.site import SiteState
from engine.site.load import Loads
from engine.types import US_PER_S, AssetId

logger = logging.getLogger("setpoint")

VERSION = "0.1.0"
_OPEN_S = 60.0
_LINKS_S = 10.0
_STANDING_US = 10 * US_PER_S

Injected = tuple[Clocks | None, Callable[[Clocks], Runtime], Ids, AdapterRegistry | None]
"""The clocks in place of the machine's, what the engine runs on, its ids, and its adapters."""


@attrs.frozen
class Stored:
    """A store that is open for writing, and what its log says."""

    store: Store
    reader: Reader
    recovery: Recovery


class Running:
    """Everything that runs between `open` and `close`."""

    def __init__(self, site: Site, stored: Stored, injected: Injected, start: PlanStart) -> None:
        """Put the parts together; `begin` lets them run."""
        clocks, runtime, ids, adapters = injected
        self.site = site
        self.closed = False
        self.reader = stored.reader
        empty = stored.recovery.position == 0
        self.clocks = clocks_for(stored.recovery.site.clock, start, empty=empty, given=clocks)
        self.runtime = runtime(self.clocks)
        seams = self.runtime.seams
        store, codec = seams.store(stored.store), Codec(VOCABULARY)
        self.journal = Journal(
            store, codec, instance=ids.instance, clocks=self.clocks, most=seams.most
        )
        own = (self.journal.epoch, ids.instance)
        self.fence = Fence(store, codec, own, self.journal.taken_over)
        self.runtime.loop.on_stall = self.fence.stood_still
        self.adapters = default_adapters(
            site, self.clocks, self.fence, self._noticed, given=adapters
        )
        self.snapshots = Snapshots(store, stored.recovery.snapshots, every=seams.snapshot_every)
        publisher = Publisher(self.runtime.bus)
        self.journal.hooks.committed.append(publisher.committed)
        self.follower = Follower(place_of(site.store_url), stored.store, codec)
        self.journal.hooks.committed.append(self.follower.committed)
        self.journal.hooks.idle.append(self.snapshots.write)
        self.journal.hooks.lost = self._store_lost
        self.journal.hooks.back = self._store_back
        self.journal.hooks.fenced = self._was_fenced
        self._lost_us: int | None = None
        ledger = CrashLedger()
        self.book = book_of(site, self._rules(), stored.recovery, self.clocks.now())
        parts = Parts(
            site,
            self.clocks,
            self.runtime,
            self.journal,
            self.adapters,
            lambda asset_id: rebuilt(stored.reader, asset_id),
            self.snapshots,
            self.fence.may_send,
            ledger,
            lambda: accepted_again(stored.reader),
            lambda event: self._site.tell(Noted((event,), _told)),
            first_grants(self.book),
            lambda asset_id, claim: self._site.tell(Claimed(asset_id, claim)),
            self._loaded,
        )
        self.assembly = Assembly(parts)
        self._stored = stored
        self._closing = threading.Lock()
        self._instance = ids.instance
        supervised = Supervised(self.clocks, self.journal, self.runtime.wakeups, ledger)
        self._site_actor = SiteActor.begin(
            self.runtime.pool,
            stored.recovery.site,
            supervised,
            stored.reader.site,
            grants_of(site, self.book, stored.recovery.accepted.loads, self.assembly),
        )
        self._site = self._site_actor.actor_ref

    @classmethod
    def open(
        cls,
        site: str | PathLike[str] | Site,
        injected: Injected,
        start: PlanStart,
        on_event: Callable[[Event], None] | None = None,
        *,
        take_over: bool = False,
    ) -> Self:
        """Open a site's store, rebuild everything from it and connect.

        Raises:
            SetpointError: the site, its store or a listener cannot be used; nothing runs then.
        """
        if isinstance(site, Site):
            read = site
        else:
            checks = (limits_check(site),)
            read = read_site(site, option_types(injected[3]), checks=checks, thorough=True)
        store = open_store(read.store_url, take_over=take_over)
        try:
            reader = Reader(store, Codec(VOCABULARY), place_of(read.store_url))
            if store.took_over:
                claim(store, Codec(VOCABULARY), injected[2].instance)
            stored = Stored(store, reader, recover(reader))
            running = cls(read, stored, injected, start)
            if on_event is not None:
                running.runtime.bus.subscribe(on_event)
        except BaseException:
            store.close()
            raise
        try:
            running.begin()
        except BaseException:
            running.close(timeout=2.0)
            raise
        return running

    def begin(self) -> None:
        """Record the start, start every actor, connect to every device."""
        self.runtime.start()
        self.runtime.begin(self.journal)
        self.runtime.begin(self.follower)
        started = events.EngineStarted(self.journal.epoch, self._instance, VERSION)
        self.record(started, *self._standing())
        if self._stored.store.took_over:
            self.fence.hold_back()
        self.runtime.begin(self.fence)
        configured = events.SiteConfigured(
            self.site.id,
            self.site.timezone,
            tuple(one.rules.asset_id for one in self.site.assets),
            self.site.import_limit_w,
            self.site.export_limit_w,
            self.site.base_load_w,
            self.site.phase_limit_w,
            self.site.phase_base_w,
        )
        if configured != self._stored.recovery.site.configured:
            self.record(configured)
        self.assembly.start(self._stored.recovery)
        with contextlib.suppress(TimeoutError):  # it opens also while the store is away
            self.runtime.result(self.journal.flush(), _OPEN_S)
        self.fence.wait()
        self.runtime.result(self.assembly.links.open(_LINKS_S), 2 * _LINKS_S)
        self._sweep()
        if self._stored.recovery.accepted.sequence:
            self.schedule_accepted()

    def _rules(self) -> dict[AssetId, AssetRules]:
        """Return every asset's rules, with what only its adapter knows."""
        adapter_of, assets = self.adapters.adapter_of, self.site.assets
        return {one.rules.asset_id: rules_of(adapter_of(one.rules.adapter), one) for one in assets}

    def _loaded(self, loads: Loads) -> None:
        """Take note of what the schedules in force say of the base load. A pool thread."""
        if self.book is not None:
            self._site.tell(loads)

    @property
    def site_state(self) -> SiteState:
        """The site as committed."""
        return self._site_actor.state

    def record(self, *happened: events.SiteEvent) -> None:
        """Put events on the site's stream, all at once, and wait until they are committed.

        Raises:
            EngineClosed: the store belongs to somebody else now, or gives no answer.
        """
        done: Future[object] = Future()
        self._site.tell(Noted(happened, done.set_result))
        answer = self.runtime.result(done, _OPEN_S)
        if isinstance(answer, SetpointError):
            raise answer

    @property
    def ocpp_url(self) -> str | None:
        """Where charge points connect, null without an OCPP listener."""
        adapter = self.adapters.get("ocpp")
        return getattr(adapter, "url", None)

    # --- time

    def _sweep(self) -> None:
        """Evaluate every asset again, at every interval. The timer's thread."""
        interval_us = round(self.site.defaults.dispatch_interval_seconds * US_PER_S)
        self.runtime.wakeups.at(
            "sweep", self._sweep, device_us=self.clocks.device_us() + interval_us
        )
        self.assembly.dispatcher(Swept())
        if self.book is not None:
            self._site.tell(Look())
        self.fence.look()

    def _standing(self) -> tuple[events.ClockSet, ...]:
        """Return where a plan clock stands, if that is not on record.

        It goes with the start itself, so that a crash between the two cannot lose where it stood.
        """
        if self.clocks.plan.mapping is not None or self._stored.recovery.site.clock is not None:
            return ()
        standing = self.clocks.plan.peek(0)
        return (events.ClockSet(standing.plan_us, standing.speed),)

    def schedule_accepted(self) -> None:
        """Let a standing plan clock run once each asset has reported, 10 s from now at most."""
        if self.clocks.plan.mapping is None:
            self._start_clock(self.clocks.device_us() + _STANDING_US)

    def _start_clock(self, latest_us: int) -> None:
        if self.clocks.plan.mapping is not None or self.closed:
            return
        board = self.assembly.board
        waiting = any(
            not board[asset_id].device.state_known or not board[asset_id].outside.offered
            for asset_id in self.assembly.tell
        )
        now_us = self.clocks.device_us()
        if waiting and now_us < latest_us:
            self.runtime.wakeups.at(
                "clock", lambda: self._start_clock(latest_us), device_us=now_us + US_PER_S // 20
            )
            return
        started = self.clocks.plan.peek(now_us)
        event = events.ClockStarted(started.wall_us, started.plan_us, started.speed)
        self._site.tell(Noted((event,), self._clock_recorded))

    def _clock_recorded(self, event: object) -> None:
        """Run, now that it is on record. A pool thread."""
        if not isinstance(event, events.ClockStarted):
            return
        self.clocks.plan.start(event.wall_us)
        self.runtime.wakeups.recompute()
        for tell in self.assembly.tell.values():
            tell(message.Woke())

    # --- the store

    def _store_lost(self, reason: str) -> None:
        """The store cannot be written: nothing new is sent meanwhile. The journal's thread."""
        self._lost_us = self.clocks.device_us()
        self._site.tell(Noted((events.StoreLost(self._lost_us, reason),), _told))

    def _store_back(self) -> None:
        """The store can be written again. The journal's thread."""
        now_us = self.clocks.device_us()
        self._site.tell(Noted((events.StoreBack(self._lost_us or now_us, now_us),), _told))

    def _noticed(self, kind: str, peer: str, count: int) -> None:
        """Peers were refused; once a kind and minute. The loop thread."""
        logger.warning("refused %r: %s, %d since it was last told", peer, kind, count)
        self._site.tell(Noted((events.SecurityNoticed(kind, peer, count),), _told))

    def _was_fenced(self, reason: str) -> None:
        """Another engine has the store: no frame leaves any more. Any thread."""
        self.fence.fenced(reason)
        self.assembly.links.let_go()

    # --- how far it is

    def history_since_open(self) -> History:
        """Return the commands that were open when this engine opened, or came since."""
        opened = self._stored.recovery.position
        before = histories(
            itertools.takewhile(lambda one: (one.position or 0) <= opened, self.reader.records())
        )
        over = {one.id for one in before if one.status in FINAL}
        return History(one for one in self.reader.history() if one.id not in over)

    def is_done(self) -> bool:
        """Return whether every horizon has passed and every command is over."""
        board = self.assembly.board
        return self.clocks.plan.mapping is not None and all(
            is_over(board[asset_id]) for asset_id in self.assembly.tell
        )

    # --- the end

    def close(self, timeout: float) -> None:
        """Hand back, record the end, close; bounded by ``timeout`` seconds."""
        with self._closing:
            if self.closed:
                return
            self.closed = True
        deadline_s = steady_s() + timeout
        self.runtime.wakeups.cancel("sweep")
        if self.fence.reason is None:
            self._hand_over(timeout / 2)

        def left_s() -> float:
            return max(0.5, deadline_s - steady_s()) / 2

        self._in_time(self.assembly.links.close(), left_s(), "not every link closed in time")
        self.fence.stop(left_s())
        if self.journal.close(left_s()) and self.fence.reason is None:
            self.snapshots.offer_changed(self.assembly.board.values())
            self.snapshots.write(everything=True)
        self.follower.close(left_s())
        self.runtime.stop(left_s())
        self._stored.store.close()

    def _hand_over(self, timeout_s: float) -> None:
        """Hand the devices back, have nothing sent any more, and record the end."""
        assembly = self.assembly
        try:
            self._in_time(
                assembly.hand_back(), timeout_s, "not every device was handed back in time"
            )
            self._in_time(assembly.quieten(), timeout_s / 2, "not every asset came to rest in time")
            assembly.close_intake()
            self.record(events.EngineStopped(self.journal.epoch, "closed"))
        except Exception:
            logger.exception("the engine did not stop in good order")

    def _in_time(self, done: "Future[None]", timeout_s: float, otherwise: str) -> None:
        try:
            self.runtime.result(done, timeout_s)
        except TimeoutError:
            logger.warning(otherwise)


def _told(answer: object) -> None:
    """Take note that an event was committed, or say that it was not."""
    if isinstance(answer, SetpointError):
        logger.warning("not on record: %s", answer)


def is_over(state: AssetState) -> bool:
    """Return whether nothing is planned any more and no command is open.

    A fallback or release that waits for a device to come back has no end of its own; it is not
    waited for.
    """
    work = state.work
    waits = work is not None and not (
        work.held == "offline" and work.decision.source in {"fallback", "release"}
    )
    outside = state.outside
    # What waits for its turn on a shared link has not been decided yet.
    idle = outside.offered and outside.slot != "waiting" and state.attempt is None
    return idle and not state.orders and not state.programme.parts and not waits
