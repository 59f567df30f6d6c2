"""The asset actor: decide, append, committed, evolve, effects; nothing is decided here."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import attrs
from msgspec.structs import replace

from actors.actor import ActorPool, HandlerHung
from actors.appends import Append, Committed, Refused
from actors.asset_life import UNARMED, AssetLife, settled_loss, unsure_of
from actors.clock import Clocks
from actors.journal import Journal
from actors.journalled import JournalledActor, Life, Lost, Readable, failure
from actors.links.port import LinkPort
from actors.offering import Passed, PassedOver
from actors.snapshots import Snapshots
from actors.supervisor import CrashLedger, Verdict
from actors.wakeups import Wakeups
from engine.asset import (
    AssetState,
    decided,
    next_wake,
    noted,
    performed,
    settled,
)
from engine.asset import effects as effect
from engine.asset import messages as message
from engine.errors import EngineClosed, SetpointError, StoreCorrupt, StoreError
from engine.grants import Claim
from engine.types import AssetId, Instant

logger = logging.getLogger("setpoint")

_WOKE = message.Woke()


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
    passed: Passed
    claim: Callable[[AssetId, Claim], None]
    send_window_us: int = 1_000_000


class AssetActor(JournalledActor):
    """One asset's state and everything that happens to it, one message at a time."""

    def __init__(self, pool: ActorPool, state: AssetState, services: Services) -> None:
        """Begin with a state rebuilt from the asset's stream."""
        super().__init__(pool, state.asset_id, services)
        self._life = AssetLife(state)
        self._services = services
        self._over: str | None = None
        self._snapshot_at = services.snapshots.due_at(state.asset_id)
        services.board[state.asset_id] = state

    # --- decide -> append -> committed -> evolve -> effects

    def on_receive(self, told: Any) -> None:  # noqa: ANN401 - the union is checked in decide
        """Handle a message; while events are being committed the others wait. A pool thread."""
        life = self._life
        if type(told) is Committed:
            self._committed(life)
        elif type(told) is Refused:
            self._refused(life, told)
        elif type(told) is Readable:
            self._begin_again(life, told)
        elif life.draft is not None or life.lost:
            life.keep(told)
        elif self._over is not None:
            self._decline(told, EngineClosed(self._over))
        else:
            self._handle(life, told)
            if life.stash:
                self._go_on(life)

    def _handle(self, life: AssetLife, told: message.Message) -> None:
        now = self._services.clocks.now()
        passed = self._services.passed.pop(life.state.asset_id, None)
        if passed is not None:
            told = self._taking_note(life, passed, told, now)
        life.current = told
        state = noted(life.state, told, now)
        draft = decided(state, told, now)
        if life is not self._life:
            return  # it was taken away meanwhile: here is a door
        life.state = state
        if draft.events:
            life.draft, life.about = draft, told
            self._services.journal.append(
                Append(
                    state.asset_id,
                    state.version,
                    draft.events,
                    now,
                    self.hurry_first,
                    cause_of(told),
                    writer=life,
                )
            )
        else:
            self._perform(life, draft.effects, now)

    def _taking_note(
        self, life: AssetLife, passed: PassedOver, told: message.Message, now: Instant
    ) -> message.Message:
        """Take note of a schedule that changes nothing here; if it may by now, it comes first."""
        offer = passed.offer
        if life.state.version == passed.version:
            life.state = noted(life.state, offer, now)
            return told
        if life.state.outside.sequence >= offer.ref.sequence:
            return told
        # It is ready until it has been decided on, unless a newer one has taken its place.
        self._services.passed.setdefault(life.state.asset_id, passed)
        if told is not offer:
            life.stash.insert(0, told)
        return offer

    def _committed(self, life: AssetLife) -> None:
        draft = life.draft
        if draft is None:
            return  # of a life before
        life.draft = life.current = None
        life.state = draft.state
        self._perform(life, draft.effects, draft.now)
        if life.state.version >= self._snapshot_at:
            self._snapshot_at = self._services.snapshots.offer(life.state)
        self._go_on(life)

    def _go_on(self, life: AssetLife) -> None:
        """Handle what was kept, until something is to be committed."""
        while life.stash and life.draft is None and life is self._life:
            self._handle(life, cast("message.Message", life.stash.pop(0)))
        if life.missed and life.draft is None and life is self._life:
            life.missed = False
            self._services.links.tell_again(life.state.asset_id)

    def _refused(self, life: AssetLife, refused: Refused) -> None:
        """The store belongs to somebody else now, or is closed: nothing more is decided."""
        about, life.draft = life.about, None
        if not refused.for_good:
            life.current = about
            raise StoreError(refused.reason)
        self._over = refused.reason
        self._decline(about, EngineClosed(refused.reason))
        self._decline_all(life, refused.reason)
        logger.debug("%s decides nothing more: %s", life.state.asset_id, refused.reason)

    def _decline_all(self, life: AssetLife, reason: str) -> None:
        """Tell all who wait, as nothing more is decided."""
        for told in (*(lost.told for lost in life.lost), *life.stash):
            self._decline(told, EngineClosed(reason))
        life.lost = ()
        life.stash.clear()

    def _decline(self, told: object, error: SetpointError) -> None:
        """Tell who waits for an answer, if anybody does, that there will be none."""
        try:
            getattr(told, "reply", _to_nobody)(error)
        except Exception:
            logger.exception("%s could not be told", type(told).__name__)

    # --- effects

    def _perform(self, life: AssetLife, wanted: Sequence[effect.Effect], now: Instant) -> None:
        life.owed, life.done = wanted, 0
        state = life.state
        for one in wanted:
            state = performed(state, one)
        state = settled(state)
        if life is not self._life:
            return
        life.state = self._services.board[state.asset_id] = state
        for one in wanted:
            self._carry_out(life, one, now)
            life.done += 1
        life.owed = ()
        self._arm(life, now)

    def _arm(self, life: AssetLife, now: Instant) -> None:
        """Be woken when time alone may change something; what is past waits for the sweep."""
        wake = next_wake(life.state, now)
        if wake != life.armed and life is self._life:
            life.armed = wake
            self._services.wakeups.at(
                life.state.asset_id, self._wake, device_us=wake.device_us, plan_us=wake.plan_us
            )

    def _wake(self) -> None:
        """Be woken. The timer's thread."""
        self._life.armed = UNARMED
        self.actor_ref.tell(_WOKE)

    def _carry_out(self, life: AssetLife, wanted: effect.Effect, now: Instant) -> None:  # noqa: C901 - one case per effect
        if life is not self._life:
            return
        services, asset_id = self._services, life.state.asset_id
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
            case effect.Hasten():
                services.links.hasten(asset_id)
            case effect.KeepAlive():
                services.links.keep(asset_id, wanted)
            case effect.Respond():
                wanted.reply(wanted.value)
            case effect.OfferTaken():
                services.offer_taken(asset_id, wanted)
            case effect.Stopped():
                services.stopped(asset_id)
            case effect.Claimed():
                services.claim(asset_id, wanted.claim)
            case effect.BackToWork():
                services.ledger.clear(asset_id)
                self.lane = self.home_lane

    def _begin_by_us(self, wanted: effect.Send, now: Instant) -> int:
        """The send window, or the command's expiry when that comes first (device clock)."""
        latest_us = now.device_us + self._services.send_window_us
        if wanted.expires_us is None:
            return latest_us
        expires_us = self._services.clocks.device_of_plan(wanted.expires_us)
        return latest_us if expires_us is None else min(latest_us, expires_us)

    # --- supervision

    def _culprit(self, told: object) -> object:
        """What the journal says is not to blame: it is what was being handled then."""
        return self._life.current if isinstance(told, Committed | Refused | Readable) else told

    def _verdict(self, culprit: object, exception: BaseException, device_us: int) -> Verdict:
        """Once given up nothing is tried twice, and nothing is counted."""
        if self._life.state.device.failed:
            return Verdict.SET_ASIDE
        return super()._verdict(culprit, exception, device_us)

    def _begin_life(self, lost: Lost) -> tuple[Life, Life]:
        """What an effect hung in is not done again, unless it is an attempt: that is unknown."""
        before = self._life
        life = AssetLife(before.state)
        life.missed = before.missed
        owed = tuple(before.owed[before.done :])
        if lost.error == HandlerHung.__name__ and owed and not isinstance(owed[0], effect.Send):
            owed = owed[1:]
        draft, about = before.draft, before.about
        life.follow(before, attrs.evolve(lost, draft=draft, about=about, owed=owed))
        self._life = life
        return before, life

    def _begin_again(self, life: AssetLife, readable: Readable) -> None:
        """Read the state, and go on where the lives before had stopped. A pool thread."""
        life.current = None
        if self._over is not None:
            self._decline_all(life, self._over)
        if not self.read_anew(life, readable, lambda: self._read(life)):
            return
        lost, life.lost = [settled_loss(life, each) for each in life.lost], ()
        for each in reversed(lost):
            life.stash[:0] = self._what_follows(life, each)
        for each in lost:
            self._settle(life, each)
        self._go_on(life)
        if not any(each.verdict is Verdict.GIVE_UP for each in lost):
            self.lane = self.home_lane

    def _read(self, life: AssetLife) -> None:
        """Take the state by the stream; what is beside the fold goes on.

        If a row cannot be read nothing more is decided. A turn that somebody else wants is given
        back, and what was asked of the device is asked again.
        """
        asset_id, outside = life.state.asset_id, life.state.outside
        try:
            state = self._services.rebuild(asset_id)
        except StoreCorrupt as error:
            logger.error("%s is stopped: %s", asset_id, error)  # noqa: TRY400 - the row says it all
            state = AssetState(asset_id, rules=life.state.rules)
            outside = replace(outside, unreadable=str(error))
        if outside.shared_slot or outside.slot_wanted or outside.slot != "granted":
            self._services.links.release_slot(asset_id)
            outside = replace(outside, slot="idle", slot_wanted=False)
        outside = replace(outside, asking=None, asking_until_us=None, claimed=None)
        life.state = replace(state, outside=outside)
        if life is self._life:
            self._services.board[asset_id] = life.state

    def _what_follows(self, life: AssetLife, lost: Lost) -> Iterator[message.Message]:
        """Yield what is to be handled first: the crash goes on record, then it is tried again."""
        unsure = unsure_of(lost)
        if not life.state.device.failed:
            yield message.Crashed(
                lost.name,
                lost.error,
                set_aside=lost.told is not None and not lost.again,
                gave_up=lost.verdict is Verdict.GIVE_UP,
                unsure=unsure,
            )
        if lost.again:
            yield cast("message.Message", lost.told)
        if unsure is not None:
            yield _WOKE

    def _settle(self, life: AssetLife, lost: Lost) -> None:
        """Carry out what is still owed; an attempt is not sent: it may have been.

        A claim is made anew.
        """
        now = self._services.clocks.now()
        if lost.told is not None and not lost.again:
            self._decline(lost.told, failure(lost))
        if isinstance(lost.told, message.SlotWanted) and not lost.again:
            life.state = noted(life.state, lost.told, now)
        if isinstance(lost.told, message.Stopping) and not lost.again:
            self._services.stopped(AssetId(self._name))
        if isinstance(lost.told, message.Observed) and lost.error == HandlerHung.__name__:
            self._services.links.tell_again(AssetId(self._name))
        for one in cast("Sequence[effect.Effect]", lost.owed):
            if isinstance(one, effect.Send | effect.Claimed):
                continue
            try:
                self._carry_out(life, one, now)
            except Exception:
                logger.exception("%s of %s failed again", type(one).__name__, self._name)


def _to_nobody(_: SetpointError) -> None:
    """Nobody waits for an answer."""


def cause_of(told: message.Message) -> str | None:
    """Return what a message's events name as their cause: a schedule, an attempt, or nothing."""
    match told:
        case message.Woke():
            return None
        case message.AttemptAnswered() | message.QuestionAnswered():
            return told.attempt_id
        case message.PlanOffered():
            return told.ref.schedule_id
        case _:
            return None
