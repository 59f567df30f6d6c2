"""Which commands are asked for; all but their status is known from their first event on."""

from enum import StrEnum
from typing import TypeVar

import attrs

from engine.commands import CauseKind, CommandStatus, CommandType
from engine.plans import Plan, PlanRef, parse_command_id

Kind = TypeVar("Kind", bound=StrEnum)


def _one_of(kinds: type[Kind], what: str, name: str | None) -> Kind | None:
    """Return one of these by its name; of another it is told which there are."""
    try:
        return None if name is None else kinds(name)
    except ValueError:
        raise ValueError(f"{name!r} is no {what}; there are {', '.join(kinds)}") from None


def _type(name: str | None) -> CommandType | None:
    return _one_of(CommandType, "type", name)


def _status(name: str | None) -> CommandStatus | None:
    return _one_of(CommandStatus, "status", name)


def _cause(name: str | None) -> CauseKind | None:
    return _one_of(CauseKind, "cause", name)


@attrs.frozen
class Filters:
    """Which commands to look at; null takes all. Types, statuses and causes may be plain text.

    ``since_us`` and ``until_us`` are due times, plan clock, microseconds since 1970 UTC: from
    ``since_us`` up to but not including ``until_us``.

    Raises:
        ValueError: there is no such type, status or cause.
    """

    asset: str | None = None
    type: CommandType | None = attrs.field(default=None, converter=_type)
    status: CommandStatus | None = attrs.field(default=None, converter=_status)
    cause: CauseKind | None = attrs.field(default=None, converter=_cause)
    schedule: str | None = None
    since_us: int | None = None
    until_us: int | None = None
    id: str | None = None

    def takes_asset(self, asset_id: str) -> bool:
        """Return whether an asset's commands are looked at."""
        return self.asset is None or self.asset == asset_id

    def takes_cause(self, kind: CauseKind, schedule_id: str | None) -> bool:
        """Return whether commands of a cause and a schedule are looked at."""
        return self.cause in {None, kind} and self.schedule in {None, schedule_id}

    def takes_id(self, command_id: str) -> bool:
        """Return whether the command of an id is looked at."""
        return self.id in {None, command_id}

    def takes_type(self, command_type: CommandType) -> bool:
        """Return whether commands of a type are looked at."""
        return self.type in {None, command_type}

    def takes_due(self, due_us: int) -> bool:
        """Return whether commands due at a moment are looked at."""
        return (self.since_us is None or self.since_us <= due_us) and (
            self.until_us is None or due_us < self.until_us
        )

    def takes_status(self, status: CommandStatus) -> bool:
        """Return whether commands of a status are looked at."""
        return self.status in {None, status}

    def changes_of(self, plan: Plan, ref: PlanRef) -> range:
        """Return which changes of a plan are looked at, by their due times and their ids."""
        first = 0 if self.since_us is None else plan.index_at(self.since_us - 1)
        last = len(plan) if self.until_us is None else plan.index_at(self.until_us - 1)
        if self.id is not None:
            parsed = parse_command_id(self.id)
            if parsed is None or parsed[:2] != (ref.schedule_id, ref.ordinal):
                return range(0)
            first, last = max(first, parsed[2]), min(last, parsed[2] + 1)
        return range(first, max(first, last))


EVERYTHING = Filters()
