"""Registers that are kept in flash are written no more often than they may be."""

from collections.abc import Iterator
from datetime import UTC

import pytest

from actors.testing.records import recorded
from actors.testing.rig import FakeSpelling, Rig, battery_rules, names_of, plan_of
from engine import events
from engine.adapters import base
from engine.asset import AssetState
from engine.asset import effects as effect
from engine.bus import EventType
from engine.commands import Attempt, Command
from engine.notices import Notices
from engine.types import Channel
from engine.why import explain

CHARGE = Channel.CHARGE
DAY_S = 86_400


class Flash(FakeSpelling):
    """Spells the charge power as one write to a register that may be written three times a day."""

    def translate(self, command: Command, asset: base.AssetView, attempt: Attempt) -> base.Payload:
        """Add a mode that never changes, and that is not kept in flash."""
        spelled = super().translate(command, asset, attempt)
        watts = round(((attempt.charge_kw or 0.0) - (attempt.discharge_kw or 0.0)) * 1_000)
        flash = {"role": "power", "values": [watts], "persistent": [60.0, 3]}
        frames = (*spelled.frames, base.Frame("write", {**spelled.frames[0].body, **flash}))
        return base.Payload(frames, spelled.applied_kw)


@pytest.fixture
def rig() -> Rig:
    """Return a battery whose setpoint register is kept in flash, holding 1 kW."""
    rig = Rig(battery_rules(failsafe_after_s=100_000, shared_register=True), Flash())
    rig.connect()
    steps = [(0, CHARGE, 1_000), (30, CHARGE, 2_000), (70, CHARGE, 500), (200, CHARGE, 3_000)]
    later = [(400, CHARGE, 400), (500, CHARGE, 4_000), (700, CHARGE, 5_000)]
    rig.offer(plan_of(*steps, *later), 2 * DAY_S)
    rig.read_back()
    return rig


def held(rig: Rig) -> list[str]:
    """Return why commands were held, in order."""
    return [one.reason for one in rig.events if isinstance(one, events.CommandHeld)]


def powers(rig: Rig) -> Iterator[object]:
    """Yield the charge power of each attempt."""
    return (one["charge_kw"] for one in rig.sent[::2])


def test_an_increase_waits_for_the_interval(rig: Rig) -> None:
    """It is sent as soon as the register may be written again; nothing is said twice."""
    assert names_of(rig.advance(30)) == ["SetpointDecided", "CommandHeld"]
    assert rig.story()[1] == "1.0.1 PENDING held:write_interval"
    assert names_of(rig.advance(29)) == []
    assert list(powers(rig)) == [1]
    assert names_of(rig.advance(5)) == ["AttemptStarted"]
    assert list(powers(rig)) == [1, 2]


@pytest.mark.parametrize(
    ("seconds", "why"),
    [
        ((30,), "is not written again so soon"),
        ((64, 6, 130), "was written as often today as it may be"),
    ],
)
def test_why_something_waits_is_told_in_words(rig: Rig, seconds: tuple[int, ...], why: str) -> None:
    """Whoever asks need not know what flash is to the engine."""
    for one in seconds:
        rig.advance(one)
        if rig.state.attempt is not None:
            rig.read_back()
    told = explain(recorded(rig), AssetState(rig.state.asset_id), rig.now, UTC)
    assert f": its register is kept in flash, and {why}." in told.sentence


def test_the_second_half_of_a_pair_waits_too() -> None:
    """The zero of the other channel has gone out; it is said once that the rest waits."""
    rig = Rig(battery_rules(failsafe_after_s=100_000), Flash())
    rig.connect()
    columns = ("battery_charge_kw", "battery_discharge_kw")
    turn = [(30, CHARGE, 0), (30, Channel.DISCHARGE, 3_000)]
    rig.offer(plan_of((0, CHARGE, 1_000), *turn, columns=columns), DAY_S)
    rig.read_back()
    rig.advance(30)
    assert names_of(rig.read_back()) == ["AttemptEnded", "CommandHeld"]
    assert names_of(rig.advance(5)) == []
    assert names_of(rig.advance(60)) == ["AttemptStarted"]
    assert rig.sent[-1]["discharge_kw"] == 3


def test_a_decrease_never_waits(rig: Rig) -> None:
    """Though it counts: flash is worth less than a limit."""
    rig.advance(64)
    rig.read_back()
    rig.advance(6)
    assert list(powers(rig)) == [1, 2, 0.5]
    assert rig.state.worn[0].left == 0


def test_a_spent_budget_is_an_alarm_until_the_next_day(rig: Rig) -> None:
    """What would raise power waits; the alarm goes with the first write of the new day."""
    for seconds in (64, 6):
        rig.advance(seconds)
        rig.read_back()
    happened = rig.advance(130)
    assert names_of(happened) == ["SetpointDecided", "CommandHeld"]
    assert held(rig)[-1] == "write_budget"
    assert "write_budget" in rig.state.alarms
    rig.advance(200)
    rig.read_back()
    rig.advance(100)
    assert list(powers(rig)) == [1, 2, 0.5, 0.4]
    assert "write_budget" in rig.state.alarms
    rig.advance(DAY_S)
    assert list(powers(rig))[4:] == [5]
    assert "write_budget" not in rig.state.alarms


def test_the_same_words_again_are_no_write() -> None:
    """The link leaves them out, so a setpoint may be renewed at any time."""
    rig = Rig(battery_rules(failsafe_after_s=900, shared_register=True), Flash())
    rig.connect()
    rig.offer(plan_of((0, CHARGE, 1_000)), 2 * DAY_S)
    rig.read_back()
    worn = rig.state.worn
    rig.advance(451)
    assert list(powers(rig)) == [1, 1]
    assert worn == rig.state.worn


def test_what_another_controller_has_changed_is_written_again(rig: Rig) -> None:
    """The register reads otherwise, so the same words wear it: they wait, and they count."""
    rig.observe(base.SetpointRead(0.2, 0.0))
    assert held(rig)[-1:] == ["write_interval"]
    assert list(powers(rig)) == [1]
    rig.advance(60)
    rig.read_back()
    assert list(powers(rig))[-1:] == [2]
    assert rig.state.worn[0].left == 1


def test_a_limit_is_set_right_though_flash_has_to_wait(rig: Rig) -> None:
    """Less power is never held, and is counted."""
    left = rig.state.worn[0].left
    rig.observe(base.SetpointRead(1.5, 0.0))
    assert list(powers(rig)) == [1, 1]
    assert rig.state.worn[0].left == left - 1


def test_a_keep_alive_never_wears_flash(rig: Rig) -> None:
    """Only the other frames are repeated."""
    kept = [one.frames for one in rig.effects if isinstance(one, effect.KeepAlive) if one.frames]
    assert [[frame.body.get("persistent") for frame in frames] for frames in kept] == [[None]]


def test_a_spent_budget_is_told(rig: Rig) -> None:
    """As an alarm beside the held command."""
    notices = Notices()
    for seconds in (64, 6):
        rig.advance(seconds)
        rig.read_back()
    rig.advance(130)
    said = [one for record in recorded(rig) for one in notices.of(record, expand=False)]
    alarms = [one.data for one in said if one.type is EventType.ALARM]
    assert alarms == [{"alarm": "write_budget", "command_ids": ["cmd_1.0.3"]}]
