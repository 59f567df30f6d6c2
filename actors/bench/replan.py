"""The bench ``replan``: a rolling schedule in which a tenth of the assets changed."""

from collections.abc import Mapping
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Final

import attrs

from actors.bench.engine import BEGIN, SteppedPlan, running, schedule
from actors.bench.rest import at_rest, until
from actors.bench.rows import Row, row
from actors.clock import steady_s
from actors.receipts import Receipt, Submitted
from actors.system import ActorSystem
from engine.asset import AssetState
from engine.config import Site
from engine.intake import Intent
from engine.seals import TOPIC
from engine.types import AssetId, to_us

if TYPE_CHECKING:
    import pandas as pd

CHANGED_EVERY: Final = 10
"""One asset in so many has a new plan."""
FLOOR: Final = 5.0
_OWN_ROWS: Final = 2
"""What a re-plan may store beside an event for each changed asset and the seals."""
_WAIT_S: Final = 120.0
_LOOK_S: Final = 0.001


@attrs.frozen
class Accepted:
    """A schedule that every asset took: the receipt, and how long that took."""

    receipt: Receipt
    took_s: float


@attrs.frozen
class Replanned:
    """Seconds of a first submission and of the re-plan after it, and the rows of the latter."""

    first_s: float
    again_s: float
    rows: int
    seals: int


def day(site: Site, begin: "str | pd.Timestamp") -> "pd.DataFrame":
    """Return a day's schedule for every charger of a site, as that of `convert`."""
    import pandas as pd

    table = schedule(len(site.assets))
    table.index = pd.date_range(begin, periods=len(table), freq="15min", tz="UTC")
    table.columns = [f"ev_{one.rules.schedule_key}_kw" for one in site.assets]
    return table


def rolled(table: "pd.DataFrame") -> "pd.DataFrame":
    """Return a schedule a slot later, in which a tenth of the columns has the day reversed.

    The others' new slot equals their last value.
    """
    later = table.shift(-1).ffill()
    later.index = table.index + (table.index[1] - table.index[0])
    later.iloc[:, ::CHANGED_EVERY] = table.iloc[::-1, ::CHANGED_EVERY].to_numpy() / 2
    return later


def accepted(system: ActorSystem, table: "pd.DataFrame") -> Accepted:
    """Have a schedule accepted, and taken by every asset or passed over by the dispatcher.

    The conversion is not measured.
    """
    from engine.frames import read_schedule

    rules = {one.rules.asset_id: one.rules for one in system.site.assets}
    intake = read_schedule(table, rules, Intent(), now_us=system.clocks.now().plan_us)
    board = system.assembly.board
    passed, sequence = system.assembly.passed, _sequence(system) + 1
    reply: Future[object] = Future()
    began_s = steady_s()
    system.assembly.dispatcher(Submitted(intake, None, reply.set_result))
    receipt = reply.result(_WAIT_S)

    for asset_id in rules:
        if asset_id not in passed and board[asset_id].outside.sequence != sequence:
            until(partial(_has_taken, board, asset_id, sequence), _LOOK_S)
    took_s = steady_s() - began_s
    if not isinstance(receipt, Receipt):
        raise TypeError(f"the schedule was not accepted: {receipt}")
    return Accepted(receipt, took_s)


def _has_taken(board: Mapping[AssetId, AssetState], asset_id: AssetId, sequence: int) -> bool:
    return board[asset_id].outside.sequence == sequence


def _sequence(system: ActorSystem) -> int:
    """Return the sequence of the newest schedule."""
    offers = [one.offer.ref.sequence for one in system.assembly.passed.values()]
    return max(offers + [one.outside.sequence for one in system.assembly.board.values()])


def replan(assets: int) -> Replanned:
    """Submit a day and then the re-plan, each when the engine is at rest.

    The plan clock stands before the first slot, so that nothing is dispatched meanwhile.

    Raises:
        ValueError: other assets than those changed, or the re-plan stored too many rows.
    """
    plan = SteppedPlan(0)
    with running(assets, plan.clocks()) as (system, _):
        table = day(system.site, BEGIN)
        plan.at_us = to_us(table.index[0].to_pydatetime()) - 1
        at_rest(system)
        first = accepted(system, table)
        end = at_rest(system)
        again = accepted(system, rolled(table))
        at_rest(system)
        topics = [one.topic for one in system.events(after=end)]
    changed = len(range(0, assets, CHANGED_EVERY))
    if (first.receipt.changed_assets, again.receipt.changed_assets) != (assets, changed):
        raise ValueError(f"{again.receipt.changed_assets} assets changed, not {changed}")
    seals = topics.count(TOPIC)
    if len(topics) > changed + seals + _OWN_ROWS:
        raise ValueError(f"{len(topics)} rows were stored for {changed} assets and {seals} seals")
    return Replanned(first.took_s, again.took_s, len(topics), seals)


def measure(runs: int, assets: int) -> Row:
    """Return how long a re-plan takes beside the first submission, medians."""
    done = [replan(assets) for _ in range(runs)]
    ratios = sorted(one.first_s / one.again_s for one in done)
    firsts = sorted(one.first_s for one in done)
    limit = (firsts[len(firsts) // 2], "the first submission")
    judged = (ratios[len(ratios) // 2], FLOOR)
    return row("replan", [one.again_s for one in done], "s", limit, judged)
