"""Everything that can have happened, in the past tense: one closed union.

Powers are whole watts. Fields ending in ``_us`` are microseconds since 1970-01-01 UTC; plan clock
unless the comment says device clock. An event holds no address, no secret and no traceback.
"""

from typing import Final, TypeAlias

import attrs

from engine.adapters.base import Outcome, Payload
from engine.commands import Cause, CommandStatus, CommandType
from engine.plans import Plan, PlanRef
from engine.rules import AssetRules
from engine.types import AssetId, CommandId, ScheduleId


@attrs.frozen
class Setpoint:
    """What an asset should hold: the pair of powers, or, with both null, its own control."""

    charge_w: int | None
    discharge_w: int | None


RELEASED: Final = Setpoint(None, None)
NO_SCHEDULE: Final = ScheduleId("")


@attrs.frozen
class Step:
    """One attempt's share of a setpoint: the commands it serves and the pair that holds after."""

    command_ids: tuple[CommandId, ...]
    type: CommandType
    value_w: int | None
    setpoint: Setpoint


@attrs.frozen
class Taken:
    """How far a plan has been taken up: its first ``count`` changes have fallen due."""

    schedule_id: ScheduleId
    count: int


@attrs.frozen
class Decision:
    """What should hold from now on, why, and the steps that bring it about.

    ``source`` is schedule, override, fallback, release or hold; ``losers`` are the sources that
    wanted something else, each with its charge and discharge in watts. ``horizon_us`` and
    ``sequence`` say which schedule's horizon it was decided on.
    """

    target: Setpoint
    source: str
    steps: tuple[Step, ...]
    due_us: int
    expires_us: int | None = None
    losers: tuple[tuple[str, int | None, int | None], ...] = ()
    taken: Taken | None = None
    horizon_us: int | None = None
    sequence: int | None = None


# --- the asset's stream: configuration and plans


@attrs.frozen
class AssetConfigured:
    """The site file's entry was new or had changed."""

    rules: AssetRules


@attrs.frozen
class AssetRetired:
    """The asset is no longer in the site file."""


@attrs.frozen
class AssetRecovered:
    """An engine took the asset up again after a restart: its link is down until told otherwise."""

    epoch: int


@attrs.frozen
class PlanReplaced:
    """A schedule's plan was taken: from ``from_us`` on it replaces what was planned before.

    ``skipped`` are the changes that are no commands: the first slot's, where the asset's setpoint
    equals it already.
    """

    ref: PlanRef
    plan: Plan
    from_us: int
    horizon_us: int
    skipped: tuple[int, ...] = ()


@attrs.frozen
class PlanRejected:
    """A schedule's plan was not taken."""

    ref: PlanRef
    reason: str


@attrs.frozen
class PlanCut:
    """Planned changes ``first`` up to but not including ``last`` are CANCELLED for ``reason``."""

    schedule_id: ScheduleId
    first: int
    last: int
    reason: str


@attrs.frozen
class ScheduleExhausted:
    """The horizon passed: what ``on_schedule_end`` says rules from now on."""

    schedule_id: ScheduleId
    sequence: int
    horizon_us: int


@attrs.frozen
class DepartureDetected:
    """The vehicle left early: until change ``until`` of the plan the fallback holds."""

    schedule_id: ScheduleId
    until: int


@attrs.frozen
class DepartureEnded:
    """The vehicle is back before the next planned stop: what is left of the plan is open again."""

    schedule_id: ScheduleId


# --- the asset's stream: commands


@attrs.frozen
class CommandCreated:
    """A command that is not part of a plan. START, STOP and the like expire by device clock."""

    command_id: CommandId
    type: CommandType
    value_w: int | None
    cause: Cause
    due_us: int
    expires_us: int | None
    priority: int = 1
    arguments: dict[str, object] = attrs.field(factory=dict)


@attrs.frozen
class SetpointDecided:
    """The desired setpoint changed and nothing was sent at once."""

    decision: Decision


@attrs.frozen
class CommandHeld:
    """The commands wait: their asset cannot take them now (offline, stale, faulted, …)."""

    command_ids: tuple[CommandId, ...]
    reason: str


@attrs.frozen
class CommandCancelled:
    """The commands are over without having been carried out.

    ``by`` (the schedule or override that did it) may be null.
    """

    command_ids: tuple[CommandId, ...]
    reason: str
    status: CommandStatus = CommandStatus.CANCELLED
    by: str | None = None


@attrs.frozen
class AttemptStarted:
    """One attempt is about to go on the wire; nothing of it has been sent yet.

    ``lease_until_us`` is device clock. ``decision`` is there when this attempt is the first act
    on a new decision.
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


@attrs.frozen
class AttemptEnded:
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


@attrs.frozen
class AttemptReconciled:
    """An attempt of unknown outcome was cleared up: ``finding`` is holds, differs or no_answer."""

    attempt_id: str
    command_ids: tuple[CommandId, ...]
    finding: str
    status: CommandStatus
    reason: str | None = None
    evidence: str | None = None
    retry_at_us: int | None = None


@attrs.frozen
class CommandVerified:
    """Commands ended by evidence that was gathered beside the wire."""

    command_ids: tuple[CommandId, ...]
    status: CommandStatus
    evidence: str
    reason: str | None = None
    found: Setpoint | None = None


@attrs.frozen
class LateAnswered:
    """An answer came after its attempt had ended; it changes nothing."""

    attempt_id: str
    answer: str


# --- the asset's stream: overrides


@attrs.frozen
class OverrideSet:
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


@attrs.frozen
class OverrideEnded:
    """The override is over: expired, unplugged, resumed, cleared, replaced or next_change."""

    override_id: str
    reason: str
    by: str | None = None


# --- the asset's stream: what the device said


@attrs.frozen
class StateChanged:
    """The asset's state changed by a trigger of its table, or by ``sync`` outside of it.

    ``whole_device`` is the overlay of connector 0, null where it has none.
    """

    source: str
    target: str
    trigger: str
    raw: str
    detail: dict[str, str] = attrs.field(factory=dict)
    overlay: str | None = None


@attrs.frozen
class StatusNotUnderstood:
    """The device reported a status that is not in any table; the state stays."""

    raw: str


@attrs.frozen
class ConnectionChanged:
    """The device can be reached, or not any more. ``booted``: it may have forgotten everything.

    ``kept``: it was read at once and still holds what was confirmed.
    """

    connected: bool
    booted: bool = False
    kept: bool = False
    reason: str = ""
    detail: dict[str, str] = attrs.field(factory=dict)


@attrs.frozen
class TransactionStarted:
    """A charging transaction; ``adopted`` when it was found running."""

    transaction_id: str
    key: str
    id_tag: str | None = None
    meter_wh: int | None = None
    adopted: bool = False
    offline: bool = False


@attrs.frozen
class TransactionEnded:
    """A charging transaction is over."""

    transaction_id: str
    meter_wh: int | None = None
    reason: str | None = None
    offline: bool = False


@attrs.frozen
class CapabilitiesLearned:
    """The device said what it can do."""

    capabilities: dict[str, str]


@attrs.frozen
class DeviceChanged:
    """The device holds another setpoint than the one that was confirmed."""

    found: Setpoint


@attrs.frozen
class MessageNotUnderstood:
    """The device said something that could not be read; at most one a minute is recorded."""

    raw: str


# --- the asset's stream: trouble


@attrs.frozen
class ActorCrashed:
    """Handling a message failed; the asset's state was read again from its stream."""

    message: str
    error: str
    count: int
    set_aside: bool = False
    gave_up: bool = False


# --- a schedule's stream


@attrs.frozen
class ScheduleReceived:
    """A schedule was accepted, with the plans of all assets that it names."""

    schedule_id: ScheduleId
    sequence: int
    start_us: int
    horizon_us: int
    digest: bytes
    plans: dict[AssetId, Plan]
    ignored_columns: tuple[str, ...] = ()
    clamped: tuple[tuple[str, str, float, float], ...] = ()


# --- the site's stream


@attrs.frozen
class EngineStarted:
    """An engine opened the store for writing."""

    epoch: int
    instance: str
    version: str


@attrs.frozen
class ClockStarted:
    """The plan clock began to run: at ``wall_us`` (device clock) it showed ``plan_us``."""

    wall_us: int
    plan_us: int
    speed: float


@attrs.frozen
class EngineStopped:
    """The engine closed the store in good order."""

    epoch: int
    reason: str


@attrs.frozen
class SiteConfigured:
    """The site file's site-wide part was new or had changed."""

    site_id: str
    timezone: str
    assets: tuple[AssetId, ...]


@attrs.frozen
class StoreLost:
    """The store could not be written from ``lost_us`` (device clock) on."""

    lost_us: int
    reason: str


@attrs.frozen
class StoreBack:
    """The store can be written again."""

    lost_us: int
    back_us: int


@attrs.frozen
class SecurityNoticed:
    """Refused peers within one window."""

    kind: str
    peer: str
    count: int


AssetEvent: TypeAlias = (
    AssetConfigured
    | AssetRetired
    | AssetRecovered
    | PlanReplaced
    | PlanRejected
    | PlanCut
    | ScheduleExhausted
    | DepartureDetected
    | DepartureEnded
    | CommandCreated
    | SetpointDecided
    | CommandHeld
    | CommandCancelled
    | AttemptStarted
    | AttemptEnded
    | AttemptReconciled
    | CommandVerified
    | LateAnswered
    | OverrideSet
    | OverrideEnded
    | StateChanged
    | StatusNotUnderstood
    | ConnectionChanged
    | TransactionStarted
    | TransactionEnded
    | CapabilitiesLearned
    | DeviceChanged
    | MessageNotUnderstood
    | ActorCrashed
)
SiteEvent: TypeAlias = (
    EngineStarted
    | ClockStarted
    | EngineStopped
    | SiteConfigured
    | StoreLost
    | StoreBack
    | SecurityNoticed
)
Event: TypeAlias = AssetEvent | SiteEvent | ScheduleReceived

# Topics are stable for ever: a store written today names its rows by them.
TOPICS: Final[dict[str, type]] = {
    "asset.configured": AssetConfigured,
    "asset.retired": AssetRetired,
    "asset.recovered": AssetRecovered,
    "asset.plan_replaced": PlanReplaced,
    "asset.plan_rejected": PlanRejected,
    "asset.plan_cut": PlanCut,
    "asset.schedule_exhausted": ScheduleExhausted,
    "asset.departure_detected": DepartureDetected,
    "asset.departure_ended": DepartureEnded,
    "asset.command_created": CommandCreated,
    "asset.setpoint_decided": SetpointDecided,
    "asset.command_held": CommandHeld,
    "asset.command_cancelled": CommandCancelled,
    "asset.attempt_started": AttemptStarted,
    "asset.attempt_ended": AttemptEnded,
    "asset.attempt_reconciled": AttemptReconciled,
    "asset.command_verified": CommandVerified,
    "asset.late_answered": LateAnswered,
    "asset.override_set": OverrideSet,
    "asset.override_ended": OverrideEnded,
    "asset.state_changed": StateChanged,
    "asset.status_not_understood": StatusNotUnderstood,
    "asset.connection_changed": ConnectionChanged,
    "asset.transaction_started": TransactionStarted,
    "asset.transaction_ended": TransactionEnded,
    "asset.capabilities_learned": CapabilitiesLearned,
    "asset.device_changed": DeviceChanged,
    "asset.message_not_understood": MessageNotUnderstood,
    "asset.actor_crashed": ActorCrashed,
    "schedule.received": ScheduleReceived,
    "site.engine_started": EngineStarted,
    "site.clock_started": ClockStarted,
    "site.engine_stopped": EngineStopped,
    "site.configured": SiteConfigured,
    "site.store_lost": StoreLost,
    "site.store_back": StoreBack,
    "site.security_noticed": SecurityNoticed,
}
