"""The bench ``modbus``: setpoints to batteries in another process, beside bare pymodbus."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from pymodbus.client import AsyncModbusTcpClient

from actors.bench.engine import Dispatched
from actors.bench.peer import Peer
from actors.bench.wire import depot
from actors.clock import steady_s

if TYPE_CHECKING:
    import pandas as pd

BATTERIES: Final = 50
SLOTS: Final = 40
DEVICES: Final = "actors.bench.batteries"
SETPOINT: Final = 20
"""Where the built-in profile has the charging setpoint; that for discharging comes behind it."""

_BATTERY: Final = """
[[asset]]
id = "ast_{number}"
kind = "battery"
schedule_key = "{number}"
adapter = "modbus"
host = "127.0.0.1"
port = {port}
max_charge_kw = 50
max_discharge_kw = 50
fallback_kw = 0
on_stop = "hold"
"""


def dispatch(devices: Peer, ports: Sequence[int], slots: int = SLOTS) -> Dispatched:
    """Dispatch every slot to all batteries, by the engine and then by the bare library.

    Raises:
        ValueError: the batteries have not been written as often as they should have, or what was
            read back is something else.
    """
    commands, took_s = _engine(devices, ports, slots)
    bare_s = asyncio.run(_bare(devices, ports, slots))
    return Dispatched(commands, took_s, bare_s)


def _watts(slot: int, number: int) -> int:
    return (7_919 * (slot + 1) + 13 * number) % 50_000


def _check(devices: Peer, expected: int) -> None:
    writes, reads = map(int, devices.ask("count", SETPOINT))
    if writes != expected or reads < expected:
        raise ValueError(f"{writes} setpoints were written and {reads} read, not {expected}")


def _engine(devices: Peer, ports: Sequence[int], slots: int) -> tuple[int, float]:
    entries = (_BATTERY.format(number=number, port=port) for number, port in enumerate(ports))
    with depot("".join(entries), _schedule(len(ports), slots)) as running:
        running.begin()
        devices.ask("count", SETPOINT)
        done = running.measure()
        _check(devices, len(ports) * slots)
        return done


def _schedule(batteries: int, slots: int) -> "pd.DataFrame":
    """Return a schedule in which every battery's charging power changes at every slot."""
    import pandas as pd

    index = pd.date_range("2025-01-01", periods=slots + 1, freq="15min", tz="UTC")
    columns: dict[str, list[float]] = {}
    for number in range(batteries):
        powers = [_watts(slot, number) / 1_000 for slot in range(slots + 1)]
        columns[f"battery_{number}_charge_kw"] = powers
        columns[f"battery_{number}_discharge_kw"] = [0.0] * (slots + 1)
    return pd.DataFrame(columns, index)


# --- the limit: the library as it comes


async def _bare(devices: Peer, ports: Sequence[int], slots: int) -> float:
    """Return how long the same slots take when a plain loop writes to all batteries at once."""
    clients = [AsyncModbusTcpClient("127.0.0.1", port=port, retries=0) for port in ports]
    await asyncio.gather(*(client.connect() for client in clients))
    try:
        await _slot(clients, 0)
        devices.ask("count", SETPOINT)
        began_s = steady_s()
        for slot in range(1, slots + 1):
            await _slot(clients, slot)
        took_s = steady_s() - began_s
        _check(devices, len(ports) * slots)
        return took_s
    finally:
        for client in clients:
            client.close()


async def _slot(clients: Sequence[AsyncModbusTcpClient], slot: int) -> None:
    await asyncio.gather(
        *(_set(client, _watts(slot, number)) for number, client in enumerate(clients))
    )


async def _set(client: AsyncModbusTcpClient, watts: int) -> None:
    """Write a setpoint and read both back, as the engine does.

    Raises:
        ValueError: the battery holds something else.
    """
    await client.write_register(SETPOINT, watts)
    held = await client.read_holding_registers(SETPOINT, count=2)
    if held.isError() or held.registers != [watts, 0]:
        raise ValueError(f"{held} was read back, not {watts}")
