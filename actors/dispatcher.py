"""The dispatcher actor: accepts schedules whole and offers each asset its plan until it took it."""

import logging
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import InvalidStateError
from typing import Final, cast

import attrs

from actors.accepted import Accepted, encode_accepted, load_of, same_load
from actors.actor import ActorPool
from actors.appends import Append, Committed, Refused
from actors.journalled import JournalledActor, Life, Lost, Readable, Supervised, failure
from actors.offering import InFlight, Passed
from actors.receipts import Submitted, unchanged
from actors.site import crashed
from actors.snapshots import Snapshots
from engine import events
from engine.asset import AssetState
from engine.asset import effects as effect
from engine.asset import messages as message
from engine.errors import EngineClosed, HandlingFailed, Problem, ScheduleRefused, StoreError
from engine.site.load import Loads
from engine.types import AssetId, ScheduleId

logger = logging.getLogger("setpoint")

_KEEP_EVERY: Final = 16
"""How many schedules are accepted from one snapshot of them to the next."""


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


class DispatcherLife(Life):
    """What the dispatcher's handlers change.

    ``waiting`` are submissions, in order; ``open`` has the offers that were not answered yet.
    """

    __slots__ = ("digests", "in_flight", "loads", "offers", "open", "sequence", "waiting")

    def __init__(self, accepted: Accepted) -> None:
        """Begin with what was accepted before."""
        super().__init__()
        self.waiting: deque[Submitted] = deque()
        self.in_flight: InFlight | None = None
        self.open: dict[AssetId, int] = {}
        self.read(accepted)

    def read(self, accepted: Accepted) -> None:
        """Know what is accepted; every asset has to answer its newest offer again."""
        self.sequence = accepted.sequence
        self.digests = dict(accepted.digests)
        self.offers = dict(accepted.offers)
        self.loads = accepted.loads
        self.open = {asset_id: one.ref.sequence for asset_id, one in self.offers.items()}


@attrs.frozen
class Office:
    """What the dispatcher works with.

    ``board`` has every asset's state, read only; ``passed`` is what they have not taken note of.
    ``rebuild`` reads what is accepted again, ``note`` puts an event on the site's record, and
    ``loaded`` hears what is in force of the base load.
    """

    supervised: Supervised
    snapshots: Snapshots
    board: Mapping[AssetId, AssetState]
    passed: Passed
    rebuild: Callable[[], Accepted]
    note: Callable[[events.SiteEvent], None]
    loaded: Callable[[Loads], None]


class DispatcherActor(JournalledActor):
    """Turns accepted schedules into offers."""

    def __init__(self, pool: ActorPool, accepted: Accepted, office: Office) -> None:
        """Begin with what was accepted before."""
        super().__init__(pool, "dispatcher", office.supervised)
        self._office = office
        self._life = DispatcherLife(accepted)
        self._tell: Mapping[AssetId, Callable[[object], None]] = {}
        self._over: str | None = None

    def on_receive(self, told: object) -> None:
        """Take a submission, an asset's answer or the sweep. A pool thread."""
        life = self._life
        match told:
            case Committed():
                self._committed(life)
            case Refused():
                self._refused(life, told)
            case Readable():
                self._begin_again(life, told)
            case Swept() if life.lost:
                return
            case _ if life.lost:
                life.stash.append(told)
            case _:
                self._told(life, told)

    def _told(self, life: DispatcherLife, told: object) -> None:
        match told:
            case Submitted():
                self._submitted(life, told)
            case Taken():
                if life.open.get(told.asset_id) == told.answer.sequence:
                    del life.open[told.asset_id]
            case Assets():
                self._introduced(life, told)
            case Swept():
                self._sweep(life)
            case Closing():
                self._keep(life)
            case _:
                raise TypeError(type(told).__name__)

    # --- submitting

    def _submitted(self, life: DispatcherLife, submitted: Submitted) -> None:
        if self._over is not None:
            submitted.reply(EngineClosed(self._over))
        elif self.is_given_up():
            why = "the dispatcher failed again and again: no schedule is taken for a minute"
            submitted.reply(HandlingFailed(why))
        else:
            life.waiting.append(submitted)
            self._submit_next(life)

    def _submit_next(self, life: DispatcherLife) -> None:
        while life.waiting and life.in_flight is None and life is self._life:
            submitted = life.waiting[0]
            problem = self._conflict(life, submitted)
            if problem is not None:
                submitted.reply(ScheduleRefused((problem,)))
            else:
                self._accept(life, submitted)
            life.waiting.popleft()

    def _conflict(self, life: DispatcherLife, submitted: Submitted) -> Problem | None:
        own_id = submitted.schedule_id
        known = None if own_id is None else life.digests.get(own_id)
        if known is None or known == submitted.intake.digest:
            return None
        return Problem(
            "schedule_id", f"{own_id} was accepted before with other content", value=own_id
        )

    def _accept(self, life: DispatcherLife, submitted: Submitted) -> None:
        now = self._supervision.clocks.now()
        if submitted.schedule_id in life.digests:
            submitted.reply(unchanged(submitted, submitted.schedule_id or "", now))
            return
        if submitted.over is not None:
            known = _known(life, submitted.intake.digest)
            submitted.reply(unchanged(submitted, known, now) if known else submitted.over)
            return
        event = _event(life, submitted)
        in_flight = InFlight.of(event, submitted, self._office.board, now)
        same = _same_as_before(life, in_flight)
        if same is not None:
            submitted.reply(unchanged(submitted, same, now))
            return
        life.in_flight = in_flight
        stream, reply = event.schedule_id, self.actor_ref.tell
        self._supervision.journal.append(
            Append(stream, 0, (event,), now, reply, correlation=stream, writer=life)
        )

    def _committed(self, life: DispatcherLife) -> None:
        in_flight = life.in_flight
        if in_flight is None:
            return
        event = in_flight.event
        life.sequence = event.sequence
        life.digests[event.schedule_id] = event.digest
        life.offers.update(in_flight.offers)
        self._hand_out(life, in_flight)
        self._take_load(life, event)
        life.in_flight = None
        in_flight.submitted.reply(in_flight.receipt)
        if life.sequence % _KEEP_EVERY == 0:
            self._keep(life)
        self._submit_next(life)

    def _take_load(self, life: DispatcherLife, event: events.ScheduleReceived) -> None:
        load = load_of(event)
        if load is not None:
            now = self._supervision.clocks.now()
            life.loads = life.loads.replaced(load).since(now.plan_us)
            self._office.loaded(life.loads)

    def _refused(self, life: DispatcherLife, refused: Refused) -> None:
        if not refused.for_good:
            raise StoreError(refused.reason)
        self._over = refused.reason
        waiting = [] if life.in_flight is None else [life.in_flight.submitted]
        waiting += life.waiting
        life.in_flight = None
        life.waiting.clear()
        for submitted in waiting:
            submitted.reply(EngineClosed(refused.reason))

    def _keep(self, life: DispatcherLife) -> None:
        """Have what is accepted stored as a snapshot."""
        row = encode_accepted(life.sequence, life.digests, life.offers, life.loads)
        if life is self._life:
            self._office.snapshots.offer_row(row)

    # --- offering

    def _introduced(self, life: DispatcherLife, assets: Assets) -> None:
        self._tell = assets.tell
        for asset_id, tell in assets.tell.items():
            offer = life.offers.get(asset_id)
            if offer is None:
                tell(message.NothingOffered())
            else:
                self._offer(life, asset_id, offer)

    def _offer(self, life: DispatcherLife, asset_id: AssetId, offer: message.PlanOffered) -> None:
        tell = self._tell.get(asset_id)
        if tell is not None and life is self._life:
            life.open[asset_id] = offer.ref.sequence
            tell(offer)

    def _hand_out(self, life: DispatcherLife, in_flight: InFlight) -> None:
        """Offer each asset its plan, and leave those alone for which nothing changes.

        They were looked at before the schedule was committed: it has to be so still, and an asset
        has to have taken what it was offered then.
        """
        board, still_open = self._office.board, life.open
        for asset_id, offer in in_flight.offers.items():
            same = in_flight.same.get(asset_id)
            if same is None or asset_id in still_open or board[asset_id].version != same.version:
                self._offer(life, asset_id, offer)
            elif life is self._life:
                self._office.passed[asset_id] = same

    def _sweep(self, life: DispatcherLife) -> None:
        for asset_id in tuple(life.open):
            self._offer(life, asset_id, life.offers[asset_id])
        for tell in self._tell.values():
            tell(message.Woke())

    # --- supervision

    def _culprit(self, told: object) -> object:
        """Return the submission at work, if there is one: else the message, or nothing."""
        life = self._life
        if life.in_flight is not None:
            return life.in_flight.submitted
        if life.waiting:
            return life.waiting[0]
        return None if isinstance(told, Committed | Refused | Readable) else told

    def _begin_life(self, lost: Lost) -> tuple[Life, Life]:
        before = self._life
        life = DispatcherLife(Accepted())
        life.waiting = before.waiting.copy()
        if life.waiting and life.waiting[0] is lost.told:
            life.waiting.popleft()
        life.follow(before, attrs.evolve(lost, draft=before.in_flight))
        self._life = life
        return before, life

    def _begin_again(self, life: DispatcherLife, readable: Readable) -> None:
        """Read what is accepted, and go on where the lives before had stopped. A pool thread."""
        if not self.read_anew(life, readable, lambda: life.read(self._office.rebuild())):
            return
        self._office.loaded(life.loads)
        lost, life.lost = life.lost, ()
        for one in reversed(lost):
            if self.is_worth_recording(one):
                self._office.note(crashed(self._name, one))
            self._take_up(life, one)
        kept, life.stash = life.stash, []
        for told in kept:
            self.actor_ref.tell(told)
        self._submit_next(life)

    def _take_up(self, life: DispatcherLife, lost: Lost) -> None:
        """Answer for what was at work, or try it again."""
        told, in_flight = lost.told, cast("InFlight | None", lost.draft)
        if not isinstance(told, Submitted):
            if lost.again:
                self.again(told)
        elif in_flight is not None and in_flight.event.schedule_id in life.digests:
            _answer(told, in_flight.receipt)
        elif lost.again:
            life.waiting.appendleft(told)
        else:
            _answer(told, failure(lost))


def _answer(submitted: Submitted, answer: object) -> None:
    """Answer a submission that a crash left open; it may have been answered."""
    try:
        submitted.reply(answer)
    except InvalidStateError:
        logger.debug("it was answered already")


def _event(life: DispatcherLife, submitted: Submitted) -> events.ScheduleReceived:
    intake = submitted.intake
    sequence = life.sequence + 1
    return events.ScheduleReceived(
        ScheduleId(submitted.schedule_id or _new_id(life, sequence)),
        sequence,
        intake.start_us,
        intake.horizon_us,
        intake.digest,
        intake.plans,
        intake.ignored_columns,
        tuple((one.row, one.column, one.from_kw, one.to_kw) for one in intake.clamped),
        intake.load,
    )


def _known(life: DispatcherLife, digest: bytes) -> str | None:
    """Return the newest schedule of this content, null if there is none."""
    return next((one for one in reversed(life.digests) if life.digests[one] == digest), None)


def _new_id(life: DispatcherLife, sequence: int) -> str:
    number = sequence
    while f"sch_{number}" in life.digests:
        number += 1
    return f"sch_{number}"


def _same_as_before(life: DispatcherLife, in_flight: InFlight) -> str | None:
    """Return the schedule in force, if this one says nothing that it does not say."""
    if len(in_flight.same) != len(in_flight.offers):
        return None
    before = {life.offers[asset_id].ref.schedule_id for asset_id in in_flight.offers}
    horizons = {life.offers[asset_id].horizon_us for asset_id in in_flight.offers}
    if len(before) != 1 or horizons != {in_flight.event.horizon_us}:
        return None
    if not same_load(life.loads, in_flight.event):
        return None
    return before.pop()
