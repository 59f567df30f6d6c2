"""The links of all assets on one loop thread: what goes out, and what comes home as messages."""

import asyncio
import contextlib
import errno
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, TypeGuard, get_args

import attrs

from actors.actor import PoolActor
from actors.clock import Clocks
from actors.links.turns import LinkTurns, Place, Slots
from actors.loop import LoopThread
from engine.adapters.base import (
    AdapterPlugin,
    Answer,
    ChargingReported,
    Connected,
    ConnectorReported,
    Disconnected,
    Link,
    Observation,
    Payload,
    StateReported,
    Unreadable,
)
from engine.asset import effects, messages
from engine.errors import EngineClosed, NotSent, OutcomeUnknown, SetpointError
from engine.types import AssetId

if TYPE_CHECKING:
    from concurrent.futures import Future

logger = logging.getLogger("setpoint")


@attrs.frozen(eq=False)
class _Attached:
    """One asset's link and whom to tell; what came of an attempt waits for its turn (``answer``).

    In a herd the attempts that others have still to begin come before it. Of its link's slot it is
    a `Party`: one that shares it gives it back by itself.
    """

    link: Link
    tell: Callable[[object], None]
    answer: Callable[[object], None]
    place: Place | None

    def granted(self) -> None:
        """Hear that it is the asset's turn."""
        self.tell(messages.SlotGranted())

    def wanted(self) -> None:
        """Hear that the link waits for its turn."""
        if self.place is not None and not self.place.is_shared:
            self.tell(messages.SlotWanted())


class LinkHost:
    """Runs links on the loop thread; every outcome and every report becomes a message."""

    def __init__(
        self, loop: LoopThread, clocks: Clocks, may_send: Callable[[], bool] = lambda: True
    ) -> None:
        """Begin without links; ``may_send`` is asked before each attempt."""
        self._loop = loop
        self._may_send = may_send
        self._clocks = clocks
        self._attached: dict[AssetId, _Attached] = {}
        self._standing: dict[AssetId, dict[str, Observation]] = {}
        self._slots = Slots()
        self._tasks: set[asyncio.Task[None] | None] = set()
        self._opening: set[asyncio.Task[BaseException | None]] = set()

    def attach(self, asset_id: AssetId, link: Link, actor: PoolActor, place: Place | None) -> None:
        """Take on an asset's link; ``place`` says where its attempts go. Before `open`.

        A link that can ask for a turn of its own is shown where, by ``take_turns``.
        """
        attached = _Attached(link, actor.hurry, actor.actor_ref.tell, place)
        self._attached[asset_id] = attached
        if place is None:
            return
        if not place.is_shared:
            self._slots.hold(place.slot, attached)
        take_turns = getattr(link, "take_turns", None)
        if take_turns is not None:
            take_turns(LinkTurns(self._slots, place.slot, self._on_loop))

    def reporter(
        self, asset_id: AssetId, tell: Callable[[object], None]
    ) -> Callable[[Observation], None]:
        """Return what a link calls with its observations. The loop thread."""

        def report(observation: Observation) -> None:
            if type(observation) not in _OBSERVATIONS:
                logger.error("a link reported a %s", type(observation).__name__)
                observation = Unreadable(f"the link reported a {type(observation).__name__}")
            subject = _subject(observation)
            if subject is not None:
                standing = self._standing.setdefault(asset_id, {})
                standing.pop(subject, None)  # told again in the order in which they came last
                standing[subject] = observation
            tell(messages.Observed(observation))

        return report

    def open(self, timeout_s: float) -> "Future[None]":
        """Open all links; they connect by themselves, so this does not wait for devices.

        One that fails, or does not come back in ``timeout_s``, is told to its asset; the others go
        on. The future gets a SetpointError of a link that cannot be opened by what was set, and an
        OSError where an address to listen on is taken, or not ours.
        """
        return self._loop.submit(self._open_all(timeout_s))

    async def _open_all(self, timeout_s: float) -> None:
        opening = {
            asyncio.get_running_loop().create_task(_quietly(one.link.open)): one
            for one in self._attached.values()
        }
        if not opening:
            return
        done, pending = await asyncio.wait(opening, timeout=timeout_s)
        self._opening |= pending
        for task, attached in opening.items():
            if task not in done:
                attached.tell(messages.LinkFailed("it did not come back from opening"))
                continue
            error = task.result()
            if isinstance(error, SetpointError) or _is_address(error):
                raise error
            if error is not None:
                logger.error("a link could not be opened", exc_info=error)
                attached.tell(messages.LinkFailed(type(error).__name__))

    def close(self) -> "Future[None]":
        """Begin to let go of all devices; return what is done when all links are closed."""
        return self._loop.submit(self._close_all())

    def let_go(self) -> None:
        """Begin to leave all devices, and wait for nothing. Any thread."""
        with contextlib.suppress(EngineClosed):
            self._loop.submit(self._close_all())

    async def _close_all(self) -> None:
        closing = (_quietly(one.link.close) for one in self._attached.values())
        for result in await asyncio.gather(*closing):
            if result is not None:
                logger.error("a link did not close in good order", exc_info=result)

    # --- what an asset wants (any thread)

    def send(self, asset_id: AssetId, attempt_id: str, payload: Payload, timeout_s: float) -> None:
        """Send an attempt; see `actors.links.port.LinkPort`."""
        self._on_loop(self._start, attempt_id, self._send(asset_id, attempt_id, payload, timeout_s))

    def ask(self, asset_id: AssetId, attempt_id: str, payload: Payload, timeout_s: float) -> None:
        """Ask the device; see `actors.links.port.LinkPort`."""
        self._on_loop(self._start, attempt_id, self._ask(asset_id, attempt_id, payload, timeout_s))

    def keep(self, asset_id: AssetId, keep: effects.KeepAlive) -> None:
        """Repeat confirmed frames, where the link can; see `actors.links.port.LinkPort`."""
        keeps = getattr(self._attached[asset_id].link, "keep", None)
        if keeps is not None:
            self._on_loop(keeps, keep.frames, keep.until_us)

    def tell_again(self, asset_id: AssetId) -> None:
        """Tell what stands of a device once more; see `actors.links.port.LinkPort`."""
        attached = self._attached.get(asset_id)
        for observation in tuple(self._standing.get(asset_id, {}).values()):
            if attached is not None:
                attached.tell(messages.Observed(observation))

    def request_slot(self, asset_id: AssetId) -> None:
        """Queue for the link's turn; see `actors.links.port.LinkPort`."""
        attached = self._attached[asset_id]
        if attached.place is None:
            attached.granted()
        else:
            self._slots.request(attached.place.slot, attached)

    def release_slot(self, asset_id: AssetId) -> None:
        """End the turn; see `actors.links.port.LinkPort`."""
        attached = self._attached[asset_id]
        if attached.place is not None:
            self._slots.release(attached.place.slot, attached)

    def hasten(self, asset_id: AssetId) -> None:
        """Wait less long for the device's answer; see `actors.links.port.LinkPort`."""
        hasten = getattr(self._attached[asset_id].link, "hasten", None)
        if hasten is not None:
            self._on_loop(hasten)

    # --- on the loop thread

    def _on_loop(self, function: Callable[..., object], *arguments: object) -> None:
        try:
            self._loop.call(function, *arguments)
        except EngineClosed:
            logger.debug("the loop is closed; nothing was sent")
            for one in arguments:
                if hasattr(one, "close"):
                    one.close()

    def _start(self, attempt_id: str, work: Coroutine[Any, Any, None]) -> None:
        """Begin; the loop itself holds its tasks only weakly. Each takes itself out at its end."""
        self._tasks.add(asyncio.get_running_loop().create_task(work, name=attempt_id))

    async def _send(
        self, asset_id: AssetId, attempt_id: str, payload: Payload, timeout_s: float
    ) -> None:
        attached = self._attached[asset_id]
        begin_by_us = payload.begin_by_us
        try:
            if not self._loop.check() or (
                begin_by_us is not None and self._clocks.device_us() > begin_by_us
            ):
                outcome = _without(attempt_id, "not_sent", "the send window had passed")
            elif not self._may_send():
                outcome = _without(attempt_id, "not_sent", "sending is not allowed now")
            else:
                answer = _checked(await attached.link.send(payload, timeout_s))
                outcome = messages.AttemptAnswered(
                    attempt_id, answer, answer.outcome, answer.raw, answer.reason
                )
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever a link raises is an outcome
            outcome = _failed(attempt_id, error)
        finally:
            self._tasks.discard(asyncio.current_task())
        attached.answer(outcome)

    async def _ask(
        self, asset_id: AssetId, attempt_id: str, payload: Payload, timeout_s: float
    ) -> None:
        attached = self._attached[asset_id]
        answer: Answer | None = None
        try:
            answer = _checked(await attached.link.send(payload, timeout_s))
        except asyncio.CancelledError:
            raise
        except (NotSent, OutcomeUnknown) as error:
            logger.info("%s could not be asked: %s", asset_id, error)
        except BaseException:  # a link's SystemExit must not end the loop
            logger.exception("the link of %s failed", asset_id)
        finally:
            self._tasks.discard(asyncio.current_task())
        attached.tell(messages.QuestionAnswered(attempt_id, answer))


def _subject(observation: Observation) -> str | None:
    """Return what an observation stands for until the next of its kind, null if for nothing."""
    match observation:
        case Connected() | Disconnected():
            return "connection"
        case StateReported():
            return "device" if observation.whole_device else "asset"
        case ConnectorReported(connector_id=connector_id):
            return f"connector {connector_id}"
        case ChargingReported():
            return "charging"
        case _:
            return None


_OBSERVATIONS: Final = frozenset(get_args(Observation))
_ADDRESS: Final = frozenset({errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES})
_OUTCOMES: Final = frozenset({"accepted", "rejected", "error"})
_UNKNOWN = frozenset({"timed_out", "link_lost", "unknown"})


def made_link(
    plugin: AdapterPlugin, options: object, report: Callable[[Observation], None]
) -> Link:
    """Return an adapter's link; one that cannot be made says so when it is opened.

    Raises:
        SetpointError: it cannot be made by what was set.
    """
    try:
        return plugin.link(options, report)
    except SetpointError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever an adapter raises concerns its asset alone
        return _NoLink(error)


class _NoLink:
    """In place of a link that its adapter failed to make."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def open(self) -> None:
        """Say why there is none."""
        raise self._error

    async def send(self, payload: Payload, timeout_s: float) -> Answer:
        """Send nothing."""
        del payload, timeout_s
        raise NotSent("there is no link")

    async def close(self) -> None:
        """Let go of nothing."""


def _is_address(error: BaseException | None) -> TypeGuard[OSError]:
    """Return whether an address to listen on cannot be used: that is for the site file to mend."""
    return isinstance(error, OSError) and error.errno in _ADDRESS


async def _quietly(act: Callable[[], Awaitable[None]]) -> BaseException | None:
    """Do something with a link and return what it raised."""
    try:
        await act()
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 - a link's SystemExit must not end the loop
        return error
    return None


def _checked(given: object) -> Answer:
    """Return an answer that can be recorded.

    Raises:
        OutcomeUnknown: it cannot be.
    """
    if isinstance(given, Answer):
        raw: object = given.raw
        reason: object = given.reason
        is_told = reason is None or isinstance(reason, str)
        if is_told and isinstance(raw, str) and given.outcome in _OUTCOMES:
            return given
    raise OutcomeUnknown(f"the link answered with a {type(given).__name__} that makes no sense")


def _failed(attempt_id: str, error: BaseException) -> messages.AttemptAnswered:
    """Return the outcome of a send that raised."""
    if isinstance(error, NotSent):
        return _without(attempt_id, "not_sent", str(error))
    if isinstance(error, OutcomeUnknown):
        outcome = error.outcome if error.outcome in _UNKNOWN else "unknown"
        return messages.AttemptAnswered(attempt_id, None, outcome, error.raw, str(error))  # type: ignore[arg-type]  # checked above
    logger.error("the link of attempt %s failed", attempt_id, exc_info=error)
    return _without(attempt_id, "unknown", type(error).__name__)


def _without(attempt_id: str, outcome: str, reason: str) -> messages.AttemptAnswered:
    return messages.AttemptAnswered(attempt_id, None, outcome, None, reason)  # type: ignore[arg-type]  # one of Outcome
