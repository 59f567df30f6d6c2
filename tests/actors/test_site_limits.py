"""A site limit at work: assets, the site's ledger, restarts, and people."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pandas as pd
import pytest
from click.testing import CliRunner

from actors.cli.plan import plan as plan_verb
from actors.dispatcher import DispatcherActor
from actors.sim.timetable import Arrival
from actors.sim.vehicle import Vehicle
from actors.standing import PlanStart
from actors.testing.faults import Fault
from actors.testing.simulation import Simulation
from actors.testing.sites import site_text
from engine.commands import CauseKind
from engine.phases import WHOLE
from engine.types import AssetId, to_us

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
SLOT_S = 60.0
SPEED = 900 / SLOT_S
NO_KEYS: Mapping[str, str] = {}
NO_VEHICLES: Mapping[str, Vehicle] = {}
IDS = ("ast_charger_1", "ast_charger_2", "ast_charger_3")


def plan(*columns: list[float]) -> pd.DataFrame:
    """Return a schedule of quarter-hours, a column of kilowatts for each charger."""
    index = pd.date_range(START, periods=len(columns[0]), freq="15min")
    return pd.DataFrame({f"ev_{n}_kw": values for n, values in enumerate(columns, 1)}, index=index)


@pytest.fixture
def depot(tmp_path: Path) -> Iterator[Callable[..., Simulation]]:
    """Give what runs a site of three chargers with vehicles, under limits."""
    runs: list[Simulation] = []

    def made(  # noqa: PLR0913 - all but the first have a default
        limits: str,
        *,
        batteries: int = 0,
        priorities: tuple[int, ...] = (1, 1, 1),
        verify: str = "auto",
        keys: Mapping[str, str] = NO_KEYS,
        vehicles: Mapping[str, Vehicle] = NO_VEHICLES,
    ) -> Simulation:
        text = site_text(3, batteries, limits=limits)
        text = text.replace('adapter = "ocpp"', f'adapter = "ocpp"\nverify = "{verify}"')
        text = text.replace("[defaults]", "[defaults]\nsettle_s = 20")
        for number, priority in enumerate(priorities, 1):
            own = f'id = "ast_charger_{number}"\n'
            text = text.replace(own, f"{own}priority = {priority}\n")
        for name, more in keys.items():
            text = text.replace(f'id = "{name}"\n', f'id = "{name}"\n{more}\n')
        file = tmp_path / "site.toml"
        file.write_text(text, encoding="utf-8")
        arrivals = {
            f"CP-{n}": (Arrival(1, 0.0, vehicles.get(f"CP-{n}", Vehicle())),) for n in (1, 2, 3)
        }
        runs.append(Simulation.of(file, 7, start=PlanStart(to_us(START), SPEED), arrivals=arrivals))
        return runs[-1]

    yield made
    for run in runs:
        run.close()


def setpoints(run: Simulation) -> dict[str, tuple[float | None, str | None]]:
    """Return what should hold, and by what."""
    return {name: (one.setpoint_kw, one.setpoint_source) for name, one in run.state().items()}


def reserved_kw(run: Simulation) -> float:
    """Return what is reserved under the import limit."""
    book = run._running.book  # noqa: SLF001 - nobody else looks into it
    assert book is not None
    return book.ledgers["import"].reserved_w[WHOLE] / 1_000


def test_what_is_asked_for_at_one_instant_goes_by_priority_then_by_id(
    depot: Callable[..., Simulation],
) -> None:
    """Everybody has his fallback; whoever ranks highest has all that he wishes."""
    run = depot("import_limit_kw = 40\nbase_load_kw = 1.6", priorities=(1, 1, 2))
    run.submit(plan([22.0] * 4, [22.0] * 4, [22.0] * 4))
    run.advance(SLOT_S / 2)
    assert setpoints(run) == {
        "ast_charger_1": (12.2, "limit"),
        "ast_charger_2": (4.2, "limit"),
        "ast_charger_3": (22.0, "schedule"),
    }
    assert reserved_kw(run) == pytest.approx(38.4)
    run.assert_promises()


def test_an_increase_comes_after_the_decrease_that_makes_room(
    depot: Callable[..., Simulation],
) -> None:
    """At a change of slots both fall due at once; the limit is kept at every moment."""
    run = depot("import_limit_kw = 30")
    run.submit(plan([20.0, 5.0], [5.0, 20.0], [0.0, 0.0]))
    run.advance(SLOT_S / 2)
    assert setpoints(run)["ast_charger_1"] == (20.0, "schedule")
    run.advance(SLOT_S)
    assert setpoints(run)["ast_charger_2"] == (20.0, "schedule")
    assert reserved_kw(run) == pytest.approx(5.0 + 20.0 + 4.2)
    lifted = [one for one in run.history() if one.cause.kind == CauseKind.LIMIT_LIFTED]
    assert [one.asset_id for one in lifted] == ["ast_charger_2"]
    (lowered,) = (one for one in run.history() if one.id == "cmd_1.0.1")
    assert lifted[0].dispatched_at is not None
    assert lowered.finished_at is not None
    assert lifted[0].dispatched_at >= lowered.finished_at


def test_a_device_that_does_not_take_a_decrease_keeps_what_it_may_hold(
    depot: Callable[..., Simulation],
) -> None:
    """Its room is not given to anybody else."""
    run = depot("import_limit_kw = 30")
    run.submit(plan([20.0, 5.0, 5.0], [5.0, 20.0, 20.0], [0.0, 0.0, 0.0]))
    run.advance(SLOT_S / 2)
    run.world.faults.add(
        Fault(kind="reject", asset="ast_charger_1", action="SetChargingProfile", times=1_000)
    )
    run.advance(SLOT_S)
    assert setpoints(run)["ast_charger_2"] == (5.8, "limit")
    assert run.state()["ast_charger_1"].alarms == ("decrease_failed", "above_grant")
    run.world.faults.clear()


def test_what_assets_may_hold_is_reserved_at_the_next_start(
    depot: Callable[..., Simulation],
) -> None:
    """Before anything is granted, and although the devices are not there yet."""
    run = depot("import_limit_kw = 30")
    run.submit(plan([18.0, *[12.0] * 7], [5.0] * 8, [5.0] * 8))
    run.advance(SLOT_S / 2)
    run.crash_at("after_send")
    run.advance(SLOT_S)
    assert run.crash.happened
    run.restart()
    assert reserved_kw(run) == pytest.approx(28.0)
    run.advance(5)
    assert reserved_kw(run) == pytest.approx(22.0)
    run.override("ast_charger_3", 20.0, until="unplugged", by="ann", reason="in a hurry")
    run.advance(SLOT_S)
    assert setpoints(run)["ast_charger_3"] == (13.0, "limit")
    assert reserved_kw(run) <= 30.0


def test_people_are_cut_too_and_a_release_that_does_not_fit_is_the_fallback(
    depot: Callable[..., Simulation],
) -> None:
    """Pause and resume, stop-all: 0 kW always fits."""
    run = depot("import_limit_kw = 31")
    run.submit(plan([10.0] * 8, [10.0] * 8, [5.0] * 8))
    run.advance(SLOT_S / 2)
    run.send("ast_charger_1", "RELEASE", by="ann", reason="a test")
    run.advance(5)
    assert setpoints(run)["ast_charger_1"] == (4.2, "limit")
    run.pause("ast_charger_2", by="ann", reason="a test")
    run.advance(5)
    assert setpoints(run)["ast_charger_2"] == (0.0, "override")
    run.pause("ast_charger_3", by="ann", reason="a test")
    run.advance(5)
    # 22 kW on its own, and the fallbacks of the others
    assert setpoints(run)["ast_charger_1"] == (None, "override")
    assert reserved_kw(run) == pytest.approx(30.4)
    run.resume("ast_charger_2", by="ann", reason="a test")
    run.advance(5)
    assert setpoints(run)["ast_charger_2"] == (4.8, "limit")


def test_without_a_limit_there_is_no_book(depot: Callable[..., Simulation]) -> None:
    """No grant, no claim."""
    run = depot("")
    assert run._running.book is None  # noqa: SLF001 - nobody else looks into it
    board = run.assembly.board
    assert board[AssetId("ast_charger_1")].outside.grant is None


def test_a_battery_counts_under_the_limit_of_its_direction(
    depot: Callable[..., Simulation],
) -> None:
    """Charging under the import limit, discharging under the export limit."""
    run = depot("import_limit_kw = 30\nexport_limit_kw = 12", batteries=1)
    index = pd.date_range(START, periods=2, freq="15min")
    own = {"battery_b1_charge_kw": [40.0, 0.0], "battery_b1_discharge_kw": [0.0, 40.0]}
    run.submit(pd.DataFrame(own, index=index))
    run.advance(SLOT_S / 2)
    assert setpoints(run)["ast_battery_1"] == (17.4, "limit")
    run.advance(SLOT_S)
    assert setpoints(run)["ast_battery_1"] == (-12.0, "limit")
    run.assert_promises()


def with_load(*columns: list[float], load: list[float]) -> pd.DataFrame:
    """Return such a schedule with a base load."""
    return plan(*columns).assign(load_kw=load)


def test_a_base_load_that_rises_throttles_and_one_that_falls_lifts(
    depot: Callable[..., Simulation],
) -> None:
    """From the lowest rank on, and before it is there: no limit is exceeded by what is planned."""
    run = depot("import_limit_kw = 40")
    alarms: list[str] = []
    run.subscribe(lambda event: alarms.append(str(event.data["alarm"])), "ALARM")
    load = [5.0, 20.0, 5.0]
    receipt = run.submit(with_load([11.0] * 3, [11.0] * 3, [11.0] * 3, load=load))
    assert receipt.ignored_columns == ()
    run.advance(SLOT_S / 2)
    assert reserved_kw(run) == pytest.approx(33.0)
    run.advance(SLOT_S)
    assert setpoints(run)["ast_charger_2"] == (4.8, "limit")
    assert setpoints(run)["ast_charger_3"] == (4.2, "limit")
    assert alarms == []
    assert "the base load takes 20 kW" in run.why("ast_charger_3").sentence
    run.advance(SLOT_S)
    assert setpoints(run)["ast_charger_3"] == (11.0, "schedule")
    run.assert_promises()


def test_a_base_load_that_is_higher_all_at_once_is_an_alarm_until_it_is_made_room_for(
    depot: Callable[..., Simulation],
) -> None:
    """A new schedule knows better."""
    run = depot("import_limit_kw = 40")
    alarms: list[str] = []
    run.subscribe(lambda event: alarms.append(str(event.data["alarm"])), "ALARM")
    powers = ([11.0] * 4, [11.0] * 4, [11.0] * 4)
    run.submit(with_load(*powers, load=[5.0] * 4))
    run.advance(SLOT_S / 2)
    run.submit(with_load(*powers, load=[20.0] * 4))
    run.advance(5)
    assert alarms == ["import_limit"]
    assert not run.site_state.exceeded
    assert reserved_kw(run) == pytest.approx(20.0)


def test_a_schedule_of_which_only_the_load_is_new_is_taken(
    depot: Callable[..., Simulation],
) -> None:
    """No asset has anything else to do; what it says again is nothing new."""
    run = depot("import_limit_kw = 40\nbase_load_kw = 1")
    powers = ([11.0] * 4, [11.0] * 4, [11.0] * 4)
    run.submit(with_load(*powers, load=[5.0] * 4))
    run.advance(5)
    receipt = run.submit(with_load(*powers, load=[20.0] * 4))
    assert (receipt.unchanged, receipt.changed_assets) == (False, 0)
    assert run.submit(with_load(*powers, load=[20.0] * 4)).unchanged
    assert run.submit(plan(*powers)).unchanged
    run.advance(SLOT_S / 2)
    assert reserved_kw(run) <= 20.0
    run.stop()
    run.restart()
    book = run._running.book  # noqa: SLF001 - nobody else looks into it
    assert book is not None
    assert book.ledgers["import"].lines[WHOLE].base_w == 20_000


def base_kw(run: Simulation) -> float:
    """Return the base load that counts now."""
    book = run._running.book  # noqa: SLF001 - nobody else looks into it
    assert book is not None
    return book.ledgers["import"].lines[WHOLE].base_w / 1_000


def test_tomorrows_schedule_leaves_todays_base_load(depot: Callable[..., Simulation]) -> None:
    """Also after a restart, and with its first slot it takes over."""
    run = depot("import_limit_kw = 40\nbase_load_kw = 1")
    today = with_load([22.0] * 8, [22.0] * 8, [22.0] * 8, load=[7.0] * 8)
    run.submit(today)
    run.advance(SLOT_S / 2)
    tomorrow = today.assign(load_kw=3.0)
    tomorrow.index += pd.Timedelta("1h")
    receipt = run.submit(tomorrow)
    assert not receipt.unchanged
    assert run.submit(tomorrow).unchanged
    run.advance(SLOT_S)
    assert base_kw(run) == 7.0
    run.stop()
    run.restart()
    assert base_kw(run) == 7.0
    assert run.verify().ok
    run.advance(3 * SLOT_S)
    assert base_kw(run) == 3.0
    run.assert_promises()


def test_a_crash_of_the_dispatcher_does_not_forget_a_base_load(
    depot: Callable[..., Simulation], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the schedule's commit and the word to the site actor."""
    run = depot("import_limit_kw = 40")
    take, left = DispatcherActor._take_load, [1]  # noqa: SLF001 - where the crash is to be

    def failing(*args: Any) -> None:  # noqa: ANN401 - whatever it is given
        if left[0]:
            left[0] -= 1
            raise RuntimeError("struck")
        take(*args)

    monkeypatch.setattr(DispatcherActor, "_take_load", failing)
    run.submit(with_load([11.0] * 4, [11.0] * 4, [11.0] * 4, load=[20.0] * 4))
    run.advance(20)
    assert left == [0]
    assert base_kw(run) == 20.0
    run.assert_promises()


def test_without_an_import_limit_a_load_is_ignored(depot: Callable[..., Simulation]) -> None:
    """There is nothing that it could take from."""
    run = depot("export_limit_kw = 40")
    columns = ([11.0] * 2, [11.0] * 2, [11.0] * 2)
    receipt = run.submit(with_load(*columns, load=[5.0] * 2))
    assert receipt.ignored_columns == ("load_kw",)


def test_a_dry_run_says_that_it_shows_a_schedule_without_the_limits(tmp_path: Path) -> None:
    """What they leave of it depends on what holds then; the base load is not ignored."""
    site, schedule = tmp_path / "site.toml", tmp_path / "day.csv"
    site.write_text(site_text(3, 0, limits="import_limit_kw = 30"), encoding="utf-8")
    frame = with_load([22.0] * 2, [22.0] * 2, [22.0] * 2, load=[5.0] * 2)
    frame.to_csv(schedule, index_label="timestamp")
    told = CliRunner().invoke(plan_verb, [str(site), str(schedule), "--json"])
    assert told.exit_code == 0
    assert told.output.count('"value_kw":22') == 3
    assert "the site's limits are not applied here" in told.stderr
    assert "ignored" not in told.stderr


def test_a_device_that_lies_is_above_its_grant_and_the_site_above_its_limit(
    depot: Callable[..., Simulation],
) -> None:
    """Its word was taken, and its room given away: both are alarms, once, until it is over."""
    run = depot("import_limit_kw = 20", verify="ack")
    alarms: list[str] = []
    run.subscribe(lambda event: alarms.append(str(event.data["alarm"])), "ALARM")
    run.submit(plan([11.0, 0.0, 0.0, 0.0], [4.2, 11.0, 11.0, 0.0], [4.2] * 4))
    run.advance(SLOT_S / 2)
    lie = Fault(kind="ignore", asset="ast_charger_1", action="SetChargingProfile", times=1_000)
    run.world.faults.add(lie)
    run.advance(SLOT_S * 1.9)
    assert sorted(alarms) == ["above_grant", "import_limit"]
    assert run.state()["ast_charger_1"].alarms == ("above_grant",)
    assert run.site_state.exceeded == ("import:measured",)
    run.world.faults.clear()
    run.override("ast_charger_1", 2.0, until="unplugged", by="ann", reason="a nudge")
    run.advance(SLOT_S)
    assert not run.state()["ast_charger_1"].alarms
    assert not run.site_state.exceeded
    assert len(alarms) == 2


@pytest.mark.parametrize("failures", [1, 3])
def test_a_crash_of_the_site_actor_forgets_nothing_that_was_granted(
    depot: Callable[..., Simulation], monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    """It goes on with its book; who waits for an answer gets one."""
    run = depot("import_limit_kw = 30")
    run.submit(plan([18.0] * 4, [4.2] * 4, [4.2] * 4))
    run.advance(SLOT_S / 2)
    book = run._running.book  # noqa: SLF001 - nobody else looks into it
    assert book is not None
    settle, left = book.settle, [failures]

    def failing() -> object:
        if left[0]:
            left[0] -= 1
            raise RuntimeError("struck")
        return settle()

    monkeypatch.setattr(book, "settle", failing)
    run.override("ast_charger_2", 11.0, until="unplugged", by="ann", reason="a test")
    run.advance(20)
    assert left == [0]
    assert setpoints(run)["ast_charger_2"] == (7.8, "limit")
    assert reserved_kw(run) == pytest.approx(30.0)
    run.assert_promises()


def test_an_asset_that_was_out_of_the_site_file_is_back_with_what_it_may_hold(
    depot: Callable[..., Simulation],
) -> None:
    """Its charger went on meanwhile: nobody else gets its room before it is set anew."""
    run = depot("import_limit_kw = 30", verify="ack")
    run.submit(plan([18.0] * 8, [4.2, 5.0] * 4, [4.2] * 8))
    run.advance(SLOT_S / 2)
    run.crash_at("after_append")
    run.advance(SLOT_S)
    assert run.crash.happened
    both = run._simulated  # noqa: SLF001 - the site file as it was
    run._simulated = attrs.evolve(both, assets=both.assets[1:])  # noqa: SLF001 - likewise
    run.restart()
    run.advance(5)
    assert reserved_kw(run) == pytest.approx(9.2)
    lower = attrs.evolve(
        both.assets[0], rules=attrs.evolve(both.assets[0].rules, max_charge_w=6_000)
    )
    run._simulated = attrs.evolve(both, assets=(lower, *both.assets[1:]))  # noqa: SLF001 - likewise
    run.restart()
    assert reserved_kw(run) >= 18.0 + 8.4
    run.advance(20)
    assert setpoints(run)["ast_charger_1"] == (4.2, "fallback")
    assert reserved_kw(run) < 15.0
    run.assert_promises()


# --- phases

EVEN = 'phases = 3\nrate_unit = "A"'
ON_L1 = 'phases = 1\nrate_unit = "A"\nphase_rotation = ["L1"]'
SINGLE = Vehicle(max_kw=7.4, phases=1)


def test_each_phase_of_the_connection_is_kept_within_its_limit(
    depot: Callable[..., Simulation],
) -> None:
    """A charger on one phase leaves the others less of that, and they can do no more for it."""
    run = depot(
        "import_limit_a = 60\nbase_load_a = 10",
        priorities=(3, 2, 1),
        keys={"ast_charger_1": ON_L1, "ast_charger_2": EVEN, "ast_charger_3": EVEN},
        vehicles={"CP-1": SINGLE},
    )
    run.submit(plan([7.0] * 4, [16.0] * 4, [11.0] * 4))
    run.advance(SLOT_S / 2)
    # L1 carries 13.8 kW: 2.3 are the base load's, 7 the first one's, 4.5 a third each of 13.5.
    assert setpoints(run) == {
        "ast_charger_1": (7.0, "schedule"),
        "ast_charger_2": (9.3, "limit"),
        "ast_charger_3": (4.2, "limit"),
    }
    told = run.why("ast_charger_2").sentence
    assert "the site's L1 limit is 13.8 kW (60 A) and the base load takes 2.3 kW" in told
    run.assert_promises()


def test_a_vehicle_on_one_phase_is_found_by_its_meter(depot: Callable[..., Simulation]) -> None:
    """A charger that lies gives it more than the phase has: the alarm names which that is."""
    run = depot(
        "import_limit_a = 40",
        verify="ack",
        keys={"ast_charger_1": ON_L1, "ast_charger_2": EVEN, "ast_charger_3": EVEN},
        vehicles={"CP-1": SINGLE},
    )
    alarms: list[str] = []
    run.subscribe(lambda event: alarms.append(str(event.data["alarm"])), "ALARM")
    run.submit(plan([7.0, 0.0, 0.0, 0.0], [4.2, 15.0, 15.0, 0.0], [4.2] * 4))
    run.advance(SLOT_S / 2)
    lie = Fault(kind="ignore", asset="ast_charger_1", action="SetChargingProfile", times=1_000)
    run.world.faults.add(lie)
    run.advance(SLOT_S * 1.9)
    assert sorted(alarms) == ["above_grant", "l1_limit"]
    assert run.site_state.exceeded == ("L1:measured",)
