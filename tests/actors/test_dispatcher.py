"""The dispatcher and the engine around it: accepted schedules, receipts, offers after a restart."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import attrs
import pandas as pd
import pytest
from msgspec.structs import replace

from actors.bench.device import InstantAdapter
from actors.bench.engine import SteppedPlan
from actors.bench.rest import at_rest
from actors.standing import PlanStart
from actors.system import ActorSystem
from actors.testing.instant import opened, plan, site
from actors.testing.simulation import Simulation
from actors.testing.waiting import wait_until
from actors.testing.world import WorldClock
from engine.adapters.registry import AdapterRegistry
from engine.errors import CommandRefused, EngineClosed, ScheduleRefused, UnknownAsset
from engine.events import ScheduleExhausted
from engine.types import US_PER_S, AssetId, to_us


def test_where_a_plan_clock_stands_is_committed_with_the_start(tmp_path: Path) -> None:
    """No crash can come between the two, after which the same start would be refused."""
    adapters = AdapterRegistry({"instant": InstantAdapter()})
    standing = PlanStart(1_741_734_000_000_000, 900.0)
    with ActorSystem.open(site(tmp_path), adapters=adapters, start=standing) as system:
        first = [one.topic for one in system.events()][:3]
    assert first == ["site.engine_started", "site.clock_set", "log.sealed"]


def test_a_receipt_counts_what_a_schedule_brings(tmp_path: Path) -> None:
    """Assets, changes, new commands; the columns that were left alone."""
    with opened(tmp_path) as system:
        receipt = system.submit(plan(5.0, 7.0, 7.0).assign(load_kw=3.0))
        assert receipt.schedule_id == "sch_1"
        assert (receipt.assets, receipt.changed_assets, receipt.commands) == (2, 2, 4)
        assert receipt.ignored_columns == ("load_kw",)
        assert not receipt.unchanged


def test_the_same_content_again_changes_nothing_and_says_so(tmp_path: Path) -> None:
    """No event is stored for it."""
    with opened(tmp_path) as system:
        table = plan(5.0, 7.0)
        first = system.submit(table)
        wait_until(lambda: all(v.held_charge_kw == 5.0 for v in system.state().values()))
        before = at_rest(system)
        again = system.submit(table)
        assert again.unchanged
        assert again.schedule_id == first.schedule_id
        assert at_rest(system) == before


def test_what_was_accepted_and_is_over_changes_nothing_when_it_comes_again(tmp_path: Path) -> None:
    """So that an engine can be started again with the same command after the plan's end."""
    adapters = AdapterRegistry({"instant": InstantAdapter()})
    table, other = plan(5.0, 7.0), plan(5.0, 6.0)
    clock = SteppedPlan(to_us(table.index[0].to_pydatetime()))
    with ActorSystem.open(site(tmp_path), adapters=adapters, clocks=clock.clocks()) as system:
        first = system.submit(table)
        own = system.submit(other, schedule_id="sch_own")
    clock.at_us += 30 * 86_400 * US_PER_S
    with ActorSystem.open(site(tmp_path), adapters=adapters, clocks=clock.clocks()) as system:
        before = at_rest(system)
        again = system.submit(table)
        assert (again.schedule_id, again.unchanged) == (first.schedule_id, True)
        again = system.submit(other, schedule_id="sch_own")
        assert (again.schedule_id, again.unchanged) == (own.schedule_id, True)
        with pytest.raises(ScheduleRefused, match="all slots are over"):
            system.submit(plan(4.0, 4.0))
        assert at_rest(system) == before


def test_only_assets_whose_plan_changed_store_an_event(tmp_path: Path) -> None:
    """The others take the new horizon without one."""
    with opened(tmp_path) as system:
        system.submit(plan(5.0, 7.0, 9.0))
        wait_until(lambda: all(v.setpoint_kw == 5.0 for v in system.state().values()))
        table = plan(5.0, 7.0, 9.0, 9.0)
        table.loc[table.index[2] :, "ev_1_kw"] = 0.0
        receipt = system.submit(table)
        assert (receipt.changed_assets, receipt.unchanged) == (1, False)
        replaced = [e for e in system.events() if e.topic == "asset.plan_replaced"]
        wait_until(
            lambda: len([e for e in system.events() if e.topic == "asset.plan_replaced"]) == 3
        )
        assert len(replaced) >= 2
        superseded = [one for one in system.history() if one.reason == "superseded"]
        assert {one.asset_id for one in superseded} == {"ast_1"}


def day(begins: datetime, *rows: float, other: float | None = None) -> pd.DataFrame:
    """Return quarter-hours for two chargers; from the second on the other one has its own power."""
    index = pd.date_range(begins, periods=len(rows), freq="15min")
    table = pd.DataFrame({"ev_1_kw": rows, "ev_2_kw": rows}, index=index)
    if other is not None:
        table.loc[index[1] :, "ev_2_kw"] = other
    return table


def test_an_asset_whose_plan_did_not_change_is_left_alone(
    setpoint_site: Callable[..., Simulation], setpoint_clock: WorldClock
) -> None:
    """It takes note of the new horizon with the next message, before it acts on that."""
    system = setpoint_site()
    setpoint_clock.advance(3)
    begins = system.plan_now
    system.submit(day(begins, 5.0, 7.0))
    setpoint_clock.advance(1)
    receipt = system.submit(day(begins, 5.0, 7.0, 7.0, other=3.0))
    system.world.turns.settle()
    assert (receipt.assets, receipt.changed_assets) == (2, 1)
    board = system.assembly.board
    same, other = AssetId("ast_charger_1"), AssetId("ast_charger_2")
    assert (board[same].outside.sequence, board[other].outside.sequence) == (1, 2)
    setpoint_clock.advance(45 * 60 - 2)
    assert system.state()[same].setpoint_kw == 7.0
    setpoint_clock.advance(3)
    ended = [one for one in system.records() if isinstance(one.event, ScheduleExhausted)]
    assert {one.header.stream: one.event.sequence for one in ended} == {same: 2, other: 2}
    system.assert_promises()


def test_what_changed_meanwhile_is_taken_first(
    setpoint_site: Callable[..., Simulation], setpoint_clock: WorldClock
) -> None:
    """A schedule that changed nothing when it came is decided on, if something happened since."""
    system = setpoint_site()
    setpoint_clock.advance(3)
    begins = system.plan_now
    system.submit(day(begins, 5.0, 7.0))
    setpoint_clock.advance(1)
    system.submit(day(begins, 5.0, 7.0, 7.0, other=3.0))
    asset_id = AssetId("ast_charger_1")
    passed = system.assembly.passed[asset_id]
    system.assembly.passed[asset_id] = replace(passed, version=passed.version - 1)
    system.override(asset_id, 9.0, until=system.plan_now + timedelta(minutes=5), by="a", reason="b")
    state = system.assembly.board[asset_id]
    assert state.outside.sequence == 2
    assert state.override is not None
    setpoint_clock.advance(6)
    assert system.state()[asset_id].setpoint_kw == 9.0
    assert asset_id not in system.assembly.passed
    system.assert_promises()


def test_an_id_given_by_the_caller_makes_a_submission_repeatable(tmp_path: Path) -> None:
    """Other content under it is refused."""
    with opened(tmp_path) as system:
        first = system.submit(plan(5.0, 7.0), schedule_id="sch_day")
        again = system.submit(plan(5.0, 7.0), schedule_id="sch_day")
        assert (first.schedule_id, again.unchanged) == ("sch_day", True)
        with pytest.raises(ScheduleRefused, match="other content"):
            system.submit(plan(5.0, 8.0), schedule_id="sch_day")
        with pytest.raises(CommandRefused, match="sch_"):
            system.submit(plan(5.0, 8.0), schedule_id="monday")


def test_a_schedule_outlives_a_restart(tmp_path: Path) -> None:
    """Nothing is created twice; what is held is asserted again."""
    with opened(tmp_path) as system:
        system.submit(plan(5.0, 7.0))
        wait_until(lambda: all(v.setpoint_kw == 5.0 for v in system.state().values()))
        wait_until(lambda: not any(v.open_commands for v in system.state().values()))
        planned = {one.id: one.status for one in system.history(cause="schedule")}
    with opened(tmp_path) as system:
        wait_until(lambda: all(v.held_charge_kw == 5.0 for v in system.state().values()))
        again = {one.id: one.status for one in system.history(cause="schedule")}
        assert again == planned
        assert system.submit(plan(5.0, 7.0)).unchanged
        assert system.verify().problems == ()


def test_an_asset_that_left_the_site_file_is_retired(tmp_path: Path) -> None:
    """On record, and it can come back."""
    with opened(tmp_path) as system:
        system.submit(plan(5.0, 7.0))
    with opened(tmp_path, count=1) as system:
        wait_until(lambda: any(e.topic == "asset.retired" for e in system.events()))
        assert set(system.state()) == {"ast_0"}
    with opened(tmp_path) as system:
        assert set(system.state()) == {"ast_0", "ast_1"}


def test_a_closed_system_takes_nothing_more(tmp_path: Path) -> None:
    """Closing twice is once."""
    with opened(tmp_path) as system:
        pass
    system.close()
    with pytest.raises(EngineClosed):
        system.submit(plan(5.0, 7.0))
    with pytest.raises(EngineClosed):
        system.state()


def test_an_unknown_asset_is_told(tmp_path: Path) -> None:
    """Before anything is asked of anybody."""
    with opened(tmp_path) as system, pytest.raises(UnknownAsset, match="ast_9"):
        system.send("ast_9", "RELEASE", by="anna", reason="a test")


def test_an_override_outranks_the_plan_until_it_is_cleared(tmp_path: Path) -> None:
    """Then the plan's value is set again, by a command of its own."""
    with opened(tmp_path) as system:
        system.submit(plan(5.0, 7.0))
        handle = system.override("ast_0", 3.0, until="unplugged", by="anna", reason="a test")
        assert handle.wait(10).status == "COMPLETED"
        assert system.state()["ast_0"].setpoint_source == "override"
        system.clear_override("ast_0", by="anna", reason="over")
        wait_until(lambda: system.state()["ast_0"].held_charge_kw == 5.0)
        again = system.history(asset="ast_0", cause="rule:reassert")
        assert [one.value_kw for one in again] == [5.0]
        with pytest.raises(CommandRefused, match="no override"):
            system.clear_override("ast_0", by="anna", reason="again")


def test_ten_assets_are_as_good_as_two(tmp_path: Path) -> None:
    """Every one gets its command."""
    with opened(tmp_path, count=10) as system:
        receipt = system.submit(plan(5.0, 7.0, count=10))
        assert attrs.evolve(receipt, commands=0).assets == 10
        wait_until(lambda: all(v.held_charge_kw == 5.0 for v in system.state().values()))
