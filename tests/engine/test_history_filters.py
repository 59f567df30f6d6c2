import pytest

from actors.testing.mixed import SOME_FILTERS, mixed_log
from actors.testing.records import (
    BATTERY,
    EV,
    ended,
    record,
    started,
    statuses,
    taken,
)
from engine import events
from engine.commands import CauseKind, CommandStatus, CommandType
from engine.history import (
    CommandHistory,
    CommandRecord,
    Filters,
    histories,
)
from engine.types import Channel, to_us

CHARGE, DISCHARGE = Channel.CHARGE, Channel.DISCHARGE


def is_in(found: CommandRecord, filters: Filters) -> bool:
    """Return whether filters, taken one by one, let a command pass."""
    since_us, until_us = filters.since_us or 0, filters.until_us or 1 << 62
    wanted = (filters.asset, filters.type, filters.status, filters.cause, filters.schedule)
    given = (found.asset_id, found.type, found.status, found.cause.kind, found.schedule_id)
    return (
        all(want is None or want == is_ for want, is_ in zip(wanted, given, strict=True))
        and since_us <= to_us(found.due_at) < until_us
        and filters.id in {None, found.id}
    )


@pytest.mark.parametrize(
    "filters",
    SOME_FILTERS,
    ids=str,
)
def test_a_filter_takes_what_it_names_and_changes_nothing_else(filters: Filters) -> None:
    """What is filtered early comes to the same as all commands, filtered afterwards."""
    log = mixed_log()
    expected = [one for one in histories(log) if is_in(one, filters)]
    assert list(histories(log, filters)) == expected


def test_the_filters_meet_something() -> None:
    """The log that they are tried on has commands of every kind."""
    found = histories(mixed_log())
    assert {one.cause.kind for one in found} >= {CauseKind.SCHEDULE, CauseKind.OPERATOR}
    assert {one.status for one in found} >= {
        CommandStatus.COMPLETED,
        CommandStatus.CANCELLED,
        CommandStatus.FAILED,
    }
    assert {one.asset_id for one in found} == {EV, BATTERY}


def test_filters_take_plain_text_and_refuse_nonsense() -> None:
    """The command line hands them on as they were typed."""
    assert Filters(type="RELEASE", status="PENDING", cause="rule:renew") == Filters(
        type=CommandType.RELEASE, status=CommandStatus.PENDING, cause=CauseKind.RENEW
    )


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"status": "LATE"}, "'LATE' is no status; there are PENDING, DISPATCHED, ACKNOWLEDGED, "),
        ({"type": "FLY"}, "'FLY' is no type; there are SET_CHARGE_RATE, SET_DISCHARGE_RATE, "),
        ({"cause": "rule"}, "'rule' is no cause; there are schedule, operator, override, limit, "),
        ({"status": 5}, "5 is no status; "),
    ],
)
def test_a_filter_that_there_is_not_is_told_with_all_that_there_are(
    given: dict[str, str], told: str
) -> None:
    """In the words that are typed."""
    with pytest.raises(ValueError, match=told):
        Filters(**given)  # type: ignore[arg-type]


def test_one_assets_history_needs_no_other_assets_records() -> None:
    """Its own stream and the schedules' say everything."""
    log = mixed_log()
    own = [one for one in log if one.header.stream != BATTERY]
    assert histories(own, Filters(asset=EV)) == histories(log, Filters(asset=EV))


def test_events_of_unknown_commands_are_passed_over() -> None:
    """A log that begins in the middle tells what it can."""
    log = [
        record(started("cmd_8.0.0")),
        record(ended("accepted", CommandStatus.COMPLETED)),
        record(taken()),
        record(started("cmd_8.0.0")),
        record(started("cmd_unheard")),
        record(started("cmd_1.3.0")),
        record(ended("accepted", CommandStatus.COMPLETED)),
        record(events.CapabilitiesLearned({})),
    ]
    assert statuses(histories(log)) == ["PENDING"] * 3


# --- order and growth


def test_a_history_can_be_read_while_it_grows() -> None:
    """Reading changes nothing; what is fed afterwards is in the next reading."""
    history = CommandHistory()
    log = mixed_log()
    for at, one in enumerate(log, 1):
        history.feed(one)
        assert list(history.commands()) == list(histories(log[:at]))


def test_commands_come_by_due_time() -> None:
    """Of one moment, asset by asset."""
    found = histories(mixed_log())
    assert list(found) == sorted(found, key=lambda one: (one.due_at, one.asset_id))
