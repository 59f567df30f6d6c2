"""Batteries that show later what they were told, on bare sockets."""

import asyncio
from pathlib import Path

import attrs
import pytest

from actors.clock import steady_s
from actors.links.sending import HeldLock
from actors.profiles import limits_check
from actors.testing.bare_battery import BareBattery, Manner
from actors.testing.battery_rig import QUIET, BatteryRig
from actors.testing.rig import battery_rules
from engine.adapters.base import Answer, Connected, Seen, SetpointRead
from engine.adapters.modbus import ModbusOptions
from engine.adapters.registers import RegisterProfile
from engine.config import AssetConfig

SLOW = """
[profile]
name = "slow"
source = "a document"
readback_after_s = 2
[[register]]
role = "charge_setpoint_w"
address = 20
type = "u16"
access = "rw"
max = 5000
[[register]]
role = "discharge_setpoint_w"
address = 21
type = "u16"
access = "rw"
max = 5000
"""


def charged(
    profile: RegisterProfile, timeout_s: float, shows_after_s: float = 0.5
) -> tuple[Answer, float | None, float]:
    """Return the answer to 2 kW, what was read back, and how many seconds that took."""

    async def told(battery: BareBattery) -> tuple[Answer, float | None, float]:
        rig = BatteryRig(profile)
        async with asyncio.timeout(60):
            await rig.open(battery.port)
            await rig.heard(Connected)
            began_s = steady_s()
            answer = await rig.send(timeout_s=timeout_s)
            took_s = steady_s() - began_s
            (read,) = (
                one
                for one in rig.adapter.interpret(answer, rig.view())
                if isinstance(one, SetpointRead)
            )
            await rig.link.close()
        return answer, read.charge_kw, took_s

    with BareBattery({0: 802}, Manner(shows_after_s=shows_after_s)) as battery:
        return asyncio.run(told(battery))


def test_what_shows_later_is_read_back_later() -> None:
    """The device has done it; it only did not say so yet."""
    answer, charge_kw, took_s = charged(attrs.evolve(QUIET, readback_after_s=0.8), 10)
    assert (answer.outcome, charge_kw) == ("accepted", 2.0)
    assert took_s >= 0.8


def test_without_it_a_device_is_read_back_at_once() -> None:
    """Most show it with their echo; of this one it is not what was set."""
    answer, charge_kw, _ = charged(QUIET, 10, shows_after_s=60)
    assert (answer.outcome, charge_kw) == ("accepted", 0.0)


def test_a_read_back_waits_half_of_the_time_out_at_the_most() -> None:
    """So that there is time for it."""
    answer, charge_kw, took_s = charged(attrs.evolve(QUIET, readback_after_s=60.0), 6)
    assert (answer.outcome, charge_kw) == ("accepted", 2.0)
    assert took_s < 6


def test_others_have_their_turn_meanwhile() -> None:
    """The battery is polled, and what shares its connection is served."""

    async def told(battery: BareBattery) -> None:
        rig = BatteryRig(attrs.evolve(QUIET, poll_s=0.05, readback_after_s=60.0))
        async with asyncio.timeout(60):
            await rig.open(battery.port)
            await rig.heard(Connected)
            sending = asyncio.ensure_future(rig.send(timeout_s=10))
            polls = rig.count(Seen)
            await rig.heard(Seen, polls + 5)
            assert not sending.done()
            assert (await sending).outcome == "accepted"
            await rig.link.close()

    with BareBattery({0: 802}) as battery:
        asyncio.run(told(battery))


def test_who_is_interrupted_while_others_have_the_turn_does_not_end_theirs() -> None:
    """The connection's lock knows no owner: what is given back has to be one's own."""

    async def story() -> None:
        lock = asyncio.Lock()
        held = HeldLock(lock)
        await held.acquire()
        lending = asyncio.ensure_future(held.lend(0.01))
        await asyncio.sleep(0)
        async with lock:  # another unit's turn, which outlasts the time that was lent
            await asyncio.wait({lending}, timeout=0.05)
            lending.cancel()
            await asyncio.wait({lending})
            held.release()
            assert lock.locked()
        assert not lock.locked()

    asyncio.run(story())


@pytest.mark.parametrize(("timeout_s", "is_enough"), [(4, True), (3.9, False)])
def test_a_sites_time_out_has_to_leave_time_for_it(
    tmp_path: Path, timeout_s: float, *, is_enough: bool
) -> None:
    """Refused by `check`, by the key that is to be changed."""
    profile = tmp_path / "slow.toml"
    profile.write_text(SLOW, encoding="utf-8")
    rules = battery_rules(command_timeout_s=timeout_s, max_charge_w=5_000, max_discharge_w=5_000)
    asset = AssetConfig(rules, ModbusOptions("127.0.0.1", profile="slow.toml"))
    found = list(limits_check(tmp_path / "site.toml")((asset,)))
    keys = [key for _, key, _ in found]
    assert keys == ([] if is_enough else ["command_timeout_seconds"])
