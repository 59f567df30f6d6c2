"""The errors that Setpoint raises, and whether trying again makes sense.

::

    SetpointError
    ├── UsageError            the caller's input; the same input fails again
    │   ├── ScheduleRefused   a schedule, with all its problems
    │   ├── SiteRefused       a site file, with all its problems
    │   │   └── ProfileRefused  the same of a register profile
    │   ├── UnknownAsset      no such asset in the site
    │   ├── UnknownCommand    no such command in the store
    │   └── CommandRefused    a command that this asset cannot take
    ├── Untranslatable        an adapter has no (further) form for a command; final
    ├── LinkError             what an adapter's link raises
    │   ├── NotSent           no byte left; try again at once
    │   └── OutcomeUnknown    sent, no answer understood; ask the device first
    ├── StoreError            the store cannot take or give events
    │   ├── StoreUnavailable  locked, full or gone; the engine tries again by itself
    │   ├── StoreMissing      its URL or path is at fault: there is none to read, or can be none
    │   ├── StoreInUse        another engine has it
    │   ├── Fenced            another engine took over; this one has stopped
    │   └── StoreCorrupt      a row cannot be read; names the row
    ├── HandlingFailed        the engine failed on what it was asked; the same fails again
    └── EngineClosed          the system is closed or closing
"""

from collections.abc import Collection
from typing import Final, Self

import attrs

from engine.naming import instead_of

_LISTED: Final = 100


class SetpointError(Exception):
    """Anything that Setpoint raises on purpose."""


class UsageError(SetpointError):
    """The caller's input is at fault; the same input fails again."""


@attrs.frozen
class Problem:
    """One thing wrong with an input: where, what was found, which rule it breaks.

    In a schedule ``row`` is the slot's ISO timestamp and ``column`` the frame's column; in a file
    ``file`` and ``line`` (1-based) say where and ``column`` is the key.
    """

    rule: str
    message: str
    row: str | None = None
    column: str | None = None
    value: str | None = None
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        """Return the problem as one plain line."""
        where = [
            f"{self.file}:{self.line}" if self.line is not None else self.file,
            f"row {self.row}" if self.row is not None else None,
            f"column {self.column}" if self.column is not None and self.file is None else None,
            self.column if self.file is not None else None,
            f"value {self.value}" if self.value is not None else None,
        ]
        prefix = ", ".join(part for part in where if part)
        return (
            f"{prefix}: {self.message} [{self.rule}]" if prefix else f"{self.message} [{self.rule}]"
        )


class InputRefused(UsageError):
    """An input with all its problems at once; the message lists the first hundred, one a line."""

    subject = "input"

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        """Keep the problems; the message lists them, one a line."""
        self.problems = problems
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
        lines = [f"  {problem}" for problem in problems[:_LISTED]]
        if len(problems) > _LISTED:
            lines.append(f"  and {len(problems) - _LISTED} more")
        super().__init__("\n".join((f"{self.subject} refused: {count}", *lines)))


class ScheduleRefused(InputRefused):
    """A schedule that was not taken; nothing of it was recorded."""

    subject = "schedule"


class SiteRefused(InputRefused):
    """A site file, or what it names, that cannot be used."""

    subject = "site"


class ProfileRefused(SiteRefused):
    """A register profile that cannot be used."""

    subject = "register profile"


class UnknownAsset(UsageError):
    """No such asset in the site."""

    @classmethod
    def among(cls, name: object, known: Collection[str]) -> Self:
        """Return the error that says which of the assets that there are was probably meant."""
        return cls(f"no asset is called {name!r}; {instead_of(str(name), known)}")


class UnknownCommand(UsageError):
    """No such command in the store."""


class CommandRefused(UsageError):
    """A command that this asset cannot take."""


class Untranslatable(SetpointError):
    """An adapter has no form, or no further form, for this command."""


class LinkError(SetpointError):
    """What a link raises when a payload did not get a readable answer."""


class NotSent(LinkError):
    """No byte left for the device; it may be tried again at once."""


class OutcomeUnknown(LinkError):
    """Something was sent and no readable answer came: the device may have acted or not.

    ``raw`` is the answer as received, if there was one; ``outcome`` one of ``timed_out``,
    ``link_lost``, ``unknown``.
    """

    def __init__(self, message: str, *, outcome: str = "unknown", raw: str | None = None) -> None:
        """Keep what was received."""
        super().__init__(message)
        self.outcome = outcome
        self.raw = raw


class StoreError(SetpointError):
    """The store cannot take or give events."""


class StoreUnavailable(StoreError):
    """The store is locked, full or gone; trying again makes sense."""


class StoreMissing(StoreError):
    """There is no such store, and trying again does not help: its URL or path is at fault."""


class StoreInUse(StoreError):
    """Another engine has the store open."""


class Fenced(StoreError):
    """Another engine took over the store; this one sends nothing more."""


class StoreCorrupt(StoreError):
    """A row of the store cannot be read."""


class HandlingFailed(SetpointError):
    """The engine failed on what it was asked, twice or for too long, and left it out."""


class EngineClosed(SetpointError):
    """The system is closed or closing."""
