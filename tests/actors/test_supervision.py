"""What an adapter of a third party does wrong stays with its asset, which can be brought back."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from actors.clock import steady_s
from actors.system import ActorSystem
from actors.testing.faulty_adapter import FaultyAdapter, opened, recorded
from actors.testing.instant import days
from actors.testing.waiting import wait_until
from engine import events
from engine.adapters.base import Answer, Frame, Payload
from engine.errors import HandlingFailed

if TYPE_CHECKING:
    from engine.bus import Event

BAD, SOUND = "ast_bad", "ast_sound_0"
CRASHED = events.ActorCrashed
AT_ONCE_S = 15.0  # who waits in vain waits for thirty


class Poisoned(Exception):
    """What a third party's code raises; its text must not get on record."""


def raises(error: BaseException, *, times: int | None = None) -> Callable[[], object]:
    """Return a fault that raises, so many times or always."""
    left = [times]

    def strike() -> None:
        if left[0] is not None:
            if not left[0]:
                return
            left[0] -= 1
        raise error

    return strike


def plan(*rows: float, columns: tuple[str, ...] = ("ev_bad_kw", "ev_sound_0_kw")) -> pd.DataFrame:
    """Return a schedule of days from now on, the same for every charger."""
    return days(*rows, columns=columns)


def holds(system: ActorSystem, asset: str, power_kw: float) -> Callable[[], bool]:
    """Return whether an asset is known to hold a power, as something to wait for."""
    return lambda: system.state()[asset].held_charge_kw == power_kw


def crashes(system: ActorSystem) -> list[events.ActorCrashed]:
    """Return the crashes that are on record."""
    return [one.event for one in recorded(system, CRASHED)]


def outcomes(system: ActorSystem) -> list[events.AttemptEnded]:
    """Return how the attempts of the faulty device ended."""
    found = recorded(system, events.AttemptEnded)
    return [one.event for one in found if one.header.stream == BAD]


@pytest.fixture
def adapter() -> FaultyAdapter:
    """Give an adapter without faults."""
    return FaultyAdapter()


@pytest.mark.parametrize("error", [Poisoned("/home/ann/secret"), KeyboardInterrupt(), SystemExit()])
def test_an_asset_whose_adapter_raises_is_given_up_after_five_crashes(
    tmp_path: Path, adapter: FaultyAdapter, error: BaseException
) -> None:
    """FAULTED, with an event and an alarm; the other one goes on, and nothing more is recorded."""
    heard: list[Event] = []
    adapter.faults["translate", "bad"] = raises(error)
    with opened(tmp_path, adapter) as system:
        system.subscribe(heard.append, "ALARM")
        system.submit(plan(5.0, 7.0))
        wait_until(lambda: system.state()[BAD].alarms == ("actor_gave_up",))
        wait_until(holds(system, SOUND, 5.0))
        system.send(SOUND, "SET_CHARGE_RATE", kw=3.0, by="ann", reason="test").wait(10)
        assert system.state()[BAD].state == "FAULTED"
        assert system.state()[SOUND].alarms == ()
        found = crashes(system)
        assert [one.count for one in found] == [1, 2, 3, 4, 5]
        assert [one.gave_up for one in found] == [False] * 4 + [True]
        assert {one.error for one in found} == {type(error).__name__}
        assert {one.message for one in found} <= {"PlanOffered", "Woke", "Observed"}
        assert "secret" not in repr(found)
        wait_until(lambda: len(heard) == 1)
        assert heard[0].data["alarm"] == "actor_gave_up"
        assert "given up" in system.why(BAD).sentence
        assert type(error).__name__ in system.why(BAD).sentence
        assert adapter.sent["bad"] == []
        assert system.verify().problems == ()


def test_an_operator_brings_an_asset_back_with_resume(
    tmp_path: Path, adapter: FaultyAdapter
) -> None:
    """What is due is sent; its crashes are forgotten, and it takes five more to give it up."""
    adapter.faults["translate", "bad"] = raises(Poisoned())
    with opened(tmp_path, adapter) as system:
        system.submit(plan(5.0, 7.0))
        wait_until(lambda: system.state()[BAD].alarms == ("actor_gave_up",))
        adapter.faults["translate", "bad"] = raises(Poisoned(), times=1)
        system.resume(BAD, by="ann", reason="mended")
        wait_until(holds(system, BAD, 5.0))
        assert system.state()[BAD].alarms == ()
        assert system.state()[BAD].state == "PREPARING"
        (back,) = recorded(system, events.ActorRecovered)
        assert (back.event.by, back.event.reason) == ("ann", "mended")
        assert [one.gave_up for one in crashes(system)] == [False] * 4 + [True, False]
        assert "given up" not in system.why(BAD).sentence


def test_an_asset_that_was_given_up_is_tried_again_by_the_next_engine(
    tmp_path: Path, adapter: FaultyAdapter
) -> None:
    """A restart is the other way to bring it back."""
    adapter.faults["translate", "bad"] = raises(Poisoned())
    with opened(tmp_path, adapter) as system:
        system.submit(plan(5.0, 7.0))
        wait_until(lambda: system.state()[BAD].alarms == ("actor_gave_up",))
    with opened(tmp_path, FaultyAdapter()) as system:
        wait_until(holds(system, BAD, 5.0))
        assert system.state()[BAD].alarms == ()


def test_who_waits_for_an_answer_is_told_at_once_that_it_was_left_out(
    tmp_path: Path, adapter: FaultyAdapter
) -> None:
    """The message is tried twice, and set aside; the asset is there for the next one."""
    with opened(tmp_path, adapter) as system:
        system.submit(plan(5.0, 7.0))
        wait_until(holds(system, BAD, 5.0))
        adapter.faults["translate", "bad"] = raises(Poisoned(), times=2)
        before_s = steady_s()
        with pytest.raises(HandlingFailed, match=r"OverrideRequested .Poisoned."):
            system.send(BAD, "SET_CHARGE_RATE", kw=3.0, by="ann", reason="test")
        assert steady_s() - before_s < AT_ONCE_S
        wait_until(lambda: [one.set_aside for one in crashes(system)] == [False, True])
        assert len(system.history(asset=BAD, cause="operator")) == 0
        system.send(BAD, "SET_CHARGE_RATE", kw=4.0, by="ann", reason="test").wait(10)
        assert "the engine failed" not in system.why(BAD).sentence


def test_an_answer_that_cannot_be_read_leaves_its_attempt_unknown(
    tmp_path: Path, adapter: FaultyAdapter
) -> None:
    """The device is asked, and found to hold what was sent: no frame goes twice."""
    adapter.faults["interpret", "bad"] = raises(Poisoned(), times=2)
    with opened(tmp_path, adapter) as system:
        system.submit(plan(5.0, 7.0))
        wait_until(holds(system, BAD, 5.0))
        assert [one.message for one in crashes(system)] == ["AttemptAnswered"] * 2
        (ended,) = (
            one.event for one in recorded(system, events.AttemptEnded) if one.header.stream == BAD
        )
        assert ended.outcome == "unknown"
        assert len(recorded(system, events.AttemptReconciled)) == 1
        assert len(adapter.sent["bad"]) == 1


@pytest.mark.parametrize("place", ["questions", "interpret"])
def test_an_asset_that_cannot_be_asked_is_given_up_and_its_unknown_attempt_not_repeated(
    tmp_path: Path, adapter: FaultyAdapter, place: str
) -> None:
    """What nobody knows stays so until it is mended."""
    adapter.faults["send", "bad"] = adapter.faults[place, "bad"] = raises(Poisoned())
    with opened(tmp_path, adapter) as system:
        system.submit(plan(5.0, 7.0))
        wait_until(lambda: system.state()[BAD].alarms == ("actor_gave_up",))
        wait_until(holds(system, SOUND, 5.0))
        assert len(adapter.sent["bad"]) == 1
        assert recorded(system, events.AttemptReconciled) == []
        adapter.faults.clear()
        system.resume(BAD, by="ann", reason="mended")
        wait_until(holds(system, BAD, 5.0))
        assert len(adapter.sent["bad"]) == 1


@pytest.mark.parametrize(
    "answer",
    [None, object(), Answer("raw", "banana"), Answer(b"raw"), Answer("raw", reason=5)],  # type: ignore[arg-type]  # what a link may get wrong
)
@pytest.mark.parametrize("error", [None, Poisoned(), SystemExit(), KeyboardInterrupt()])
def test_a_link_that_raises_or_answers_nonsense_leaves_its_attempt_unknown(
    tmp_path: Path, adapter: FaultyAdapter, answer: object, error: BaseException | None
) -> None:
    """It is no crash: the device is asked, and the loop goes on for the others."""
    given = answer if answer is not None else "text"
    adapter.faults["send", "bad"] = (lambda: given) if error is None else raises(error)
    with opened(tmp_path, adapter) as system:
        system.submit(plan(5.0, 7.0))
        wait_until(holds(system, BAD, 5.0))
        wait_until(holds(system, SOUND, 5.0))
        (ended,) = (
            one.event for one in recorded(system, events.AttemptEnded) if one.header.stream == BAD
        )
        assert ended.outcome == "unknown"
        assert crashes(system) == []
        assert len(adapter.sent["bad"]) == 1


@pytest.mark.parametrize("place", ["open", "link"])
@pytest.mark.parametrize("error", [Poisoned(), SystemExit(), OSError("gone")])
def test_a_link_that_cannot_be_opened_is_an_alarm_of_its_asset(
    tmp_path: Path, adapter: FaultyAdapter, place: str, error: BaseException
) -> None:
    """The engine opens, and the others are there."""
    if place == "link" and isinstance(error, SystemExit):
        error = ValueError()
    adapter.faults[place, "bad"] = raises(error)
    with opened(tmp_path, adapter) as system:
        system.submit(plan(5.0, 7.0))
        wait_until(holds(system, SOUND, 5.0))
        wait_until(lambda: system.state()[BAD].alarms == ("link_failed",))
        (failed,) = recorded(system, events.LinkFailed)
        assert failed.event.error == type(error).__name__
        assert not system.state()[BAD].connected


def test_a_link_that_hangs_in_opening_and_closing_holds_nobody_up(
    tmp_path: Path, adapter: FaultyAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine opens without it, and closes in time."""
    monkeypatch.setattr("actors.running._LINKS_S", 0.2)

    async def hang() -> None:
        await asyncio.Event().wait()

    adapter.faults["open", "bad"] = adapter.faults["close", "bad"] = hang
    with opened(tmp_path, adapter) as system:
        wait_until(lambda: system.state()[BAD].alarms == ("link_failed",))
        system.submit(plan(5.0, 7.0))
        wait_until(holds(system, SOUND, 5.0))
        before_s = steady_s()
        system.close(4.0)
        assert steady_s() - before_s < AT_ONCE_S


@pytest.mark.parametrize("error", [Poisoned(), SystemExit()])
def test_a_link_that_fails_in_closing_does_not_stop_the_close(
    tmp_path: Path, adapter: FaultyAdapter, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """The end is on record all the same."""
    adapter.faults["close", "bad"] = raises(error)
    with opened(tmp_path, adapter) as system:
        system.submit(plan(5.0, 7.0))
        wait_until(holds(system, SOUND, 5.0))
    assert "did not close in good order" in caplog.text
    with opened(tmp_path, FaultyAdapter()) as system:
        assert len(recorded(system, events.EngineStopped)) == 1


def test_what_a_link_reports_that_is_no_report_is_recorded_as_not_understood(
    tmp_path: Path, adapter: FaultyAdapter
) -> None:
    """By the name of its type; the asset goes on."""
    with opened(tmp_path, adapter) as system:
        adapter.links["bad"].report(Poisoned("secret"))  # type: ignore[arg-type]  # that is the point
        system.submit(plan(5.0, 7.0))
        wait_until(holds(system, BAD, 5.0))
        (odd,) = recorded(system, events.MessageNotUnderstood)
        assert odd.event.raw == "the link reported a Poisoned"
        assert crashes(system) == []


@pytest.mark.parametrize(
    "made",
    [
        Payload((Frame("Set", {"kw": object()}),), 5.0),
        Payload((Frame("Set", {"kw": 2**70}),), 5.0),
        Payload((Frame(5, {}),), 5.0),  # type: ignore[arg-type]  # what an adapter may get wrong
        Payload((Frame("Set", {1: 2}),), 5.0),  # type: ignore[dict-item]  # likewise
        Payload(("Set",), 5.0),  # type: ignore[arg-type]  # likewise
        {"kw": 5.0},
    ],
)
def test_what_cannot_be_recorded_fails_its_asset_and_not_the_journal(
    tmp_path: Path, adapter: FaultyAdapter, made: object
) -> None:
    """It is a crash like others, and all rows can be read afterwards."""
    adapter.faults["translate", "bad"] = lambda: made
    with opened(tmp_path, adapter) as system:
        system.submit(plan(5.0, 7.0))
        wait_until(lambda: system.state()[BAD].alarms == ("actor_gave_up",))
        wait_until(holds(system, SOUND, 5.0))
        assert adapter.sent["bad"] == []
        assert system.verify().problems == ()
        del adapter.faults["translate", "bad"]
        system.resume(BAD, by="ann", reason="mended")
        wait_until(holds(system, BAD, 5.0))
