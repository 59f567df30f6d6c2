"""Security profiles 2 and 3: who is let in over TLS and who is not, over real sockets."""

import asyncio
import base64
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import attrs
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidMessage, InvalidStatus
from websockets.typing import Subprotocol

from actors.clock import Clocks, wall_now
from actors.links.ocpp import OcppAdapter, arrival, porch
from actors.links.ocpp.door import names_of
from actors.links.ocpp.refusals import Kind
from actors.testing.certificates import DAY, Authority, Pair
from actors.testing.clocks import ManualTime
from actors.tls import client_context
from engine.adapters.ocpp16 import OcppOptions
from engine.config import OcppListen, TlsFiles

PASSWORD = "0123456789abcdef"


@attrs.frozen
class Papers:
    """An authority, the central system's files, and a charge point's."""

    authority: Authority
    server: TlsFiles
    own: Pair

    def context(self, pair: Pair | None = None, ca: str | None = None) -> ssl.SSLContext:
        """Return the context of a charge point that trusts the authority."""
        files = (None, None) if pair is None else (pair.cert, pair.key)
        return client_context(ca or self.authority.file, *files)


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    """Give certificates for the central system and for the charge point CP-1."""
    authority = Authority(tmp_path)
    server = authority.issue("csms", also=("127.0.0.1", "localhost"), is_server=True)
    return Papers(
        authority,
        TlsFiles(server.cert, server.key, authority.file),
        authority.issue("CP-1"),
    )


class House:
    """A central system that knows the charge points CP-1 and CP-2."""

    def __init__(self, papers: Papers, profile: int) -> None:
        """Make it; nobody can come yet."""
        self.time = ManualTime()
        self.notices: list[tuple[str, str, int]] = []
        self.told = asyncio.Event()
        tls = papers.server if profile == 3 else attrs.evolve(papers.server, client_ca=None)
        self.adapter = OcppAdapter(
            OcppListen(port=0, security_profile=profile, tls=tls),
            Clocks(self.time),
            (
                lambda _identity, password: password == PASSWORD,
                self._note,
            ),
            60.0,
        )

    def _note(self, kind: str, peer: str, count: int) -> None:
        self.notices.append((kind, peer, count))
        self.told.set()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        """Give the URL at which it listens."""
        links = [self.adapter.link(OcppOptions(one), lambda _: None) for one in ("CP-1", "CP-2")]
        for link in links:
            await link.open()
        yield self.adapter.url or ""
        for link in links:
            await link.close()

    @property
    def port(self) -> int:
        """The port at which it listens."""
        return int((self.adapter.url or "").rpartition(":")[2])

    async def knock(
        self, tls: ssl.SSLContext | None, identity: str = "CP-1", password: str | None = None
    ) -> int:
        """Come as a charge point; return the status of the answer, 0 if there is none."""
        token = base64.b64encode(f"{identity}:{password}".encode()).decode()
        headers = {} if password is None else {"Authorization": f"Basic {token}"}
        scheme = "ws" if tls is None else "wss"
        try:
            websocket = await connect(
                f"{scheme}://127.0.0.1:{self.port}/{identity}",
                subprotocols=[Subprotocol("ocpp1.6")],
                additional_headers=headers,
                ssl=tls,
            )
        except InvalidStatus as refused:
            return refused.response.status_code
        except (OSError, InvalidMessage, EOFError):
            return 0
        await websocket.close()
        return 101

    def kinds(self) -> list[str]:
        """Return of what kinds who was refused was."""
        return [kind for kind, _, _ in self.notices]


def run(papers: Papers, profile: int, story: Callable[[House], Awaitable[None]]) -> None:
    """Run a story at an open door."""

    async def told() -> None:
        house = House(papers, profile)
        async with house.open() as url:
            assert url.startswith("wss://127.0.0.1:")
            await story(house)

    asyncio.run(told())


def test_profile_2_is_a_password_over_tls(papers: Papers) -> None:
    """The right one gets in, a wrong one and none do not."""

    async def story(house: House) -> None:
        tls = papers.context()
        assert await house.knock(tls, password=PASSWORD) == 101
        assert await house.knock(tls, password="wrong") == 401
        assert await house.knock(tls) == 401
        assert await house.knock(tls, "CP-3", PASSWORD) == 404
        assert house.notices == [
            ("wrong_password", "CP-1", 1),
            ("unknown_charge_point", "CP-3", 1),
        ]

    run(papers, 2, story)


def test_profile_3_is_a_certificate_of_the_charge_point(papers: Papers) -> None:
    """Its common name, or an alternative one, is the identity; no password is asked for."""
    also = papers.authority.issue("serial 4711", also=("CP-2",))

    async def story(house: House) -> None:
        assert await house.knock(papers.context(papers.own)) == 101
        assert await house.knock(papers.context(also), "CP-2") == 101
        assert house.notices == []

    run(papers, 3, story)


@pytest.mark.parametrize(
    ("how", "status", "kind"),
    [
        ("wrong_ca", 0, "certificate_not_trusted"),
        ("expired", 0, "certificate_expired"),
        ("wrong_name", 403, "certificate_of_another"),
        ("none", 0, "no_certificate"),
        ("for_servers", 0, "certificate_not_valid"),
        ("unknown", 404, "unknown_charge_point"),
        ("tls_1_1", 0, "tls_too_old"),
        ("plain", 0, "connection_without_tls"),
    ],
)
def test_who_shows_no_good_certificate_stays_outside(
    papers: Papers, tmp_path: Path, how: str, status: int, kind: str
) -> None:
    """Each is told once a minute, with how many they were, and the good one still gets in."""
    attempts = list(_bad(papers, tmp_path))
    tls, identity = next((tls, name) for one, tls, name in attempts if one == how)

    async def story(house: House) -> None:
        for _ in range(3):
            assert await house.knock(tls, identity) == status
        peer = identity if status else "127.0.0.1"
        assert house.notices == [(kind, peer, 1)]
        house.time.device_us += 61_000_000
        assert await house.knock(tls, identity) == status
        assert house.notices[1:] == [(kind, peer, 3)]
        assert await house.knock(papers.context(papers.own)) == 101

    run(papers, 3, story)


def _bad(papers: Papers, folder: Path) -> Iterator[tuple[str, ssl.SSLContext | None, str]]:
    """Give ways to come that are no good."""
    stranger = Authority(folder, "Stranger").issue("CP-1", file="stranger")
    expired = papers.authority.issue("CP-1", until=wall_now() - DAY / 24, file="expired")
    server = papers.authority.issue("CP-1", is_server=True, file="as-server")
    yield "wrong_ca", papers.context(stranger), "CP-1"
    yield "expired", papers.context(expired), "CP-1"
    yield "wrong_name", papers.context(papers.own), "CP-2"
    yield "none", papers.context(), "CP-1"
    yield "for_servers", papers.context(server), "CP-1"
    yield "unknown", papers.context(papers.own), "CP-9"
    yield "tls_1_1", _old(papers.context(papers.own)), "CP-1"
    yield "plain", None, "CP-1"


def _old(context: ssl.SSLContext) -> ssl.SSLContext:
    for bound in ("minimum_version", "maximum_version"):
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            setattr(context, bound, ssl.TLSVersion.TLSv1_1)
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


@pytest.mark.parametrize("profile", [2, 3])
def test_there_is_no_way_down(papers: Papers, profile: int) -> None:
    """Without TLS nobody gets an answer, whatever password comes with it."""

    async def story(house: House) -> None:
        assert await house.knock(None, password=PASSWORD) == 0
        assert house.kinds() == ["connection_without_tls"]
        if profile == 3:
            assert await house.knock(papers.context(), password=PASSWORD) == 0
            assert house.kinds()[1:] == ["no_certificate"]

    run(papers, profile, story)


def test_a_charge_point_that_does_not_trust_us_is_told_of(papers: Papers, tmp_path: Path) -> None:
    """It is the one to mend then, and nobody would know why it does not come."""
    tls = papers.context(ca=Authority(tmp_path, "Other").file)

    def call(port: int) -> None:  # asyncio would not tell the other end what is wrong
        with socket.create_connection(("127.0.0.1", port)) as bare:
            tls.wrap_socket(bare, server_hostname="127.0.0.1")

    async def story(house: House) -> None:
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.to_thread(call, house.port)
        await house.told.wait()
        assert house.kinds() == ["our_certificate_refused"]

    run(papers, 2, story)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_newer_are_spoken(papers: Papers, version: ssl.TLSVersion) -> None:
    """With a certificate in either."""
    tls = papers.context(papers.own)
    tls.minimum_version = tls.maximum_version = version

    async def story(house: House) -> None:
        assert await house.knock(tls) == 101

    run(papers, 3, story)


def test_a_cipher_without_authentication_is_none(papers: Papers) -> None:
    """CBC and the like are not offered."""
    tls = papers.context()
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    tls.set_ciphers("ECDHE-ECDSA-AES256-SHA:ECDHE-ECDSA-AES128-SHA256")

    async def story(house: House) -> None:
        assert await house.knock(tls, password=PASSWORD) == 0
        assert house.kinds() == ["no_common_cipher"]

    run(papers, 2, story)


def test_a_certificate_that_is_renewed_is_shown_from_then_on(
    papers: Papers, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a restart; one that cannot be used is not taken up."""
    new = papers.authority.issue("renewed", also=("127.0.0.1",), is_server=True)
    cert, key = Path(new.cert).read_bytes(), Path(new.key).read_bytes()

    def replace(file: str, content: bytes) -> None:
        Path(file).write_bytes(content)

    async def subject(house: House) -> str:
        tls = papers.context()
        _, writer = await asyncio.open_connection("127.0.0.1", house.port, ssl=tls)
        shown: ssl.SSLObject = writer.get_extra_info("ssl_object")
        certificate = shown.getpeercert() or {}
        writer.close()
        return ", ".join(names_of(certificate) - {"127.0.0.1", "localhost"})

    async def story(house: House) -> None:
        assert await subject(house) == "csms"
        replace(papers.server.cert, b"half a file")
        assert await subject(house) == "csms"
        assert "ocpp.tls.cert has no certificate in PEM form" in caplog.text
        replace(papers.server.key, key)
        replace(papers.server.cert, cert)
        assert await subject(house) == "renewed"

    run(papers, 2, story)


def test_a_socket_that_says_nothing_is_closed(
    papers: Papers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that says nothing more once there is TLS."""
    monkeypatch.setattr(porch, "HANDSHAKE_S", 0.2)

    async def story(house: House) -> None:
        for tls in (None, papers.context()):
            reader, writer = await asyncio.open_connection("127.0.0.1", house.port, ssl=tls)
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
            writer.close()
        assert house.kinds() == ["slow_handshake"]

    run(papers, 2, story)


def test_tls_that_cannot_be_is_nobodys_fault() -> None:
    """Whoever goes away in the middle is none to tell of; what nobody has heard of is."""
    assert arrival.kind_of(ConnectionResetError()) is None
    assert arrival.kind_of(ssl.SSLEOFError()) is None
    assert arrival.kind_of(ssl.SSLError()) is Kind.TLS_FAILED
