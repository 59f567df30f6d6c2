import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs
import pandas as pd
import pytest

from engine.commands import Cause, CauseKind, Command, CommandType
from engine.dispatch import DispatchEngine, expand
from engine.errors import ScheduleRefused
from engine.frames import load_file
from engine.intake import Intent
from engine.plans import PlannedChange, PlanRef, pack
from engine.rules import AssetRules
from engine.types import AssetId, AssetKind, Channel, ScheduleId

SCHEDULES = Path(__file__).parents[1] / "fixtures" / "schedules"
VAN = AssetRules(AssetId("ast_van"), AssetKind.EV_CHARGER, "test", "van", 22_000)
BATT = AssetRules(AssetId("ast_batt"), AssetKind.BATTERY, "test", "battery", 50_000, 50_000)
ENGINE = DispatchEngine([VAN, BATT])
START = datetime(2025, 3, 12, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
CHARGE, DISCHARGE = CommandType.SET_CHARGE_RATE, CommandType.SET_DISCHARGE_RATE


def schedule(**columns: list[float]) -> pd.DataFrame:
    """Return quarter-hours from START."""
    rows = len(next(iter(columns.values())))
    return pd.DataFrame(columns, pd.date_range(START, periods=rows, freq="15min"))


def brief(commands: list[Command]) -> list[tuple[int, str, str, float | None]]:
    """Return slot, asset, type and value of each command."""
    return [((c.due_at - START) // QUARTER, c.asset_id, c.type, c.value_kw) for c in commands]


def test_a_schedule_becomes_commands_in_order_of_time() -> None:
    """One per change and channel, all assets together."""
    commands = ENGINE.schedule_to_commands(
        schedule(
            ev_van_kw=[0, 0, 7.4],
            battery_charge_kw=[0, 5, 0],
            battery_discharge_kw=[4, 0, 0],
        )
    )
    assert brief(commands) == [
        (0, "ast_van", CHARGE, 0.0),
        (0, "ast_batt", CHARGE, 0.0),
        (0, "ast_batt", DISCHARGE, 4.0),
        (1, "ast_batt", DISCHARGE, 0.0),
        (1, "ast_batt", CHARGE, 5.0),
        (2, "ast_van", CHARGE, 7.4),
        (2, "ast_batt", CHARGE, 0.0),
    ]


def test_a_planned_command_has_all_that_the_schedule_says_of_it() -> None:
    """No id before the schedule is accepted; it expires with its channel's next change."""
    rules = attrs.evolve(VAN, max_retries=1, command_timeout_s=5.0)
    first, last = DispatchEngine([rules]).schedule_to_commands(schedule(ev_van_kw=[2.3147, 0]))
    assert first == Command(
        id=None,
        asset_id=AssetId("ast_van"),
        type=CHARGE,
        value_kw=2.315,
        due_at=START,
        cause=Cause(CauseKind.SCHEDULE, slot_us=1_741_737_600_000_000, column="ev_van_kw"),
        expires_at=START + QUARTER,
        max_retries=1,
        timeout_s=5.0,
    )
    assert last.expires_at == START + 2 * QUARTER


def test_assets_may_come_as_a_mapping_and_be_named_by_an_asset_map() -> None:
    """The map takes the place of the assets' own keys."""
    engine = DispatchEngine({VAN.asset_id: VAN})
    commands = engine.schedule_to_commands(schedule(ev_7_kw=[1, 2]), {"7": "ast_van"})
    assert brief(commands) == [(0, "ast_van", CHARGE, 1.0), (1, "ast_van", CHARGE, 2.0)]


def test_slots_that_are_over_have_no_commands() -> None:
    """The slot running now is in force at once."""
    commands = ENGINE.schedule_to_commands(schedule(ev_van_kw=[1, 2, 2]), now=START + 1.5 * QUARTER)
    assert brief(commands) == [(1, "ast_van", CHARGE, 2.0)]


def test_now_has_a_time_zone() -> None:
    """A naive moment is an error of the caller's."""
    with pytest.raises(ValueError, match="has no time zone"):
        ENGINE.schedule_to_commands(schedule(ev_van_kw=[1, 2]), now=datetime(2025, 3, 12))  # noqa: DTZ001 - just what is refused


def test_an_intent_says_how_a_schedule_is_to_be_taken() -> None:
    """Here above the limit, in one row."""
    intent = Intent(limits="clamp", slot=QUARTER)
    (command,) = ENGINE.schedule_to_commands(schedule(ev_van_kw=[30]), intent=intent)
    assert command.value_kw == 22.0
    assert command.expires_at == START + QUARTER
    with pytest.raises(ScheduleRefused, match="above_limit"):
        ENGINE.schedule_to_commands(schedule(ev_van_kw=[30, 0]))


def test_an_accepted_plan_gives_its_commands_their_ids() -> None:
    """A plan is expanded as it is read; changes that are no commands are left out."""
    plan = pack(
        (
            PlannedChange(0, 0, Channel.CHARGE, 0),
            PlannedChange(1, 0, Channel.DISCHARGE, 4_000),
            PlannedChange(2, 60, Channel.DISCHARGE, 0),
        ),
        ("", "battery_discharge_kw"),
    )
    ref = PlanRef(ScheduleId("sch_day"), 1, 5)
    commands = list(expand(plan, ref, 100, BATT, skipped=(1,)))
    assert [command.id for command in commands] == ["cmd_day.5.0", "cmd_day.5.2"]
    assert [command.cause for command in commands] == [
        Cause(CauseKind.SCHEDULE, 0, None, schedule_id=ScheduleId("sch_day")),
        Cause(CauseKind.SCHEDULE, 60, "battery_discharge_kw", schedule_id=ScheduleId("sch_day")),
    ]
    assert [command.expires_at for command in commands] == [
        datetime(1970, 1, 1, 0, 0, 0, 100, UTC),
        datetime(1970, 1, 1, 0, 0, 0, 100, UTC),
    ]


@pytest.mark.parametrize(("name", "count"), [("spring_92", 7), ("autumn_100", 9)])
def test_a_day_of_23_or_25_hours_is_dispatched_by_its_instants(name: str, count: int) -> None:
    """The hour that is missing has no command, the one that is there twice is not repeated."""
    commands = ENGINE.schedule_to_commands(load_file(SCHEDULES / f"{name}.csv"))
    assert len(commands) == count
    assert len({(c.due_at, c.asset_id, c.type) for c in commands}) == count


def test_values_with_four_decimals_make_no_needless_commands() -> None:
    """Whole watts first, then more than 1 W from the last one emitted."""
    commands = ENGINE.schedule_to_commands(load_file(SCHEDULES / "four_decimals.csv"))
    values = {
        key: [c.value_kw for c in commands if (c.asset_id, c.type) == key]
        for key in (("ast_van", CHARGE), ("ast_batt", CHARGE), ("ast_batt", DISCHARGE))
    }
    assert list(values.values()) == [[0.0, 3.6, 3.602, 0.0], [2.315, 0.0], [0.0, 4.001, 0.0]]


def test_pandas_is_imported_only_where_a_schedule_is_at_hand() -> None:
    """It takes longer to import than all the rest."""
    code = "import sys, engine.dispatch; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif("SETPOINT_TEST_DATA" not in os.environ, reason="SETPOINT_TEST_DATA is not set")
@pytest.mark.parametrize(
    ("name", "count"), [("emhass_30min", 452), ("nl_spring_15min", 27), ("nl_autumn_15min", 27)]
)
def test_real_schedules_give_the_counts_that_are_known(name: str, count: int) -> None:
    """On an empty store, that is with every first slot a change."""
    real = load_file(Path(os.environ["SETPOINT_TEST_DATA"]) / f"{name}.csv")
    keys = [column[3:-3] for column in real.columns if column.startswith("ev_")]
    chargers = [attrs.evolve(VAN, asset_id=AssetId(f"ast_{key}"), schedule_key=key) for key in keys]
    assert len(DispatchEngine([*chargers, BATT]).schedule_to_commands(real)) == count
