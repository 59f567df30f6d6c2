"""What an action of a central system does and how it is answered; the same in both versions."""

import attrs

from engine.adapters.base import Outcome

_UNSUPPORTED = frozenset({"NotImplemented", "NotSupported"})


@attrs.frozen
class Action:
    """What an action's status may be; one without any is done once it is answered.

    ``reads``: it changes nothing of what the charge point does. ``each``: the answer has a list,
    by this name, of what came of each thing that was asked.
    """

    accepted: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    reads: bool = False
    each: str | None = None


def says(
    accepted: str, refused: str = "", *, reads: bool = False, each: str | None = None
) -> Action:
    """Return an action by the words of its status."""
    return Action(frozenset(accepted.split()), frozenset(refused.split()), reads, each)


OTHER = says("Accepted", "Failed Rejected")
"""An action that no specification has: a vendor's own. It may do anything."""


def judged(action: Action, status: object) -> tuple[Outcome, str | None]:
    """Return what a status means for its action, and how it was put if it is a refusal.

    A status that nobody knows is no answer, and ``unknown``, as is one that is missing.
    """
    if not isinstance(status, str):
        return "unknown", "no status"
    if status in action.accepted:
        return "accepted", None
    if status in _UNSUPPORTED:
        return "rejected", "unsupported"
    return ("rejected" if status in action.refused else "unknown"), status
