"""Asks a battery what it is and holds, without ever writing to it."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Final

import attrs

from actors.clock import DeviceClock
from actors.links.exchange import Guards, Reply, Timing, reason_of, request_of
from actors.links.modbus import ModbusConnection
from actors.links.surveying import Surveyor
from engine.adapters.base import Frame
from engine.adapters.device import reads
from engine.adapters.explained import Told, told, told_otherwise
from engine.adapters.modbus import ModbusOptions
from engine.adapters.registers import Register, RegisterProfile
from engine.adapters.sunspec_profile import profile_from
from engine.errors import LinkError

_REPLY_S: Final = 3.0
_SURVEYS: Final = 4
_SILENT: Final = 3
"""After so many reads without an answer nobody is there."""


@attrs.frozen
class Probe:
    """What a battery said: its SunSpec map, where it has one, and each register of its profile.

    ``profile`` is the asset's own, or what the map leads to; null, and ``problem`` says why, where
    the map leads to none.
    """

    facts: Mapping[str, str]
    profile: RegisterProfile | None
    told: tuple[Told, ...]
    problem: str | None = None

    @property
    def is_good(self) -> bool:
        """Whether the device is the profile's, and everything that it says makes sense."""
        return self.problem is None and all(one.is_good for one in self.told)


class _Listener:
    """Waits for a connection, also for one that was made anew."""

    def __init__(self) -> None:
        self.is_up = asyncio.Event()
        self.was_up = False

    def up(self) -> None:
        """Take note of a connection."""
        self.was_up = True
        self.is_up.set()

    def down(self, reason: str, *, dropped: bool) -> None:
        """Take note that it went."""
        del reason, dropped
        self.is_up.clear()


class Prober:
    """One battery, over a connection of its own that lets no control frame through."""

    def __init__(
        self, options: ModbusOptions, profile: RegisterProfile, connect_s: float = 10.0
    ) -> None:
        """Begin without touching the network; ``connect_s`` is how long a connection may take."""
        self._options = options
        self._profile = profile
        self._connect_s = connect_s
        guards = Guards(DeviceClock().now_us, may_send=lambda: False)
        self._connection = ModbusConnection((options.host, options.port), options.tls, guards)
        self._listener = _Listener()
        self._silent = 0
        self.is_mute = False
        """Whether it took the connection, and answered nothing that could be read."""

    async def probe(self) -> Probe | None:
        """Return what the battery says, null if it cannot be reached or does not answer."""
        self._connection.join(self._listener)
        try:
            async with asyncio.timeout(self._connect_s):
                await self._listener.is_up.wait()
            return await self._probe()
        except TimeoutError:
            self.is_mute = self._listener.was_up
            return None
        finally:
            await self._connection.leave(self._listener)

    async def _probe(self) -> Probe:
        facts = await self._facts()
        profile: RegisterProfile | None = self._profile
        if self._profile.learns:
            try:
                profile = profile_from(facts)
            except LookupError as error:
                return Probe(facts, None, (), str(error))
        said = [await self._told(one) for one in (profile or self._profile).registers]
        if self._silent >= _SILENT:
            raise TimeoutError
        return Probe(facts, profile, tuple(said))

    async def _facts(self) -> dict[str, str]:
        """Return what the SunSpec map says; a base at which the device is silent takes a while."""
        surveyor = Surveyor(self._options.unit, self._exchange)
        for _ in range(_SURVEYS):
            with contextlib.suppress(LinkError):
                return await surveyor.facts()
        return {}

    async def _told(self, register: Register) -> Told:
        if not register.readable:
            return told_otherwise(register, "ok")
        if self._silent >= _SILENT:
            return told_otherwise(register, "not asked, as it does not answer")
        (frame,) = reads((register,), self._options.unit)
        try:
            reply = await self._exchange(frame)
        except LinkError as error:
            self._silent += 1
            return told_otherwise(register, str(error))
        if reply.exception is not None:
            return told_otherwise(register, reason_of(reply.exception, frame))
        return told(register, reply.words)

    async def _exchange(self, frame: Frame) -> Reply:
        async with asyncio.timeout(self._connect_s):
            await self._listener.is_up.wait()
        timing = Timing(_REPLY_S, self._profile.min_gap_s)
        async with self._connection.lock:
            return await self._connection.exchange(request_of(frame), timing, control=False)
