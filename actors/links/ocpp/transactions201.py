"""The charging transactions of one OCPP 2.0.1 station, as its TransactionEvents tell them.

Source: OCPP 2.0.1 edition 2, part 2, E (transactions).
"""

from collections import OrderedDict
from datetime import datetime
from typing import Any, Final

import attrs
from msgspec.structs import replace

from actors.links.ocpp.assets import Assets
from actors.links.ocpp.framing import Call
from actors.links.ocpp.freshness import Freshness
from actors.links.ocpp.manners import Manners
from actors.links.ocpp.owed import OwedAnswer
from actors.links.ocpp.session import Session
from engine.adapters.base import (
    ChargingReported,
    Observation,
    PowerMeasured,
    TransactionChanged,
    Unreadable,
)
from engine.adapters.ocpp201_reports import charging_of, kept_id, part
from engine.adapters.samples import measured, metered_wh, moment

REMEMBERED: Final = 64
"""Transactions whose EVSE and newest number are known; the one not heard of for longest goes."""
_TEXT: Final = 50
_OCCUPIED: Final = "occupied"
_JUMP: Final = 10**6
"""Events that no transaction has: a number so far beyond the newest is none."""


@attrs.frozen
class _Event:
    """What an event says of now: how the vehicle charges, and what it takes."""

    seen: ChargingReported
    power: PowerMeasured | None
    told_at: object


@attrs.define
class _Known:
    """What is known of one transaction.

    Where it is, whether that was not said and is only assumed, the number of its newest event,
    whether it was told of, whether its start was heard as it happened, whether it is over, and
    when it ended. ``doubtful`` is its newest event, if that is history by its time alone.
    """

    evse: int | None = None
    is_assumed: bool = False
    newest: int = -1
    is_told: bool = False
    is_new: bool = False
    is_over: bool = False
    ended_at: datetime | None = None
    doubtful: _Event | None = None

    def begin_again(self, at: datetime | None) -> None:
        """Take a start after the end for that of another one: some stations count from 1 again."""
        if self.ended_at is not None and at is not None and at > self.ended_at:
            self.newest, self.is_told, self.ended_at = -1, False, None
            self.is_over = False

    def end(self, at: datetime | None) -> None:
        """Note that it is over."""
        self.ended_at, self.is_over = at, True

    def numbered(self, seen: ChargingReported) -> ChargingReported:
        """Return an event without an absurd number, which would make all later ones old."""
        if seen.seq_no - self.newest <= _JUMP:
            return seen
        return replace(seen, seq_no=max(self.newest, 0))


class Transactions201:
    """Which transaction runs on which EVSE, beside what is committed. The loop thread."""

    def __init__(self, manners: Manners, freshness: Freshness, assets: Assets) -> None:
        """Begin with none."""
        self._manners = manners
        self._freshness = freshness
        self._assets = assets
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._occupied: dict[int, set[int]] = {}
        self._elsewhere = False
        """Whether it has told of an EVSE that is no asset."""
        freshness.whenever_known(self._judge_again)

    def forget(self) -> None:
        """A boot ends whatever was running."""
        self._known.clear()
        self._occupied.clear()

    def told_status(self, evse: int, connector_id: int, status: str) -> None:
        """Note whether a connector of an EVSE is occupied; who is free has no transaction."""
        self._hear_of(evse)
        taken = self._occupied.setdefault(evse, set())
        if status.lower() == _OCCUPIED:
            taken.add(connector_id)
        else:
            taken.discard(connector_id)
        if taken and len(self._occupied) <= REMEMBERED:
            return
        del self._occupied[evse]
        for known in self._known.values():
            known.is_over = known.is_over or known.evse == evse

    def happened(self, session: Session, call: Call) -> None:
        """TransactionEvent [E01-E15]: a start and an end are answered once they are committed.

        What was kept while there was no socket, or comes after something newer, is history.
        """
        payload = call.payload
        seen = charging_of(payload)
        known = self._of(seen.transaction_id, part(payload, "evse").get("id"))
        at = moment(payload.get("timestamp"))
        if seen.phase == "started":
            known.begin_again(at)
        elif seen.phase == "ended":
            known.end(at)
        event = _Event(known.numbered(seen), measured(payload), payload.get("timestamp"))
        is_history = self._is_history(known, event, is_offline=payload.get("offline") is True)
        if not is_history:
            self._place(known, event.seen)
        answer = OwedAnswer(session, call, lambda _: self._conf(payload))
        if seen.phase == "updated":
            answer.now("")
            if not is_history:
                self._goes_on(known, event.seen)
        else:
            changed = _changed(call, event.seen, answer, is_history=is_history)
            changed = attrs.evolve(changed, is_assumed=known.is_assumed)
            is_told = self._tell(known, changed)
            is_running = seen.phase == "started" and (known.is_told or not is_history)
            known.is_told = is_told and is_running
            if not is_told:
                answer.now("")
        if not is_history:
            self._tell_state(known, event)

    def _is_history(self, known: _Known, event: _Event, *, is_offline: bool) -> bool:
        """Return whether an event was kept or comes late; by its time alone only for now."""
        is_kept = is_offline or event.seen.seq_no < known.newest
        is_old = self._freshness.is_old(event.told_at)
        known.newest = max(known.newest, event.seen.seq_no)
        if is_kept:
            return True
        known.is_new = known.is_new or event.seen.phase == "started"
        known.doubtful = event if is_old else None
        return is_old

    def _judge_again(self) -> None:
        """More is known of the clock: what looked old may have been told by a slow one."""
        for known in tuple(self._known.values()):
            event = known.doubtful
            if event is None or self._freshness.is_old(event.told_at):
                continue
            known.doubtful = None
            if event.seen.seq_no < known.newest:
                continue
            self._place(known, event.seen)
            if event.seen.phase != "ended":
                self._goes_on(known, event.seen)
            self._tell_state(known, event)

    def _of(self, transaction_id: str, evse: object) -> _Known:
        """Return what is known of a transaction; only its first event need name the EVSE."""
        known = self._known.setdefault(transaction_id, _Known())
        self._known.move_to_end(transaction_id)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        if isinstance(evse, int) and evse > 0:
            self._hear_of(evse)
            self._settle(transaction_id, known, evse)
        elif known.evse is None and len(self._assets.connectors) == 1 and not self._elsewhere:
            (known.evse,) = self._assets.connectors
        return known

    def _hear_of(self, evse: int) -> None:
        self._elsewhere = self._elsewhere or evse not in self._assets.connectors

    def _settle(self, transaction_id: str, known: _Known, evse: int) -> None:
        """Note where a transaction is, as is said now; what was assumed elsewhere is over there."""
        if known.is_assumed and known.evse != evse:
            elsewhere = TransactionChanged("ended", transaction_id, reason="it is at another EVSE")
            self._tell(known, elsewhere)
            known.is_told = False
        known.evse, known.is_assumed = evse, False

    def _place(self, known: _Known, seen: ChargingReported) -> None:
        """Assume where a new transaction is whose EVSE is not said, if it can be in one place only.

        That is the EVSE that is occupied and has no other. Without a vehicle it need not have one.
        """
        if known.evse is not None or known.is_over or not known.is_new or seen.charging == "Idle":
            return
        taken = {one.evse for one in self._known.values() if not one.is_over}
        free = [evse for evse in self._occupied if evse not in taken]
        if len(free) == 1:
            known.evse, known.is_assumed = free[0], True
        elif seen.phase == "started" and seen.charging is not None:
            raw = f"TransactionEvent {seen.transaction_id}: it starts, and names no EVSE"
            self._assets.tell_seldom(Unreadable(raw))

    def _goes_on(self, known: _Known, seen: ChargingReported) -> None:
        """Adopt a transaction that runs and was not told of; where it is must be known for that."""
        if known.evse is not None and not known.is_told:
            known.is_told = True
            found = TransactionChanged("found", seen.transaction_id, is_assumed=known.is_assumed)
            self._tell(known, found)

    def _tell(self, known: _Known, observation: Observation) -> bool:
        """Tell the asset of an EVSE, all where it is not known; return whether there is one."""
        if known.evse is not None:
            return self._assets.tell(known.evse, observation)
        if isinstance(observation, TransactionChanged) and observation.kind != "ended":
            return False
        self._assets.tell_all(observation)
        return bool(self._assets.connectors)

    def _tell_state(self, known: _Known, event: _Event) -> None:
        """Tell how the vehicle charges, and what it takes.

        Where its EVSE was not said, as after a restart of ours, whose transaction it is knows it.
        """
        seen, found = event.seen, event.power
        told: list[Observation] = [seen]
        if known.evse is None or known.is_assumed:
            told = [replace(seen, to_all=True)]
            found = found and replace(found, transaction_id=seen.transaction_id)
        if found is not None:
            told.append(found)
        for one in told:
            if known.evse is None:
                self._assets.tell_all(one)
            else:
                self._assets.tell(known.evse, one)

    def _conf(self, payload: dict[str, Any]) -> dict[str, object]:
        """Return the answer; what a token may is told where one is given."""
        token = payload.get("idToken")
        if not isinstance(token, dict):
            return {}
        return {"idTokenInfo": self._manners.tag_info(token.get("idToken"))}


def _changed(
    call: Call, seen: ChargingReported, answer: OwedAnswer, *, is_history: bool
) -> TransactionChanged:
    """Return the start or the end that an event tells of; the same one said again has its key."""
    payload = call.payload
    reason = part(payload, "transactionInfo").get("stoppedReason", "Local")
    is_start = seen.phase == "started"
    token = part(payload, "idToken").get("idToken")
    return TransactionChanged(
        "started" if is_start else "ended",
        seen.transaction_id,
        f"{seen.transaction_id}|{kept_id(payload.get('timestamp'))}" if is_start else "",
        kept_id(token) if is_start and token else None,
        metered_wh(payload),
        moment(payload.get("timestamp")),
        None if is_start else str(reason)[:_TEXT],
        offline=is_history,
        reply=answer.later,
    )
