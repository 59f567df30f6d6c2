"""What an asset is told: requests, offers, reports and the passing of time."""

from collections.abc import Callable
from typing import TypeAlias

import attrs
from msgspec import Struct

from engine.adapters.base import Answer, Observation, Outcome
from engine.commands import CommandType
from engine.events import Setpoint
from engine.grants import Grant
from engine.plans import Plan, PlanRef
from engine.rules import AssetRules
from engine.types import CommandId


class Woke(Struct, frozen=True, gc=False):
    """A deadline may have passed, or the sweep came round: evaluate again."""


class SlotWanted(Struct, frozen=True, gc=False):
    """The link wants its slot, for a question of its own: it is given back between two attempts."""


class SlotGranted(Struct, frozen=True, gc=False):
    """The link's slot is this asset's until it is released."""


class Recovered(Struct, frozen=True, gc=False):
    """The asset was rebuilt from its stream in a new engine."""

    epoch: int


class Configured(Struct, frozen=True, gc=False):
    """The site file's entry, null when the asset is not in it any more."""

    rules: AssetRules | None


class PlanOffered(Struct, frozen=True, gc=False):
    """The newest schedule that names this asset: its plan over start to horizon (plan clock)."""

    ref: PlanRef
    plan: Plan
    start_us: int
    horizon_us: int


class NothingOffered(Struct, frozen=True, gc=False):
    """No schedule names this asset: whatever it has planned is the newest."""


class Observed(Struct, frozen=True, gc=False):
    """A link reported something."""

    observation: Observation


class AttemptAnswered(Struct, frozen=True, gc=False):
    """An attempt came back: with the device's answer, or without one.

    ``raw`` is what was received where ``answer`` is null; ``outcome`` then says what happened.
    """

    attempt_id: str
    answer: Answer | None
    outcome: Outcome
    raw: str | None = None
    reason: str | None = None


class QuestionAnswered(Struct, frozen=True, gc=False):
    """The device was asked what it holds; ``answer`` is null when none came."""

    attempt_id: str
    answer: Answer | None


Reply: TypeAlias = Callable[[object], None]


@attrs.frozen
class CommandRequested:
    """A person wants a command that sets no setpoint."""

    type: CommandType
    by: str
    reason: str
    arguments: dict[str, object]
    reply: Reply = attrs.field(eq=False, repr=False)
    priority: int = 1


@attrs.frozen
class OverrideRequested:
    """A person wants a setpoint.

    ``ends``: time, unplugged, resume or next_change; ``cause_kind``: operator or override.
    """

    target: Setpoint
    command_type: CommandType
    ends: str
    until_us: int | None
    by: str
    reason: str
    cause_kind: str
    reply: Reply = attrs.field(eq=False, repr=False)


@attrs.frozen
class OverrideCleared:
    """A person ends the override; ``only`` names the way of ending that it must have, or null.

    One that ends by ``resume``, a pause, is ended only by naming that.
    """

    by: str
    reason: str
    reply: Reply = attrs.field(eq=False, repr=False)
    only: str | None = None


@attrs.frozen
class CancelRequested:
    """A person wants a pending command cancelled."""

    command_id: CommandId
    by: str
    reason: str
    reply: Reply = attrs.field(eq=False, repr=False)


Asked: TypeAlias = CommandRequested | OverrideRequested | OverrideCleared | CancelRequested
"""What a person asks of an asset, with who asks and why."""


class Granted(Struct, frozen=True, gc=False):
    """The site has looked at what its assets claim: what this one may be set to."""

    grant: Grant


class Stopping(Struct, frozen=True, gc=False):
    """The engine stops in good order: hand the device back as ``on_stop`` says."""


@attrs.frozen
class LinkClosing:
    """The link is about to close: nothing more may go out. The reply says that nothing will."""

    reply: Reply = attrs.field(eq=False, repr=False)


class Crashed(Struct, frozen=True, gc=False):
    """Handling a message raised; the state was read again.

    ``unsure`` is the attempt of which nobody knows any more whether it was sent or answered.
    """

    message: str
    error: str
    set_aside: bool = False
    gave_up: bool = False
    unsure: str | None = None


class LinkFailed(Struct, frozen=True, gc=False):
    """The link could not be opened, or did not come back from it."""

    error: str


Message: TypeAlias = (
    Woke
    | SlotWanted
    | SlotGranted
    | Recovered
    | Configured
    | PlanOffered
    | NothingOffered
    | Observed
    | AttemptAnswered
    | QuestionAnswered
    | CommandRequested
    | OverrideRequested
    | OverrideCleared
    | CancelRequested
    | Granted
    | Stopping
    | LinkClosing
    | Crashed
    | LinkFailed
)
