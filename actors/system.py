"""ActorSystem: the one composition root, and what host programs call."""

import contextlib
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import datetime, timedelta
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Literal, Self

from actors.assembly import Assembly
from actors.audit import Audit
from actors.clock import Clocks
from actors.handles import CommandHandle, Watch
from actors.ids import Ids
from actors.journal import Journal
from actors.reading import Reader
from actors.receipts import Receipt, submitted_of
from actors.running import Running
from actors.runtime import Runtime
from actors.standing import PlanStart
from engine import by_hand
from engine.adapters.base import AssetView
from engine.adapters.registry import AdapterRegistry
from engine.asset import messages as message
from engine.asset.view import view_of
from engine.bus import Event, Subscription
from engine.commands import CommandType
from engine.config import Site
from engine.errors import CommandRefused, EngineClosed, Fenced, SetpointError, UsageError
from engine.history import CommandRecord, History
from engine.intake import Intake, Intent
from engine.rules import AssetRules
from engine.types import AssetId, CommandId

if TYPE_CHECKING:
    from engine.dry_run import PlannedCommand

_ANSWER_S = 30.0


class ActorSystem(Audit):
    """A running engine: one site, its store, its assets. A context manager.

    Every method may be called from any thread but a subscriber's handler may not wait in one.
    Times are aware; powers are kilowatts.
    """

    def __init__(self, running: Running) -> None:
        """Hold a running engine; `open` makes one."""
        self._engine = running

    @classmethod
    def open(  # noqa: PLR0913 - the contract's signature; all but the first are optional
        cls,
        site: str | PathLike[str] | Site,
        *,
        clocks: Clocks | None = None,
        runtime: Callable[[Clocks], Runtime] | None = None,
        ids: Ids | None = None,
        adapters: AdapterRegistry | None = None,
        take_over: bool = False,
        start: PlanStart | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> Self:
        """Open a site: rebuild every asset from the store, then connect to the devices.

        ``take_over`` passes over another engine's lock where the store allows it; a SQLite file
        never does. ``start`` says where and how fast the plan clock starts on an empty store.
        ``clocks`` are read in place of the machine's, and ``runtime`` makes what the engine runs on
        from them: threads, unless a test takes their place.
        ``on_event`` is subscribed to all events before the first device is connected, so that it
        hears of them from the start.

        Raises:
            SiteRefused: the site file has problems.
            StoreInUse: another engine has the store.
            StoreCorrupt: a row cannot be read.
        """
        injected = (clocks, runtime or Runtime.threads, ids or Ids(), adapters)
        return cls(
            Running.open(site, injected, start or PlanStart(), on_event, take_over=take_over)
        )

    # --- schedules

    def submit(  # noqa: PLR0913 - the contract's signature
        self,
        schedule: object,
        *,
        timezone: str | None = None,
        asset_map: Mapping[str, str] | None = None,
        limits: Literal["refuse", "clamp"] = "refuse",
        schedule_id: str | None = None,
        slot: timedelta | None = None,
    ) -> Receipt:
        """Take a schedule, whole or not at all; return once it is committed.

        Args:
            schedule: a frame of slots by columns in kW with an aware index, or an object that has
                one as ``.schedule``.
            timezone: the IANA zone of a naive index.
            asset_map: vehicle id, ``battery`` or battery id → asset id.
            limits: what becomes of a power above its asset's limit.
            schedule_id: makes a repeated submission harmless.
            slot: the length of the only slot of a one-row schedule.

        Raises:
            ScheduleRefused: with every problem; nothing was recorded.
            EngineClosed: the system is closed.
        """
        intent = Intent(timezone, asset_map, limits, slot)
        read = partial(self._read, schedule, intent, schedule_id)
        now_us = self._running.clocks.now().plan_us
        reply: Future[object] = Future()
        submitted = submitted_of(read, now_us, schedule_id, reply.set_result)
        self._running.assembly.dispatcher(submitted)
        answer = self._result(reply)
        if not isinstance(answer, Receipt):
            raise TypeError(type(answer).__name__)
        self._running.schedule_accepted()
        return answer

    def plan(  # noqa: PLR0913 - the contract's signature
        self,
        schedule: object,
        *,
        timezone: str | None = None,
        asset_map: Mapping[str, str] | None = None,
        limits: Literal["refuse", "clamp"] = "refuse",
        schedule_id: str | None = None,
        slot: timedelta | None = None,
    ) -> "tuple[PlannedCommand, ...]":
        """Return what `submit` would send, payloads included; records nothing, sends nothing.

        Raises:
            ScheduleRefused: with every problem.
        """
        from actors.dry_run import planned  # noqa: PLC0415 - only a dry run needs it

        intent = Intent(timezone, asset_map, limits, slot)
        intake = self._read(schedule, intent, schedule_id, self._running.clocks.now().plan_us)
        told = {AssetId(name): view.capabilities for name, view in self.state().items()}
        return planned(intake, self._running.site, self._running.adapters, told)

    def _read(
        self, schedule: object, intent: Intent, schedule_id: str | None, now_us: int | None
    ) -> Intake:
        from engine.frames import read_schedule  # noqa: PLC0415 - pandas is imported lazily

        by_hand.check_schedule_id(schedule_id)
        rules = {one.rules.asset_id: one.rules for one in self._running.site.assets}
        load = self._running.site.has_import_limit
        return read_schedule(schedule, assets=rules, intent=intent, now_us=now_us, load=load)

    # --- commands and overrides

    def send(  # noqa: PLR0913 - the contract's signature
        self,
        asset: str,
        type: str,
        *,
        kw: float | None = None,
        by: str,
        reason: str,
        operative: bool = True,
    ) -> CommandHandle:
        """Send one command by hand; a rate is an override until the next planned change.

        That is one hour at most. ``operative`` is for CHANGE_AVAILABILITY. While an asset is
        paused its only rate is 0: that is sent, and the pause goes on.

        Raises:
            UnknownAsset: no such asset.
            CommandRefused: the asset cannot take it, or is paused.
        """
        rules = self._rules(asset)
        wanted = by_hand.command_type(type)
        target = by_hand.target_of(rules, wanted, kw)
        if target is None:
            arguments = by_hand.command_arguments(wanted, operative)
            return self._request(
                asset,
                lambda reply: message.CommandRequested(wanted, by, reason, arguments, reply),
            )
        return self._request(
            asset,
            lambda reply: message.OverrideRequested(
                target, wanted, "next_change", None, by, reason, "operator", reply
            ),
        )

    def call(
        self,
        asset: str,
        action: str,
        payload: Mapping[str, object],
        *,
        by: str = "host",
        reason: str = "call",
    ) -> CommandHandle:
        """Send any action of the asset's protocol; recorded like a command, never repeated.

        Raises:
            UnknownAsset: no such asset.
            CommandRefused: the payload is nothing that JSON can say.
        """
        self._rules(asset)
        arguments = by_hand.call_arguments(action, payload)
        return self._request(
            asset,
            lambda reply: message.CommandRequested(CommandType.CALL, by, reason, arguments, reply),
        )

    def override(
        self,
        asset: str,
        kw: float,
        *,
        until: datetime | Literal["unplugged", "resume"],
        by: str,
        reason: str,
    ) -> CommandHandle:
        """Outrank the plan: ``kw`` (a battery's signed, charging positive) until it ends.

        Raises:
            UnknownAsset: no such asset.
            CommandRefused: above the asset's limit, an end that is past, or above 0 while paused;
                above 0 without another end than `resume`.
        """
        rules = self._rules(asset)
        target = by_hand.signed_target(rules, kw)
        if until == "resume" and kw:
            raise CommandRefused("an override that ends by resume is a pause, of 0 kW")
        wanted = (
            CommandType.SET_DISCHARGE_RATE if target.discharge_w else CommandType.SET_CHARGE_RATE
        )
        ends, until_us = by_hand.override_end(until)
        if until_us is not None and until_us <= self._running.clocks.now().plan_us:
            raise CommandRefused("the override would have ended already")
        return self._request(
            asset,
            lambda reply: message.OverrideRequested(
                target, wanted, ends, until_us, by, reason, "override", reply
            ),
        )

    def pause(self, asset: str, *, by: str, reason: str) -> CommandHandle:
        """Hold an asset at 0 until `resume`."""
        return self.override(asset, 0.0, until="resume", by=by, reason=reason)

    def resume(self, asset: str, *, by: str, reason: str) -> None:
        """End a pause, and put an asset back to work that was given up after crashes.

        Raises:
            CommandRefused: the asset is neither.
        """
        self._ask(asset, lambda reply: message.OverrideCleared(by, reason, reply, "resume"))

    def clear_override(self, asset: str, *, by: str, reason: str) -> None:
        """End an override, whatever its end would have been; a pause ends only by `resume`.

        Raises:
            CommandRefused: there is none, or the asset is paused.
        """
        self._ask(asset, lambda reply: message.OverrideCleared(by, reason, reply))

    def cancel(self, command_id: str, *, by: str, reason: str) -> CommandRecord:
        """Cancel an open command that is not on the wire; return its record.

        Raises:
            UnknownCommand: no such command.
            CommandRefused: it is on the wire.
        """
        asset = self._running.reader.command(command_id).asset_id
        self._ask(
            asset,
            lambda reply: message.CancelRequested(CommandId(command_id), by, reason, reply),
        )
        return self._running.reader.command(command_id)

    # --- what happened

    def subscribe(self, handler: Callable[[Event], None], *types: str) -> Subscription:
        """Call a handler for each event committed from now on; without types, for all.

        Raises:
            UsageError: it cannot be called, or there is no such type.
        """
        try:
            return self._running.runtime.bus.subscribe(handler, *types)
        except (TypeError, ValueError) as error:
            raise UsageError(str(error)) from None

    def state(self) -> Mapping[str, AssetView]:
        """Return every asset as it is known now."""
        now = self._running.clocks.now()
        board = self._running.assembly.board
        return {asset: view_of(board[asset], now) for asset in self._running.assembly.tell}

    def history_since_open(self) -> History:
        """Return the commands that were open when this engine opened, or came since."""
        return self._running.history_since_open()

    def check_fence(self) -> None:
        """Return if the store is still this engine's.

        Raises:
            Fenced: another engine took it over; names it.
        """
        reason = self._running.fence.reason
        if reason is not None:
            raise Fenced(reason)

    def is_done(self) -> bool:
        """Return whether every horizon has passed and every command is over."""
        return self._running.is_done()

    @property
    def ocpp_url(self) -> str | None:
        """Where charge points connect, with the real port; null without an OCPP listener."""
        return self._running.ocpp_url

    @property
    def site(self) -> Site:
        """The site file's content."""
        return self._running.site

    @property
    def clocks(self) -> Clocks:
        """Both clocks."""
        return self._running.clocks

    @property
    def assembly(self) -> Assembly:
        """The running actors, for the command line and for tests."""
        return self._running.assembly

    @property
    def journal(self) -> Journal:
        """The journal, for benches and tests."""
        return self._running.journal

    # --- the end

    def close(self, timeout: float = 10) -> None:
        """Stop in good order within ``timeout`` seconds; a second call does nothing."""
        self._engine.close(timeout)

    def __enter__(self) -> Self:
        """Return the open system."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the system."""
        self.close()

    # --- inside

    @property
    def _reader(self) -> Reader:
        return self._running.reader

    @property
    def _running(self) -> Running:
        if self._engine.closed:
            raise EngineClosed("the system is closed")
        return self._engine

    def _rules(self, asset: str) -> AssetRules:
        return self._running.site.asset(asset).rules

    def _ask(self, asset: str, make: Callable[[message.Reply], message.Asked]) -> object:
        self._rules(asset)
        reply: Future[object] = Future()
        asked = make(reply.set_result)
        by_hand.check_words(asked.by, asked.reason)
        self._running.assembly.tell[AssetId(asset)](asked)
        return self._result(reply)

    def _result(self, reply: "Future[object]") -> object:
        """Return what is answered, or raise it."""
        answer: object = None
        with contextlib.suppress(TimeoutError):
            answer = self._running.runtime.result(reply, _ANSWER_S)
        if answer is None:
            raise EngineClosed("the engine gave no answer: the store may be unavailable")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _request(self, asset: str, make: Callable[[message.Reply], message.Asked]) -> CommandHandle:
        runtime = self._running.runtime
        watch = Watch(runtime.bus, asset, runtime.result)
        try:
            command_id = self._ask(asset, make)
        except SetpointError:
            watch.close()
            raise
        return CommandHandle(str(command_id), watch, self._running.reader.command)
