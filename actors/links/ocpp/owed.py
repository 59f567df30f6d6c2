"""An answer that waits until what it rests on is committed."""

import asyncio
from collections.abc import Callable, Mapping
from typing import TypeAlias

from actors.links.ocpp.framing import Call
from actors.links.ocpp.session import Session

Put: TypeAlias = Callable[[str], Mapping[str, object]]
"""Returns the answer's payload, given the committed transaction id."""


class OwedAnswer:
    """The answer to one CALL, given once and from any thread."""

    def __init__(self, session: Session, call: Call, put: Put) -> None:
        """Owe it. The loop thread."""
        self._session = session
        self._call = call
        self._put = put
        self._is_given = False
        self._loop = asyncio.get_running_loop()

    def later(self, transaction_id: str) -> None:
        """Answer on the loop thread. Any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.now, transaction_id)

    def now(self, transaction_id: str) -> None:
        """Answer. The loop thread."""
        if not self._is_given:
            self._is_given = True
            self._session.answer(self._call.id, self._put(transaction_id))
