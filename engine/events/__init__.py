"""Everything that can have happened, in the past tense: one closed union.

Powers are whole watts. Fields ending in ``_us`` are microseconds since 1970-01-01 UTC; plan clock
unless the comment says device clock. An event holds no address, no secret and no traceback.
"""

from typing import Final, TypeAlias

from engine.events.asset import (
    ActorCrashed,
    ActorRecovered,
    AssetConfigured,
    AssetRecovered,
    AssetRetired,
    AttemptEnded,
    AttemptReconciled,
    AttemptStarted,
    CommandCancelled,
    CommandCreated,
    CommandHeld,
    CommandVerified,
    DepartureDetected,
    DepartureEnded,
    GrantExceeded,
    GrantKept,
    LateAnswered,
    LinkFailed,
    OverrideEnded,
    OverrideSet,
    PlanCut,
    PlanRejected,
    PlanReplaced,
    PowerTallied,
    ScheduleExhausted,
    SetpointDecided,
)
from engine.events.decisions import NO_SCHEDULE, RELEASED, Cut, Decision, Setpoint, Step, Taken
from engine.events.device import (
    CapabilitiesLearned,
    ClockSkewed,
    ConnectionChanged,
    DeviceChanged,
    Evse,
    EvseChanged,
    ExternalLimitTold,
    MessageNotUnderstood,
    PhasesMeasured,
    Reaction,
    StateChanged,
    StatusNotUnderstood,
    TransactionEnded,
    TransactionStarted,
)
from engine.events.site import (
    ClockSet,
    ClockStarted,
    EngineStarted,
    EngineStopped,
    LimitExceeded,
    LimitKept,
    ScheduleReceived,
    SecurityNoticed,
    SiteActorCrashed,
    SiteConfigured,
    StoreBack,
    StoreLost,
)

__all__ = [
    "NO_SCHEDULE",
    "RELEASED",
    "TOPICS",
    "ActorCrashed",
    "ActorRecovered",
    "AssetConfigured",
    "AssetEvent",
    "AssetRecovered",
    "AssetRetired",
    "AttemptEnded",
    "AttemptReconciled",
    "AttemptStarted",
    "CapabilitiesLearned",
    "ClockSet",
    "ClockSkewed",
    "ClockStarted",
    "CommandCancelled",
    "CommandCreated",
    "CommandHeld",
    "CommandVerified",
    "ConnectionChanged",
    "Cut",
    "Decision",
    "DepartureDetected",
    "DepartureEnded",
    "DeviceChanged",
    "EngineStarted",
    "EngineStopped",
    "Event",
    "Evse",
    "EvseChanged",
    "ExternalLimitTold",
    "GrantExceeded",
    "GrantKept",
    "LateAnswered",
    "LimitExceeded",
    "LimitKept",
    "LinkFailed",
    "MessageNotUnderstood",
    "OverrideEnded",
    "OverrideSet",
    "PhasesMeasured",
    "PlanCut",
    "PlanRejected",
    "PlanReplaced",
    "PowerTallied",
    "Reaction",
    "ScheduleExhausted",
    "ScheduleReceived",
    "SecurityNoticed",
    "Setpoint",
    "SetpointDecided",
    "SiteActorCrashed",
    "SiteConfigured",
    "SiteEvent",
    "StateChanged",
    "StatusNotUnderstood",
    "Step",
    "StoreBack",
    "StoreLost",
    "Taken",
    "TransactionEnded",
    "TransactionStarted",
]

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
    | PowerTallied
    | LateAnswered
    | OverrideSet
    | OverrideEnded
    | StateChanged
    | EvseChanged
    | StatusNotUnderstood
    | ConnectionChanged
    | TransactionStarted
    | TransactionEnded
    | CapabilitiesLearned
    | ClockSkewed
    | ExternalLimitTold
    | PhasesMeasured
    | DeviceChanged
    | MessageNotUnderstood
    | ActorCrashed
    | ActorRecovered
    | LinkFailed
    | GrantExceeded
    | GrantKept
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
    | LimitExceeded
    | LimitKept
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
    "asset.power_tallied": PowerTallied,
    "asset.late_answered": LateAnswered,
    "asset.override_set": OverrideSet,
    "asset.override_ended": OverrideEnded,
    "asset.state_changed": StateChanged,
    "asset.evse_changed": EvseChanged,
    "asset.status_not_understood": StatusNotUnderstood,
    "asset.connection_changed": ConnectionChanged,
    "asset.transaction_started": TransactionStarted,
    "asset.transaction_ended": TransactionEnded,
    "asset.capabilities_learned": CapabilitiesLearned,
    "asset.clock_skewed": ClockSkewed,
    "asset.external_limit_told": ExternalLimitTold,
    "asset.phases_measured": PhasesMeasured,
    "asset.device_changed": DeviceChanged,
    "asset.message_not_understood": MessageNotUnderstood,
    "asset.actor_crashed": ActorCrashed,
    "asset.actor_recovered": ActorRecovered,
    "asset.link_failed": LinkFailed,
    "asset.grant_exceeded": GrantExceeded,
    "asset.grant_kept": GrantKept,
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
    "site.limit_exceeded": LimitExceeded,
    "site.limit_kept": LimitKept,
}
