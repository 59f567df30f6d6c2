"""From what should hold to a decision: which commands serve it, and what they replace."""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from engine import events
from engine.asset.desire import Desire, horizon, running_part
from engine.asset.draft import Draft
from engine.asset.due import Due
from engine.asset.evidence import ACK, OVERTAKEN
from engine.asset.granting import kind_by_limit
from engine.asset.holding import is_kept
from engine.asset.programme import first_open, newest
from engine.asset.state import AssetState, Part, Work
from engine.asset.steps import Planned, StepMaker, commands_by_channel
from engine.commands import CauseKind, CommandStatus, CommandType
from engine.events import RELEASED, Decision, PlanCut, Step, Taken
from engine.plans import PlannedChange
from engine.plans import command_id as planned_id
from engine.types import AssetKind, Channel, Instant

_EV_CHARGER: Final = AssetKind.EV_CHARGER
_SET_CHARGE_RATE: Final = CommandType.SET_CHARGE_RATE


class Proposal(Struct, frozen=True, gc=False):
    """A decision, the events that go before it, and whether the device holds it already."""

    before: tuple[events.AssetEvent, ...]
    decision: Decision
    known: bool


def propose(draft: Draft, want: Desire, due: Due | None, kind: CauseKind | None = None) -> Proposal:
    """Return the decision that makes ``want`` hold.

    ``kind`` is the cause of the commands outside the plan, where it is not the desire's own.
    """
    if kind is None and due is not None and is_plain(draft, want, due):
        return plain(draft, want, due)
    if kind is None and due is None and draft.state.outside.grant is not None:
        cut = cut_anew(draft, want)
        if cut is not None:
            return cut
    return combined(draft, want, due, kind)


def is_plain(draft: Draft, want: Desire, due: Due) -> bool:
    """Return whether one change of a charger's plan fell due, and nothing else is going on."""
    state = draft.state
    return (
        due.last - due.first == 1
        and state.work is None
        and state.override is None
        and state.programme.absence is None
        and want.source == "schedule"
        and draft.rules.kind is _EV_CHARGER
        and not due.part.skipped
    )


def plain(draft: Draft, want: Desire, due: Due) -> Proposal:
    """Return what `combined` does where one change of a charger's plan is all that there is.

    Most decisions are of that kind, and thousands fall due at one instant.
    """
    state, part, target = draft.state, due.part, want.target
    known = _is_known(state, want, draft.now)
    ids = (planned_id(part.ref, due.first),)
    following = part.plan.next_on_channel(due.first)
    end_us = horizon(state)
    decision = Decision(
        target,
        want.source,
        (Step(ids, _SET_CHARGE_RATE, target.charge_w or 0, target),),
        part.plan.due_us(due.first),
        end_us if following is None else part.plan.due_us(following),
        want.losers,
        Taken(part.ref.schedule_id, due.last),
        end_us,
        max(state.programme.sequence, state.outside.sequence) or None,
        want.cut,
    )
    return Proposal((), decision, known)


def combined(
    draft: Draft, want: Desire, due: Due | None, kind: CauseKind | None = None
) -> Proposal:
    """Return the decision from all that is due, under way and in force; see `propose`."""
    state = draft.state
    planned: Planned = {}
    changes: dict[Channel, PlannedChange] = {}
    before: list[events.AssetEvent] = []
    if state.work is not None:
        before += _replaced(state, state.work, due, want)
    if due is not None:
        if want.source == "schedule":
            changes = newest(due.part, due.first, due.last)
        before += passed_over(state, due, want, changes)
        planned = _planned_ids(state, due, changes)
    known = kind is None and _is_known(state, want, draft.now)
    maker = StepMaker(draft, want, kind or _kind(state, want, draft.now), len(before))
    steps = maker.steps(planned, known=known)
    decision = Decision(
        want.target,
        want.source,
        steps,
        due_us=min([one.due_us for one in changes.values()], default=draft.now.plan_us),
        expires_us=_expires_us(state, want, due, changes),
        losers=want.losers,
        taken=None if due is None else Taken(due.part.ref.schedule_id, due.last),
        horizon_us=horizon(state),
        sequence=max(state.programme.sequence, state.outside.sequence) or None,
        cut=want.cut,
    )
    return Proposal((*before, *maker.created), decision, known)


def cut_anew(draft: Draft, want: Desire) -> Proposal | None:
    """Return what becomes of a decision that was not sent yet when only a site limit changes.

    What was asked for stays, so the commands that ask for it go on.
    """
    state, work = draft.state, draft.state.work
    if work is None or work.tries or work.doubt is not None:
        return None
    before = work.decision
    if before.expires_us is not None and draft.now.plan_us >= before.expires_us:
        return None
    asked = before.target if before.cut is None else before.cut.asked
    wanted = want.target if want.cut is None else want.cut.asked
    if asked != wanted or before.source != want.source or asked == RELEASED:
        return None
    known = _is_known(state, want, draft.now)
    maker = StepMaker(draft, want, _kind(state, want, draft.now), 0)
    steps = maker.steps(commands_by_channel(work.steps), known=known)
    decision = replace(
        before, target=want.target, steps=steps, losers=want.losers, taken=None, cut=want.cut
    )
    return Proposal(tuple(maker.created), decision, known)


def _is_known(state: AssetState, want: Desire, now: Instant) -> bool:
    """Return whether nothing needs to be sent; what a person asked for is sent all the same."""
    asked = state.override is not None and not state.override.used
    return (
        not (asked and want.source == "override")
        and state.unknown is None
        and state.device.connected
        and is_kept(state, want.target, now)
    )


def _planned_ids(state: AssetState, due: Due, changes: dict[Channel, PlannedChange]) -> Planned:
    """Return the ids of planned commands, null where theirs were cut when the vehicle left."""
    absence = state.programme.absence
    cut_until = 0
    if absence is not None and absence.schedule_id == due.part.ref.schedule_id:
        cut_until = absence.until
    return {
        channel: None if change.index < cut_until else planned_id(due.part.ref, change.index)
        for channel, change in changes.items()
    }


def _kind(state: AssetState, want: Desire, now: Instant) -> CauseKind:
    if state.outside.grant is not None:
        limit = kind_by_limit(state, want)
        if limit is not None:
            return limit
    absence = state.programme.absence
    if absence is not None and absence.back and want.source == "schedule":
        part = running_part(state, now)
        if part is not None and part.ref.schedule_id == absence.schedule_id:
            return CauseKind.PLUG_IN
    return want.kind


def _expires_us(
    state: AssetState, want: Desire, due: Due | None, changes: dict[Channel, PlannedChange]
) -> int | None:
    """Return when a decision is out of date: a planned one with its next change, else no sooner.

    An override is over at its own end; every other setpoint is only ever replaced.
    """
    if due is not None and changes:
        ends = [_channel_ends_us(state, due.part, change.index) for change in changes.values()]
        return min([end for end in ends if end is not None], default=None)
    if state.override is not None and want.source == "override":
        return state.override.until_us
    return None


def _channel_ends_us(state: AssetState, part: Part, index: int) -> int | None:
    following = part.plan.next_on_channel(index)
    return horizon(state) if following is None else part.plan.due_us(following)


# --- what a decision replaces


def ends_of_work(
    work: Work, reason: str, by: str | None = None
) -> Iterator[events.CommandVerified | events.CommandCancelled]:
    """Yield how the open commands of a decision end that is pursued no more."""
    first = work.steps[0].command_ids
    rest = work.open_ids
    if work.verifying is not None:
        rest = rest[len(first) :]
        yield events.CommandVerified(first, CommandStatus.COMPLETED, ACK, OVERTAKEN)
    elif work.doubt is not None:
        rest = rest[len(first) :]
        yield events.CommandCancelled(first, "unknown", CommandStatus.TIMED_OUT)
    if rest:
        yield events.CommandCancelled(rest, reason, by=by)


def _replaced(
    state: AssetState, work: Work, due: Due | None, want: Desire
) -> Iterator[events.AssetEvent]:
    return ends_of_work(work, _reason(state, work, want), _replaced_by(state, due, work))


def _reason(state: AssetState, work: Work, want: Desire) -> str:
    if want.source == "override":
        return "override"
    if work.decision.source == "schedule" and (state.programme.exhausted or state.outside.fresh):
        return "expired"
    if work.decision.source == "override" and state.override is None:
        return "expired"
    return "superseded"


def _replaced_by(state: AssetState, due: Due | None, work: Work) -> str | None:
    """Return the override, or the newer schedule, that replaces a decision."""
    if state.override is not None:
        return state.override.override_id
    taken = work.decision.taken
    if due is None or (taken is not None and taken.schedule_id == due.part.ref.schedule_id):
        return None
    return due.part.ref.schedule_id


def passed_over(
    state: AssetState, due: Due, want: Desire, changes: dict[Channel, PlannedChange]
) -> tuple[PlanCut, ...]:
    """Return the cuts of due changes that are not taken up: older ones, or all of them."""
    if due.last - due.first == len(changes):
        return ()
    first = max(due.first, first_open(state.programme, due.part))
    spared = {change.index for change in changes.values()}.union(due.part.skipped)
    over = [index for index in range(first, due.last) if index not in spared]
    if not over:
        return ()
    reason = "superseded"
    if want.source == "override":
        reason = "override"
    elif state.outside.fresh:
        reason = "expired"
    return (PlanCut(due.part.ref.schedule_id, over[0], over[-1] + 1, reason),)
