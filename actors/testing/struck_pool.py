"""Actors that are struck by faults: their handlers raise, hang, or would end a thread."""

from typing import Any, Final

from pykka._envelope import Envelope

from actors.actor import HandlerHung, PoolActor, Worker
from actors.journalled import JournalledActor
from actors.pool import CAUGHT
from actors.testing.faults import ACTOR, Fault, Faults


class Struck(Exception):
    """What a handler raises that a fault has struck."""


_RAISED: Final[dict[str, type[BaseException]]] = {
    "raise": Struck,
    "raise_late": Struck,
    "hang": HandlerHung,
    "die": SystemExit,
}


def _is_of_actor(fault: Fault) -> bool:
    return fault.kind in ACTOR


class StruckWorker(Worker):
    """Lets the messages of actors with a stream fail as the faults have it.

    A handler that hangs has been taken away from its actor by the time that anybody knows; so it
    comes to the same here as one that raises, but for the error.
    """

    def __init__(self, faults: Faults) -> None:
        """Begin without faults."""
        super().__init__(CAUGHT, budget=1)
        self._faults = faults

    def deliver(self, actor: PoolActor, envelope: Envelope[Any]) -> object:
        """Return the actor's answer to a message, unless a fault comes before it, or behind."""
        message = envelope.message
        fault = None
        if isinstance(actor, JournalledActor):
            name = type(message).__name__
            fault = self._faults.strike(_is_of_actor, (actor.name,), None, name)
        if fault is None:
            return super().deliver(actor, envelope)
        if fault.kind == "raise_late":
            super().deliver(actor, envelope)
        self.crash(actor, message, _RAISED[fault.kind]("struck by a fault"))
        return None
