"""The central system's listener: one for all charge points of a system."""

import asyncio
import errno
import logging
import resource
from functools import partial
from typing import Any, Final, cast

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from actors.links.ocpp.arrival import Arrival, Doorstep
from actors.links.ocpp.door import Door, House
from actors.links.ocpp.manners import Manners
from actors.links.ocpp.pace import Pace
from actors.links.ocpp.point import ChargePoint
from actors.links.ocpp.porch import HANDSHAKE_S, Porch, room_for
from actors.links.ocpp.refusals import Refusals
from actors.links.ocpp.session import Session
from actors.links.ocpp.versions import subprotocols, version_of
from actors.tls import ServerTls

logger = logging.getLogger("setpoint")

MESSAGE_BYTES: Final = 1 << 20
"""A message above it ends the socket; one above a session's own limit is only not read."""
CLOSE_S: Final = 3.0
POLICY_VIOLATION: Final = 1008
_TRIES: Final = 28  # in 7 s: an engine that was taken over looks every 5 s whose its store is
_AGAIN_S: Final = 0.25


class Csms:
    """One listener for all charge points of a system. The loop thread."""

    def __init__(self, house: House, manners: Manners) -> None:
        """Listen to nobody yet.

        Raises:
            SiteRefused: the files of TLS cannot be used.
        """
        self._house = house
        self._manners = manners
        self._points: dict[str, ChargePoint] = {}
        self._refusals = Refusals(house.notice, house.device_us)
        self._door = Door(house, self._points, self._refusals)
        self._tls = None if house.listen.tls is None else ServerTls(house.listen.tls)
        self._porch: Porch | None = None
        self._opening = asyncio.Lock()
        self._opened = 0
        self._server: Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.url: str | None = None

    def point(self, identity: str) -> ChargePoint:
        """Return the charge point of an identity that the site names."""
        if identity not in self._points:
            self._points[identity] = ChargePoint(identity, self._manners)
        return self._points[identity]

    async def open(self) -> None:
        """Begin to listen with the first asset that opens.

        Raises:
            OSError: the address is taken.
        """
        async with self._opening:
            if self._server is None:
                self._server = await self._listening()
            self._opened += 1

    async def _listening(self) -> Server:
        """Listen; an engine whose store was just taken over needs a moment to give way."""
        for tried in range(_TRIES):
            try:
                return await self._listen()
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                if not tried:
                    logger.warning("%s; it is tried again for a while", error)
            await asyncio.sleep(_AGAIN_S)
        return await self._listen()

    async def _listen(self) -> Server:
        listen = self._house.listen
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        porch = Porch(self._refusals, room_for(files))
        doorstep = Doorstep(porch, self._tls, self._refusals)
        server = await serve(
            self._serve,
            listen.host,
            listen.port,
            process_request=self._door.admit,
            subprotocols=subprotocols(listen.versions),
            open_timeout=2 * HANDSHAKE_S,  # the porch ends it before
            close_timeout=CLOSE_S,
            max_size=MESSAGE_BYTES,
            ping_interval=None,  # pongs have to be seen; see `_ping`
            compression=None,
            server_header=None,
            create_connection=cast("type[ServerConnection]", partial(Arrival, doorstep)),
            logger=_Whispering(logging.getLogger("websockets.server")),
        )
        self._porch = porch
        port = server.sockets[0].getsockname()[1]
        host = f"[{listen.host}]" if ":" in listen.host else listen.host
        scheme = "ws" if self._tls is None else "wss"
        self.url = f"{scheme}://{host}:{port}"
        return server

    async def close(self) -> None:
        """Stop listening with the last asset that closes; all sockets close at the same time."""
        async with self._opening:
            self._opened -= 1
            if self._opened == 0 and self._server is not None:
                server, self._server, self.url = self._server, None, None
                server.close()
                if self._porch is not None:
                    self._porch.clear()
                await server.wait_closed()

    # --- one socket

    async def _serve(self, socket: ServerConnection) -> None:
        cast("Arrival", socket).known()
        identity = socket.username or ""
        point = self._points[identity]
        session, before = point.connected(socket, version_of(socket.subprotocol))
        if before is not None:  # it may be half open, and closing it take its time
            self._start(before.socket.close(POLICY_VIOLATION, "another socket took over"))
        pinging = self._start(self._ping(socket, point, session))
        pace = Pace()
        try:
            while True:
                # As bytes: a text that is no UTF-8 is a frame like any other that is none.
                point.heard(session, await socket.recv(decode=False))
                await session.read_on()
                await pace.next()
        except ConnectionClosed as closed:
            logger.debug("%s: %s", identity, closed)
        finally:
            pinging.cancel()
            point.ended(session)

    async def _ping(self, socket: ServerConnection, point: ChargePoint, session: Session) -> None:
        """Look for signs of life three times before a charge point would count as stale."""
        every_s = self._house.stale_s / 3
        try:
            while True:
                await asyncio.sleep(every_s)
                async with asyncio.timeout(every_s):
                    await (await socket.ping())
                point.pong(session)
        except TimeoutError:
            logger.info("%s gives no sign of life", point.identity)
            socket.transport.abort()
        except ConnectionClosed:
            return

    def _start(self, work: Any) -> asyncio.Task[None]:  # noqa: ANN401 - a coroutine
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


class _Whispering(logging.LoggerAdapter[logging.Logger]):
    """Logs whatever the library says where it is looked for: anybody can make it say a lot."""

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:  # noqa: ANN401 - as logging has it
        """Log on the level DEBUG."""
        del level
        super().log(logging.DEBUG, msg, *args, **kwargs)
