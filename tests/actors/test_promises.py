"""The judge finds every broken promise: each log or wire log here breaks one."""

from typing import Any

import attrs
import pytest
from msgspec.structs import replace

from actors.sim.wirelog import WireEntry
from actors.testing.faults import Injected
from actors.testing.promises import Judgement, judge
from actors.testing.records import (
    BATTERY,
    EV,
    after,
    at_us,
    battery,
    charger,
    ended,
    record,
    recorded,
)
from actors.testing.rig import Rig, plan_of
from engine import events
from engine.adapters.base import Frame, Payload
from engine.asset import messages as message
from engine.codec import Record
from engine.commands import CommandStatus
from engine.types import Channel, iso

CHARGE = Channel.CHARGE


def two_slots() -> Rig:
    """Return a charger that has carried out two commands."""
    rig = charger(plan_of((0, CHARGE, 3_000), (60, CHARGE, 5_000)))
    rig.answer()
    rig.advance(60)
    rig.answer()
    return rig


def frame(attempt: str, after_s: float = 0.1, action: str = "SetChargingProfile") -> WireEntry:
    """Return what a charger saw so long after the rig's start."""
    return WireEntry(iso(at_us(after_s)), "CP", "ocpp1.6", "in", attempt, action, {})


def attempts_of(records: list[Record]) -> list[str]:
    """Return the ids of all attempts, in order."""
    return [one.event.attempt_id for one in records if isinstance(one.event, events.AttemptStarted)]


def of_charger(records: list[Record], *entries: WireEntry) -> Judgement:
    """Judge a log against one charger's."""
    return judge(records, {"CP": entries}, {})


def test_a_log_that_keeps_its_promises_passes() -> None:
    """And what was looked at is counted."""
    records = recorded(two_slots())
    first, second = attempts_of(records)
    found = of_charger(
        records, frame(first), frame(f"{second}.2", 60.1), frame(second, 60.1, "Foo")
    )
    assert found.violations == ()
    assert (found.counts["attempts"], found.counts["OCPP control frames"]) == (2, 2)
    assert found.counts["events"] == len(records)


def test_a_frame_without_a_recorded_attempt_is_found() -> None:
    """P2."""
    (broken,) = of_charger(recorded(two_slots()), frame("att_nobody")).violations
    assert broken == "P2: frame att_nobody has no recorded attempt (CP)"


def test_a_frame_that_was_seen_before_its_record_is_found() -> None:
    """P2."""
    records = recorded(two_slots())
    (broken,) = of_charger(records, frame(attempts_of(records)[0], -0.1)).violations
    assert broken.startswith("P2: ")
    assert "before its attempt was recorded" in broken


def test_a_frame_that_went_out_twice_is_found() -> None:
    """P3."""
    records = recorded(two_slots())
    first = attempts_of(records)[0]
    (broken,) = of_charger(records, frame(first), frame(first, 0.2)).violations
    assert broken == f"P3: frame {first} went out more than once (CP)"


def test_a_frame_that_was_not_sent_by_the_record_is_found() -> None:
    """P3."""
    rig = charger()
    rig.answer(outcome="not_sent")
    records = recorded(rig)
    first = attempts_of(records)[0]
    (broken,) = of_charger(records, frame(first)).violations
    assert broken == f"P3: {first} is on record as not sent (CP)"


def test_a_frame_behind_a_newer_one_is_found() -> None:
    """P5."""
    records = recorded(two_slots())
    first, second = attempts_of(records)
    found = of_charger(records, frame(second, 60.1), frame(f"{first}.2", 60.2))
    assert found.violations == (f"P5: frame {first}.2 came behind a newer attempt's (CP)",)


def test_a_frame_that_was_begun_late_is_found() -> None:
    """P5."""
    records = recorded(two_slots())
    (broken,) = of_charger(records, frame(attempts_of(records)[0], 3.0)).violations
    assert broken.startswith("P5: ")
    assert broken.endswith("was begun 3.0 s late (CP)")


def on_the_way(kind: str, message_id: str | int, at_s: float, **how: Any) -> Injected:  # noqa: ANN401 - fields of Injected
    """Return what a fault did to a message to the charger, so long after the rig's start."""
    asset = how.pop("asset", EV)
    return Injected(after(at_s), kind, asset, "in", None, message_id, how.pop("seconds", 1.0))


def test_what_a_fault_made_arrive_twice_did_not_go_out_twice() -> None:
    """Once for each time that it struck; that of another message excuses nothing."""
    records = recorded(two_slots())
    first, second = attempts_of(records)
    doubled = [on_the_way("duplicate", first, 0.1)]
    twice = (frame(first), frame(first), frame(second, 60.1))
    assert judge(records, {"CP": twice}, {}, doubled).violations == ()
    for seen in (
        (*twice[:2], frame(first)),
        (frame(first), frame(second, 60.1), frame(second, 60.1)),
    ):
        (broken,) = judge(records, {"CP": seen}, {}, doubled).violations
        assert broken.startswith("P3: ")


@pytest.mark.parametrize(
    ("fault", "excuses"),
    [
        (on_the_way("delay", "any", 0.05, seconds=1.5), True),
        (on_the_way("delay", "any", -1.4, seconds=1.5), True),
        (on_the_way("delay", "any", -1.6, seconds=1.5), False),
        (on_the_way("delay", "any", 0.05, seconds=0.5), False),
        (on_the_way("delay", "any", 3.5, seconds=1.5), False),
        (on_the_way("delay", "any", 0.05, seconds=1.5, asset="ast_other"), False),
        (on_the_way("latency", "any", -900.0, seconds=1.5), True),
    ],
)
def test_what_was_held_up_was_not_begun_late(fault: Injected, *, excuses: bool) -> None:
    """As long as it was held up, and what comes behind it too."""
    records = recorded(two_slots())
    found = judge(records, {"CP": [frame(attempts_of(records)[0], 3.0)]}, {}, [fault])
    assert (found.violations == ()) is excuses


def test_what_was_reordered_may_come_behind_a_newer_one() -> None:
    """And late."""
    records = recorded(two_slots())
    first, second = attempts_of(records)
    seen = [frame(second, 60.1), frame(first, 60.1)]
    struck = [on_the_way("reorder", first, 0.1)]
    assert judge(records, {"CP": seen}, {}, struck).violations == ()


def test_a_transaction_that_was_answered_before_it_was_on_record_is_found() -> None:
    """P7; an id for a connector that is no asset means nothing."""
    started = record(events.TransactionStarted("4711", "key"), 5.0)

    def told(number: object, after_s: float) -> WireEntry:
        entry = frame("m", after_s, "StartTransaction")
        return attrs.evolve(entry, payload={"transactionId": number})

    found = of_charger([started], told(4711, 5.1), told(1 << 30 | 5, 1.0), told("?", 1.0))
    assert found.violations == ()
    assert found.counts["transactions answered"] == 1
    for early in (told(4711, 4.9), told(4712, 5.1)):
        (broken,) = of_charger([started], early).violations
        assert broken.startswith("P7: transaction 471")


def test_a_transaction_of_the_stations_own_is_not_answered_before_it_is_on_record() -> None:
    """P7 in 2.0.1: that which is never on record is none of ours, or was history by then."""
    started = record(events.TransactionStarted("uuid-1", "TAG"), 5.0)

    def said(number: str, answered_s: float, **more: object) -> list[WireEntry]:
        payload = {
            "eventType": "Started",
            "transactionInfo": {"transactionId": number},
            **more,
        }
        entry = frame(f"m-{number}-{answered_s}", answered_s, "TransactionEvent")
        return [
            attrs.evolve(entry, direction="out", payload=payload),
            attrs.evolve(entry, payload={}),
        ]

    found = of_charger(
        [started], *said("uuid-1", 5.1), *said("uuid-2", 1.0), *said("uuid-1", 4.0, offline=True)
    )
    assert found.violations == ()
    assert found.counts["transactions answered"] == 1
    (broken,) = of_charger([started], *said("uuid-1", 4.9)).violations
    assert broken.startswith("P7: transaction uuid-1")
    refused = said("uuid-1", 4.9)
    refused[1] = attrs.evolve(refused[1], payload={"errorCode": "InternalError"})
    assert of_charger([started], *refused).violations == ()


def test_an_attempt_for_an_expired_setpoint_is_found() -> None:
    """P5."""
    records = recorded(two_slots())
    late = [
        replace(one, event=expired(one.event)) if hasattr(one.event, "decision") else one
        for one in records
    ]
    found = of_charger(late).violations
    assert len(found) == 2
    assert all("began for a setpoint that had expired" in one for one in found)


def expired(event: events.AttemptStarted) -> events.AttemptStarted:
    """Return an attempt whose setpoint was over before it began."""
    decision = event.decision
    assert decision is not None
    return replace(event, decision=replace(decision, expires_us=at_us(-1)))


def test_an_attempt_beside_one_that_is_in_doubt_is_found() -> None:
    """P4: after a restart the device is asked first."""
    rig = charger()
    rig.tell(message.Recovered(2))
    records = recorded(rig)
    again = next(one.event for one in records if isinstance(one.event, events.AttemptStarted))
    blind = record(replace(again, attempt_id="att_blind"), 5.0)
    found = of_charger([*records, blind]).violations
    assert found[0].startswith("P4: ")


def test_a_second_outcome_is_found() -> None:
    """P8."""
    records = recorded(two_slots())
    twice = record(ended("accepted", CommandStatus.COMPLETED, attempts_of(records)[0]), 70.0)
    (broken,) = of_charger([*records, twice]).violations
    assert broken.startswith("P8: ")


# --- batteries


def writing(values: tuple[int, ...], address: int = 20) -> Payload:
    """Return one write."""
    return Payload((Frame("6", {"address": address, "values": list(values)}),))


def batteries_log(*outcomes: str | None) -> list[Record]:
    """Return attempts to write 1, 2 and so on, each with its outcome; null: none."""
    began = next(
        one.event
        for one in recorded(battery(plan_of((0, CHARGE, 3_000))))
        if isinstance(one.event, events.AttemptStarted)
    )
    records = []
    for number, outcome in enumerate(outcomes, 1):
        made = replace(began, attempt_id=f"att_{number}", payload=writing((number,)), decision=None)
        records.append(record(made, number, BATTERY))
        if outcome is None:
            records.append(record(events.AssetRecovered(2), number, BATTERY))
        else:
            status = CommandStatus.COMPLETED if outcome == "accepted" else CommandStatus.PENDING
            kind: Any = outcome
            records.append(record(ended(kind, status, f"att_{number}"), number, BATTERY))
    return records


def wrote(*values: int, address: int = 20) -> list[WireEntry]:
    """Return what a battery saw."""
    return [
        WireEntry("t", "B", "modbus", "in", n, 6, {"address": address, "values": [one]})
        for n, one in enumerate(values)
    ]


def of_battery(records: list[Record], *entries: WireEntry) -> list[str]:
    """Judge a log against the battery's writes alone."""
    found = judge(records, {}, {BATTERY: (entries, frozenset({30}))})
    return [one for one in found.violations if not one.startswith(("P4", "P8"))]


def test_writes_are_those_of_the_attempts_in_their_order() -> None:
    """Heartbeats aside; one in doubt may or may not have been written."""
    assert not of_battery(batteries_log("accepted", "accepted"), *wrote(1, 2))
    assert not of_battery(batteries_log("accepted"), *wrote(7, 8, address=30), *wrote(1))
    for seen in ((1, 2, 3), (1, 3)):
        assert not of_battery(batteries_log("accepted", None, "accepted"), *wrote(*seen))
    assert not of_battery(batteries_log("not_sent", "accepted"), *wrote(2))


def test_a_write_without_an_attempt_is_found() -> None:
    """P2: behind the last one, or where no attempt was."""
    (broken,) = of_battery(batteries_log("accepted"), *wrote(1, 9))
    assert broken == f"P2: {BATTERY}: the write of (9,) to 20 has no recorded attempt"
    assert of_battery([], *wrote(9)) == ["P2: ?: the write of (9,) to 20 has no recorded attempt"]


def test_an_accepted_attempt_that_was_not_written_is_found() -> None:
    """P3: or in another order, or twice, or although it was not sent."""
    assert of_battery(batteries_log("accepted")) == [
        f"P3: att_1 ({BATTERY}) was accepted, and not so written"
    ]
    assert of_battery(batteries_log("accepted", "accepted"), *wrote(2, 1))
    assert of_battery(batteries_log("accepted", "accepted"), *wrote(1, 1, 2))
    assert of_battery(batteries_log("not_sent"), *wrote(1))


def test_a_setpoint_that_keeps_a_battery_alive_is_repeated() -> None:
    """Until another is accepted, and only where the battery is kept alive so."""

    def broken(records: list[Record], *seen: int, repeating: bool = True) -> list[str]:
        kept = {BATTERY} if repeating else set()
        found = judge(records, {}, {BATTERY: (wrote(*seen), frozenset())}, (), kept)
        return [one for one in found.violations if not one.startswith(("P4", "P8"))]

    assert not broken(batteries_log("accepted", "accepted"), 1, 1, 1, 2, 2)
    assert not broken(batteries_log("accepted", "not_sent", "accepted"), 1, 1, 3)
    assert not broken(batteries_log("accepted", "timed_out", "accepted"), 1, 2, 2, 3)
    assert broken(batteries_log("accepted", "accepted"), 1, 2, 1)
    assert broken(batteries_log("accepted"), 1, 1, repeating=False)
    assert broken(batteries_log("accepted"), 1, 1, 7)


def test_a_write_that_a_fault_made_arrive_twice_is_one() -> None:
    """Its transaction is the same; so is one that follows at once, if it was sent again."""
    records = batteries_log("accepted", "accepted")
    (one, other) = wrote(1, 2)
    struck = [on_the_way("duplicate", 0, 0.1, asset=BATTERY)]

    def found(*seen: WireEntry) -> bool:
        judgement = judge(records, {}, {BATTERY: (seen, frozenset())}, struck)
        return not [one for one in judgement.violations if not one.startswith(("P4", "P8"))]

    assert found(one, one, other)
    assert not found(one, one, one, other)
    assert not found(one, other, other)


def test_a_site_of_both_is_judged_together() -> None:
    """Each device by its own log."""
    records = [*recorded(two_slots()), *batteries_log("accepted")]
    first = attempts_of(records)[0]
    found = judge(records, {"CP": [frame(first)]}, {BATTERY: (wrote(1), frozenset())})
    assert found.counts["Modbus writes"] == found.counts["OCPP control frames"] == 1
    assert {one.header.stream for one in records} == {EV, BATTERY}
