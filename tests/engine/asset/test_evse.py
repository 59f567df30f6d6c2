"""What an OCPP 2.0.1 EVSE says, and what state that is (specification 5)."""

import pytest

from actors.testing.rig import Rig, charger_rules, names_of
from engine import events
from engine.adapters import base
from engine.asset import snapshot

STATES = {
    "-": None,
    "A": "AVAILABLE",
    "P": "PREPARING",
    "C": "CHARGING",
    "S": "SUSPENDED",
    "F": "FINISHING",
    "U": "UNAVAILABLE",
    "X": "FAULTED",
}
CONNECTORS = (None, "Available", "Occupied", "Reserved", "Unavailable", "Faulted")

# What the connector said before the event, in the order of CONNECTORS; "-": the state stays.
NEW_TRANSACTION = """
    started  nothing       - - - - - -
    started  EVConnected   P P P P U X
    started  Charging      C C C C U X
    started  SuspendedEV   S S S S U X
    started  SuspendedEVSE S S S S U X
    started  Idle          P P P P U X
    updated  nothing       - - - - - -
    updated  EVConnected   P P P P U X
    updated  Charging      C C C C U X
    updated  SuspendedEV   S S S S U X
    updated  SuspendedEVSE S S S S U X
    updated  Idle          P P P P U X
    ended    nothing       F A F A U X
    ended    EVConnected   F A F A U X
    ended    Charging      F A F A U X
    ended    SuspendedEV   F A F A U X
    ended    SuspendedEVSE F A F A U X
    ended    Idle          A A A A U X
"""
HAS_CHARGED = """
    updated  nothing       - - - - - -
    updated  EVConnected   S P S P U X
    updated  Charging      C C C C U X
    updated  SuspendedEV   S S S S U X
    updated  SuspendedEVSE S S S S U X
    updated  Idle          A A A A U X
    ended    nothing       F A F A U X
    ended    EVConnected   F A F A U X
    ended    Charging      F A F A U X
    ended    SuspendedEV   F A F A U X
    ended    SuspendedEVSE F A F A U X
    ended    Idle          A A A A U X
"""


def event(
    seq_no: int, phase: str, charging: str | None = None, transaction: str = "tx-1", **more: object
) -> base.ChargingReported:
    """Return what a transaction's event says."""
    return base.ChargingReported(transaction, seq_no, phase, charging, **more)  # type: ignore[arg-type]  # words


def connector(status: str, number: int = 1) -> base.ConnectorReported:
    """Return a connector's status."""
    return base.ConnectorReported(status, number)


@pytest.fixture
def rig() -> Rig:
    """Return a connected charger that has not said how it is."""
    return connected()


def connected() -> Rig:
    """Return a connected charger that has not said how it is."""
    rig = Rig(charger_rules())
    rig.connect()
    return rig


def state_after(rig: Rig, *seen: base.Observation) -> str:
    """Return the state after reports, the device's own words."""
    rig.observe(*seen)
    return rig.state.device.own_state


def cells(grid: str) -> list[tuple[str, str | None, str | None, str | None]]:
    """Return phase, charging state, connector status and expected state of each cell."""
    found: list[tuple[str, str | None, str | None, str | None]] = []
    for row in grid.split("\n")[1:-1]:
        phase, charging, *letters = row.split()
        for status, letter in zip(CONNECTORS, letters, strict=True):
            found.append((phase, {"nothing": None}.get(charging, charging), status, STATES[letter]))
    return found


@pytest.mark.parametrize(("phase", "charging", "status", "expected"), cells(NEW_TRANSACTION))
def test_the_first_event_of_a_transaction(
    rig: Rig, phase: str, charging: str | None, status: str | None, expected: str | None
) -> None:
    """What is out of order goes before it; without a charging state nothing changes."""
    if status is not None:
        rig.observe(connector(status))
    before = rig.state.device.own_state
    assert (expected or before) == state_after(rig, event(0, phase, charging))


@pytest.mark.parametrize(("phase", "charging", "status", "expected"), cells(HAS_CHARGED))
def test_an_event_after_charging(
    rig: Rig, phase: str, charging: str | None, status: str | None, expected: str | None
) -> None:
    """A vehicle that is connected and takes nothing is suspended then; one that left has left."""
    rig.observe(event(0, "started", "Charging", connector_id=1))
    if status is not None:
        rig.observe(connector(status))
    before = rig.state.device.own_state
    assert (expected or before) == state_after(rig, event(1, phase, charging))


@pytest.mark.parametrize(
    ("status", "by_situation"),
    [
        ("Available", "A A A A A"),
        ("Occupied", "P C S F P"),
        ("Reserved", "A A A A A"),
        ("Unavailable", "U U U U U"),
        ("Faulted", "X X X X X"),
    ],
)
@pytest.mark.parametrize("situation", range(5))
def test_a_status_goes_before_the_transaction(
    rig: Rig, status: str, by_situation: str, situation: int
) -> None:
    """Without one; while it charges; suspended; ended with the vehicle there; and without."""
    started = base.TransactionChanged("started", "tx-1", "k")
    ended = base.TransactionChanged("ended", "tx-1")
    told: list[tuple[base.Observation, ...]] = [
        (),
        (started, event(0, "started", "Charging")),
        (started, event(0, "started", "SuspendedEV")),
        (started, event(0, "started", "Charging"), ended, event(1, "ended")),
        (started, event(0, "started", "Charging"), ended, event(1, "ended", left=True)),
    ]
    rig.observe(*told[situation])
    assert STATES[by_situation.split()[situation]] == state_after(rig, connector(status))


def test_a_reservation_is_kept_with_the_state(rig: Rig) -> None:
    """As on 1.6."""
    rig.observe(connector("Reserved"))
    assert rig.state.device.detail == {"reserved": "yes"}


def test_who_suspends_is_kept_also_over_a_fault(rig: Rig) -> None:
    """The transaction's state holds again once the connector is occupied again."""
    rig.observe(
        base.TransactionChanged("started", "tx-1", "k"), event(0, "started", "SuspendedEVSE")
    )
    rig.observe(connector("Faulted"))
    assert rig.state.device.detail == {}
    assert state_after(rig, connector("Occupied")) == "SUSPENDED"
    assert rig.state.device.detail == {"suspended_by": "evse"}


def test_what_happens_during_a_fault_holds_after_it(rig: Rig) -> None:
    """The fault goes before it until a status says otherwise."""
    rig.observe(connector("Faulted"))
    assert state_after(rig, event(0, "started", "Charging")) == "FAULTED"
    assert state_after(rig, connector("Occupied")) == "CHARGING"


def test_a_stop_makes_a_connected_vehicle_one_that_has_finished(rig: Rig) -> None:
    """Said with how it charges, or before; charging again takes it back."""
    rig.observe(event(0, "started", "Charging"))
    assert state_after(rig, event(1, "updated", "EVConnected", stopped=True)) == "FINISHING"
    assert state_after(rig, event(2, "updated", "EVConnected")) == "FINISHING"
    assert state_after(rig, event(3, "updated", "Charging")) == "CHARGING"
    assert state_after(rig, event(4, "updated", None, stopped=True)) == "CHARGING"
    assert state_after(rig, event(5, "updated", "EVConnected")) == "FINISHING"


def test_a_vehicle_that_stays_may_begin_another_transaction(rig: Rig) -> None:
    """FINISHING becomes PREPARING; what ended before says nothing of the new one."""
    rig.observe(event(0, "started", "Charging"), event(1, "ended", "EVConnected"))
    assert state_after(rig, event(0, "started", "EVConnected", "tx-2")) == "PREPARING"


def test_a_vehicle_that_stays_has_finished_until_it_leaves(rig: Rig) -> None:
    """Whatever the connector says in between; the next vehicle begins anew, said twice too."""
    rig.observe(base.TransactionChanged("started", "tx-1", "k"), event(0, "started", "Charging"))
    rig.observe(base.TransactionChanged("ended", "tx-1"), event(1, "ended"))
    assert state_after(rig, connector("Faulted"), connector("Occupied")) == "FINISHING"
    assert state_after(rig, connector("Available"), connector("Occupied")) == "PREPARING"
    assert state_after(rig, connector("Occupied")) == "PREPARING"


def test_a_transaction_that_ended_while_nobody_listened_has_ended(rig: Rig) -> None:
    """The end was replayed, which is history; the connector is still occupied."""
    rig.observe(base.TransactionChanged("started", "tx-1", "k"), event(0, "started", "Charging"))
    rig.observe(base.TransactionChanged("ended", "tx-1", offline=True))
    assert rig.state.device.own_state == "FINISHING"
    assert state_after(rig, connector("Occupied")) == "FINISHING"


def test_a_connector_that_nobody_calls_occupied_is_so_by_its_transaction(rig: Rig) -> None:
    """So that an old Available does not send the vehicle away at its end."""
    rig.observe(connector("Available"), event(0, "started", "Charging", connector_id=1))
    assert state_after(rig, event(1, "ended")) == "FINISHING"
    rig.observe(connector("Available"), event(0, "started", "Charging", "tx-2"))
    assert state_after(rig, event(1, "ended", transaction="tx-2")) == "FINISHING"


def test_of_two_connectors_the_occupied_one_counts(rig: Rig) -> None:
    """The other is out of order meanwhile; free again once both say so."""
    rig.observe(connector("Available"), connector("Available", 2))
    rig.observe(event(0, "started", "Charging", connector_id=2), connector("Unavailable"))
    assert rig.state.device.own_state == "CHARGING"
    assert state_after(rig, connector("Occupied", 2)) == "CHARGING"
    assert state_after(rig, connector("Available", 2)) == "AVAILABLE"
    assert state_after(rig, connector("Faulted", 2)) == "UNAVAILABLE"


def test_without_a_connector_named_none_of_two_is_taken_for_occupied(rig: Rig) -> None:
    """Nobody knows which."""
    rig.observe(connector("Available"), connector("Available", 2), event(0, "started", "Charging"))
    assert rig.state.device.evse.connectors == ((1, "Available"), (2, "Available"))


def test_a_vehicle_that_left_before_the_end_has_left(rig: Rig) -> None:
    """The transaction goes on for a while; its end says nothing of the vehicle."""
    rig.observe(event(0, "started", "Charging", connector_id=1))
    assert state_after(rig, event(1, "updated", "Idle")) == "AVAILABLE"
    assert state_after(rig, event(2, "ended")) == "AVAILABLE"


def test_an_older_event_changes_nothing(rig: Rig) -> None:
    """By its number; the same one said again changes nothing either."""
    rig.observe(event(3, "updated", "Charging"))
    assert rig.observe(event(2, "updated", "SuspendedEV"), event(3, "updated", "Charging")) == []
    assert rig.state.device.own_state == "CHARGING"


def test_an_event_after_the_end_came_late(rig: Rig) -> None:
    """Whatever number it has."""
    rig.observe(base.TransactionChanged("started", "tx-1", "k"), event(0, "started", "Charging"))
    rig.observe(base.TransactionChanged("ended", "tx-1"), event(1, "ended"))
    assert rig.observe(event(2, "updated", "Charging")) == []


def test_a_number_alone_is_not_worth_a_row(rig: Rig) -> None:
    """A transaction may have thousands of events that say the same."""
    rig.observe(event(0, "started", "Charging"))
    assert rig.observe(*(event(n, "updated", "Charging") for n in range(1, 9))) == []


def test_what_is_told_to_all_concerns_the_one_whose_transaction_it_is(rig: Rig) -> None:
    """An event need not name its EVSE again."""
    told = event(1, "updated", "Charging", to_all=True)
    assert rig.observe(told) == []
    rig.observe(base.TransactionChanged("started", "tx-1", "k"))
    assert "StateChanged" in names_of(rig.observe(told))
    rig.observe(base.TransactionChanged("ended", "tx-1"))
    assert state_after(rig, event(2, "ended", to_all=True)) == "FINISHING"


@pytest.mark.parametrize("seen", [connector("Sleeping"), event(1, "updated", "Balancing")], ids=str)
def test_a_word_that_nobody_knows_keeps_the_state(rig: Rig, seen: base.Observation) -> None:
    """It is recorded, once."""
    rig.observe(event(0, "started", "Charging"))
    assert names_of(rig.observe(seen, seen)) == ["StatusNotUnderstood"]
    assert rig.state.device.own_state == "CHARGING"


@pytest.mark.parametrize(("ended", "state"), [(True, "FINISHING"), (False, "PREPARING")])
def test_after_a_boot_a_vehicle_has_finished_if_it_had(
    rig: Rig, *, ended: bool, state: str
) -> None:
    """Nothing else of what the station said before holds."""
    rig.observe(base.TransactionChanged("started", "tx-1", "k"), event(0, "started", "Charging"))
    if ended:
        rig.observe(base.TransactionChanged("ended", "tx-1"), event(1, "ended"))
    rig.observe(base.Connected(booted=True))
    assert rig.state.device.evse.connectors == ()
    assert state_after(rig, connector("Occupied")) == state


def test_a_restart_forgets_nothing_of_it(rig: Rig) -> None:
    """It is in the fold; the state itself is unknown until the station says something."""
    rig.observe(base.TransactionChanged("started", "tx-1", "k"), event(0, "started", "Charging"))
    rig.restart()
    assert rig.state.device.evse.session == "CHARGING"
    rig.observe(base.Connected())
    assert not rig.state.device.state_known
    assert state_after(rig, connector("Occupied")) == "CHARGING"
    assert rig.state.device.state_known


def ids_after(rig: Rig, *seen: base.TransactionChanged) -> list[tuple[str, str]]:
    """Return the events that reports of transactions come to, with the transactions' ids."""
    told = rig.observe(*seen)
    kinds = (events.TransactionStarted, events.TransactionEnded)
    return [(type(one).__name__, one.transaction_id) for one in told if isinstance(one, kinds)]


def start(transaction: str, key: str, *, offline: bool = False) -> base.TransactionChanged:
    """Return the start of a transaction that the station has named."""
    return base.TransactionChanged("started", transaction, key, offline=offline)


def test_a_transaction_has_the_name_that_its_station_gave_it(rig: Rig) -> None:
    """Said again it is the same one, also while it was only found to run."""
    assert ids_after(rig, start("tx-1", "tx-1 8:00")) == [("TransactionStarted", "tx-1")]
    assert ids_after(rig, start("tx-1", "tx-1 8:00"), start("tx-1", "tx-1 8:01")) == []
    rig.observe(base.TransactionChanged("ended", "tx-1"))
    assert ids_after(rig, start("tx-1", "tx-1 8:00")) == []
    assert ids_after(rig, start("tx-1", "tx-1 9:00")) == [("TransactionStarted", "tx-1")]


def test_a_name_that_is_used_again_is_another_transaction(rig: Rig) -> None:
    """Its events count anew; an end that is told again changes nothing of it."""
    rig.observe(start("tx-1", "8:00"), event(0, "started", "Charging"))
    rig.observe(base.TransactionChanged("ended", "tx-1"), event(7, "ended"))
    rig.observe(start("tx-1", "9:00"))
    assert state_after(rig, event(0, "started", "EVConnected")) == "PREPARING"
    assert state_after(rig, event(1, "updated", "Charging")) == "CHARGING"


def test_a_start_that_comes_after_the_end_brings_nothing_back(rig: Rig) -> None:
    """Events may be replayed in any order."""
    rig.observe(base.TransactionChanged("found", "tx-1"), base.TransactionChanged("ended", "tx-1"))
    assert ids_after(rig, start("tx-1", "tx-1 8:00", offline=True)) == []
    assert ids_after(rig, base.TransactionChanged("found", "tx-1")) == []
    assert rig.state.device.transaction is None


def test_what_is_known_beside_the_state_is_recorded_with_it(rig: Rig) -> None:
    """So that the live state is the fold of the record."""
    told = rig.observe(connector("Occupied"))
    assert names_of(told) == ["EvseChanged", "StateChanged"]
    assert told[0] == events.EvseChanged(events.Evse(((1, "Occupied"),), "PREPARING"))
    assert snapshot.digest(rig.fold()) == snapshot.digest(rig.state)


def test_what_comes_late_of_one_transaction_says_nothing_of_the_next(rig: Rig) -> None:
    """Its end neither ends the charge that runs nor sends the vehicle away."""
    rig.observe(base.TransactionChanged("started", "tx-2"), event(0, "started", "Charging", "tx-2"))
    rig.observe(base.TransactionChanged("ended", "tx-1"), event(7, "ended", left=True))
    rig.observe(event(8, "updated", "SuspendedEV"))
    rig.advance(61)
    assert rig.state.device.state == "CHARGING"
    assert "DepartureDetected" not in names_of(rig.events)


def test_an_end_that_is_told_again_is_not_the_end_of_the_next_vehicle(rig: Rig) -> None:
    """The first has left, and another is there."""
    ended = base.TransactionChanged("ended", "tx-1")
    rig.observe(base.TransactionChanged("started", "tx-1"), event(1, "started", "Charging"))
    rig.observe(ended, event(2, "ended"))
    assert rig.state.device.state == "FINISHING"
    rig.observe(connector("Available"), connector("Occupied"))
    rig.observe(ended, event(2, "ended"))
    assert rig.state.device.state == "PREPARING"


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ([(0, "Available"), (1, "Available"), (1, "Faulted")], "FAULTED"),
        ([(0, "Available"), (1, "Available"), (1, "Unavailable")], "UNAVAILABLE"),
        ([(0, "Occupied"), (1, "Occupied"), (1, "Available")], "AVAILABLE"),
        ([(1, "Occupied"), (2, "Available"), (0, "Faulted")], "FAULTED"),
        ([(-1, "Occupied"), (1, "Available")], "AVAILABLE"),
        ([(1, "occupied")], "PREPARING"),
    ],
)
def test_connector_0_is_the_evse_until_a_connector_speaks(
    rig: Rig, told: list[tuple[int, str]], state: str
) -> None:
    """Neither stands beside the other."""
    for number, status in told:
        rig.observe(connector(status, number))
    assert rig.state.device.state == state


def test_an_evse_has_so_many_connectors_and_no_more(rig: Rig) -> None:
    """Numbers without end do not fill the log."""
    for number in range(1, 30):
        rig.observe(connector("Available", number))
    assert len(rig.state.device.evse.connectors) == 16


def test_a_vehicle_names_no_connector_0_and_no_new_ones_without_end(rig: Rig) -> None:
    """What is out of order stays so, and the log is not filled."""
    rig.observe(connector("Faulted"), event(0, "started", "Charging", connector_id=0))
    assert rig.state.device.own_state == "FAULTED"
    for number in range(1, 30):
        rig.observe(event(number, "updated", "Charging", connector_id=number))
    assert len(rig.state.device.evse.connectors) == 16


@pytest.mark.parametrize(
    ("before", "state"),
    [
        ([event(0, "started", "Charging")], "FINISHING"),
        ([connector("Faulted"), event(0, "started", "Charging")], "FAULTED"),
        ([connector("Occupied"), event(0, "started")], "PREPARING"),
        ([event(0, "started", "Charging"), connector("Available")], "AVAILABLE"),
    ],
)
def test_an_end_that_was_kept_leaves_no_charge_without_a_transaction(
    rig: Rig, before: list[base.Observation], state: str
) -> None:
    """It does not say how the vehicle is, only that it charges no more."""
    rig.observe(base.TransactionChanged("started", "tx-1", "k"), *before)
    rig.observe(base.TransactionChanged("ended", "tx-1", offline=True))
    assert rig.state.device.transaction is None
    assert rig.state.device.own_state == state


def test_a_kept_end_of_another_transaction_ends_nothing(rig: Rig) -> None:
    """The one that runs goes on."""
    rig.observe(base.TransactionChanged("started", "tx-1", "k"), event(0, "started", "Charging"))
    rig.observe(base.TransactionChanged("ended", "tx-0", offline=True))
    assert rig.state.device.own_state == "CHARGING"


def test_a_power_that_is_told_to_all_is_that_of_its_transaction() -> None:
    """After a restart too: the transaction is on record."""
    rig = connected()
    rig.observe(base.TransactionChanged("found", "tx-1"))
    ours = base.PowerMeasured(7.0, phases=1, transaction_id="tx-1")
    others = base.PowerMeasured(3.0, phases=1, transaction_id="tx-2")
    rig.observe(ours, others)
    assert rig.state.outside.measured_w == 7_000
    rig.restart()
    rig.observe(base.Connected(), others)
    assert rig.state.outside.measured_w is None
    rig.observe(ours)
    assert rig.state.outside.measured_w == 7_000
    assert rig.observe(ours, others) == []
    assert rig.state.device.phases is None
    rig.observe(ours)
    assert rig.state.device.phases == 1
