"""Who may connect to the central system, over real sockets."""

import asyncio
import base64
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from actors.clock import Clocks
from actors.links.ocpp import OcppAdapter, arrival, csms, door, porch
from actors.testing.clocks import ManualTime
from engine.adapters.ocpp16 import OcppOptions
from engine.config import OcppListen

PASSWORD = "0123456789abcdef"
UPGRADE = b"""\
GET /CP%201 HTTP/1.1\r
Host: x\r
Connection: Upgrade\r
Upgrade: websocket\r
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
Sec-WebSocket-Version: 13\r
Sec-WebSocket-Protocol: ocpp1.6\r
\r
"""


@attrs.define
class Visitor:
    """How somebody comes to the door."""

    path: str = "/depot/CP%201"
    user: str = "CP 1"
    password: str | None = PASSWORD
    protocols: tuple[str, ...] = ("ocpp1.6",)
    headers: dict[str, str] = attrs.field(factory=dict)
    address: str = "127.0.0.1"

    async def knock(self, url: str) -> int:
        """Return the status of the answer: 101 is a websocket, which is closed again."""
        headers = dict(self.headers)
        if self.password is not None:
            token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            headers["Authorization"] = f"Basic {token}"
        try:
            socket = await connect(
                url + self.path,
                subprotocols=[Subprotocol(one) for one in self.protocols] or None,
                additional_headers=headers,
                local_addr=(self.address, 0),
            )
        except InvalidStatus as refused:
            return refused.response.status_code
        await socket.close()
        return 101


class House:
    """A central system that knows one charge point."""

    def __init__(self, **listen: Any) -> None:  # noqa: ANN401 - fields of OcppListen
        """Make it; nobody can come yet."""
        self.time = ManualTime()
        self.notices: list[tuple[str, str]] = []
        self.adapter = OcppAdapter(
            OcppListen(**{"port": 0, **listen}),
            Clocks(self.time),
            (
                lambda identity, password: (identity, password) == ("CP 1", PASSWORD),
                lambda kind, peer, _count: self.notices.append((kind, peer)),
            ),
            60.0,
        )

    async def knock(self, **changes: Any) -> int:  # noqa: ANN401 - see Visitor
        """Let somebody come; return the status of the answer."""
        return await Visitor(**changes).knock(self.adapter.url or "")


def run(story: Callable[[House], Awaitable[None]], **listen: Any) -> None:  # noqa: ANN401 - see House
    """Run a story at an open door."""

    async def told() -> None:
        house = House(**listen)
        link = house.adapter.link(OcppOptions("CP 1"), lambda _: None)
        await link.open()
        try:
            await story(house)
        finally:
            await link.close()
        assert house.adapter.url is None

    asyncio.run(told())


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"path": "/CP%202"}, 404),
        ({"password": "wrong"}, 401),
        ({"password": None}, 401),
        ({"user": "CP 2"}, 401),
        ({"path": "/CP%201/"}, 404),
        ({"path": "/"}, 404),
        ({"path": "//["}, 404),
        ({"password": None, "headers": {"Authorization": "Bearer x"}}, 401),
        ({"password": None, "headers": {"Authorization": "Basic ?"}}, 401),
        ({"password": None, "headers": {"Authorization": "Basic //8="}}, 401),
        ({"headers": {"authorization": "Basic Q1AgMTp4"}}, 401),
        ({"protocols": ("ocpp2.1",)}, 400),
        ({"protocols": ()}, 400),
    ],
    ids=range(13),
)
def test_who_is_not_known_is_refused_before_the_upgrade(
    changes: dict[str, Any], status: int
) -> None:
    """Unknown identity, wrong key, another version: each with its own status."""

    async def story(house: House) -> None:
        assert await house.knock(**changes) == status

    run(story)


def test_profile_0_asks_for_no_password() -> None:
    """Only where the site file says so."""

    async def story(house: House) -> None:
        assert await house.knock(password=None) == 101

    run(story, security_profile=0)


def test_wrong_keys_lock_an_address_out_for_a_while() -> None:
    """Even with the right one then; the charge point elsewhere is not locked out by it."""

    async def story(house: House) -> None:
        for _ in range(5):
            assert await house.knock(password="wrong") == 401
        assert await house.knock() == 429
        assert house.notices == [("wrong_password", "CP 1"), ("locked_out", "CP 1")]
        assert await house.knock(address="127.0.0.2") == 101
        house.time.device_us += 61_000_000
        assert await house.knock() == 101

    run(story)


def test_wrong_keys_of_many_addresses_take_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who come after so many are refused, and not counted."""
    monkeypatch.setattr(door, "PEERS", 1)

    async def story(house: House) -> None:
        for address in ("127.0.0.2", "127.0.0.3"):
            for _ in range(5):
                assert await house.knock(password="wrong", address=address) == 401
        assert await house.knock(address="127.0.0.2") == 429
        assert await house.knock(address="127.0.0.3") == 101

    run(story)


@pytest.mark.parametrize("path", ["/CP%201", "//CP%201", "/a/b/CP%201?x=/y"])
def test_the_identity_is_the_last_part_of_the_path(path: str) -> None:
    """Whatever stands before it; a URL with a slash too many is common."""

    async def story(house: House) -> None:
        assert await house.knock(path=path) == 101

    run(story)


def test_what_a_peer_calls_itself_is_fit_for_a_log() -> None:
    """Cut, and without line breaks."""

    async def story(house: House) -> None:
        assert await house.knock(path="/a%0Ab" + "c" * 100) == 404
        assert house.notices == [("unknown_charge_point", ascii("a\nb" + "c" * 47))]

    run(story)


def test_who_has_an_address_is_given_a_moment_to_let_it_go(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An engine that was just taken over does not know it yet."""

    async def story() -> None:
        before = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = before.sockets[0].getsockname()[1]
        after = House(port=port)
        link = after.adapter.link(OcppOptions("CP 1"), lambda _: None)
        opening = asyncio.create_task(link.open())
        with caplog.at_level(logging.WARNING, "setpoint"):
            assert not (await asyncio.wait([opening], timeout=0.1))[0]
        assert "tried again" in caplog.text
        before.close()
        await opening
        assert after.adapter.url == f"ws://127.0.0.1:{port}"
        await link.close()

    asyncio.run(story())


def test_an_address_that_is_taken_is_told_and_can_be_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The one who has it goes on; links that never opened do not count as open."""
    monkeypatch.setattr(csms, "_TRIES", 1)

    async def story(house: House) -> None:
        port = int((house.adapter.url or "").rpartition(":")[2])
        other = OcppAdapter(
            OcppListen(port=port), Clocks(), (lambda _i, _p: True, lambda _k, _w, _c: None), 60.0
        )
        link = other.link(OcppOptions("CP 1"), lambda _: None)
        for _ in range(2):
            with pytest.raises(OSError, match=str(port)):
                await link.open()
        assert other.url is None
        assert await house.knock() == 101

    run(story)


def test_what_nobody_needs_to_say_before_he_is_known_is_not_read() -> None:
    """A request has a tenth of it."""

    async def story(house: House) -> None:
        port = int((house.adapter.url or "").rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /CP%201 HTTP/1.1\r\n" + b"X: " + b"x" * 8_000 + b"\r\n")
        writer.write((b"X: " + b"x" * 8_000 + b"\r\n") * 2)
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
        assert house.notices == [("too_much_before_authentication", "127.0.0.1")]

    run(story)


def test_what_comes_before_its_turn_is_read_at_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where asyncio begins to read although it was told not to, as that of Python 3.11.2."""
    monkeypatch.setattr(porch, "AT_ONCE", 1)
    transports: Any = asyncio.selector_events

    def add_reader(self: Any, fd: int, callback: Callable[[], None]) -> None:  # noqa: ANN401 - a transport
        if not self.is_closing():
            self._loop._add_reader(fd, callback)  # noqa: SLF001 - as in asyncio

    monkeypatch.setattr(transports._SelectorTransport, "_add_reader", add_reader)  # noqa: SLF001 - as in asyncio

    async def story(house: House) -> None:
        port = int((house.adapter.url or "").rpartition(":")[2])
        first, *others = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        for _, writer in others:
            writer.write(UPGRADE)
        first[1].close()
        for reader, writer in others:
            assert await reader.readexactly(12) == b"HTTP/1.1 101"
            writer.close()

    run(story, security_profile=0)


def test_who_never_reads_pongs_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody holds them back, so they would take ever more memory."""
    monkeypatch.setattr(arrival, "UNREAD_BYTES", 1 << 16)

    ping = b"\x89\xfd" + bytes(4 + 125)

    async def story(house: House) -> None:
        port = int((house.adapter.url or "").rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
        writer.write(UPGRADE)
        assert await reader.readexactly(12) == b"HTTP/1.1 101"
        with contextlib.suppress(ConnectionError):
            while not house.notices:
                writer.write(ping * 100)
                await writer.drain()
        writer.close()
        assert house.notices == [("answers_not_read", "127.0.0.1")]

    run(story, security_profile=0)


def test_noise_makes_no_noise_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """What anybody can make the library complain of is for those who look for it."""

    async def story(house: House) -> None:
        port = int((house.adapter.url or "").rpartition(":")[2])
        for noise in (b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 9_000):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(noise)
            writer.write_eof()
            with contextlib.suppress(ConnectionResetError):
                await reader.read()
            writer.close()
        assert [one for one in caplog.records if one.levelno > logging.DEBUG] == []

    run(story)
