"""A probe of a device that does not stay."""

import asyncio

import pytest

from actors.probing import Prober
from actors.profiles import register_profile
from engine.adapters.modbus import ModbusOptions


@pytest.mark.timeout(40)
def test_a_device_that_goes_while_it_is_probed_is_not_waited_for() -> None:
    """It hangs up at the first question and takes no connection any more: it has said nothing."""

    async def probe() -> None:
        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            server.close()
            await reader.read(1)
            writer.close()

        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        options = ModbusOptions("127.0.0.1", port, profile="generic-battery")
        prober = Prober(options, register_profile("generic-battery"), connect_s=1.0)
        assert await prober.probe() is None
        assert prober.is_mute

    asyncio.run(probe())
