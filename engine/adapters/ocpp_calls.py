"""What an action of a central system does and how it is answered; the same in both versions."""

import attrs

from engine.adapters.base import Outcome

_UNSUPPORTED = frozenset({"notimplemented", "notsupported"})


@attrs.frozen
class Action:
    """What an action's status may be, in small letters; one without any is done once answered.

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
    return Action(_words(accepted), _words(refused), reads, each)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.lower().split())


OTHER = says("Accepted", "Failed Rejected")
"""An action that no specification has: a vendor's own. It may do anything."""


def judged(action: Action, status: object) -> tuple[Outcome, str | None]:
    """Return what a status means for its action, and how it was put if it is a refusal.

    A status that nobody knows is no answer, and ``unknown``, as is one that is missing; one in
    other letters can be meant in one way only.
    """
    if not isinstance(status, str):
        return "unknown", "no status"
    said = status.strip().lower()
    if said in action.accepted:
        return "accepted", None
    if said in _UNSUPPORTED:
        return "rejected", "unsupported"
    return ("rejected" if said in action.refused else "unknown"), status
