"""The asset actor: decide, append, committed, evolve, effects; nothing is decided here."""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import attrs
from msgspec.structs import replace

from actors.actor import ActorPool, PoolActor
from actors.clock import Clocks
from actors.journal import Append, Committed, Journal, Refused
from actors.snapshots import Snapshots
from actors.supervisor import CrashLedger, Verdict
from actors.wakeups import Wakeups
from engine.adapters.base import Payload
from engine.asset import (
    AssetState,
    Wake,
    decided,
    next_wake,
    noted,
    performed,
    settled,
)
from engine.asset import effects as effect
from engine.asset import messages as message
from engine.errors import EngineClosed, StoreCorrupt
from engine.types import AssetId, Instant

if TYPE_CHECKING:
    from engine.asset.draft import Draft

logger = logging.getLogger("setpoint")

STASH_LIMIT = 1_000
"""Messages that an asset keeps while its events are being committed; further signs of life go."""


_WOKE = message.Woke()
_UNARMED = Wake(None, None)


class LinkPort(Protocol):
    """What an asset hands its attempts to; never blocks, answers by messages."""

    def send(self, asset_id: AssetId, attempt_id: str, payload: Payload, timeout_s: float) -> None:
        """Send an attempt; the outcome comes as AttemptAnswered."""

    def ask(self, asset_id: AssetId, attempt_id: str, payload: Payload, timeout_s: float) -> None:
        """Ask the device; the answer comes as QuestionAnswered."""

    def keep(self, asset_id: AssetId, keep: effect.KeepAlive) -> None:
        """Repeat confirmed frames, or stop doing so."""

    def request_slot(self, asset_id: AssetId) -> None:
        """Queue for a shared link; the turn comes as SlotGranted."""

    def release_slot(self, asset_id: AssetId) -> None:
        """End the turn."""


@attrs.frozen
class Services:
    """What every asset actor shares with the others of its system."""

    clocks: Clocks
    journal: Journal
    wakeups: Wakeups
    links: LinkPort
    board: dict[AssetId, AssetState]
    ledger: CrashLedger
    rebuild: Callable[[AssetId], AssetState]
    snapshots: Snapshots
    offer_taken: Callable[[AssetId, effect.OfferTaken], None]
    stopped: Callable[[AssetId], None]
    send_window_us: int = 1_000_000


class AssetActor(PoolActor):
    """One asset's state and everything that happens to it, one message at a time."""

    def __init__(self, pool: ActorPool, state: AssetState, services: Services) -> None:
        """Begin with a state rebuilt from the asset's stream."""
        super().__init__(pool)
        self._state = state
        self._services = services
        self._stash: deque[message.Message] = deque()
        self._in_flight: Draft | None = None
        self._lost = False
        self._over: str | None = None
        self._about: message.Message | None = None
        self._armed = _UNARMED
        self._snapshot_at = services.snapshots.due_at(state.asset_id)
        services.board[state.asset_id] = state

    # --- decide -> append -> committed -> evolve -> effects

    def on_receive(self, told: Any) -> None:  # noqa: ANN401 - the union is checked in decide
        """Handle a message; while events are being committed the others wait. A pool thread."""
        if type(told) is Committed:
            self._committed()
        elif type(told) is Refused:
            self._refused(told)
        elif self._in_flight is not None:
            self._keep(told)
        elif self._over is not None:
            self._decline(told, self._over)
        else:
            self._handle(told)

    def _handle(self, told: message.Message) -> None:
        now = self._services.clocks.now()
        state = noted(self._state, told, now)
        draft = decided(state, told, now)
        self._state = state
        if draft.events:
            self._in_flight, self._about = draft, told
            self._services.journal.append(
                Append(
                    state.asset_id,
                    state.version,
                    draft.events,
                    now,
                    self.hurry_first,
                    cause_of(told),
                )
            )
        else:
            self._perform(draft.effects, now)

    def _committed(self) -> None:
        if self._in_flight is None:
            return
        draft, self._in_flight = self._in_flight, None
        if self._lost:
            self._recover()
        else:
            self._state = draft.state
            self._perform(draft.effects, draft.now)
            if self._state.version >= self._snapshot_at:
                self._snapshot_at = self._services.snapshots.offer(self._state)
        while self._stash and self._in_flight is None:
            self._handle(self._stash.popleft())

    def _refused(self, refused: Refused) -> None:
        """The store belongs to somebody else now, or is closed: nothing more is decided."""
        self._over = refused.reason
        self._in_flight = None
        for told in (self._about, *self._stash):
            self._decline(told, refused.reason)
        self._stash.clear()
        logger.debug("%s decides nothing more: %s", self._state.asset_id, refused.reason)

    def _decline(self, told: object, reason: str) -> None:
        """Tell who waits for an answer that there will be none."""
        reply = getattr(told, "reply", None)
        if reply is not None:
            reply(EngineClosed(reason))

    def _keep(self, told: message.Message) -> None:
        if len(self._stash) >= STASH_LIMIT and isinstance(told, message.Woke | message.Observed):
            return
        self._stash.append(told)

    # --- effects

    def _perform(self, wanted: Sequence[effect.Effect], now: Instant) -> None:
        state = self._state
        for one in wanted:
            state = performed(state, one)
        self._state = state = settled(state)
        self._services.board[state.asset_id] = state
        for one in wanted:
            self._carry_out(one, now)
        self._arm(state, now)

    def _arm(self, state: AssetState, now: Instant) -> None:
        """Be woken when time alone may change something; what is past waits for the sweep."""
        wake = next_wake(state, now)
        if wake != self._armed:
            self._armed = wake
            self._services.wakeups.at(
                state.asset_id, self._wake, device_us=wake.device_us, plan_us=wake.plan_us
            )

    def _wake(self) -> None:
        """Be woken. The timer's thread."""
        self._armed = _UNARMED
        self.actor_ref.tell(_WOKE)

    def _carry_out(self, wanted: effect.Effect, now: Instant) -> None:  # noqa: C901 - one case per effect
        services, asset_id = self._services, self._state.asset_id
        match wanted:
            case effect.Send():
                payload = replace(
                    wanted.payload,
                    attempt_id=wanted.attempt_id,
                    begin_by_us=self._begin_by_us(wanted, now),
                )
                services.links.send(asset_id, wanted.attempt_id, payload, wanted.timeout_s)
            case effect.Ask():
                services.links.ask(asset_id, wanted.attempt_id, wanted.payload, wanted.timeout_s)
            case effect.RequestSlot():
                services.links.request_slot(asset_id)
            case effect.ReleaseSlot():
                services.links.release_slot(asset_id)
            case effect.KeepAlive():
                services.links.keep(asset_id, wanted)
            case effect.Respond():
                wanted.reply(wanted.value)
            case effect.OfferTaken():
                services.offer_taken(asset_id, wanted)
            case effect.Stopped():
                services.stopped(asset_id)

    def _begin_by_us(self, wanted: effect.Send, now: Instant) -> int:
        """The send window, or the command's expiry when that comes first (device clock)."""
        latest_us = now.device_us + self._services.send_window_us
        if wanted.expires_us is None:
            return latest_us
        expires_us = self._services.clocks.device_of_plan(wanted.expires_us)
        return latest_us if expires_us is None else min(latest_us, expires_us)

    # --- supervision

    def on_crash(self, told: object, exception: BaseException) -> None:
        """Drop the state and read it again, behind what is still being committed. A pool thread."""
        super().on_crash(told, exception)
        verdict = self._services.ledger.record(
            self._state.asset_id, told, self._services.clocks.device_us()
        )
        crashed = message.Crashed(
            type(told).__name__,
            type(exception).__name__,
            1,
            set_aside=verdict is Verdict.SET_ASIDE,
            gave_up=verdict is Verdict.GIVE_UP,
        )
        if self._in_flight is None:
            self._recover()
        else:
            self._lost = True
        if verdict is Verdict.RETRY and told is not None:
            self.again(told)
        self.again(crashed)

    def _recover(self) -> None:
        """Rebuild the state from the stream; what is beside the fold goes on.

        If a row cannot be read nothing more is decided.
        """
        self._lost = False
        outside = self._state.outside
        try:
            state = self._services.rebuild(self._state.asset_id)
        except StoreCorrupt as error:
            logger.error("%s is stopped: %s", self._state.asset_id, error)  # noqa: TRY400 - the row says it all
            state = AssetState(self._state.asset_id, rules=self._state.rules)
            outside = replace(outside, unreadable=str(error))
        self._state = state = replace(state, outside=outside)
        self._services.board[state.asset_id] = state


def cause_of(told: message.Message) -> str | None:
    """Return what a message's events name as their cause: a schedule, an attempt, or nothing."""
    match told:
        case message.AttemptAnswered() | message.QuestionAnswered():
            return told.attempt_id
        case message.PlanOffered():
            return told.ref.schedule_id
        case _:
            return None
