"""Batteries that close their connection after an answer, on bare sockets."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import attrs
import pytest

from actors.clock import steady_s
from actors.links import habits
from actors.links.greetings import OFTEN
from actors.links.habits import CLOSINGS, MANY
from actors.testing.bare_battery import Asked, BareBattery, Manner
from actors.testing.battery_rig import QUIET, BatteryRig
from actors.testing.waiting import wait_until
from engine.adapters.base import Connected, Disconnected, Seen
from engine.errors import OutcomeUnknown

MODEL = {0: 802}
BUSY = attrs.evolve(QUIET, poll_s=0.05)
CHARGE = 20
SOON_S = 2.5

Scenario = Callable[[BatteryRig, BareBattery], Awaitable[None]]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a close still come soon after an answer on a loaded machine."""
    monkeypatch.setattr(habits, "SOON_S", SOON_S)


def run(scenario: Scenario, manner: Manner) -> None:
    """Run a scenario with a battery of such a manner and its link."""

    async def told(battery: BareBattery) -> None:
        rig = BatteryRig(BUSY)
        async with asyncio.timeout(60):
            await rig.open(battery.port)
            try:
                await scenario(rig, battery)
            finally:
                await rig.link.close()

    with BareBattery(dict(MODEL), manner) as battery:
        asyncio.run(told(battery))


@pytest.mark.parametrize("answers", [1, 2, 3])
@pytest.mark.parametrize(
    "how", [Manner(), Manner(linger_s=0.02), Manner(linger_s=0.02, resets=True)]
)
def test_a_battery_that_closes_after_its_answers_is_used(answers: int, how: Manner) -> None:
    """It is greeted, polled, written and read back over as many connections as it likes.

    The first time that it closes with nothing under way it might have restarted.
    """

    async def scenario(rig: BatteryRig, battery: BareBattery) -> None:
        await rig.heard(Seen, 5)
        for power_w in (2_000, 3_000):
            answer = await rig.send(power_w / 1_000)
            assert answer.outcome == "accepted"
            assert battery.registers[CHARGE] == power_w
        polls = rig.count(Seen)
        await rig.heard(Seen, polls + 3)
        assert rig.count(Disconnected) <= 1
        written = [one.words for one in battery.writes if one.address == CHARGE]
        assert written == [(2_000,), (3_000,)]

    run(scenario, attrs.evolve(how, answers=answers))


def test_a_battery_that_takes_no_connection_for_a_moment_is_waited_for() -> None:
    """Small devices have room for one, and need a while to let it go."""

    async def scenario(rig: BatteryRig, battery: BareBattery) -> None:
        await rig.heard(Seen, 3)
        answer = await rig.send()
        assert answer.outcome == "accepted"
        await rig.heard(Seen, rig.count(Seen) + 2)
        assert rig.count(Disconnected) <= 1
        assert len(battery.writes) == 1

    run(scenario, Manner(1, away_s=0.1))


def test_restarts_at_short_distance_are_taken_for_a_habit_only_until_a_connection_lasts() -> None:
    """Such a battery might have room for no other connection than the one that it has."""

    async def scenario(rig: BatteryRig, battery: BareBattery) -> None:
        def is_asked_over(connection: int) -> bool:
            return bool(battery.asked) and battery.asked[-1].connection == connection

        for connection in range(1, CLOSINGS + 1):
            battery.restart()
            await asyncio.to_thread(wait_until, partial(is_asked_over, connection + 1))
        asked = len(battery.asked)
        await rig.send(2.0)
        await asyncio.to_thread(wait_until, lambda: len(battery.asked) > asked + MANY)
        started_s = steady_s()
        await rig.send(3.0)
        assert steady_s() - started_s < SOON_S / 2
        assert {one.connection for one in battery.asked[asked:]} == {CLOSINGS + 1}

    run(scenario, Manner())


def test_nothing_is_written_over_a_connection_that_is_about_to_be_closed() -> None:
    """What a battery closes under would be lost or done twice."""

    async def scenario(rig: BatteryRig, battery: BareBattery) -> None:
        await rig.heard(Seen)
        await rig.send()
        first = {one.connection: one for one in reversed(battery.asked)}
        assert all(first[one.connection] is one for one in battery.writes)
        assert battery.writes

    run(scenario, Manner(1, linger_s=0.02))


def test_a_write_without_an_answer_stays_unknown_and_is_not_written_again() -> None:
    """It may have been carried out."""

    async def scenario(rig: BatteryRig, battery: BareBattery) -> None:
        await rig.heard(Seen)
        with pytest.raises(OutcomeUnknown) as unknown:
            await rig.send()
        assert unknown.value.outcome == "link_lost"
        await rig.heard(Connected, 2)
        assert len(battery.writes) == 1

    run(scenario, Manner(1, goes=lambda asked: asked.is_write))


def test_a_read_that_is_closed_under_is_asked_once_more_and_not_for_ever() -> None:
    """A battery that goes each time is one that cannot be reached."""
    state = 11

    def goes(asked: Asked) -> bool:
        return is_ill[0] and asked.address <= state

    async def scenario(rig: BatteryRig, battery: BareBattery) -> None:
        await rig.heard(Seen)
        before = len(battery.asked)
        is_ill[0] = True
        await rig.heard(Disconnected)
        asked = battery.asked[before:]
        assert [one.address for one in asked][-2:] == [asked[-1].address] * 2
        is_ill[0] = False
        await rig.heard(Connected, 2)

    is_ill = [False]
    run(scenario, Manner(goes=goes))


def test_why_a_battery_is_never_used_is_told_once_and_printed_nowhere(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It takes each connection and closes it in place of an answer."""

    async def scenario(rig: BatteryRig, battery: BareBattery) -> None:
        await rig.heard(Disconnected)
        told = [one for one in rig.seen if isinstance(one, Disconnected)]
        assert told == [Disconnected("the connection was closed", lasts=True)]
        assert len(battery.asked) >= OFTEN
        tried = len(battery.asked)
        await asyncio.to_thread(wait_until, lambda: len(battery.asked) >= tried + 3)
        assert [one for one in rig.seen if isinstance(one, Disconnected)] == told
        is_ill[0] = False
        await rig.heard(Connected)
        assert not [one for one in caplog.records if one.levelname == "WARNING"]

    is_ill = [True]
    run(scenario, Manner(goes=lambda _: is_ill[0]))
