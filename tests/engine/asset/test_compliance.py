"""How far what is measured is off the plan: one event a slot, and what people read of it."""

from actors.testing.rig import Rig, battery_rules, charger_rules, names_of, plan_of
from engine import events
from engine.adapters import base
from engine.asset import messages as message
from engine.commands import CommandType
from engine.history import CommandRecord, report_of
from engine.types import US_PER_S, Channel, from_us

CHARGE, DISCHARGE = Channel.CHARGE, Channel.DISCHARGE


def charger(*changes: tuple[float, Channel, int], horizon_s: float = 7_200) -> Rig:
    """Return a charger that has accepted the first of planned changes."""
    rig = Rig(charger_rules(failsafe_after_s=100_000))
    rig.connect("CHARGING")
    rig.offer(plan_of(*changes), horizon_s)
    rig.answer()
    return rig


def metered(rig: Rig, power_kw: float, seconds: int, every_s: int = 60) -> Rig:
    """Let a power be measured for so long; the device accepts what comes."""
    for _ in range(seconds // every_s):
        rig.observe(base.PowerMeasured(power_kw, from_us(rig.now.device_us)))
        rig.advance(every_s)
        if rig.state.attempt is not None:
            rig.answer()
    return rig


def tallies(rig: Rig) -> list[events.PowerTallied]:
    """Return what is on record of what was measured."""
    return [one for one in rig.events if isinstance(one, events.PowerTallied)]


def record_of(rig: Rig, command: str = "1.0.0") -> CommandRecord:
    """Return a command as people read it."""
    return rig.history()[f"cmd_{command}"]


def test_a_slot_that_was_measured_is_one_event() -> None:
    """However many samples came; its energy, and how much of it was off the plan."""
    rig = charger((0, CHARGE, 11_000), (900, CHARGE, 7_000))
    metered(rig, 11.0, 300)
    metered(rig, 8.0, 600)
    (one,) = tallies(rig)
    assert (one.command_id, one.planned_w) == ("cmd_1.0.0", 11_000)
    assert one.until_us - one.from_us == one.measured_us == 900 * US_PER_S
    assert (one.energy_ws, one.above_ws, one.below_ws) == (8_100_000, 0, 1_800_000)
    assert one.off_us == 600 * US_PER_S


def test_what_is_measured_goes_on_with_the_next_slot() -> None:
    """The last sample stands for the time until the next."""
    rig = charger((0, CHARGE, 11_000), (900, CHARGE, 7_000), (1_800, CHARGE, 0))
    metered(rig, 11.0, 1_800)
    first, second = tallies(rig)
    assert (second.command_id, second.from_us) == ("cmd_1.0.1", first.until_us)
    assert (second.measured_us, second.above_ws) == (900 * US_PER_S, 3_600_000)


def test_a_commands_facts_stand_apart() -> None:
    """Asked, sent, accepted, found and measured, and how far that was off."""
    rig = metered(charger((0, CHARGE, 11_000), (900, CHARGE, 7_000)), 12.0, 900)
    one = record_of(rig)
    assert (one.value_kw, one.applied_kw, one.acknowledged_kw) == (11.0, 11.0, 11.0)
    assert (one.found_kw, one.measured_kw, one.measured_s) == (None, 12.0, 900.0)
    assert (one.energy_kwh, one.above_plan_kwh, one.below_plan_kwh) == (3.0, 0.25, 0.0)
    assert one.off_plan_s == 900.0


def test_nothing_measured_is_nothing_on_record() -> None:
    """An asset without a meter costs nothing."""
    rig = charger((0, CHARGE, 11_000), (900, CHARGE, 7_000))
    rig.advance(900)
    assert tallies(rig) == []
    assert record_of(rig).measured_s is None


def test_a_gap_is_not_measured() -> None:
    """A sample stands for five minutes at the most."""
    rig = charger((0, CHARGE, 11_000), (1_800, CHARGE, 7_000))
    metered(rig, 11.0, 300)
    rig.advance(900)
    metered(rig, 11.0, 600)
    (one,) = tallies(rig)
    assert one.measured_us == 900 * US_PER_S - 60 * US_PER_S


def test_a_sample_that_was_kept_for_long_does_not_count() -> None:
    """It tells of another slot."""
    rig = charger((0, CHARGE, 11_000), (900, CHARGE, 7_000))
    old = from_us(rig.now.device_us - 301 * US_PER_S)
    rig.observe(base.PowerMeasured(3.0, old))
    rig.advance(900)
    assert tallies(rig) == []


def test_a_long_slot_is_told_by_the_hour() -> None:
    """So that a crash loses an hour at the most."""
    rig = metered(charger((0, CHARGE, 11_000), horizon_s=9_000), 11.0, 9_000)
    assert [one.measured_us // US_PER_S for one in tallies(rig)] == [3_600, 3_600, 1_800]
    assert record_of(rig).measured_s == 9_000


def test_a_plan_that_is_replaced_ends_the_stretch() -> None:
    """What was measured until then is of the plan before."""
    rig = metered(charger((0, CHARGE, 11_000)), 11.0, 300)
    rig.offer(plan_of((300, CHARGE, 5_000)), 9_000, sequence=2)
    rig.answer()
    metered(rig, 11.0, 60)
    (one,) = tallies(rig)
    assert (one.command_id, one.measured_us) == ("cmd_1.0.0", 300 * US_PER_S)


def test_a_slot_whose_value_held_already_is_that_of_the_command_before() -> None:
    """It has no command of its own."""
    rig = metered(charger((0, CHARGE, 11_000)), 11.0, 300)
    rig.offer(plan_of((300, CHARGE, 11_000), (600, CHARGE, 5_000)), 9_000, sequence=2)
    metered(rig, 11.0, 300)
    assert [one.command_id for one in tallies(rig)] == ["cmd_1.0.0", "cmd_1.0.0"]
    assert record_of(rig).measured_s == 600


def test_what_outranks_the_plan_has_what_was_measured_under_it() -> None:
    """Off the plan it is all the same."""
    rig = charger((0, CHARGE, 11_000), (900, CHARGE, 7_000))
    rig.tell(
        message.OverrideRequested(
            events.Setpoint(0, 0),
            CommandType.SET_CHARGE_RATE,
            "resume",
            None,
            "ann",
            "why",
            "override",
            rig.replies.append,
        )
    )
    rig.answer()
    metered(rig, 0.0, 900)
    (one,) = [row for row in rig.history().values() if row.measured_s is not None]
    assert (one.cause.kind, one.below_plan_kwh) == ("override", 2.75)


def test_a_stop_puts_what_was_measured_on_record() -> None:
    """And nothing more after it."""
    rig = metered(charger((0, CHARGE, 11_000)), 11.0, 300)
    rig.tell(message.Stopping())
    rig.answer()
    metered(rig, 11.0, 120)
    assert [one.measured_us for one in tallies(rig)] == [300 * US_PER_S]


def test_a_stretch_without_a_sample_in_its_end_goes_on_with_none() -> None:
    """After the horizon nothing is planned, and nothing is summed up."""
    rig = metered(charger((0, CHARGE, 11_000), horizon_s=900), 11.0, 900)
    metered(rig, 11.0, 300)
    assert len(tallies(rig)) == 1
    assert rig.state.outside.tally is None


def test_a_battery_is_off_its_plan_in_both_directions() -> None:
    """Discharging is negative."""
    rig = Rig(battery_rules(failsafe_after_s=100_000))
    rig.connect()
    rig.offer(
        plan_of((0, DISCHARGE, 5_000), (900, DISCHARGE, 0), columns=("charge_kw", "discharge_kw")),
        9_000,
    )
    rig.read_back()
    for _ in range(15):
        rig.observe(base.PowerMeasured(-4.0))
        rig.advance(60)
    (one,) = tallies(rig)
    assert (one.planned_w, one.energy_ws, one.above_ws) == (-5_000, -3_600_000, 900_000)
    row = record_of(rig)
    assert (row.measured_kw, row.found_kw, row.off_plan_s) == (-4.0, 5.0, 900.0)


def test_what_was_measured_of_a_command_without_events_goes_by_its_plan() -> None:
    """It is not made a command that is pending for ever."""
    rig = charger((0, CHARGE, 11_000), (900, CHARGE, 7_000))
    stray = events.PowerTallied("cmd_1.0.1", 0, 60, 0, 60, 1, 0, 0, 0)  # type: ignore[arg-type]  # a text will do
    nobodys = events.PowerTallied("cmd_none", 0, 60, 0, 60, 1, 0, 0, 0)  # type: ignore[arg-type]  # a text will do
    for one in (stray, nobodys, events.PowerTallied(None, 0, 60, 0, 60, 1, 0, 0, 0)):
        rig.events.append(one)
        rig.times.append(rig.now)
    assert record_of(rig, "1.0.1").measured_s is None


# --- the report


def test_a_report_has_a_row_a_slot_and_a_total() -> None:
    """For each asset and schedule: energy and time off the plan."""
    rig = charger((0, CHARGE, 11_000), (900, CHARGE, 7_000), (1_800, CHARGE, 0))
    metered(metered(rig, 12.0, 900), 7.0, 900)
    rig.advance(60)
    report = report_of(rig.history().values())
    assert [row.kind for row in report] == ["slot", "slot", "slot", "total"]
    first = report[0].to_json()
    assert (first["planned_kw"], first["commanded_kw"], first["measured_kw"]) == (11.0, 11.0, 12.0)
    assert first["from_at"] == "2027-01-15T08:00:00.000000Z"
    (total,) = report.totals
    assert (total.slots, total.measured_s, total.measured_kw) == (3, 1_800.0, 9.5)
    assert (total.off_plan_kwh, total.off_plan_s) == (0.25, 900.0)
    assert list(report[:1].to_frame()["kind"]) == ["slot"]


def test_a_report_without_samples_says_so() -> None:
    """Null is not zero."""
    rig = charger((0, CHARGE, 11_000))
    (total,) = report_of(rig.history().values()).totals
    assert (total.measured_kw, total.off_plan_kwh, total.off_plan_s) == (None, None, None)


def test_commands_that_set_no_rate_are_no_slots() -> None:
    """Nor is a setpoint outside the plan of which nothing was measured."""
    rig = charger((0, CHARGE, 11_000), horizon_s=900)
    rig.advance(901)
    rig.answer()
    assert names_of(rig.events)[-2:] == ["AttemptStarted", "AttemptEnded"]
    assert len(report_of(rig.history().values())) == 2
