"""Records as a store would give them, for tests of what is folded from them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from msgspec.structs import replace

from actors.testing.rig import Rig, battery_rules, charger_rules, plan_of
from engine import events
from engine.adapters.base import Outcome, Payload
from engine.asset.messages import OverrideRequested
from engine.codec import Header, Record
from engine.commands import Cause, CauseKind, CommandStatus, CommandType
from engine.history import CommandRecord, Filters, History, histories
from engine.plans import Plan, PlanRef
from engine.types import US_PER_S, AssetId, Channel, CommandId, ScheduleId, from_us

EV: Final = AssetId("ast_ev")
BATTERY: Final = AssetId("ast_batt")
THREE: Final = plan_of(
    (0, Channel.CHARGE, 11_000), (900, Channel.CHARGE, 7_000), (1800, Channel.CHARGE, 0)
)
FIRST: Final = CommandId("cmd_1.0.0")
"""The first command of `THREE`, taken as schedule 1."""
START_US: Final = Rig.START_US
TOPIC_OF: Final = {type_: topic for topic, type_ in events.TOPICS.items()}
OPERATOR: Final = Cause(CauseKind.OPERATOR, by="ann", reason="test")


def at_us(seconds: float) -> int:
    """Return the moment so many seconds after the rig's start."""
    return Rig.START_US + round(seconds * US_PER_S)


def after(seconds: float) -> datetime:
    """Return the moment so many seconds after the rig's start."""
    return from_us(at_us(seconds))


def record(
    event: events.Event, at_s: float = 0.0, stream: str = EV, *, wall_s: float | None = None
) -> Record:
    """Return an event as a record; times in seconds after the rig's start, wall as plan time."""
    header = Header(1, stream, 1, at_us(at_s), at_us(at_s if wall_s is None else wall_s))
    return Record(header, "a.topic", event, 7)


def recorded(*rigs: Rig) -> list[Record]:
    """Return what assets did as records, in the order of time."""
    records = [
        Record(
            Header(1, rig.state.asset_id, n, at.plan_us, at.device_us),
            TOPIC_OF[type(event)],
            event,
            n,
        )
        for rig in rigs
        for n, (event, at) in enumerate(zip(rig.events, rig.times, strict=True), 1)
    ]
    return sorted(records, key=lambda one: one.header.at_us)


def history_of(*rigs: Rig, **filters: Any) -> History:  # noqa: ANN401 - the fields of Filters
    """Return the history of what assets did."""
    return histories(recorded(*rigs), Filters(**filters))


def statuses(history: Iterable[CommandRecord]) -> list[str]:
    """Return how far commands have come."""
    return [one.status.value for one in history]


def taken(
    plan: Plan = THREE, *, sequence: int = 1, from_s: float = 0, horizon_s: float = 2700
) -> events.PlanReplaced:
    """Return a plan as an asset took it."""
    ref = PlanRef(ScheduleId(f"sch_{sequence}"), sequence, 0)
    return events.PlanReplaced(ref, plan, at_us(from_s), at_us(horizon_s))


def received(sequence: int, horizon_s: float, *assets: AssetId) -> events.ScheduleReceived:
    """Return a schedule that names these assets."""
    return events.ScheduleReceived(
        ScheduleId(f"sch_{sequence}"),
        sequence,
        at_us(0),
        at_us(horizon_s),
        b"",
        dict.fromkeys(assets, THREE),
    )


def started(
    *command_ids: str,
    attempt_id: str = "att_1",
    **changes: Any,  # noqa: ANN401 - the fields of AttemptStarted
) -> events.AttemptStarted:
    """Return the beginning of an attempt at 11 kW."""
    event = events.AttemptStarted(
        attempt_id,
        1,
        0,
        tuple(CommandId(one) for one in command_ids or (FIRST,)),
        CommandType.SET_CHARGE_RATE,
        11_000,
        11_000,
        events.Setpoint(11_000, 0),
        Payload(()),
        None,
    )
    return replace(event, **changes)


def ended(
    outcome: Outcome,
    status: CommandStatus,
    attempt_id: str = "att_1",
    **more: Any,  # noqa: ANN401 - the fields of AttemptEnded
) -> events.AttemptEnded:
    """Return the end of an attempt."""
    return events.AttemptEnded(attempt_id, outcome, status, **more)


def charger(plan: Plan | None = THREE, horizon_s: float = 2700) -> Rig:
    """Return a connected charger with a car and, where one is given, a plan."""
    rig = Rig(charger_rules())
    rig.connect("CHARGING")
    if plan is not None:
        rig.offer(plan, horizon_s)
    return rig


def battery(plan: Plan, *, shared_register: bool = False) -> Rig:
    """Return a connected battery with a plan."""
    rig = Rig(battery_rules(shared_register=shared_register))
    rig.connect("IDLE")
    rig.offer(plan, 2700)
    return rig


def by_hand(rig: Rig, charge_w: int = 5_000) -> CommandId:
    """Set a charge rate by hand for ten minutes; return the command's id."""
    replies: list[object] = []
    rig.tell(
        OverrideRequested(
            events.Setpoint(charge_w, 0),
            CommandType.SET_CHARGE_RATE,
            "time",
            rig.now.plan_us + 600 * US_PER_S,
            "ann",
            "test drive",
            "operator",
            replies.append,
        )
    )
    return CommandId(str(replies[0]))
