"""What an asset's handlers change between two crashes, and what a crash leaves of it."""

from typing import TYPE_CHECKING, Final, cast

import attrs

from actors.journalled import Life, Lost
from actors.supervisor import Verdict
from engine.adapters.base import (
    ChargingReported,
    Connected,
    ConnectorReported,
    Disconnected,
    PowerMeasured,
    Seen,
    SetpointRead,
    StateReported,
    Unreadable,
)
from engine.asset import AssetState, Wake
from engine.asset import effects as effect
from engine.asset import messages as message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.asset.draft import Draft

STASH_LIMIT = 1_000
"""Messages that an asset keeps while its events are being committed.

What can be told again is not kept beyond it, and is told again when the store takes events.
"""

UNARMED: Final = Wake(None, None)
_AGAIN: Final = (
    *(Connected, Disconnected, StateReported),  # what stands is told again
    *(ConnectorReported, ChargingReported),
    *(Seen, PowerMeasured, SetpointRead, Unreadable),  # the next ones say as much
)


class AssetLife(Life):
    """What an asset's handlers change.

    ``draft`` is being committed and came of ``about``; ``current`` is the message being handled,
    null while what the journal said is. Of the effects ``owed`` so many are ``done``. ``missed``:
    there were more messages than are kept.
    """

    __slots__ = ("about", "armed", "current", "done", "draft", "missed", "owed", "state")

    def __init__(self, state: AssetState) -> None:
        """Begin with a committed state."""
        super().__init__()
        self.state = state
        self.draft: Draft | None = None
        self.about: message.Message | None = None
        self.current: object = None
        self.owed: Sequence[effect.Effect] = ()
        self.done = 0
        self.armed = UNARMED
        self.missed = False

    def keep(self, told: message.Message) -> None:
        """Keep a message until it can be handled, or note that one was missed."""
        if len(self.stash) >= STASH_LIMIT and _can_be_told_again(told):
            self.missed = True
        else:
            self.stash.append(told)


def _can_be_told_again(told: message.Message) -> bool:
    """Return whether a message is one of many, or can be asked for once more."""
    if isinstance(told, message.Observed):
        return isinstance(told.observation, _AGAIN)
    return isinstance(told, message.Woke)


def settled_loss(life: AssetLife, lost: Lost) -> Lost:
    """Return what a life lost, now that is known whether its events were stored.

    If so their effects are owed, and the message that they came of has been handled; it need not be
    the one that the actor failed on.
    """
    draft = cast("Draft | None", lost.draft)
    if draft is None or life.state.version < draft.state.version:
        return lost
    told = None if lost.about is lost.told else lost.told
    return attrs.evolve(lost, told=told, owed=tuple(draft.effects))


def unsure_of(lost: Lost) -> str | None:
    """Return the attempt of which nobody knows any more whether it was sent or answered."""
    for one in lost.owed:
        if isinstance(one, effect.Send):
            return one.attempt_id
    told = lost.told
    if isinstance(told, message.AttemptAnswered) and lost.verdict is not Verdict.RETRY:
        return told.attempt_id
    return None
