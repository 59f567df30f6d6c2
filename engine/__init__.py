"""The pure half: what Setpoint decides. No threads, no sockets, no files, no clock."""

from engine import commands, errors, events
from engine.adapters.modbus import ModbusSpelling
from engine.adapters.ocpp16 import Ocpp16Spelling
from engine.adapters.registry import AdapterRegistry
from engine.bus import Event, EventBus, EventType, Subscription
from engine.commands import Attempt, Cause, CauseKind, Command, CommandStatus, CommandType
from engine.dispatch import DispatchEngine
from engine.machines import (
    InvalidTransition,
    StateMachine,
    create_battery_state_machine,
    create_ev_charger_state_machine,
)
from engine.rules import AssetRules
from engine.types import AssetId, AssetKind, ScheduleId

__all__ = [
    "AdapterRegistry",
    "AssetId",
    "AssetKind",
    "AssetRules",
    "Attempt",
    "Cause",
    "CauseKind",
    "Command",
    "CommandStatus",
    "CommandType",
    "DispatchEngine",
    "Event",
    "EventBus",
    "EventType",
    "InvalidTransition",
    "ModbusSpelling",
    "Ocpp16Spelling",
    "ScheduleId",
    "StateMachine",
    "Subscription",
    "commands",
    "create_battery_state_machine",
    "create_ev_charger_state_machine",
    "errors",
    "events",
]
