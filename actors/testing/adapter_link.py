"""What the link of an adapter promises, tried over real sockets: `engine.adapters.base.Link`."""

import asyncio
import unittest
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias, get_args

from msgspec.structs import replace

from actors.testing.adapter_hooks import AdapterHooks, DeviceUnderTest, Manner, require
from engine.adapters.base import (
    AdapterPlugin,
    Answer,
    Connected,
    Disconnected,
    Link,
    Observation,
    Payload,
)
from engine.errors import NotSent, OutcomeUnknown

_AT_ONCE_S: Final = 3.0
_TIMEOUT_S: Final = 1.0
_ANSWER_S: Final = 10.0
_GRACE_S: Final = 3.0
_LONG_PAST_US: Final = 1
_OBSERVATIONS: Final = get_args(Observation)


class Line:
    """A link to a device, and what it has reported. Of one loop."""

    def __init__(
        self, hooks: AdapterHooks, adapter: AdapterPlugin, device: DeviceUnderTest
    ) -> None:
        """Begin unopened."""
        self._hooks = hooks
        self.adapter = adapter
        self.device = device
        self.options: object = None
        self.seen: list[Observation] = []
        self._told = asyncio.Event()
        self._link: Link | None = None
        self._sent = 0

    @property
    def link(self) -> Link:
        """The link, made with the device's options."""
        if self._link is None:
            self._link = self.adapter.link(self.options, self._report)
        return self._link

    def _report(self, observation: Observation) -> None:
        self.seen.append(observation)
        self._told.set()

    def count(self, kind: type) -> int:
        """Return how often something of a kind was reported."""
        return sum(isinstance(one, kind) for one in self.seen)

    @property
    def _is_up(self) -> bool:
        ways = [one for one in self.seen if isinstance(one, Connected | Disconnected)]
        return bool(ways) and isinstance(ways[-1], Connected)

    async def connected(self, when: str) -> None:
        """Wait until the last that was reported of the connection is that there is one."""
        await self._until(lambda: self._is_up, f"{when}, the link has to report Connected")

    async def disconnected(self, times: int, when: str) -> None:
        """Wait until it was reported so many times that there is none any more."""
        await self._until(
            lambda: self.count(Disconnected) >= times,
            f"{when}, the link has to report Disconnected",
        )

    async def _until(self, condition: Callable[[], bool], otherwise: str) -> None:
        try:
            async with asyncio.timeout(self._hooks.patience_s):
                while not condition():
                    self._told.clear()
                    await self._told.wait()
        except TimeoutError:
            told = ", ".join(type(one).__name__ for one in self.seen) or "nothing"
            raise AssertionError(
                f"{otherwise} within patience_s = {self._hooks.patience_s}; it has reported {told}"
            ) from None

    async def open(self) -> None:
        """Open the link, which returns at once."""
        try:
            async with asyncio.timeout(_AT_ONCE_S):
                await self.link.open()
        except TimeoutError:
            raise AssertionError(
                "link.open has to return at once and connect in a task of its own"
            ) from None

    async def close(self) -> None:
        """Close the link, which does not wait for a device."""
        try:
            async with asyncio.timeout(self._hooks.patience_s):
                await self.link.close()
        except TimeoutError:
            raise AssertionError("link.close does not come back") from None

    def payload(self) -> Payload:
        """Return a new attempt's payload."""
        self._sent += 1
        view = self._hooks.view(self.options)
        payload = self.adapter.translate(*self._ordered(view))
        return replace(payload, attempt_id=f"att_{self._sent}")

    def _ordered(self, view: Any) -> tuple[Any, Any, Any]:  # noqa: ANN401 - translate's arguments
        command, attempt = self._hooks.rate(self._hooks.kw)
        return command, view, attempt

    async def send(self, payload: Payload, timeout_s: float = _ANSWER_S) -> Answer:
        """Send within a time-out."""
        try:
            async with asyncio.timeout(timeout_s + _GRACE_S):
                return await self.link.send(payload, timeout_s)
        except TimeoutError:
            raise AssertionError(
                f"link.send took longer than its timeout_s of {timeout_s} s: "
                "raise NotSent or OutcomeUnknown by then"
            ) from None

    async def failed(self, payload: Payload, when: str) -> NotSent | OutcomeUnknown:
        """Send what gets no answer; return how that was told."""
        try:
            answer = await self.send(payload, _TIMEOUT_S)
        except (NotSent, OutcomeUnknown) as error:
            return error
        except AssertionError:
            raise
        except Exception as error:
            raise AssertionError(
                f"{when}, link.send raised {error!r}: only NotSent and OutcomeUnknown are known"
            ) from error
        raise AssertionError(f"{when}, link.send returned {answer!r}")


Scenario: TypeAlias = Callable[[Line], Coroutine[Any, Any, None]]


class LinkChecks(AdapterHooks):
    """The tests of ``link``; they need a `device`."""

    def test_opening_returns_at_once_and_a_device_that_comes_is_connected(self) -> None:
        """It connects by itself, each time that the device comes back."""

        async def scenario(line: Line) -> None:
            await line.device.stop()
            await line.open()
            when = "while the device is not there"
            error = await line.failed(line.payload(), when)
            require(
                isinstance(error, NotSent),
                f"{when}, link.send has to raise NotSent, not {error!r}: no byte has left",
            )
            await line.device.start()
            await line.connected("when a device comes")
            gone = line.count(Disconnected) + 1
            await line.device.stop()
            await line.disconnected(gone, "when the device has gone")
            await line.device.start()
            await line.connected("when the device has come back")

        self._run(scenario)

    def test_what_is_sent_arrives_once_and_is_answered(self) -> None:
        """Each control frame of a payload, in one attempt."""

        async def scenario(line: Line) -> None:
            payload = line.payload()
            answer = await line.send(payload)
            require(isinstance(answer, Answer), f"link.send returned {answer!r}, not an Answer")
            require(
                answer.outcome == "accepted",
                f"the device has accepted, and link.send says {answer!r}",
            )
            require(answer.raw, "keep what the device answered in Answer.raw")
            self._received(line, payload)

        self._run(scenario, "answer")

    def test_a_refusal_is_an_answer(self) -> None:
        """Not an error of the link: the device has understood, and nothing is unknown."""

        async def scenario(line: Line) -> None:
            try:
                answer = await line.send(line.payload())
            except (NotSent, OutcomeUnknown) as error:
                raise AssertionError(
                    f"the device has refused, and link.send raised {error!r}: "
                    "return an Answer with the outcome rejected or error"
                ) from error
            require(
                answer.outcome in {"rejected", "error"},
                f"the device has refused, and link.send says {answer.outcome}",
            )

        self._run(scenario, "refuse")

    def test_silence_is_an_unknown_outcome(self) -> None:
        """In time, and nothing is sent again: the engine asks before anything new."""

        async def scenario(line: Line) -> None:
            await self._unknown(line, "when the device does not answer")

        self._run(scenario, "silence")

    def test_a_connection_that_ends_is_an_unknown_outcome(self) -> None:
        """A byte has left; the link connects anew, and the next attempt goes through."""

        async def scenario(line: Line) -> None:
            gone = line.count(Disconnected) + 1
            await self._unknown(line, "when the device hangs up in place of an answer")
            await line.disconnected(gone, "when the device has hung up")
            await line.connected("when a device that hung up can be reached")
            line.device.behave("answer")
            answer = await line.send(line.payload())
            require(
                answer.outcome == "accepted",
                f"when it is connected anew, link.send says {answer!r}",
            )

        self._run(scenario, "hang_up")

    def test_nothing_leaves_after_the_send_window(self) -> None:
        """Whoever has to wait before the first byte looks at ``begin_by_us`` then."""
        if not self.waits_to_send:
            raise unittest.SkipTest("the link never waits: waits_to_send is False")

        async def scenario(line: Line) -> None:
            when = "when begin_by_us has passed"
            late = replace(line.payload(), begin_by_us=_LONG_PAST_US)
            error = await line.failed(late, when)
            require(isinstance(error, NotSent), f"{when}, link.send raised {error!r}, not NotSent")
            require(not line.device.received(), f"{when}, a frame has reached the device")

        self._run(scenario, "answer")

    def test_questions_are_answered_and_change_nothing(self) -> None:
        """The device is asked, and what it says can be interpreted."""

        async def scenario(line: Line) -> None:
            view = self.view(line.options)
            for question in line.adapter.questions(view):
                answer = await line.send(question)
                said = line.adapter.interpret(answer, view)
                require(
                    said or answer.outcome != "accepted",
                    f"interpret understands nothing of the answer to a question: {answer!r}",
                )
            require(not line.device.received(), "a question has reached the device as a control")

        self._run(scenario, "answer")

    def test_reports_are_observations(self) -> None:
        """What a device says becomes one of the kinds that the engine knows."""

        async def scenario(line: Line) -> None:
            await line.send(line.payload())
            wrong = [one for one in line.seen if not isinstance(one, _OBSERVATIONS)]
            require(not wrong, f"the link reported {wrong}, which is no observation")

        self._run(scenario, "answer")

    def test_closing_twice_is_closing_once(self) -> None:
        """And nothing is sent by a closed link."""

        async def scenario(line: Line) -> None:
            await line.close()
            await line.close()
            when = "on a closed link"
            error = await line.failed(line.payload(), when)
            require(isinstance(error, NotSent), f"{when}, link.send raised {error!r}, not NotSent")
            require(not line.device.received(), f"{when}, a frame has reached the device")

        self._run(scenario, "answer")

    def test_a_link_that_was_never_opened_can_be_closed(self) -> None:
        """An engine that fails while it opens closes all of them."""

        async def scenario(line: Line) -> None:
            await line.close()

        self._run(scenario)

    # --- how it is tried

    async def _unknown(self, line: Line, when: str) -> None:
        payload = line.payload()
        error = await line.failed(payload, when)
        require(
            isinstance(error, OutcomeUnknown),
            f"{when}, link.send has to raise OutcomeUnknown, not {error!r}: a byte has left",
        )
        require(line.device.received(), f"{when}, no frame has reached the device")
        self._received(line, payload)

    def _received(self, line: Line, payload: Payload) -> None:
        control = sum(frame.control for frame in payload.frames)
        received = line.device.received()
        require(
            received <= control,
            f"{received} control frames reached the device, and the payload has {control}: "
            "a link sends each once and never retries",
        )

    def _run(self, scenario: Scenario, manner: Manner | None = None) -> None:
        """Run a scenario; with a manner, on a link that is connected."""

        async def run() -> None:
            async with self._line() as line:
                if manner is not None:
                    await line.open()
                    await line.connected("when it is open and the device there")
                    line.device.behave(manner)
                await scenario(line)

        asyncio.run(run())

    @asynccontextmanager
    async def _line(self) -> AsyncIterator[Line]:
        adapter = self.adapter()
        device = self.device(adapter)
        if device is None:
            raise unittest.SkipTest("device() gives no device to try the link with")
        line = Line(self, adapter, device)
        line.options = await device.start()
        try:
            yield line
        finally:
            try:
                await line.close()
            finally:
                await device.stop()
