from collections.abc import Callable
from fractions import Fraction

import attrs
import pytest
from msgspec.structs import replace

from actors.testing.battery_rig import QUIET, BatteryRig, run_battery
from engine.adapters.base import (
    Payload,
    Unreadable,
)
from engine.adapters.registers import KeepAlive
from engine.errors import NotSent

REPEATED = attrs.evolve(QUIET, keepalive=KeepAlive("setpoint", 0.1))
BEATEN = attrs.evolve(QUIET, keepalive=KeepAlive("heartbeat", 0.1))


class TestKeepAlive:
    def test_a_heartbeat_counts_up_at_half_the_devices_time(self) -> None:
        """From the moment that a setpoint is confirmed."""

        async def scenario(rig: BatteryRig) -> None:
            rig.link.keep(rig.charge(2.0).frames, None)
            rig.link.keep(rig.charge(2.0).frames, None)
            await rig.battery.until(lambda: len(rig.writes(30)) >= 3)
            beats = [one.payload["values"][0] for one in rig.writes(30)]  # type: ignore[index]
            assert beats[:3] == [2, 3, 4]
            assert rig.writes() == []

        run_battery(scenario, BEATEN)

    def test_a_new_setpoint_makes_no_beat_of_its_own(self) -> None:
        """The device has heard one, and hears the next in its time."""

        async def scenario(rig: BatteryRig) -> None:
            for kw in (2.0, 3.0, 4.0):
                answer = await rig.send(kw)
                rig.link.keep((), None)
                rig.link.keep(rig.charge(kw).frames, None)
                await rig.battery.until(lambda: len(rig.writes(30)) >= 1)
                assert answer.outcome == "accepted"
            assert len(rig.writes(30)) == 1

        run_battery(scenario, attrs.evolve(QUIET, keepalive=KeepAlive("heartbeat", 3_600.0)))

    def test_a_heartbeat_may_be_a_constant(self) -> None:
        """As the profile says."""

        async def scenario(rig: BatteryRig) -> None:
            rig.link.keep(rig.charge(2.0).frames, None)
            await rig.battery.until(lambda: len(rig.writes(30)) >= 2)
            assert {one.payload["values"][0] for one in rig.writes(30)} == {7}  # type: ignore[index]

        keepalive = KeepAlive("heartbeat", 0.1, Fraction(7))
        run_battery(scenario, attrs.evolve(QUIET, keepalive=keepalive))

    def test_a_kept_setpoint_is_repeated_unchanged(self) -> None:
        """The confirmed attempt's control frames, and nothing new."""

        async def scenario(rig: BatteryRig) -> None:
            await rig.send(2.0)
            rig.link.keep(rig.charge(2.0).frames, None)
            await rig.battery.until(lambda: len(rig.writes()) >= 3)
            assert {one.payload["values"][0] for one in rig.writes()} == {2_000}  # type: ignore[index]

        run_battery(scenario, REPEATED)

    def test_it_ends_with_the_lease(self) -> None:
        """Then the device takes itself back, which is what a lease is for."""

        async def scenario(rig: BatteryRig) -> None:
            rig.link.keep(rig.charge(2.0).frames, rig.clock.now_us + 1)
            await rig.battery.until(lambda: len(rig.writes(30)) >= 1)
            rig.clock.now_us += 1
            await _a_while(rig, lambda: rig.link._kept is None)  # noqa: SLF001 - nothing is to be seen
            assert len(rig.writes(30)) <= 2

        run_battery(scenario, BEATEN)

    def test_it_ends_when_it_is_dropped(self) -> None:
        """By no frames, or by a release."""

        async def scenario(rig: BatteryRig) -> None:
            rig.link.keep(rig.charge(2.0).frames, None)
            rig.link.keep((), None)
            assert rig.link._kept is None  # noqa: SLF001 - nothing is to be seen
            (question,) = rig.adapter.questions(rig.view())
            await rig.link.send(question, 10)
            assert rig.writes(30) == []

        run_battery(scenario, BEATEN)

    def test_a_profile_without_it_keeps_nothing(self) -> None:
        """The device's own time-out is none, or longer than the lease."""

        async def scenario(rig: BatteryRig) -> None:
            rig.link.keep(rig.charge(2.0).frames, None)
            assert rig.link._kept is None  # noqa: SLF001 - nothing is to be seen

        run_battery(scenario, attrs.evolve(QUIET, keepalive=None))

    def test_without_leave_it_waits(self) -> None:
        """An engine that has been taken over from keeps nothing alive."""

        async def scenario(rig: BatteryRig) -> None:
            rig.clock.keeping = False
            rig.link.keep(rig.charge(2.0).frames, None)
            await _a_while(rig, lambda: rig.link._beat_at > 0)  # noqa: SLF001
            assert rig.writes(30) == []
            rig.clock.keeping = True
            await rig.battery.until(lambda: len(rig.writes(30)) >= 1)

        run_battery(scenario, BEATEN)

    def test_a_new_setpoint_ends_the_old_ones_repetition(self) -> None:
        """Nothing older is sent after something newer."""

        async def scenario(rig: BatteryRig) -> None:
            rig.link.keep(rig.charge(2.0).frames, None)
            await rig.send(3.0)
            assert rig.link._kept is None  # noqa: SLF001 - nothing is to be seen
            assert rig.writes()[-1].payload["values"] == [3_000]  # type: ignore[index]

        run_battery(scenario, REPEATED)

    @pytest.mark.parametrize("quirks", [["exception_3"], []])
    def test_a_setpoint_that_did_not_get_through_leaves_the_old_one_alive(
        self, quirks: list[str]
    ) -> None:
        """Refused, or not sent at all: the device holds what it held."""

        async def scenario(rig: BatteryRig) -> None:
            await rig.send(2.0)
            rig.link.keep(rig.charge(2.0).frames, None)
            if quirks:
                rig.battery.fail(*quirks)
                assert (await rig.send(3.0)).outcome == "rejected"
                rig.battery.heal()
            else:
                with pytest.raises(NotSent):
                    await rig.send(3.0, begin_by_us=0)
            before = len(rig.writes())
            await rig.battery.until(lambda: len(rig.writes()) > before)
            assert rig.writes()[-1].payload["values"] == [2_000]  # type: ignore[index]

        run_battery(scenario, REPEATED)

    def test_a_write_to_another_register_leaves_it_alive(self) -> None:
        """An operator's call is no new setpoint."""

        async def scenario(rig: BatteryRig) -> None:
            rig.link.keep(rig.charge(2.0).frames, None)
            frame = rig.charge(2.0).frames[0]
            call = replace(frame, body={**frame.body, "address": 30})
            await rig.link.send(Payload((call,)), 10)
            await rig.battery.until(lambda: len(rig.writes()) >= 1)

        run_battery(scenario, REPEATED)

    def test_a_refused_keep_alive_is_told(self) -> None:
        """And tried again in its time."""

        async def scenario(rig: BatteryRig) -> None:
            rig.battery.fail("exception_3")
            rig.link.keep(rig.charge(2.0).frames, None)
            await rig.heard(Unreadable, 2)

        run_battery(scenario, BEATEN)

    def test_it_goes_on_after_a_new_connection(self) -> None:
        """At once, as time has passed."""

        async def scenario(rig: BatteryRig) -> None:
            rig.link.keep(rig.charge(2.0).frames, None)
            await rig.battery.until(lambda: len(rig.writes(30)) == 1)
            rig.battery.hang_up()
            await rig.battery.until(lambda: len(rig.writes(30)) == 2)

        keepalive = KeepAlive("heartbeat", 3_600.0)
        run_battery(scenario, attrs.evolve(QUIET, keepalive=keepalive))


async def _a_while(rig: BatteryRig, condition: Callable[[], bool]) -> None:
    """Wait for something of the link's that nobody tells, by asking the battery meanwhile."""
    (question,) = rig.adapter.questions(rig.view())
    while not condition():
        await rig.link.send(question, 10)
