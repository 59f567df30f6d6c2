"""The dispatcher actor: accepts schedules whole and offers each asset its plan until it took it."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final

import attrs

from actors.accepted import Accepted, encode_accepted, offers_of
from actors.actor import ActorPool, PoolActor
from actors.clock import Clocks
from actors.journal import Append, Committed, Journal, Refused
from actors.snapshots import Snapshots
from engine import events
from engine.asset import AssetState
from engine.asset import effects as effect
from engine.asset import messages as message
from engine.asset.preview import Preview, preview
from engine.errors import EngineClosed, Problem, ScheduleRefused
from engine.intake import Intake
from engine.types import AssetId, Instant, ScheduleId, from_us

_KEEP_EVERY: Final = 16
"""How many schedules are accepted from one snapshot of them to the next."""


@attrs.frozen
class Receipt:
    """What became of a submitted schedule.

    ``accepted_at`` is plan time, aware, UTC. ``changed_assets``, ``commands`` (new ones) and
    ``cancelled`` (planned ones that are replaced) count what the schedule changed; ``unchanged``
    says that it is what was in force already, and that nothing was recorded.
    """

    schedule_id: ScheduleId
    accepted_at: datetime
    assets: int
    changed_assets: int
    commands: int
    cancelled: int
    ignored_columns: tuple[str, ...] = ()
    clamped: tuple[tuple[str, str, float, float], ...] = ()
    unchanged: bool = False


@attrs.frozen
class Submitted:
    """A schedule that passed intake; ``reply`` gets its Receipt or an error."""

    intake: Intake
    schedule_id: str | None
    reply: Callable[[object], None] = attrs.field(eq=False, repr=False)


@attrs.frozen
class Taken:
    """An asset answered an offer."""

    asset_id: AssetId
    answer: effect.OfferTaken


@attrs.frozen
class Swept:
    """The sweep came round: every asset is evaluated again, open offers are repeated."""


@attrs.frozen
class Closing:
    """The engine is about to stop: what is accepted is kept for the next start."""


@attrs.frozen
class Assets:
    """The actors of all assets; each gets the newest offer that names it."""

    tell: Mapping[AssetId, Callable[[object], None]]


class DispatcherActor(PoolActor):
    """Turns accepted schedules into offers."""

    def __init__(
        self,
        pool: ActorPool,
        accepted: Accepted,
        board: Mapping[AssetId, AssetState],
        services: tuple[Journal, Clocks, Snapshots],
    ) -> None:
        """Begin with what was accepted before; ``board`` has every asset's state, read only."""
        super().__init__(pool)
        self._journal, self._clocks, self._snapshots = services
        self._sequence = accepted.sequence
        self._digests = dict(accepted.digests)
        self._offers = dict(accepted.offers)
        self._board = board
        self._tell: Mapping[AssetId, Callable[[object], None]] = {}
        self._open: dict[AssetId, int] = {}
        self._stash: deque[Submitted] = deque()
        self._in_flight: tuple[events.ScheduleReceived, Receipt, Submitted] | None = None

    def on_receive(self, told: object) -> None:
        """Take a submission, an asset's answer or the sweep. A pool thread."""
        match told:
            case Submitted():
                self._stash.append(told)
                self._submit_next()
            case Committed():
                self._committed()
            case Refused(reason=reason):
                self._refused(reason)
            case Taken():
                if self._open.get(told.asset_id) == told.answer.sequence:
                    del self._open[told.asset_id]
            case _:
                self._told(told)

    def _told(self, told: object) -> None:
        match told:
            case Assets():
                self._introduced(told)
            case Swept():
                self._sweep()
            case Closing():
                self._keep()
            case _:
                raise TypeError(type(told).__name__)

    # --- submitting

    def _submit_next(self) -> None:
        while self._stash and self._in_flight is None:
            submitted = self._stash.popleft()
            problem = self._conflict(submitted)
            if problem is not None:
                submitted.reply(ScheduleRefused((problem,)))
                continue
            self._accept(submitted)

    def _conflict(self, submitted: Submitted) -> Problem | None:
        own_id = submitted.schedule_id
        known = None if own_id is None else self._digests.get(own_id)
        if known is None or known == submitted.intake.digest:
            return None
        return Problem(
            "schedule_id", f"{own_id} was accepted before with other content", value=own_id
        )

    def _accept(self, submitted: Submitted) -> None:
        now = self._clocks.now()
        if submitted.schedule_id in self._digests:
            submitted.reply(_unchanged(submitted, submitted.schedule_id or "", now))
            return
        event = self._event(submitted)
        previews = self._previews(event, now)
        same = self._same_as_before(event, previews)
        if same is not None:
            submitted.reply(_unchanged(submitted, same, now))
            return
        receipt = _receipt(event, previews.values(), now)
        self._in_flight = (event, receipt, submitted)
        stream = event.schedule_id
        reply = self.actor_ref.tell
        self._journal.append(Append(stream, 0, (event,), now, reply, correlation=stream))

    def _event(self, submitted: Submitted) -> events.ScheduleReceived:
        intake = submitted.intake
        sequence = self._sequence + 1
        return events.ScheduleReceived(
            ScheduleId(submitted.schedule_id or self._new_id(sequence)),
            sequence,
            intake.start_us,
            intake.horizon_us,
            intake.digest,
            intake.plans,
            intake.ignored_columns,
            tuple((one.row, one.column, one.from_kw, one.to_kw) for one in intake.clamped),
        )

    def _new_id(self, sequence: int) -> str:
        number = sequence
        while f"sch_{number}" in self._digests:
            number += 1
        return f"sch_{number}"

    def _previews(self, event: events.ScheduleReceived, now: Instant) -> dict[AssetId, Preview]:
        return {
            asset_id: preview(self._board[asset_id], offer, now)
            for asset_id, offer in offers_of(event).items()
        }

    def _same_as_before(
        self, event: events.ScheduleReceived, previews: Mapping[AssetId, Preview]
    ) -> str | None:
        """Return the schedule in force, if this one says nothing that it does not say."""
        if any(one.changed for one in previews.values()):
            return None
        before = {self._offers[asset_id].ref.schedule_id for asset_id in previews}
        horizons = {self._offers[asset_id].horizon_us for asset_id in previews}
        if len(before) != 1 or horizons != {event.horizon_us}:
            return None
        return before.pop()

    def _committed(self) -> None:
        if self._in_flight is None:
            return
        event, receipt, submitted = self._in_flight
        self._in_flight = None
        self._sequence = event.sequence
        self._digests[event.schedule_id] = event.digest
        for asset_id, offer in offers_of(event).items():
            self._offers[asset_id] = offer
            self._offer(asset_id, offer)
        submitted.reply(receipt)
        if self._sequence % _KEEP_EVERY == 0:
            self._keep()
        self._submit_next()

    def _refused(self, reason: str) -> None:
        refused = [] if self._in_flight is None else [self._in_flight[2]]
        refused += self._stash
        self._in_flight = None
        self._stash.clear()
        for submitted in refused:
            submitted.reply(EngineClosed(reason))

    def _keep(self) -> None:
        """Have what is accepted stored as a snapshot."""
        self._snapshots.offer_row(encode_accepted(self._sequence, self._digests, self._offers))

    # --- offering

    def _introduced(self, assets: Assets) -> None:
        self._tell = assets.tell
        for asset_id, tell in assets.tell.items():
            offer = self._offers.get(asset_id)
            if offer is None:
                tell(message.NothingOffered())
            else:
                self._offer(asset_id, offer)

    def _offer(self, asset_id: AssetId, offer: message.PlanOffered) -> None:
        tell = self._tell.get(asset_id)
        if tell is not None:
            self._open[asset_id] = offer.ref.sequence
            tell(offer)

    def _sweep(self) -> None:
        for asset_id in tuple(self._open):
            self._offer(asset_id, self._offers[asset_id])
        for tell in self._tell.values():
            tell(message.Woke())


def _receipt(event: events.ScheduleReceived, previews: Iterable[Preview], now: Instant) -> Receipt:
    seen = tuple(previews)
    return Receipt(
        event.schedule_id,
        from_us(now.plan_us),
        len(event.plans),
        sum(one.changed for one in seen),
        sum(one.commands for one in seen),
        sum(one.cancelled for one in seen),
        event.ignored_columns,
        event.clamped,
    )


def _unchanged(submitted: Submitted, schedule_id: str, now: Instant) -> Receipt:
    intake = submitted.intake
    return Receipt(
        ScheduleId(schedule_id),
        from_us(now.plan_us),
        len(intake.plans),
        0,
        0,
        0,
        intake.ignored_columns,
        tuple((one.row, one.column, one.from_kw, one.to_kw) for one in intake.clamped),
        unchanged=True,
    )
