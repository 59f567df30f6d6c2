"""A history that goes on from what is kept of it."""

from actors.testing.kept import Kept
from actors.testing.records import START_US, charger, recorded
from engine import events
from engine.commands import CommandStatus, CommandType
from engine.history import Filters
from engine.history.asset import AssetHistory
from engine.history.rows import head_of
from engine.types import US_PER_S, AssetId, Instant


def kept_of(*, answered: bool) -> Kept:
    """Return what is kept of a charger whose first planned command is on the wire, or over."""
    rig = charger()
    if answered:
        rig.answer()
    asset_id = AssetId(rig.state.asset_id)
    kept = Kept(asset_id)
    history = kept.resumed()
    for record in recorded(rig):
        at = Instant(record.header.at_us, record.header.wall_us)
        if isinstance(record.event, events.PlanReplaced):
            history.plan_replaced(record.event, at)
        else:
            history.feed(record.event, at)
    kept.keep(history)
    return kept


def test_of_what_is_kept_those_commands_can_be_told_that_have_events_of_their_own() -> None:
    """The others are not made from their plan."""
    whole = kept_of(answered=True).whole()
    (only,) = whole.lives_of_their_own()
    assert only.status is CommandStatus.COMPLETED
    assert only.expires_us == START_US + 900 * US_PER_S
    assert next(one.status for one in whole.lives()) is CommandStatus.COMPLETED
    assert len(list(whole.lives())) == 3


def test_a_restart_is_for_those_that_are_looked_at() -> None:
    """The attempt on the wire served a command that the filters leave out."""
    kept = kept_of(answered=False)
    head = head_of(kept.head or b"")
    assert len(head.wire) == 1
    some = AssetHistory(kept.asset_id, Filters(type=CommandType.RELEASE), head, kept)
    some.feed(events.AssetRecovered(2), Instant(START_US, START_US))
    assert some.head().wire == ()
    assert list(some.lives()) == []


def test_the_answer_of_a_command_that_is_over_is_kept() -> None:
    """Its attempt was on the wire still when it was let go of."""
    kept = kept_of(answered=False)
    history = kept.resumed()
    (attempt,) = history.head().wire
    (command,) = kept.attempts[attempt]
    now = Instant(START_US, START_US)
    history.feed(events.CommandCancelled((command,), "superseded"), now)
    kept.keep(history)
    history.feed(events.AttemptEnded(attempt, "accepted", CommandStatus.COMPLETED), now)
    kept.keep(history)
    life = kept.life(command)
    assert life is not None
    assert life.status is CommandStatus.CANCELLED
    assert [one.outcome for one in life.attempts] == ["accepted"]
