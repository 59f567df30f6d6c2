"""The link of one battery: greets it, polls it, sends to it and keeps its setpoint alive.

It has a task of its own on the loop thread and shares a connection with the other units of its
host.
"""

import asyncio
import contextlib
import logging
import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from actors.links.exchange import (
    Connection,
    Guards,
    Reply,
    Timing,
    reason_of,
    request_of,
)
from actors.links.greetings import Greetings
from actors.links.keeping import BEAT_WRAP, Beats, Kept, beat_s
from actors.links.sending import HeldLock, Sending, holds_already, look_first, value_of
from actors.links.surveying import Surveyor
from engine.adapters.base import (
    Answer,
    CapabilitiesLearned,
    Connected,
    Disconnected,
    Frame,
    Observation,
    Payload,
    Seen,
    SetpointRead,
    Unreadable,
)
from engine.adapters.device import Device
from engine.adapters.modbus import ModbusOptions, ModbusSpelling
from engine.adapters.readings import misfit, observations
from engine.adapters.registers import RegisterProfile
from engine.adapters.sunspec_profile import profile_from
from engine.errors import LinkError, NotSent, OutcomeUnknown
from engine.types import US_PER_S

logger = logging.getLogger("setpoint")

_POLLS_PER_STALE: Final = 3
_AGAIN_S: Final = 1.0


class ModbusLink:
    """One battery's link; see `engine.adapters.base.Link`."""

    def __init__(
        self,
        asset: tuple[ModbusSpelling, ModbusOptions],
        connection: Connection,
        report: Callable[[Observation], None],
        guards: Guards,
    ) -> None:
        """Begin without touching the network."""
        spelling, self._options = asset
        self._device = Device(spelling.profile_of(self._options), self._options.unit)
        self._surveyor: Surveyor | None = None
        if self._profile.learns:
            self._surveyor = Surveyor(self._options.unit, self._ask)
        self._connection = connection
        self._report = report
        self._guards = guards
        self._task: asyncio.Task[None] | None = None
        self._nudge = asyncio.Event()
        self._online = False
        self._greeted = 0
        self._why = "not opened"
        own = self._options
        self._greetings = Greetings(f"{own.host}:{own.port} unit {own.unit}")
        self._kept: Kept | None = None
        self._changed = asyncio.Event()
        self._poll_at = math.inf
        self._beat_at = 0.0
        self._beats = Beats(self._device)

    async def open(self) -> None:
        """Begin to connect, greet and poll; returns at once."""
        if self._task is None:
            self._why = "connecting"
            self._beats.count = self._guards.device_us() // US_PER_S % BEAT_WRAP
            self._task = asyncio.create_task(self._run(), name=f"battery {self._options.unit}")
            self._connection.join(self)

    async def close(self) -> None:
        """Stop polling and keeping alive, and leave the connection. Twice is once."""
        if self._task is None:
            return
        task, self._task = self._task, None
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        self.drop_keep()
        self._online = False
        self._greeted = 0
        self._changed.set()
        await self._connection.leave(self)

    async def send(self, payload: Payload, timeout_s: float) -> Answer:
        """Send the frames in order, each once, and return the device's answer.

        A connection that was dropped for an answer gone wrong is waited for. The first frame that
        is refused ends it. A device that refuses the read-back only is taken to have accepted; it
        gave no evidence.

        Raises:
            NotSent: no byte of a control frame left.
            OutcomeUnknown: a control frame left, and not all of them are known to have worked.
        """
        deadline = _now() + timeout_s
        held = HeldLock(self._connection.lock)
        try:
            async with asyncio.timeout_at(deadline):
                await self._made_anew()
                await held.acquire()
        except TimeoutError:
            raise NotSent("the connection was busy") from None
        try:
            if not self._is_ready:
                raise NotSent(f"not connected: {self._why}")
            return await self._send(payload, deadline, held)
        finally:
            held.release()

    async def _made_anew(self) -> None:
        """Wait while the connection is made anew and the device has not been given up."""
        while self._online and not self._is_ready:
            self._changed.clear()
            await self._changed.wait()

    # --- keep-alive

    def keep(self, frames: Sequence[Frame], until_us: int | None) -> None:
        """Keep a confirmed setpoint alive until ``until_us`` (device clock); no frames ends it.

        Does what the profile's ``[keepalive]`` says: writes its register, or repeats the control
        frames unchanged. Without one it does nothing. The loop thread.
        """
        if not frames or self._profile.keepalive is None:
            self.drop_keep()
            return
        if self._kept is None:
            self._nudge.set()
        self._kept = Kept(tuple(one for one in frames if one.control), until_us)
        if self._repeats:
            self._beat_at = _now() + beat_s(self._profile.keepalive)

    def drop_keep(self) -> None:
        """Let the device take itself back. The loop thread."""
        self._kept = None

    def up(self) -> None:
        """Take note of a new connection."""
        self._nudge.set()

    def down(self, reason: str, *, dropped: bool) -> None:
        """Take note that the connection went; one that we dropped is back before it is news."""
        self._greeted = 0
        self._why = reason
        self._nudge.set()
        if not dropped:
            self._beat_at = 0.0  # it may have forgotten that it heard one
            self._offline(reason)

    def _offline(self, reason: str) -> None:
        self._greeted = 0
        self._why = reason
        self._changed.set()
        if self._online:
            self._online = False
            self._report(Disconnected(reason))

    @property
    def _profile(self) -> RegisterProfile:
        return self._device.profile

    @property
    def _is_ready(self) -> bool:
        return self._connection.is_up and self._greeted == self._connection.generation

    # --- the battery's own task

    async def _run(self) -> None:
        first_s, longest_s = self._guards.pauses_s
        pause_s = first_s
        while True:
            while not self._connection.is_up:
                await self._wait_until(math.inf)
            await self._guarded(self._greet)
            if self._is_ready:
                pause_s = first_s
                await self._serve()
            else:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, longest_s)

    async def _serve(self) -> None:
        period_s = min(self._profile.poll_s, self._guards.stale_s / _POLLS_PER_STALE)
        self._poll_at = _now() + period_s
        while self._is_ready:
            beat_at = math.inf if self._kept is None else self._beat_at
            await self._wait_until(min(self._poll_at, beat_at))
            if self._beat_at <= _now():
                await self._guarded(self._beat)
            if self._poll_at <= _now():
                self._poll_at = _now() + period_s
                await self._guarded(self._poll)

    async def _wait_until(self, when: float) -> None:
        self._nudge.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(None if math.isinf(when) else when):
                await self._nudge.wait()

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do one round while nobody else sends; its reports are out before the next one's."""
        async with self._connection.lock:
            try:
                await work()
            except LinkError as error:
                logger.info("%s unit %s: %s", self._options.host, self._options.unit, error)
                self._why = str(error)

    async def _greet(self) -> None:
        """Find out whether it is the right device and what it holds, then call it connected."""
        generation = self._connection.generation
        try:
            if self._surveyor is not None:
                await self._learn(self._surveyor)
            answer = await self._read(self._device.poll(greeting=True))
        except LookupError as error:
            self._greetings.say(str(error))
            self._not_greeted(str(error))
            return
        except LinkError as error:
            if isinstance(error, OutcomeUnknown) and error.outcome == "unknown":
                self._greetings.say(str(error))
            self._not_greeted(str(error))
            return
        misfits = misfit(self._profile, answer)
        if misfits is not None or answer.reason is not None:
            self._report(Unreadable(answer.raw))
            reason = misfits or answer.reason or ""
            self._greetings.say(reason)
            self._not_greeted(reason)
            return
        self._greeted = generation
        self._changed.set()
        self._tell(answer, greeting=not self._online)

    def _not_greeted(self, reason: str) -> None:
        self._offline(reason)
        if self._greetings.failed(reason):
            self._report(Disconnected(reason, lasts=True))

    async def _learn(self, surveyor: Surveyor) -> None:
        """Take the registers from the device's own map, and tell what it says.

        Raises:
            LookupError: there is none, or it has nothing to control a battery by.
        """
        facts = await surveyor.facts()
        self._device = Device(profile_from(facts), self._options.unit)
        self._report(CapabilitiesLearned(facts))

    async def _ask(self, frame: Frame) -> Reply:
        return await self._exchange(frame, self._guards.reply_s)

    async def _poll(self) -> None:
        """Ask for state, power and setpoint, and report what is said."""
        if not self._is_ready:
            return
        answer = await self._read(self._device.poll())
        if answer.reason is None:
            self._tell(answer, greeting=False)
        else:
            self._offline(answer.reason)

    async def _read(self, frames: Iterable[Frame]) -> Answer:
        """Return what a device says; with a reason where it refused every single read."""
        values: list[object] = []
        raw: list[str] = []
        reason: str | None = None
        for frame in frames:
            reply = await self._ask(frame)
            raw.append(reply.raw)
            values.append(value_of(frame, reply))
            if reply.exception is not None:
                reason = reason_of(reply.exception, frame)
        if any(value for value in values):
            reason = None
        return Answer(" ".join(raw), values=tuple(values), reason=reason)

    def _tell(self, answer: Answer, *, greeting: bool) -> None:
        """Report an answer; on greeting the setpoint first, so that it is known on connect."""
        seen = observations(self._profile, answer, self._options.idle_w)
        before = [one for one in seen if isinstance(one, SetpointRead)]
        for read in before:
            self._report(read)
        self._greetings.worked()
        if greeting:
            self._online = True
            self._report(Connected(detail={"profile": self._profile.name}))
        for observation in seen:
            if observation not in before:
                self._report(observation)
        self._report(Seen())

    # --- sending

    async def _send(self, payload: Payload, deadline: float, held: HeldLock) -> Answer:
        kept = self._kept if self._repeats else None
        if kept is not None and kept.touches(payload):
            self.drop_keep()
        sending = Sending(payload, self._profile.readback_after_s)
        try:
            answer = await self._frames(sending, deadline, held)
        except NotSent:
            self._resume(kept)
            raise
        if answer.outcome != "accepted" and not sending.written:
            self._resume(kept)
        return answer

    def _resume(self, kept: Kept | None) -> None:
        """Keep alive again what the payload in between has not touched after all."""
        if kept is not None and self._kept is None:
            self.keep(kept.frames, kept.until_us)

    async def _frames(self, sending: Sending, deadline: float, held: HeldLock) -> Answer:
        """Send frame by frame; once a write has gone out, nothing is "not sent" any more."""
        payload = sending.payload
        for frame in payload.frames:
            begin_by_us = None if sending.begun else payload.begin_by_us
            try:
                look = look_first(frame)
                if look is not None:
                    looked = await self._exchange(look, deadline - _now(), begin_by_us)
                    sending.raw.append(looked.raw)
                    if holds_already(frame, looked):
                        continue
                await held.lend(sending.pause_s(frame, deadline - _now()))
                reply = await self._exchange(frame, deadline - _now(), begin_by_us)
            except OutcomeUnknown as error:
                raise sending.unknown(error, error.outcome, error.raw) from error
            except NotSent as error:
                if not sending.begun:
                    raise
                raise sending.unknown(error, "link_lost", None) from error
            refused = sending.take(frame, reply)
            if refused is not None:
                return refused
        return Answer(" ".join(sending.raw), values=tuple(sending.values))

    async def _exchange(
        self, frame: Frame, timeout_s: float, begin_by_us: int | None = None
    ) -> Reply:
        timing = Timing(max(timeout_s, 0.0), self._profile.min_gap_s, begin_by_us)
        return await self._connection.exchange(request_of(frame), timing, control=frame.control)

    # --- keeping alive

    @property
    def _repeats(self) -> bool:
        return self._profile.keepalive is not None and self._profile.keepalive.role == "setpoint"

    async def _beat(self) -> None:
        """Write what keeps the device from taking itself back, within the lease."""
        keepalive, kept = self._profile.keepalive, self._kept
        if keepalive is None or kept is None or not self._is_ready:
            return
        if kept.until_us is not None and self._guards.device_us() >= kept.until_us:
            self.drop_keep()
            return
        self._beat_at = _now() + _AGAIN_S
        if not await self._guards.may_keep() or self._kept is not kept or not self._is_ready:
            return
        for frame in kept.frames if self._repeats else (self._beats.next(keepalive),):
            reply = await self._exchange(frame, self._guards.reply_s, kept.until_us)
            if reply.exception is not None:
                logger.warning("keep-alive refused: %s", reason_of(reply.exception, frame))
                self._report(Unreadable(reply.raw))
                return
        self._beat_at = _now() + beat_s(keepalive)


def _now() -> float:
    return asyncio.get_running_loop().time()
