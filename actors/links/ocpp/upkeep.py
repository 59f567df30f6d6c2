"""What a charge point is asked beside the attempts: who it is, how it is, what it can do.

Some say nothing of themselves when they connect to a central system that was restarted.
"""

import asyncio
import logging
import math
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from actors.links.ocpp.assets import Assets
from actors.links.ocpp.questions import Questions
from actors.links.ocpp.session import Reply, Request, Session
from engine.adapters.base import CapabilitiesLearned
from engine.adapters.device_clock import APART_US
from engine.errors import LinkError
from engine.types import US_PER_S

logger = logging.getLogger("setpoint")

ANSWER_S: Final = 10.0
TRIGGERED_S: Final = 10.0
"""How long after its answer a trigger may bring what it asked for."""
AGAIN_S: Final = (10.0, 300.0)
"""The first and the longest pause before what was not answered is asked again."""
_TIMES: Final = 2  # the first may still disagree with what was told before
_APART_S: Final = APART_US / US_PER_S + 1


class Upkeep:
    """The questions on one session, each in a turn of its own between the attempts.

    The loop thread.
    """

    def __init__(
        self,
        session: Session,
        questions: Questions,
        assets: Assets,
        quiet_s: float,
    ) -> None:
        """Begin to ask ``quiet_s`` seconds from now for what is not said until then.

        The assets are told what the charge point can do.
        """
        self._session = session
        self._questions = questions
        self._assets = assets
        self._quiet_s = quiet_s
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked = 0
        self._left_s = -math.inf
        self._one_at_a_time = asyncio.Lock()
        self._said: set[int] = set()
        self._mute: set[int] = set()
        self._booted = False
        self._boots = 0
        self._rebooted = asyncio.Event()
        self._boot_due_until_s = -math.inf
        self._doubts_clock = False
        self._start(self._after_connect())

    # --- what the charge point says by itself

    def booted(self, *, asked_for: bool | None = None) -> bool:
        """Return whether a BootNotification is of a boot, and not one that was asked for.

        ``asked_for``: whether the charge point says so itself, whoever asked; null where it does
        not say.
        """
        is_due = asyncio.get_running_loop().time() < self._boot_due_until_s
        was_triggered = is_due if asked_for is None else asked_for
        self._boot_due_until_s = -math.inf
        self._booted = True
        if not was_triggered:
            self._said.clear()
            self._boots += 1
            self._rebooted.set()
            if self._boots == 1:
                self._start(self._after_boots())
        return not was_triggered

    def said(self, connector: int) -> None:
        """A connector's status was told."""
        if connector in self._assets.connectors:
            self._said.add(connector)

    def is_mute(self, connector: int) -> bool:
        """Return whether a connector's status is not known, and is not told when asked for."""
        return connector in self._mute and connector not in self._said

    def look_again(self) -> None:
        """Have connectors tell how they are that something was changed on, and that say nothing.

        Some never tell that they are available again.
        """
        self._said.clear()
        self._start(self._after_change())

    def doubt_clock(self) -> None:
        """A time was told that would make its clock a wrong one: have another told, once."""
        if not self._doubts_clock:
            self._doubts_clock = True
            self._start(self._read_clock())

    # --- what it is asked

    async def _read_clock(self) -> None:
        """Have it measure: that has the time of now, whatever the first time was of.

        Who does not is asked how it is: most tell that with the time of now.
        """
        for _ in range(_TIMES):
            await asyncio.sleep(_APART_S)
            connector = min(self._assets.connectors, default=1)
            if await self._trigger(self._questions.measurement(connector)) is False:
                await self._trigger(self._questions.status(connector))

    async def _after_connect(self) -> None:
        await asyncio.sleep(self._quiet_s)
        if self._booted:
            return
        self._boot_due_until_s = math.inf  # some send it before they answer the trigger
        is_coming = await self._trigger(self._questions.boot())
        now_s = asyncio.get_running_loop().time()
        due_s = now_s + TRIGGERED_S if is_coming else -math.inf
        self._boot_due_until_s = min(self._boot_due_until_s, due_s)
        known = await self._learn()
        for connector in sorted(self._assets.connectors):
            charging = self._questions.transaction(connector)
            if charging is not None:
                await self._trigger(charging)
        await self._find_out(known=known)

    async def _after_boots(self) -> None:
        """Ask after each boot; who boots over and over is asked as often as it answers."""
        while True:
            await self._rebooted.wait()
            self._rebooted.clear()
            if self._session.is_reticent:  # its setpoints come first
                await asyncio.sleep(self._quiet_s)
            known = await self._learn()
            await asyncio.sleep(self._quiet_s)
            await self._find_out(known=known)

    async def _after_change(self) -> None:
        await asyncio.sleep(self._quiet_s)
        await self._find_out(known=True)

    async def _find_out(self, *, known: bool) -> None:
        """Ask until all is answered, ever more seldom: one lost message must not be for good."""
        pause_s = AGAIN_S[0]
        while not self._rebooted.is_set():
            for connector in sorted(self._assets.connectors - self._said - self._mute):
                told = await self._trigger(self._questions.status(connector))
                if told is False:
                    self._mute.add(connector)
            if known and not self._assets.connectors - self._said - self._mute:
                return
            await self._pause(pause_s)
            pause_s = min(2 * pause_s, AGAIN_S[1])
            known = known or await self._learn()

    async def _pause(self, seconds: float) -> None:
        """Wait so long, or until it boots again."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._rebooted.wait()

    async def _trigger(self, message: dict[str, object]) -> bool | None:
        """Ask for a message; return whether it will come, null if there was no answer."""
        reply = await self._ask("TriggerMessage", message)
        if reply is None:
            return None
        return isinstance(reply.payload, Mapping) and reply.payload.get("status") == "Accepted"

    async def _learn(self) -> bool:
        """Ask what it can do; return whether there was an answer."""
        learned = await self._questions.learn(self._ask)
        if learned:
            self._assets.tell_all(CapabilitiesLearned(learned))
        return learned is not None

    async def _ask(self, action: str, body: dict[str, object]) -> Reply | None:
        async with self._one_at_a_time:
            self._asked += 1
            own_id = f"ask-{self._session.generation}-{self._asked}"
            return await self._reply(own_id, action, body)

    async def _reply(self, own_id: str, action: str, body: dict[str, object]) -> Reply | None:
        """Return the answer, also one that comes when an attempt was let go meanwhile."""
        late: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._left_s = -math.inf
        request = Request(
            own_id,
            action,
            body,
            ANSWER_S,
            may_leave=self._leaves,
            late=lambda reply: None if late.done() else late.set_result(reply),
            is_question=True,
        )
        try:
            return await self._session.ask(request)
        except LinkError as error:
            logger.debug("no answer to %s: %s", action, error)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._left_s + ANSWER_S):
                return await late
        return None

    def _leaves(self) -> None:
        """A question goes out."""
        self._left_s = asyncio.get_running_loop().time()

    def _start(self, work: Any) -> None:  # noqa: ANN401 - a coroutine
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def end(self) -> None:
        """The session is over."""
        for task in self._tasks:
            task.cancel()
