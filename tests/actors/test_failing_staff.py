"""The site's own actors crash, subscribers fail, and several systems share a process."""

import ast
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import actors
from actors import dispatcher as dispatchers
from actors import offering, running
from actors import site as sites
from actors.clock import steady_s
from actors.system import ActorSystem
from actors.testing.faulty_adapter import FaultyAdapter, opened, recorded
from actors.testing.instant import days
from actors.testing.instant import opened as instant
from actors.testing.instant import plan as instant_plan
from actors.testing.waiting import wait_until
from engine import events
from engine.asset.preview import preview
from engine.bus import Event
from engine.errors import HandlingFailed

BAD = "ast_bad"
HUNG_S = 2.0  # a busy machine leaves a sound handler standing for a while, too
AT_ONCE_S = 15.0  # who waits in vain waits for thirty


class Poisoned(Exception):
    """What fails."""


def plan(*rows: float) -> pd.DataFrame:
    """Return a schedule of days from now on."""
    return days(*rows, columns=["ev_bad_kw"])


def holds(system: ActorSystem, power_kw: float) -> Callable[[], bool]:
    """Return whether the asset is known to hold a power, as something to wait for."""
    return lambda: system.state()[BAD].held_charge_kw == power_kw


def staff_crashes(system: ActorSystem) -> list[events.SiteActorCrashed]:
    """Return the crashes of the dispatcher and the site actor that are on record."""
    return [one.event for one in recorded(system, events.SiteActorCrashed)]


@pytest.fixture
def system(tmp_path: Path) -> Iterator[ActorSystem]:
    """Give an engine of one device, whose sweep comes every 0.1 s."""
    with opened(tmp_path, FaultyAdapter(), sound=0) as system:
        yield system


def fail_times(
    monkeypatch: pytest.MonkeyPatch,
    owner: object,
    name: str,
    times: int,
    *,
    after: bool = False,
) -> None:
    """Let a function raise so many times, ``after`` or in place of what it does."""
    real, left = getattr(owner, name), [times]

    def failing(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever it has
        if not left[0]:
            return real(*args, **kwargs)
        left[0] -= 1
        if after:
            real(*args, **kwargs)
        raise Poisoned

    monkeypatch.setattr(owner, name, failing)


# --- the dispatcher


def test_a_submission_on_which_the_dispatcher_fails_once_is_taken(
    system: ActorSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again, and the crash is on the site's record."""
    fail_times(monkeypatch, offering, "preview", 1)
    assert system.submit(plan(5.0, 7.0)).schedule_id == "sch_1"
    wait_until(holds(system, 5.0))
    (crash,) = staff_crashes(system)
    assert crash == events.SiteActorCrashed("dispatcher", "Submitted", "Poisoned")


def test_a_submission_on_which_it_fails_twice_is_refused_at_once(
    system: ActorSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an error, not with silence; the next one is taken."""
    fail_times(monkeypatch, offering, "preview", 2)
    before_s = steady_s()
    with pytest.raises(HandlingFailed, match=r"Submitted .Poisoned."):
        system.submit(plan(5.0, 7.0))
    assert steady_s() - before_s < AT_ONCE_S
    assert system.submit(plan(6.0, 7.0)).schedule_id == "sch_1"
    wait_until(holds(system, 6.0))
    assert [one.set_aside for one in staff_crashes(system)] == [False, True]


@pytest.mark.parametrize("after", [True, False])
def test_a_schedule_that_was_committed_is_acknowledged_whatever_happens_then(
    system: ActorSystem, monkeypatch: pytest.MonkeyPatch, *, after: bool
) -> None:
    """The dispatcher reads the store and finds it accepted; its offers go on."""
    fail_times(monkeypatch, dispatchers.DispatcherActor, "_offer", 1, after=after)
    receipt = system.submit(plan(5.0, 7.0))
    assert (receipt.schedule_id, receipt.commands) == ("sch_1", 2)
    wait_until(holds(system, 5.0))
    assert system.submit(plan(5.0, 7.0)).unchanged
    assert [one.message for one in staff_crashes(system)] == ["Submitted"]
    assert len(recorded(system, events.ScheduleReceived)) == 1


def test_a_sweep_that_fails_is_followed_by_the_next(
    system: ActorSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Assets go on being evaluated."""
    fail_times(monkeypatch, dispatchers.DispatcherActor, "_sweep", 1)
    wait_until(lambda: len(staff_crashes(system)) == 1)
    system.submit(plan(5.0, 7.0))
    wait_until(holds(system, 5.0))


def test_after_five_crashes_the_dispatcher_takes_no_schedule_for_a_minute(
    system: ActorSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An alarm says so; what is accepted is still carried out, and by hand everything works."""
    heard: list[Event] = []
    system.subscribe(heard.append, "ALARM")
    system.submit(plan(5.0, 7.0))
    wait_until(holds(system, 5.0))
    fail_times(monkeypatch, offering, "preview", 5)
    for _ in range(3):
        with pytest.raises(HandlingFailed):
            system.submit(plan(6.0, 7.0))
    wait_until(lambda: len(staff_crashes(system)) == 5)
    assert staff_crashes(system)[-1].gave_up
    with pytest.raises(HandlingFailed, match="for a minute"):
        system.submit(plan(6.0, 7.0))
    wait_until(lambda: any(one.data["alarm"] == "dispatcher_gave_up" for one in heard))
    done = system.send(BAD, "SET_CHARGE_RATE", kw=3.0, by="ann", reason="t").wait(10)
    assert done.status == "COMPLETED"
    monkeypatch.setattr("actors.journalled.WINDOW_US", 0)
    assert not system.submit(plan(8.0, 7.0)).unchanged


def test_a_dispatcher_that_cannot_read_the_store_tries_again(
    system: ActorSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever submits meanwhile waits for it."""
    fail_times(monkeypatch, offering, "preview", 1)
    fail_times(monkeypatch, running, "accepted_again", 1)
    before_s = steady_s()
    assert system.submit(plan(5.0, 7.0)).schedule_id == "sch_1"
    assert steady_s() - before_s > 0.9


def test_a_hung_dispatcher_is_replaced_and_what_it_does_later_has_no_effect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who submitted is told, and the next schedule is accepted, once."""
    real, first, let_go, passed = preview, [True], threading.Event(), threading.Event()

    def hanging(*args: Any) -> Any:  # noqa: ANN401 - as it is
        if first.pop() if first else False:
            let_go.wait(20)
            passed.set()
        return real(*args)

    monkeypatch.setattr(offering, "preview", hanging)
    with opened(tmp_path, FaultyAdapter(), sound=0, hung_after_s=HUNG_S) as system:
        with pytest.raises(HandlingFailed, match="HandlerHung"):
            system.submit(plan(5.0, 7.0))
        assert system.submit(plan(6.0, 7.0)).schedule_id == "sch_1"
        let_go.set()
        assert passed.wait(10)
        wait_until(holds(system, 6.0))
        assert system.submit(plan(8.0, 7.0)).schedule_id == "sch_2"
        assert len(recorded(system, events.ScheduleReceived)) == 2
        assert system.verify().problems == ()


# --- the site actor


@pytest.mark.parametrize("times", [1, 2])
def test_what_the_site_actor_has_committed_is_answered_whatever_happens_then(
    system: ActorSystem, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """Its crash is on record too."""
    fail_times(monkeypatch, sites, "evolve_site", times)
    system._running.record(events.SecurityNoticed("refused", "somebody", 1))  # noqa: SLF001 - there is no other way to it
    wait_until(lambda: len(staff_crashes(system)) >= 1)
    assert staff_crashes(system)[0].actor == "site"
    assert len(recorded(system, events.SecurityNoticed)) == 1
    system._running.record(events.SecurityNoticed("refused", "another", 1))  # noqa: SLF001 - likewise
    assert len(recorded(system, events.SecurityNoticed)) == 2
    assert system.verify().problems == ()


def test_what_the_site_actor_cannot_record_is_refused_and_the_rest_goes_on(
    system: ActorSystem,
) -> None:
    """Who waits is told."""
    unstorable: Any = object()
    with pytest.raises(HandlingFailed):
        system._running.record(events.SecurityNoticed(unstorable, "somebody", 1))  # noqa: SLF001 - there is no other way to it
    system._running.record(events.SecurityNoticed("refused", "another", 1))  # noqa: SLF001 - likewise
    assert len(recorded(system, events.SecurityNoticed)) == 1


# --- subscribers


@pytest.mark.parametrize("error", [Poisoned(), SystemExit(), KeyboardInterrupt()])
def test_a_subscriber_that_raises_anything_stops_no_other(
    tmp_path: Path, error: BaseException
) -> None:
    """Those behind it hear of every event, and the engine goes on."""
    heard: list[Event] = []

    def fails(_: Event) -> None:
        raise error

    with opened(tmp_path, FaultyAdapter(), sound=0) as system:
        system.subscribe(fails)
        system.subscribe(heard.append, "COMMAND_COMPLETED")
        system.submit(plan(5.0, 7.0))
        system.send(BAD, "SET_CHARGE_RATE", kw=3.0, by="ann", reason="test").wait(10)
        wait_until(lambda: len(heard) >= 1)


def test_a_subscriber_that_hangs_does_not_hold_up_commits_or_the_close(tmp_path: Path) -> None:
    """The close is bounded by its time-out, more or less."""
    let_go = threading.Event()

    def hang(_: Event) -> None:
        let_go.wait(60)

    with opened(tmp_path, FaultyAdapter(), sound=0) as system:
        system.subscribe(hang)
        system.submit(plan(5.0, 7.0))
        wait_until(holds(system, 5.0))
        before_s = steady_s()
        system.close(2.0)
        assert steady_s() - before_s < AT_ONCE_S
    let_go.set()


# --- several systems in one process


def test_of_two_systems_in_one_process_one_fails_and_closes_and_the_other_goes_on(
    tmp_path: Path,
) -> None:
    """They share nothing."""
    adapter = FaultyAdapter()

    def fails() -> None:
        raise SystemExit

    for place in ("translate", "send", "close"):
        adapter.faults[place, "bad"] = fails
    (tmp_path / "other").mkdir()
    with instant(tmp_path / "other") as other:
        with opened(tmp_path, adapter, sound=0) as system:
            system.submit(plan(5.0, 7.0))
            wait_until(lambda: system.state()[BAD].alarms == ("actor_gave_up",))
            other.submit(instant_plan(5.0, 7.0))
        wait_until(lambda: all(v.held_charge_kw == 5.0 for v in other.state().values()))
        other.send("ast_0", "SET_CHARGE_RATE", kw=3.0, by="ann", reason="test").wait(10)
        assert other.verify().problems == ()


def _calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def test_a_library_sets_up_nothing_that_a_process_has_only_once() -> None:
    """No signal handlers, no logging set-up, no registry: but in the command line."""
    root = Path(actors.__file__).parent
    wrong = [
        f"{path.relative_to(root)}:{node.lineno} {name}"
        for path in sorted(root.rglob("*.py"))
        if path.relative_to(root).parts[0] not in {"cli", "bench", "testing", "sim"}
        for name, node in _calls(path)
        if name.startswith(("signal.", "ActorRegistry.", "pykka.ActorRegistry", "atexit."))
        or name in {"logging.basicConfig", "logging.config.dictConfig", "sys.setswitchinterval"}
        or (name.endswith(".addHandler") and "NullHandler" not in ast.unparse(node))
        or name.endswith((".setLevel", ".add_signal_handler", ".stop_all"))
    ]
    assert wrong == []


def test_actors_never_ask_actors() -> None:
    """Whoever asks waits, and two that wait for each other wait for ever."""
    root = Path(actors.__file__).parent
    of_actors = ("asset", "dispatcher", "site", "journal", "journalled", "assembly", "running")
    wrong = [
        f"{module}:{node.lineno} {name}"
        for module in of_actors
        for name, node in _calls(root / f"{module}.py")
        if name.endswith((".ask", ".proxy")) and not name.endswith("links.ask")
    ]
    assert wrong == []
