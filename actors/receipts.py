"""A schedule on its way to the dispatcher, and the receipt for it."""

from collections.abc import Callable, Iterable
from datetime import datetime

import attrs

from engine import events
from engine.asset.preview import Preview
from engine.errors import ScheduleRefused
from engine.intake import Intake
from engine.types import Instant, ScheduleId, from_us


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
    """A schedule that passed intake; ``reply`` gets its Receipt or an error.

    ``over`` is with what one is refused whose slots are all over, unless it was accepted before.
    """

    intake: Intake
    schedule_id: str | None
    reply: Callable[[object], None] = attrs.field(eq=False, repr=False)
    over: ScheduleRefused | None = None


def submitted_of(
    read: Callable[[int | None], Intake],
    now_us: int,
    schedule_id: str | None,
    reply: Callable[[object], None],
) -> Submitted:
    """Return a schedule as it goes to the dispatcher; one that is over is read whole.

    ``read`` is given the moment up to which slots are dropped (plan clock), null for none.

    Raises:
        ScheduleRefused: anything else is wrong with it.
    """
    try:
        return Submitted(read(now_us), schedule_id, reply)
    except ScheduleRefused as error:
        if [one.rule for one in error.problems] != ["past"]:
            raise
        return Submitted(read(None), schedule_id, reply, error)


def receipt_of(
    event: events.ScheduleReceived, previews: Iterable[Preview], now: Instant
) -> Receipt:
    """Return the receipt for a schedule, with what it changes for each asset."""
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


def unchanged(submitted: Submitted, schedule_id: str, now: Instant) -> Receipt:
    """Return the receipt for a schedule that says what one in force says already."""
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
