"""Modbus/TCP Security: batteries over TLS, with certificates on both sides."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import attrs
import pytest
from pymodbus.server import ModbusTlsServer
from pymodbus.simulator import DataType, SimData, SimDevice

from actors.testing.battery_rig import QUIET, BatteryRig
from actors.testing.certificates import Authority, Pair
from actors.testing.site import free_port
from actors.tls import server_context
from engine.adapters.base import Connected, Seen
from engine.adapters.modbus import ModbusOptions, ModbusTls
from engine.config import TlsFiles
from engine.errors import NotSent


@attrs.frozen
class Papers:
    """An authority, a battery's certificate and an engine's."""

    authority: Authority
    battery: Pair
    engine: Pair

    def server(self) -> ssl.SSLContext:
        """Return how a battery listens that asks for a certificate."""
        return server_context(TlsFiles(self.battery.cert, self.battery.key, self.authority.file))

    def ours(self, **changes: str | None) -> ModbusTls:
        """Return how the engine connects."""
        own = ModbusTls(self.authority.file, self.engine.cert, self.engine.key)
        return attrs.evolve(own, **changes)


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    """Give certificates."""
    authority = Authority(tmp_path)
    battery = authority.issue("battery", also=("127.0.0.1",), is_server=True)
    return Papers(authority, battery, authority.issue("engine"))


@contextlib.asynccontextmanager
async def rig_of(papers: Papers, tls: ModbusTls | None) -> AsyncIterator[BatteryRig]:
    """Give a battery that listens over TLS, and a link that connects so."""
    rig = BatteryRig(QUIET)
    port = await rig.battery.start(tls=papers.server())
    rig.options = ModbusOptions("127.0.0.1", port, 1, rig.profile.name, tls=tls)
    rig.link = rig.adapter.link(rig.options, rig.report)
    async with asyncio.timeout(20):
        await rig.link.open()
        try:
            yield rig
        finally:
            await rig.link.close()
            await rig.battery.stop()


def run(story: Callable[[], Awaitable[None]]) -> None:
    """Run a story on a loop."""

    async def told() -> None:
        await story()

    asyncio.run(told())


def test_a_battery_is_written_to_over_tls(papers: Papers) -> None:
    """And read back, as in the clear."""

    async def story() -> None:
        async with rig_of(papers, papers.ours()) as rig:
            await rig.heard(Seen)
            assert (await rig.send(2.0)).outcome == "accepted"
            assert len(rig.writes()) == 1

    run(story)


def test_a_certificate_may_have_another_name_than_the_host(papers: Papers) -> None:
    """Where the site file says so; else the name has to be right."""
    named = papers.authority.issue("other", also=("sn-4711.local",), is_server=True)
    papers = attrs.evolve(papers, battery=named)

    async def story() -> None:
        async with rig_of(papers, papers.ours(name="sn-4711.local")) as rig:
            await rig.heard(Connected)
        async with rig_of(papers, papers.ours()) as rig:
            await refused(rig)

    run(story)


async def refused(rig: BatteryRig) -> None:
    """See that a link sends nothing, however often it is asked."""
    for _ in range(3):
        with pytest.raises(NotSent):
            await rig.send()
    assert rig.count(Connected) == 0
    assert rig.battery.wire_log.entries == []


@pytest.mark.parametrize("how", ["stranger", "no_certificate", "in_the_clear", "no_file"])
def test_without_trust_on_both_sides_nothing_is_sent(
    papers: Papers, tmp_path: Path, how: str
) -> None:
    """Neither to a stranger, nor as one, nor without TLS."""
    ways = {
        "stranger": papers.ours(ca=Authority(tmp_path, "Stranger").file),
        "no_certificate": papers.ours(cert=None, key=None),
        "in_the_clear": None,
        "no_file": papers.ours(cert=str(tmp_path / "gone.pem")),
    }

    async def story() -> None:
        async with rig_of(papers, ways[how]) as rig:
            await refused(rig)

    run(story)


def test_a_renewed_certificate_is_used_with_the_next_connection(papers: Papers) -> None:
    """The files are read anew."""
    file = Path(papers.engine.cert)
    good = file.read_bytes()
    file.write_text("half a file", encoding="utf-8")

    async def story() -> None:
        async with rig_of(papers, papers.ours()) as rig:
            await refused(rig)
            _restore(file, good)
            await rig.heard(Connected)

    run(story)


def _restore(file: Path, content: bytes) -> None:
    file.write_bytes(content)


def test_another_librarys_server_is_understood(papers: Papers) -> None:
    """That of pymodbus: what is written there can be read there."""
    words = [802, *[0] * 99]
    device = SimDevice(id=1, simdata=[SimData(0, values=words, datatype=DataType.REGISTERS)])

    async def story() -> None:
        port = free_port()
        server = ModbusTlsServer(device, address=("127.0.0.1", port), sslctx=papers.server())
        await server.serve_forever(background=True)
        rig = BatteryRig(QUIET)
        rig.options = ModbusOptions("127.0.0.1", port, tls=papers.ours())
        rig.link = rig.adapter.link(rig.options, rig.report)
        await rig.link.open()
        await rig.heard(Seen)
        assert (await rig.send(2.0)).outcome == "accepted"
        await rig.link.close()
        await server.shutdown()  # type: ignore[no-untyped-call]  # as pymodbus has it

    run(story)
