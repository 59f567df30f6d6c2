"""An adapter for an imaginary charger in a lamp post, which speaks lines of text over TCP.

``SET 7400`` is answered by ``OK 7400`` or ``NO <why>``, ``GET`` by ``IS 7400``: watts, in whole
hundreds.
"""

import asyncio
import contextlib

import attrs

from engine.adapters.base import (
    Answer,
    Connected,
    Disconnected,
    Frame,
    Payload,
    Seen,
    SetpointRead,
    StateReported,
    Unreadable,
)
from engine.commands import CommandType
from engine.errors import NotSent, OutcomeUnknown, Untranslatable

STEP_W = 100
AGAIN_S = 0.2
POLL_S = 20.0
ANSWERS = {"SET": ("OK", "NO"), "GET": ("IS",)}


@attrs.frozen
class LamppostOptions:
    """The keys of a lamp post in the site file. An address is never recorded."""

    host: str = attrs.field(metadata={"address": True})
    port: int = attrs.field(default=7400, metadata={"address": True})


class LamppostAdapter:
    """What the engine decides, as lines of text: pure, but for `link`."""

    options = LamppostOptions

    def translate(self, command, asset, attempt):
        """Spell a command; what a lamp post cannot do is untranslatable."""
        if attempt.form:
            raise Untranslatable("there is one form only")
        if command.type is CommandType.SET_CHARGE_RATE:
            steps = int(command.value_kw * 1000) // STEP_W
            return Payload((Frame("SET", {"watts": steps * STEP_W}),), steps * STEP_W / 1000)
        if command.type is CommandType.STOP_CHARGING:
            return Payload((Frame("SET", {"watts": 0}),))
        raise Untranslatable(f"a lamp post cannot {command.type}")

    def interpret(self, answer, asset):
        """Read ``IS 7400``; whatever else comes is unreadable."""
        if answer.outcome != "accepted" or answer.raw.startswith("OK "):
            return ()
        watts = watts_of(answer.raw)
        if watts is None:
            return (Unreadable(answer.raw),)
        return (SetpointRead(watts / 1000, None, STEP_W / 1000, answer.raw),)

    def questions(self, asset):
        """Ask what holds, after an unknown outcome."""
        return (Payload((Frame("GET", {}, control=False),)),)

    def link(self, options, report):
        """Return the link of one lamp post."""
        return LamppostLink(options, report)


def watts_of(text):
    """Return the watts of ``IS 7400``, null where it is anything else."""
    word, _, watts = text.partition(" ")
    return int(watts) if word == "IS" and watts.isascii() and watts.isdigit() else None


class LamppostLink:
    """One connection, which is made anew whenever it ends. All of it runs on the loop thread."""

    def __init__(self, options, report):
        """Begin closed."""
        self.options, self.report = options, report
        self.task = self.writer = self.waiting = None
        self.awaited = ()

    async def open(self):
        """Begin to connect; return at once."""
        self.task = self.task or asyncio.create_task(self.keep_connected())

    async def close(self):
        """Let go. Twice is once."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait((self.task,))
        self.task = None

    async def keep_connected(self):
        """Connect, read until that ends, connect again."""
        while True:
            with contextlib.suppress(OSError):
                reader, self.writer = await asyncio.open_connection(
                    self.options.host, self.options.port
                )
                self.report(Connected())
                self.report(StateReported("PREPARING", "connected"))
                try:
                    await self.read(reader)
                finally:
                    self.let_go()
            await asyncio.sleep(AGAIN_S)

    async def read(self, reader):
        """Take in line by line; ask in between, as a device that says nothing counts as stale."""
        while True:
            try:
                async with asyncio.timeout(POLL_S):
                    line = await reader.readline()
            except TimeoutError:
                self.writer.write(b"GET\n")
                continue
            if not line:
                return
            self.heard(line.decode(errors="replace").strip())
            self.report(Seen())

    def heard(self, text):
        """Hand a line to who waits for it; what the lamp post holds is news as well."""
        if text.partition(" ")[0] in self.awaited and not self.waiting.done():
            self.waiting.set_result(text)
        elif (watts := watts_of(text)) is not None:
            self.report(SetpointRead(watts / 1000, None, STEP_W / 1000, text))

    def let_go(self):
        """Have no connection any more; whoever waits for an answer gets none."""
        self.writer.close()
        self.writer = None
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_exception(OutcomeUnknown("hung up", outcome="link_lost"))
        self.report(Disconnected("the connection ended"))

    async def send(self, payload, timeout_s):
        """Send a line and return its answer; never twice."""
        if self.writer is None or self.waiting is not None:
            raise NotSent("not connected, or busy with another line")
        (frame,) = payload.frames
        self.waiting = asyncio.get_running_loop().create_future()
        self.awaited = ANSWERS[frame.action]
        line = " ".join([frame.action, *map(str, frame.body.values())])
        self.writer.write(line.encode() + b"\n")
        try:
            async with asyncio.timeout(timeout_s):
                return answer_of(await self.waiting)
        except TimeoutError:
            self.writer.transport.abort()  # a late answer must not be taken for the next one's
            raise OutcomeUnknown("no answer in time", outcome="timed_out") from None
        finally:
            self.waiting, self.awaited = None, ()


def answer_of(text):
    """Return what a line says to who waited for it."""
    word, _, rest = text.partition(" ")
    return Answer(text, "rejected", reason=rest) if word == "NO" else Answer(text)
