"""State machines over immutable tables, and the tables of EV chargers and batteries."""

import enum
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

import attrs

from engine.types import AssetKind

HISTORY_LENGTH: Final = 256


Edge: TypeAlias = tuple[str, str]
"""A state and a trigger."""

Guard: TypeAlias = Callable[[Mapping[str, object]], bool]
"""Says of a trigger's context whether the transition is allowed now."""


class ChargerState(enum.StrEnum):
    """The states of an EV charger's connector, after OCPP 1.6 section 7.7."""

    AVAILABLE = "AVAILABLE"
    PREPARING = "PREPARING"
    CHARGING = "CHARGING"
    SUSPENDED = "SUSPENDED"
    FINISHING = "FINISHING"
    FAULTED = "FAULTED"
    UNAVAILABLE = "UNAVAILABLE"


class ChargerTrigger(enum.StrEnum):
    """What moves an EV charger from one state to another."""

    PLUG_IN = "plug_in"
    START_CHARGE = "start_charge"
    SUSPEND = "suspend"
    RESUME = "resume"
    COMPLETE = "complete"
    UNPLUG = "unplug"
    FAULT = "fault"
    RESET = "reset"
    DISABLE = "disable"
    ENABLE = "enable"


class BatteryState(enum.StrEnum):
    """The states of a battery."""

    IDLE = "IDLE"
    CHARGING = "CHARGING"
    DISCHARGING = "DISCHARGING"
    FAULTED = "FAULTED"
    UNAVAILABLE = "UNAVAILABLE"


class BatteryTrigger(enum.StrEnum):
    """What moves a battery from one state to another."""

    START_CHARGE = "start_charge"
    START_DISCHARGE = "start_discharge"
    STOP = "stop"
    FAULT = "fault"
    RESET = "reset"
    DISABLE = "disable"
    ENABLE = "enable"


class InvalidTransition(Exception):
    """A trigger that the state does not know, or that its guard refused.

    ``state`` and ``trigger`` name the attempt, ``valid_triggers`` what would have been allowed.
    """

    def __init__(self, state: str, trigger: str, valid_triggers: tuple[str, ...]) -> None:
        """Keep the three, and say them in one line."""
        self.state = state
        self.trigger = trigger
        self.valid_triggers = valid_triggers
        valid = ", ".join(valid_triggers) or "none"
        super().__init__(f"{state} does not take {trigger}; valid triggers: {valid}")


@attrs.frozen
class Transition:
    """One step that a machine took."""

    source: str
    trigger: str
    target: str


def _read_only(edges: Mapping[Edge, str]) -> Mapping[Edge, str]:
    """Return a copy that nobody can change."""
    return MappingProxyType(dict(edges))


@attrs.frozen
class TransitionTable:
    """Which trigger leads from which state to which; cells that are not there are invalid.

    Raises:
        ValueError: the initial state, or an end of a transition, is not one of the states.
    """

    states: tuple[str, ...]
    initial: str
    transitions: Mapping[Edge, str] = attrs.field(converter=_read_only, hash=False)

    def __attrs_post_init__(self) -> None:
        """Refuse a table that leaves its own states."""
        named = {self.initial, *self.transitions.values()}
        named.update(source for source, _ in self.transitions)
        if unknown := sorted(named.difference(self.states)):
            raise ValueError(f"not a state of this table: {', '.join(unknown)}")

    def target(self, source: str, trigger: str) -> str | None:
        """Return the state that a trigger leads to, None where the cell is empty."""
        return self.transitions.get((source, trigger))

    def triggers_from(self, source: str) -> tuple[str, ...]:
        """Return the triggers that a state takes, sorted."""
        return tuple(sorted(trigger for state, trigger in self.transitions if state == source))

    def trigger_for(self, source: str, target: str) -> str | None:
        """Return the trigger that leads from one state to another, None if no single one does.

        Of several it is the first in the order of ``transitions``.
        """
        for (state, trigger), reached in self.transitions.items():
            if state == source and reached == target:
                return trigger
        return None


class StateMachine:
    """A machine that walks an immutable table and remembers its last 256 steps.

    ``guards`` may forbid single transitions by the context that comes with the trigger; a guard
    must bear a context without the keys it looks for. ``on_transition`` is called after each step,
    with the new state in place, in the thread that called ``trigger``.

    Raises:
        ValueError: a transition leaves the states, or a guard has no transition to guard.
    """

    def __init__(  # noqa: PLR0913 - what makes a machine, most of it optional
        self,
        states: Iterable[str],
        initial: str,
        transitions: Mapping[Edge, str],
        guards: Mapping[Edge, Guard] | None = None,
        *,
        asset_id: str | None = None,
        on_transition: Callable[[Transition], None] | None = None,
    ) -> None:
        """Check the table and stand in its initial state."""
        self.asset_id = asset_id
        self.table = TransitionTable(tuple(states), initial, transitions)
        self._guards = dict(guards or {})
        self._on_transition = on_transition
        self._state = initial
        self._history: deque[Transition] = deque(maxlen=HISTORY_LENGTH)
        for source, trigger in self._guards:
            if self.table.target(source, trigger) is None:
                raise ValueError(f"no transition to guard: {trigger} in {source}")

    @property
    def state(self) -> str:
        """The state that the machine is in."""
        return self._state

    @property
    def history(self) -> tuple[Transition, ...]:
        """The last 256 steps, oldest first."""
        return tuple(self._history)

    def trigger(self, name: str, /, **context: object) -> str:
        """Take one step and return the new state.

        Raises:
            InvalidTransition: the state does not know the trigger, or its guard refused.
        """
        target = self._allowed_target(name, context)
        if target is None:
            raise InvalidTransition(self._state, name, self.available_triggers(**context))
        transition = Transition(self._state, name, target)
        self._state = target
        self._history.append(transition)
        if self._on_transition is not None:
            self._on_transition(transition)
        return target

    def can_trigger(self, name: str, /, **context: object) -> bool:
        """Return whether ``trigger`` would take this step with this context."""
        return self._allowed_target(name, context) is not None

    def available_triggers(self, **context: object) -> tuple[str, ...]:
        """Return the triggers that may be taken now with this context, sorted."""
        known = self.table.triggers_from(self._state)
        return tuple(name for name in known if self.can_trigger(name, **context))

    def _allowed_target(self, name: str, context: Mapping[str, object]) -> str | None:
        """Return where a trigger leads, None where the table or a guard forbids it."""
        guard = self._guards.get((self._state, name))
        if guard is not None and not guard(context):
            return None
        return self.table.target(self._state, name)


def _from_rows(initial: str, rows: Mapping[str, Mapping[str, str]]) -> TransitionTable:
    """Return the table of these rows, with their states and transitions in their order."""
    edges = {(source, name): target for source, row in rows.items() for name, target in row.items()}
    return TransitionTable(tuple(rows), initial, edges)


EV_CHARGER_TABLE: Final = _from_rows(
    ChargerState.AVAILABLE,
    {
        ChargerState.AVAILABLE: {
            ChargerTrigger.PLUG_IN: ChargerState.PREPARING,
            ChargerTrigger.FAULT: ChargerState.FAULTED,
            ChargerTrigger.DISABLE: ChargerState.UNAVAILABLE,
        },
        ChargerState.PREPARING: {
            ChargerTrigger.START_CHARGE: ChargerState.CHARGING,
            ChargerTrigger.SUSPEND: ChargerState.SUSPENDED,
            ChargerTrigger.COMPLETE: ChargerState.FINISHING,
            ChargerTrigger.UNPLUG: ChargerState.AVAILABLE,
            ChargerTrigger.FAULT: ChargerState.FAULTED,
            ChargerTrigger.DISABLE: ChargerState.UNAVAILABLE,
        },
        ChargerState.CHARGING: {
            ChargerTrigger.SUSPEND: ChargerState.SUSPENDED,
            ChargerTrigger.COMPLETE: ChargerState.FINISHING,
            ChargerTrigger.UNPLUG: ChargerState.AVAILABLE,
            ChargerTrigger.FAULT: ChargerState.FAULTED,
            ChargerTrigger.DISABLE: ChargerState.UNAVAILABLE,
        },
        ChargerState.SUSPENDED: {
            ChargerTrigger.RESUME: ChargerState.CHARGING,
            ChargerTrigger.COMPLETE: ChargerState.FINISHING,
            ChargerTrigger.UNPLUG: ChargerState.AVAILABLE,
            ChargerTrigger.FAULT: ChargerState.FAULTED,
            ChargerTrigger.DISABLE: ChargerState.UNAVAILABLE,
        },
        ChargerState.FINISHING: {
            ChargerTrigger.PLUG_IN: ChargerState.PREPARING,
            ChargerTrigger.UNPLUG: ChargerState.AVAILABLE,
            ChargerTrigger.FAULT: ChargerState.FAULTED,
            ChargerTrigger.DISABLE: ChargerState.UNAVAILABLE,
        },
        ChargerState.FAULTED: {
            ChargerTrigger.RESET: ChargerState.AVAILABLE,
        },
        ChargerState.UNAVAILABLE: {
            ChargerTrigger.FAULT: ChargerState.FAULTED,
            ChargerTrigger.ENABLE: ChargerState.AVAILABLE,
        },
    },
)

BATTERY_TABLE: Final = _from_rows(
    BatteryState.IDLE,
    {
        BatteryState.IDLE: {
            BatteryTrigger.START_CHARGE: BatteryState.CHARGING,
            BatteryTrigger.START_DISCHARGE: BatteryState.DISCHARGING,
            BatteryTrigger.FAULT: BatteryState.FAULTED,
            BatteryTrigger.DISABLE: BatteryState.UNAVAILABLE,
        },
        BatteryState.CHARGING: {
            BatteryTrigger.START_DISCHARGE: BatteryState.DISCHARGING,
            BatteryTrigger.STOP: BatteryState.IDLE,
            BatteryTrigger.FAULT: BatteryState.FAULTED,
            BatteryTrigger.DISABLE: BatteryState.UNAVAILABLE,
        },
        BatteryState.DISCHARGING: {
            BatteryTrigger.START_CHARGE: BatteryState.CHARGING,
            BatteryTrigger.STOP: BatteryState.IDLE,
            BatteryTrigger.FAULT: BatteryState.FAULTED,
            BatteryTrigger.DISABLE: BatteryState.UNAVAILABLE,
        },
        BatteryState.FAULTED: {
            BatteryTrigger.RESET: BatteryState.IDLE,
        },
        BatteryState.UNAVAILABLE: {
            BatteryTrigger.FAULT: BatteryState.FAULTED,
            BatteryTrigger.ENABLE: BatteryState.IDLE,
        },
    },
)


def create_ev_charger_state_machine(asset_id: str) -> StateMachine:
    """Return the state machine of an EV charger, AVAILABLE."""
    return _machine(EV_CHARGER_TABLE, asset_id)


def create_battery_state_machine(asset_id: str) -> StateMachine:
    """Return the state machine of a battery, IDLE."""
    return _machine(BATTERY_TABLE, asset_id)


def _machine(table: TransitionTable, asset_id: str) -> StateMachine:
    return StateMachine(table.states, table.initial, table.transitions, asset_id=asset_id)


def table_of(kind: AssetKind) -> TransitionTable:
    """Return the state table of a kind of asset."""
    return BATTERY_TABLE if kind is AssetKind.BATTERY else EV_CHARGER_TABLE
