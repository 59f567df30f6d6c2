"""What is decided about an asset, done for it, and goes wrong with it: of the asset's stream."""

from msgspec import UNSET, Struct, UnsetType, field

from engine.adapters.base import Outcome, Payload
from engine.commands import Cause, CommandStatus, CommandType
from engine.events.decisions import Decision, Setpoint
from engine.plans import Plan, PlanRef
from engine.rules import AssetRules
from engine.types import CommandId, ScheduleId

# --- the asset's stream: configuration and plans


class AssetConfigured(Struct, frozen=True, gc=False):
    """The site file's entry was new or had changed."""

    rules: AssetRules


class AssetRetired(Struct, frozen=True, gc=False):
    """The asset is no longer in the site file."""


class AssetRecovered(Struct, frozen=True, gc=False):
    """An engine took the asset up again after a restart: its link is down until told otherwise."""

    epoch: int


class PlanReplaced(Struct, frozen=True, gc=False):
    """A schedule's plan was taken: from ``from_us`` on it replaces what was planned before.

    ``skipped`` are the changes that are no commands: the first slot's, where the asset's setpoint
    equals it already.
    """

    ref: PlanRef
    plan: Plan
    from_us: int
    horizon_us: int
    skipped: tuple[int, ...] = ()


class PlanRejected(Struct, frozen=True, gc=False):
    """A schedule's plan was not taken."""

    ref: PlanRef
    reason: str


class PlanCut(Struct, frozen=True, gc=False):
    """Planned changes ``first`` up to but not including ``last`` are CANCELLED for ``reason``."""

    schedule_id: ScheduleId
    first: int
    last: int
    reason: str


class ScheduleExhausted(Struct, frozen=True, gc=False):
    """The horizon passed: what ``on_schedule_end`` says rules from now on."""

    schedule_id: ScheduleId
    sequence: int
    horizon_us: int


class DepartureDetected(Struct, frozen=True, gc=False):
    """The vehicle left early: until change ``until`` of the plan the fallback holds."""

    schedule_id: ScheduleId
    until: int


class DepartureEnded(Struct, frozen=True, gc=False):
    """The vehicle is back before the next planned stop: what is left of the plan is open again."""

    schedule_id: ScheduleId


# --- the asset's stream: commands


class CommandCreated(Struct, frozen=True, gc=False):
    """A command that is not part of a plan. START, STOP and the like expire by device clock."""

    command_id: CommandId
    type: CommandType
    value_w: int | None
    cause: Cause
    due_us: int
    expires_us: int | None
    priority: int = 1
    arguments: dict[str, object] = field(default_factory=dict)


class SetpointDecided(Struct, frozen=True, gc=False):
    """The desired setpoint changed and nothing was sent at once."""

    decision: Decision


class CommandHeld(Struct, frozen=True, gc=False):
    """The commands wait: their asset cannot take them now (offline, stale, faulted, …)."""

    command_ids: tuple[CommandId, ...]
    reason: str


class CommandCancelled(Struct, frozen=True, gc=False):
    """The commands are over without having been carried out.

    ``by`` (the schedule or override that did it) may be null.
    """

    command_ids: tuple[CommandId, ...]
    reason: str
    status: CommandStatus = CommandStatus.CANCELLED
    by: str | None = None


class AttemptStarted(Struct, frozen=True, gc=False):
    """One attempt is about to go on the wire; nothing of it has been sent yet.

    ``lease_until_us`` is device clock. ``decision`` is there when this attempt is the first act
    on a new decision. ``ahead`` are planned changes that the device is given with it: when they are
    due (plan clock), to how many watts. ``lowers_default``: what is in force once its transaction
    is over is lowered too; absent where it is not.
    """

    attempt_id: str
    number: int
    form: int
    command_ids: tuple[CommandId, ...]
    type: CommandType
    value_w: int | None
    applied_w: int | None
    setpoint: Setpoint | None
    payload: Payload
    lease_until_us: int | None
    decision: Decision | None = None
    ahead: tuple[tuple[int, int], ...] = ()
    lowers_default: bool | UnsetType = UNSET


class AttemptEnded(Struct, frozen=True, gc=False):
    """What became of an attempt, and of its commands by it.

    ``answer`` is the text as received. ``retry_at_us`` is device clock. ``evidence`` says why
    COMPLETED is believed: ack or readback.
    """

    attempt_id: str
    outcome: Outcome
    status: CommandStatus
    answer: str | None = None
    reason: str | None = None
    evidence: str | None = None
    retry_at_us: int | None = None
    next_form: int | None = None


class AttemptReconciled(Struct, frozen=True, gc=False):
    """An attempt of unknown outcome was cleared up: ``finding`` is holds, differs or no_answer."""

    attempt_id: str
    command_ids: tuple[CommandId, ...]
    finding: str
    status: CommandStatus
    reason: str | None = None
    evidence: str | None = None
    retry_at_us: int | None = None


class CommandVerified(Struct, frozen=True, gc=False):
    """Commands ended by evidence that was gathered beside the wire.

    ``found`` is what the device said that it holds or allows, ``measured_w`` what was measured,
    charging positive.
    """

    command_ids: tuple[CommandId, ...]
    status: CommandStatus
    evidence: str
    reason: str | None = None
    found: Setpoint | None = None
    measured_w: int | None = None


class PowerTallied(Struct, frozen=True, gc=False):
    """What was measured of a stretch of the plan that is over: as a rule, of a command's slot.

    Powers are signed, charging positive. ``measured_us`` of it (plan clock) were measured: so much
    energy flowed, so much above and below what was planned (watt-seconds); for ``off_us`` of it the
    power was off the plan, by more than 5 %, or 200 W where that is more.
    """

    command_id: CommandId | None
    from_us: int
    until_us: int
    planned_w: int
    measured_us: int
    energy_ws: int
    above_ws: int
    below_ws: int
    off_us: int


class LateAnswered(Struct, frozen=True, gc=False):
    """An answer came after its attempt had ended; it changes nothing."""

    attempt_id: str
    answer: str


# --- the asset's stream: overrides


class OverrideSet(Struct, frozen=True, gc=False):
    """A person's setpoint outranks the plan until it ends.

    ``ends`` is time (at ``until_us``), unplugged, resume or next_change (at ``until_us`` at the
    latest).
    """

    override_id: str
    target: Setpoint
    ends: str
    until_us: int | None
    by: str
    reason: str
    command_id: CommandId
    command_type: CommandType
    cause_kind: str


class OverrideEnded(Struct, frozen=True, gc=False):
    """The override is over: expired, unplugged, resumed, cleared, replaced or next_change."""

    override_id: str
    reason: str
    by: str | None = None


# --- the asset's stream: the site's limits


class GrantExceeded(Struct, frozen=True, gc=False):
    """The device may draw or give more than its site granted it, charging positive.

    ``how``: it ``refused`` to go down, was ``found`` to be set by somebody else, or that is what
    was ``measured`` for longer than it takes to settle.
    """

    how: str
    power_w: int
    granted_w: int


class GrantKept(Struct, frozen=True, gc=False):
    """The device is within its grant again."""


# --- the asset's stream: trouble


class ActorCrashed(Struct, frozen=True, gc=False):
    """Handling a message failed; the asset's state was read again from its stream.

    ``message`` and ``error`` are names of types. ``set_aside``: the message is not handled again;
    ``gave_up``: the asset is FAULTED until somebody puts it back to work, or an engine starts.
    """

    message: str
    error: str
    count: int
    set_aside: bool = False
    gave_up: bool = False


class ActorRecovered(Struct, frozen=True, gc=False):
    """Somebody put an asset back to work that had been given up after crashes."""

    by: str
    reason: str


class LinkFailed(Struct, frozen=True, gc=False):
    """An adapter's link could not be opened, or its device not be used, however often it was tried.

    ``error`` is the name of a type, or says what was.
    """

    error: str
