"""A log with commands of many kinds, and questions about it."""

from typing import Final

from actors.testing.records import (
    EV,
    START_US,
    battery,
    by_hand,
    charger,
    received,
    record,
    recorded,
)
from actors.testing.rig import plan_of
from engine.codec import Record
from engine.commands import CauseKind, CommandStatus, CommandType
from engine.history import Filters
from engine.types import US_PER_S, Channel

CHARGE, DISCHARGE = Channel.CHARGE, Channel.DISCHARGE

SOME_FILTERS: Final = (
    Filters(asset=EV),
    Filters(asset="ast_nobody"),
    Filters(type=CommandType.SET_DISCHARGE_RATE),
    Filters(status=CommandStatus.CANCELLED),
    Filters(cause=CauseKind.SCHEDULE),
    Filters(cause=CauseKind.OPERATOR),
    Filters(schedule="sch_2"),
    Filters(schedule="sch_1", status=CommandStatus.COMPLETED),
    Filters(since_us=START_US + 900 * US_PER_S),
    Filters(until_us=START_US + 900 * US_PER_S),
    Filters(since_us=START_US + 1, until_us=START_US + 901 * US_PER_S),
    Filters(since_us=START_US + 1800 * US_PER_S, until_us=START_US),
    Filters(id="cmd_1.0.1"),
    Filters(id="cmd_1.0.99"),
    Filters(id="cmd_1.7.1"),
    Filters(id="cmd_by_hand"),
    Filters(id="cmd_2.0.0", until_us=START_US),
)


def mixed_log() -> list[Record]:
    """Return two assets' records with commands of many kinds, in log order."""
    plan = plan_of(
        (0, CHARGE, 5_000), (0, DISCHARGE, 0), (900, CHARGE, 0), columns=("c_kw", "d_kw")
    )
    store = battery(plan)
    store.read_back()
    car = charger()
    car.answer()
    for rig in (car, store):
        rig.advance(60)
    car.offer(plan_of((900, CHARGE, 3_000), (1800, CHARGE, 5_000)), 3600, sequence=2)
    by_hand(car)
    car.answer(outcome="rejected")
    car.advance(1000)
    return [*recorded(car, store), record(received(9, 9000, EV), 1060)]
