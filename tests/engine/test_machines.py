import enum
from collections.abc import Mapping

import pytest

from engine import machines
from engine.machines import InvalidTransition, StateMachine, Transition, TransitionTable

# Specification 5, cell by cell; "-" is InvalidTransition.
EV_GRID = """
            plug_in   start_charge suspend   resume   complete  unplug    fault   reset     disable     enable
AVAILABLE   PREPARING -            -         -        -         -         FAULTED -         UNAVAILABLE -
PREPARING   -         CHARGING     SUSPENDED -        FINISHING AVAILABLE FAULTED -         UNAVAILABLE -
CHARGING    -         -            SUSPENDED -        FINISHING AVAILABLE FAULTED -         UNAVAILABLE -
SUSPENDED   -         -            -         CHARGING FINISHING AVAILABLE FAULTED -         UNAVAILABLE -
FINISHING   PREPARING -            -         -        -         AVAILABLE FAULTED -         UNAVAILABLE -
FAULTED     -         -            -         -        -         -         -       AVAILABLE -           -
UNAVAILABLE -         -            -         -        -         -         FAULTED -         -           AVAILABLE
"""  # noqa: E501 - a grid is read as a grid
BATTERY_GRID = """
            start_charge start_discharge stop fault   reset disable     enable
IDLE        CHARGING     DISCHARGING     -    FAULTED -     UNAVAILABLE -
CHARGING    -            DISCHARGING     IDLE FAULTED -     UNAVAILABLE -
DISCHARGING CHARGING     -               IDLE FAULTED -     UNAVAILABLE -
FAULTED     -            -               -    -       IDLE  -           -
UNAVAILABLE -            -               -    FAULTED -     -           IDLE
"""


def read_grid(text: str) -> dict[tuple[str, str], str]:
    """Return every cell of a grid, the empty ones too."""
    head, *rows = text.strip().splitlines()
    return {
        (state, trigger): cell
        for state, *cells in map(str.split, rows)
        for trigger, cell in zip(head.split(), cells, strict=True)
    }


EV_CELLS = read_grid(EV_GRID)
BATTERY_CELLS = read_grid(BATTERY_GRID)
CELLS = [
    *((machines.EV_CHARGER_TABLE, *edge, cell) for edge, cell in EV_CELLS.items()),
    *((machines.BATTERY_TABLE, *edge, cell) for edge, cell in BATTERY_CELLS.items()),
]


def cell_id(value: object) -> str:
    """Return what names a cell in the test's id."""
    if isinstance(value, TransitionTable):
        return "ev" if value is machines.EV_CHARGER_TABLE else "battery"
    return str(value)


def machine_in(table: TransitionTable, state: str) -> StateMachine:
    """Return a machine that stands in a state."""
    return StateMachine(table.states, state, table.transitions)


@pytest.mark.parametrize(("table", "state", "trigger", "cell"), CELLS, ids=cell_id)
def test_each_cell_of_the_grid(table: TransitionTable, state: str, trigger: str, cell: str) -> None:
    """Every state takes every trigger as the specification's table says, or refuses it."""
    machine = machine_in(table, state)
    if cell == "-":
        with pytest.raises(InvalidTransition):
            machine.trigger(trigger)
        assert (machine.state, machine.history) == (state, ())
        assert not machine.can_trigger(trigger)
    else:
        assert machine.can_trigger(trigger)
        assert machine.trigger(trigger) == cell
        assert (machine.state, machine.history) == (cell, (Transition(state, trigger, cell),))


def test_the_grids_are_complete() -> None:
    """7 states by 10 triggers and 5 by 7, and no edge in a table that no grid names."""
    assert (len(EV_CELLS), len(BATTERY_CELLS)) == (70, 35)
    for table, cells in (
        (machines.EV_CHARGER_TABLE, EV_CELLS),
        (machines.BATTERY_TABLE, BATTERY_CELLS),
    ):
        assert {edge: cell for edge, cell in cells.items() if cell != "-"} == table.transitions


@pytest.mark.parametrize(
    ("table", "states", "triggers"),
    [
        (machines.EV_CHARGER_TABLE, machines.ChargerState, machines.ChargerTrigger),
        (machines.BATTERY_TABLE, machines.BatteryState, machines.BatteryTrigger),
    ],
    ids=["ev", "battery"],
)
def test_the_enums_are_the_tables_words(
    table: TransitionTable, states: type[enum.StrEnum], triggers: type[enum.StrEnum]
) -> None:
    """States and triggers of the tables are the members of the enums, all of them."""
    assert set(table.states) == set(states)
    assert {trigger for _, trigger in table.transitions} == set(triggers)


def test_the_presets_begin_at_rest() -> None:
    """A charger begins AVAILABLE and a battery IDLE, each with its asset's id."""
    charger = machines.create_ev_charger_state_machine("ast_charger_bay_1")
    battery = machines.create_battery_state_machine("ast_batt_001")
    assert (charger.asset_id, charger.state) == ("ast_charger_bay_1", "AVAILABLE")
    assert (battery.asset_id, battery.state) == ("ast_batt_001", "IDLE")


def test_a_trigger_may_be_an_enum_member_or_a_plain_string() -> None:
    """Both spell the same trigger."""
    machine = machines.create_ev_charger_state_machine("ast_charger_bay_1")
    machine.trigger("plug_in")
    machine.trigger(machines.ChargerTrigger.START_CHARGE)
    assert machine.state is machines.ChargerState.CHARGING


def test_an_invalid_transition_names_state_trigger_and_valid_triggers() -> None:
    """The error says where the machine stood, what came and what would have been taken."""
    machine = machines.create_ev_charger_state_machine("ast_charger_bay_1")
    with pytest.raises(InvalidTransition) as caught:
        machine.trigger("resume")
    assert caught.value.state == "AVAILABLE"
    assert caught.value.trigger == "resume"
    assert caught.value.valid_triggers == ("disable", "fault", "plug_in")
    assert str(caught.value) == (
        "AVAILABLE does not take resume; valid triggers: disable, fault, plug_in"
    )


def test_an_invalid_transition_says_that_nothing_is_valid() -> None:
    """In a state without a way out the list of valid triggers reads `none`."""
    with pytest.raises(InvalidTransition, match=r"END does not take go; valid triggers: none$"):
        StateMachine(["END"], "END", {}).trigger("go")


def test_available_triggers_are_sorted() -> None:
    """Whatever the order of the table, the triggers are in alphabetical order."""
    machine = machine_in(machines.BATTERY_TABLE, "CHARGING")
    assert machine.available_triggers() == ("disable", "fault", "start_discharge", "stop")


def has_tag(context: Mapping[str, object]) -> bool:
    """Allow what comes with an id tag."""
    return "tag" in context


def test_a_guard_forbids_what_the_table_allows() -> None:
    """A guarded transition is refused, and not listed, unless the context satisfies the guard."""
    table = machines.EV_CHARGER_TABLE
    guards = {("PREPARING", "start_charge"): has_tag}
    machine = StateMachine(table.states, "PREPARING", table.transitions, guards)
    assert not machine.can_trigger("start_charge")
    assert "start_charge" not in machine.available_triggers()
    with pytest.raises(InvalidTransition) as caught:
        machine.trigger("start_charge")
    assert "start_charge" not in caught.value.valid_triggers
    assert machine.can_trigger("start_charge", tag="RFID-1")
    assert "start_charge" in machine.available_triggers(tag="RFID-1")
    assert machine.trigger("start_charge", tag="RFID-1") == "CHARGING"


def test_a_guard_guards_its_own_state_only() -> None:
    """The same trigger from another state is free."""
    table = machines.BATTERY_TABLE
    guards = {("IDLE", "start_charge"): has_tag}
    machine = StateMachine(table.states, "DISCHARGING", table.transitions, guards)
    assert machine.trigger("start_charge") == "CHARGING"


def test_a_guard_needs_a_transition() -> None:
    """A guard on an empty cell is a mistake and refused."""
    with pytest.raises(ValueError, match="no transition to guard: go in A"):
        StateMachine(["A"], "A", {}, {("A", "go"): has_tag})


@pytest.mark.parametrize(
    ("initial", "transitions"),
    [("X", {}), ("A", {("X", "go"): "A"}), ("A", {("A", "go"): "X"})],
    ids=["initial", "source", "target"],
)
def test_a_table_stays_within_its_states(
    initial: str, transitions: dict[tuple[str, str], str]
) -> None:
    """An initial state, a source or a target that is not a state is refused by name."""
    with pytest.raises(ValueError, match="not a state of this table: X"):
        StateMachine(["A"], initial, transitions)


def test_a_table_cannot_be_changed() -> None:
    """Neither through the table nor through the mapping that it was made from."""
    edges = {("A", "go"): "B"}
    machine = StateMachine(["A", "B"], "A", edges)
    edges["B", "back"] = "A"
    with pytest.raises(TypeError):
        machine.table.transitions["B", "back"] = "A"  # type: ignore[index]
    machine.trigger("go")
    assert machine.available_triggers() == ()


def test_each_step_is_told_with_the_new_state_in_place() -> None:
    """`on_transition` gets every step, and sees the machine already there."""
    told: list[tuple[Transition, str]] = []
    table = machines.BATTERY_TABLE
    machine = StateMachine(
        table.states,
        table.initial,
        table.transitions,
        on_transition=lambda step: told.append((step, machine.state)),
    )
    machine.trigger("start_charge")
    machine.trigger("stop")
    assert told == [
        (Transition("IDLE", "start_charge", "CHARGING"), "CHARGING"),
        (Transition("CHARGING", "stop", "IDLE"), "IDLE"),
    ]


def test_the_history_keeps_the_newest_256_steps() -> None:
    """Older steps are forgotten, oldest first."""
    machine = machine_in(machines.BATTERY_TABLE, "IDLE")
    for _ in range(128):
        machine.trigger("start_charge")
        machine.trigger("stop")
    machine.trigger("fault")
    assert len(machine.history) == 256
    assert machine.history[0] == Transition("CHARGING", "stop", "IDLE")
    assert machine.history[-1] == Transition("IDLE", "fault", "FAULTED")


@pytest.mark.parametrize(("table", "state", "trigger", "cell"), CELLS, ids=cell_id)
def test_trigger_for_finds_the_edge_of_each_cell(
    table: TransitionTable, state: str, trigger: str, cell: str
) -> None:
    """A reported state that one trigger reaches is that trigger; an empty cell is no edge."""
    if cell == "-":
        assert table.target(state, trigger) is None
    else:
        assert table.trigger_for(state, cell) == trigger


@pytest.mark.parametrize(
    ("source", "target"),
    [("AVAILABLE", "CHARGING"), ("AVAILABLE", "AVAILABLE"), ("FAULTED", "CHARGING")],
)
def test_trigger_for_finds_nothing_where_no_edge_is(source: str, target: str) -> None:
    """A report that no single trigger explains has none."""
    assert machines.EV_CHARGER_TABLE.trigger_for(source, target) is None


def test_trigger_for_takes_the_first_of_several() -> None:
    """Of two triggers to the same state it is the one written first."""
    table = TransitionTable(("A", "B"), "A", {("A", "zig"): "B", ("A", "also"): "B"})
    assert table.trigger_for("A", "B") == "zig"
