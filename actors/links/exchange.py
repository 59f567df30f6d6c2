"""One Modbus request and its reply: what leaves, what has to come back, and what else may come.

Source: MODBUS Messaging on TCP/IP Implementation Guide V1.0b, section 3.1.3 (MBAP header), and
MODBUS Application Protocol V1.1b3, section 7 (exception codes).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, runtime_checkable

import attrs

from engine.adapters.base import Frame, Outcome
from engine.errors import LinkError, NotSent, OutcomeUnknown

_LENGTH_END: Final = 6
_HEADER: Final = 7
_ANSWER_LEAST: Final = _HEADER + 2
_EXCEPTION_LENGTH: Final = 3
_EXCEPTION: Final = 0x80
_READS: Final = frozenset({3, 4})
_REFUSALS: Final = frozenset({1, 2, 3})
_EXCEPTIONS: Final = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledge",
    6: "device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target did not respond",
}


@attrs.frozen
class Request:
    """One read or write of registers; ``address`` counted from 0, ``words`` to be written."""

    unit: int
    function: int
    address: int
    words: tuple[int, ...] = ()
    count: int = 0


@attrs.frozen
class Reply:
    """What a device answered: the words of a read, or an exception code; ``raw`` in hex."""

    raw: str
    words: tuple[int, ...] = ()
    exception: int | None = None


@attrs.frozen
class Timing:
    """When a request may go: after a gap, before ``begin_by_us``; how long its reply may take.

    ``begin_by_us`` is device clock, null for no bound.
    """

    timeout_s: float
    gap_s: float = 0.0
    begin_by_us: int | None = None


class ClosedUnheard(OutcomeUnknown):
    """The device closed the connection in place of an answer to what may be asked once more."""


@attrs.define(eq=False)
class Pending:
    """The one request that is out, until ``end_s``; ``waiting`` while its reply is awaited.

    ``is_repeatable``: it goes once more, over a new connection, if the device closes this one.
    """

    timing: Timing
    end_s: float
    control: bool
    is_repeatable: bool
    sent: bytes | None = None
    raw: str | None = None
    answered: bool = False
    waiting: asyncio.Timeout | None = None
    failure: LinkError | None = None

    def error(self, reason: str, outcome: str) -> LinkError:
        """Return what ends it: why it failed; else not sent at all, or sent and not known."""
        if self.failure is not None:
            return self.failure
        if self.sent is None:
            return NotSent(reason)
        return OutcomeUnknown(reason, outcome=outcome, raw=self.raw)

    def fail(self, reason: str, outcome: str) -> None:
        """End the waiting."""
        self._end(self.error(reason, outcome))

    def closed(self, reason: str) -> None:
        """End the waiting, as nothing more comes over this connection."""
        is_over = not self.is_repeatable or self.failure is not None
        self._end(self.error(reason, "link_lost") if is_over else ClosedUnheard(reason))

    def _end(self, failure: LinkError) -> None:
        self.failure = failure
        if self.waiting is not None and not self.waiting.expired():
            self.waiting.reschedule(asyncio.get_running_loop().time())


async def _always_soon() -> bool:
    return True


def _always() -> bool:
    return True


@attrs.frozen
class Guards:
    """What a link asks for before it sends, and how patient it is.

    ``device_us`` is the device clock. ``may_send`` is asked right before each control frame,
    ``may_keep`` before each round of keep-alives. ``stale_s``: an asset not heard of for so long is
    stale, so it is polled at least every third of it. ``reply_s``: how long a poll waits.
    ``pauses_s``: the first and the longest pause before the next try to connect.
    """

    device_us: Callable[[], int]
    may_send: Callable[[], bool] = _always
    may_keep: Callable[[], Awaitable[bool]] = _always_soon
    stale_s: float = 60.0
    reply_s: float = 3.0
    pauses_s: tuple[float, float] = (0.5, 10.0)


@runtime_checkable
class Hearer(Protocol):
    """Who wants to know how a connection is."""

    def up(self) -> None:
        """Take note that the connection is there."""

    def down(self, reason: str, *, dropped: bool) -> None:
        """Take note that it is not; ``dropped``: by us, to be made anew at once."""


class Connection(Protocol):
    """What a link needs of the connection that it shares."""

    lock: asyncio.Lock
    generation: int

    @property
    def is_up(self) -> bool:
        """Whether there is a connection now."""
        ...

    def join(self, hearer: Hearer) -> None:
        """Begin to be told how the connection is."""

    async def leave(self, hearer: Hearer) -> None:
        """Be told no more."""

    async def exchange(self, request: Request, timing: Timing, *, control: bool) -> Reply:
        """Send one request and return its reply."""
        ...


def request_of(frame: Frame) -> Request:
    """Return the request of a frame that `engine.adapters.modbus` built."""
    body = frame.body
    words = body.get("values", ())
    return Request(
        _number(body["unit"]),
        _number(body["function"]),
        _number(body["address"]),
        tuple(map(_number, words)) if isinstance(words, list | tuple) else (),
        _number(body.get("count", 0)),
    )


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} in a Modbus frame is no integer")
    return value


def outcome_of(exception: int) -> Outcome:
    """Return whether an exception code is a refusal or a failure."""
    return "rejected" if exception in _REFUSALS else "error"


def reason_of(exception: int, frame: Frame) -> str:
    """Return an exception code in words, with what it answered."""
    name = _EXCEPTIONS.get(exception, "not in the standard")
    return f"exception {exception}: {name}, on {frame.action} of {frame.body.get('role')}"


def reply_fault(sent: bytes, got: bytes) -> str | None:
    """Return why bytes cannot be the reply to a request, null while they can.

    pymodbus 3.16.1 compares neither echo nor function code, and takes transaction id 0 for any.
    """
    if len(got) < _ANSWER_LEAST:
        return _shortness_fault(got)
    for name, place in (("transaction id", slice(0, 2)), ("protocol", slice(2, 4))):
        if got[place] != sent[place]:
            return f"{name} {got[place].hex()}, not {sent[place].hex()}"
    if got[6] != sent[6]:
        return f"unit {got[6]}, not {sent[6]}"
    function = sent[_HEADER]
    if got[_HEADER] == function | _EXCEPTION:
        return _length_fault(got, _EXCEPTION_LENGTH)
    if got[_HEADER] != function:
        return f"function code {got[_HEADER]}, not {function}"
    return _read_fault(sent, got) if function in _READS else _echo_fault(sent, got)


def is_complete(got: bytes) -> bool:
    """Return whether all bytes of a reply are there, by the length that it says it has."""
    return len(got) >= _ANSWER_LEAST and len(got) >= _LENGTH_END + int.from_bytes(got[4:6], "big")


def _shortness_fault(got: bytes) -> str | None:
    """More may come, unless it says that nothing does; the library would raise in its own hook."""
    told = int.from_bytes(got[4:6], "big")
    if len(got) < _LENGTH_END or told >= _EXCEPTION_LENGTH:
        return None
    return f"{len(got)} bytes of length {told}: no answer is as short"


def _read_fault(sent: bytes, got: bytes) -> str | None:
    size = 2 * int.from_bytes(sent[10:12], "big")
    if got[8] != size:
        return f"{got[8]} bytes of registers, not {size}"
    return _length_fault(got, size + 3)


def _echo_fault(sent: bytes, got: bytes) -> str | None:
    """A write is echoed by its address, and by its value or the number of its words."""
    echo = got[8:12]
    if echo != sent[8 : 8 + len(echo)]:
        return f"echo {echo.hex()}, not {sent[8:12].hex()}"
    return _length_fault(got, 6)


def _length_fault(got: bytes, length: int) -> str | None:
    told = int.from_bytes(got[4:6], "big")
    if told != length or len(got) > length + _HEADER - 1:
        return f"{len(got)} bytes of length {told}, not {length}"
    return None
