"""Many at once, and one that says too much, over real sockets."""

import asyncio
import base64
import secrets
from collections.abc import Callable

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from actors.clock import Clocks
from actors.links.ocpp import OcppAdapter, pace
from actors.passwords import check_password, hash_password
from engine.adapters.ocpp16 import OcppOptions
from engine.config import OcppListen

OCPP = [Subprotocol("ocpp1.6")]
CHARGE_POINTS = 2_000


def house(check: Callable[[str, str], bool], profile: int = 1) -> OcppAdapter:
    """Return a central system."""
    listen = OcppListen(port=0, security_profile=profile)
    return OcppAdapter(listen, Clocks(), (check, lambda *_: None), 60.0)


async def enter(port: int, identity: str, password: str) -> asyncio.StreamWriter:
    """Connect as a charge point does that has few bytes to spare."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    token = base64.b64encode(f"{identity}:{password}".encode()).decode()
    writer.write(
        f"GET /{identity} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Protocol: ocpp1.6\r\nAuthorization: Basic {token}\r\n\r\n".encode()
    )
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
    return writer


@pytest.mark.timeout(120)
def test_two_thousand_that_come_at_once_all_get_in() -> None:
    """From one address, each with a password of its own, while others hold on to places."""
    passwords = {f"CP-{number}": secrets.token_hex(16) for number in range(CHARGE_POINTS)}
    hashes = {identity: hash_password(password) for identity, password in passwords.items()}

    async def story() -> None:
        adapter = house(lambda identity, password: check_password(password, hashes[identity]))
        links = [adapter.link(OcppOptions(one), lambda _: None) for one in passwords]
        for link in links:
            await link.open()
        port = int((adapter.url or "").rpartition(":")[2])
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(300)]
        async with asyncio.timeout(90):
            inside = await asyncio.gather(*(enter(port, *one) for one in passwords.items()))
        assert len(inside) == CHARGE_POINTS
        for writer in (*inside, *(one for _, one in idle)):
            writer.close()
        for link in links:
            await link.close()

    asyncio.run(story())


def test_who_says_too_much_is_read_more_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """And gets an answer to each, while another one is answered at once."""
    monkeypatch.setattr(pace, "BURST", 20.0)
    monkeypatch.setattr(pace, "FRAMES_S", 10.0)

    async def story() -> None:
        adapter = house(lambda *_: True, 0)
        links = [adapter.link(OcppOptions(one), lambda _: None) for one in ("CP-1", "CP-2")]
        for link in links:
            await link.open()
        loop = asyncio.get_running_loop()
        async with (
            connect(f"{adapter.url}/CP-1", subprotocols=OCPP) as loud,
            connect(f"{adapter.url}/CP-2", subprotocols=OCPP) as calm,
        ):
            began_s = loop.time()
            for number in range(70):
                await loud.send(f'[2,"{number}","Heartbeat",{{}}]')
            await calm.send('[2,"a","Heartbeat",{}]')
            assert str(await calm.recv()).startswith('[3,"a",')
            assert loop.time() - began_s < 4
            answered: list[str] = []
            while len(answered) < 70:
                frame = str(await loud.recv())
                if frame.startswith("[3,"):
                    answered.append(frame.split('"')[1])
            assert loop.time() - began_s > 4
            assert answered == [str(one) for one in range(70)]
        for link in links:
            await link.close()

    asyncio.run(story())


def test_who_boots_over_and_over_is_asked_no_more_for_it() -> None:
    """One asks at a time, whatever there is to find out after each boot."""

    async def story() -> None:
        adapter = house(lambda *_: True, 0)
        link = adapter.link(OcppOptions("CP-1"), lambda _: None)
        await link.open()
        boot = '{"chargePointVendor":"v","chargePointModel":"m"}'
        async with connect(f"{adapter.url}/CP-1", subprotocols=OCPP) as socket:
            asked = 0
            for number in range(200):
                await socket.send(f'[2,"{number}","BootNotification",{boot}]')
                while (answer := str(await socket.recv())).startswith("[2,"):
                    asked += 1
                assert answer.startswith(f'[3,"{number}"')
            assert asked <= 1
            assert len(asyncio.all_tasks()) < 20
        await link.close()

    asyncio.run(story())
