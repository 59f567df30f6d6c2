"""Everything that can have happened, in the past tense: one closed union.

Powers are whole watts. Fields ending in ``_us`` are microseconds since 1970-01-01 UTC; plan clock
unless the comment says device clock. An event holds no address, no secret and no traceback.
"""

from typing import Final, TypeAlias

from msgspec import Struct, field

from engine.adapters.base import Outcome, Payload
from engine.commands import Cause, CommandStatus, CommandType
from engine.plans import Plan, PlanRef
from engine.rules import AssetRules
from engine.types import AssetId, CommandId, ScheduleId


class Setpoint(Struct, frozen=True, gc=False):
    """What an asset should hold: the pair of powers, or, with both null, its own control."""

    charge_w: int | None
    discharge_w: int | None


RELEASED: Final = Setpoint(None, None)
NO_SCHEDULE: Final = ScheduleId("")


class Step(Struct, frozen=True, gc=False):
    """One attempt's share of a setpoint: the commands it serves and the pair that holds after."""

    command_ids: tuple[CommandId, ...]
    type: CommandType
    value_w: int | None
    setpoint: Setpoint


class Taken(Struct, frozen=True, gc=False):
    """How far a plan has been taken up: its first ``count`` changes have fallen due."""

    schedule_id: ScheduleId
    count: int


class Decision(Struct, frozen=True, gc=False):
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
    """Commands ended by evidence that was gathered beside the wire."""

    command_ids: tuple[CommandId, ...]
    status: CommandStatus
    evidence: str
    reason: str | None = None
    found: Setpoint | None = None


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


# --- the asset's stream: what the device said


class StateChanged(Struct, frozen=True, gc=False):
    """The asset's state changed by a trigger of its table, or by ``sync`` outside of it.

    ``whole_device`` is the overlay of connector 0, null where it has none.
    """

    source: str
    target: str
    trigger: str
    raw: str
    detail: dict[str, str] = field(default_factory=dict)
    overlay: str | None = None


class StatusNotUnderstood(Struct, frozen=True, gc=False):
    """The device reported a status that is not in any table; the state stays."""

    raw: str


class ConnectionChanged(Struct, frozen=True, gc=False):
    """The device can be reached, or not any more. ``booted``: it may have forgotten everything.

    ``kept``: it was read at once and still holds what was confirmed.
    """

    connected: bool
    booted: bool = False
    kept: bool = False
    reason: str = ""
    detail: dict[str, str] = field(default_factory=dict)


class TransactionStarted(Struct, frozen=True, gc=False):
    """A charging transaction; ``adopted`` when it was found running."""

    transaction_id: str
    key: str
    id_tag: str | None = None
    meter_wh: int | None = None
    adopted: bool = False
    offline: bool = False


class TransactionEnded(Struct, frozen=True, gc=False):
    """A charging transaction is over."""

    transaction_id: str
    meter_wh: int | None = None
    reason: str | None = None
    offline: bool = False


class CapabilitiesLearned(Struct, frozen=True, gc=False):
    """The device said what it can do."""

    capabilities: dict[str, str]


class DeviceChanged(Struct, frozen=True, gc=False):
    """The device holds another setpoint than the one that was confirmed."""

    found: Setpoint


class MessageNotUnderstood(Struct, frozen=True, gc=False):
    """The device said something that could not be read; at most one a minute is recorded."""

    raw: str


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
    """An adapter's link could not be opened; ``error`` is the name of a type, or says what was."""

    error: str


# --- a schedule's stream


class ScheduleReceived(Struct, frozen=True, gc=False):
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


class EngineStarted(Struct, frozen=True, gc=False):
    """An engine opened the store for writing."""

    epoch: int
    instance: str
    version: str


class ClockSet(Struct, frozen=True, gc=False):
    """The plan clock stands at ``plan_us`` until it is started, and will run at ``speed``."""

    plan_us: int
    speed: float


class ClockStarted(Struct, frozen=True, gc=False):
    """The plan clock began to run: at ``wall_us`` (device clock) it showed ``plan_us``."""

    wall_us: int
    plan_us: int
    speed: float


class EngineStopped(Struct, frozen=True, gc=False):
    """The engine closed the store in good order."""

    epoch: int
    reason: str


class SiteConfigured(Struct, frozen=True, gc=False):
    """The site file's site-wide part was new or had changed."""

    site_id: str
    timezone: str
    assets: tuple[AssetId, ...]


class StoreLost(Struct, frozen=True, gc=False):
    """The store could not be written from ``lost_us`` (device clock) on."""

    lost_us: int
    reason: str


class StoreBack(Struct, frozen=True, gc=False):
    """The store can be written again."""

    lost_us: int
    back_us: int


class SiteActorCrashed(Struct, frozen=True, gc=False):
    """Handling a message failed in the ``dispatcher`` or the ``site`` actor.

    ``message`` and ``error`` are names of types. ``gave_up``: it failed so often that for a while
    it tries nothing twice and takes no new schedule.
    """

    actor: str
    message: str
    error: str
    set_aside: bool = False
    gave_up: bool = False


class SecurityNoticed(Struct, frozen=True, gc=False):
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
    | ActorRecovered
    | LinkFailed
)
SiteEvent: TypeAlias = (
    EngineStarted
    | ClockSet
    | ClockStarted
    | EngineStopped
    | SiteConfigured
    | StoreLost
    | StoreBack
    | SecurityNoticed
    | SiteActorCrashed
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
    "asset.actor_recovered": ActorRecovered,
    "asset.link_failed": LinkFailed,
    "schedule.received": ScheduleReceived,
    "site.engine_started": EngineStarted,
    "site.clock_set": ClockSet,
    "site.clock_started": ClockStarted,
    "site.engine_stopped": EngineStopped,
    "site.configured": SiteConfigured,
    "site.store_lost": StoreLost,
    "site.store_back": StoreBack,
    "site.security_noticed": SecurityNoticed,
    "site.actor_crashed": SiteActorCrashed,
}
