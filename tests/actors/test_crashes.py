"""Where in an actor's step it crashes or hangs: what is committed, sent and answered after it."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pandas as pd
import pytest

from actors.asset import AssetActor
from actors.clock import steady_s
from actors.journal import Journal
from actors.links.host import LinkHost
from actors.system import ActorSystem
from actors.testing.faulty_adapter import FaultyAdapter, opened, recorded
from actors.testing.instant import days
from actors.testing.waiting import wait_until
from engine import events
from engine.errors import HandlingFailed, StoreUnavailable

BAD, SOUND = "ast_bad", "ast_sound_0"
HUNG_S = 2.0  # above the send window; a busy machine leaves a sound handler standing, too


class Poisoned(Exception):
    """What fails."""


def plan(*rows: float, columns: tuple[str, ...] = ("ev_bad_kw", "ev_sound_0_kw")) -> pd.DataFrame:
    """Return a schedule of days from now on, the same for every charger."""
    return days(*rows, columns=columns)


def holds(system: ActorSystem, asset: str, power_kw: float) -> Callable[[], bool]:
    """Return whether an asset is known to hold a power, as something to wait for."""
    return lambda: system.state()[asset].held_charge_kw == power_kw


def crashes(system: ActorSystem) -> list[events.ActorCrashed]:
    """Return the crashes that are on record."""
    return [one.event for one in recorded(system, events.ActorCrashed)]


def of_bad(system: ActorSystem, type_: type) -> list[Any]:
    """Return the faulty device's events of a type."""
    return [one.event for one in recorded(system, type_) if one.header.stream == BAD]


@attrs.define
class Gate:
    """Where a handler hangs until it is let go; ``once``: only the first that comes."""

    once: bool = False
    entered: threading.Event = attrs.field(factory=threading.Event)
    let_go: threading.Event = attrs.field(factory=threading.Event)
    passed: threading.Event = attrs.field(factory=threading.Event)
    count: int = 0

    def __call__(self) -> None:
        """Hang."""
        self.count += 1
        if self.once and self.count > 1:
            return
        self.entered.set()
        self.let_go.wait(30)
        self.passed.set()


@pytest.fixture
def gate() -> Iterator[Gate]:
    """Give a gate that is open when the test is over."""
    gate = Gate()
    yield gate
    gate.let_go.set()


@pytest.fixture
def adapter() -> FaultyAdapter:
    """Give an adapter without faults."""
    return FaultyAdapter()


def once(
    monkeypatch: pytest.MonkeyPatch, owner: type, name: str, fault: Callable[..., None]
) -> None:
    """Let a method of an asset ``bad`` run into a fault the first time, in its place."""
    real = getattr(owner, name)
    left = [1]

    def method(self: Any, one: Any, *rest: Any) -> Any:  # noqa: ANN401 - whatever the method has
        stream = getattr(one, "stream", one)
        if stream == BAD and left[0] and _is_attempt(name, one):
            left[0] = 0
            return fault(lambda: real(self, one, *rest))
        return real(self, one, *rest)

    monkeypatch.setattr(owner, name, method)


def _is_attempt(name: str, one: Any) -> bool:  # noqa: ANN401 - an append, or an asset
    return name != "append" or any(isinstance(each, events.AttemptStarted) for each in one.events)


def fails_before(_: Callable[[], object]) -> None:
    """Do nothing but raise."""
    raise Poisoned


def fails_after(act: Callable[[], object]) -> None:
    """Do it, and raise."""
    act()
    raise Poisoned


# --- an exception in each step


@pytest.mark.parametrize("fault", [fails_before, fails_after])
def test_an_attempt_that_was_committed_and_perhaps_not_sent_is_unknown(
    tmp_path: Path,
    adapter: FaultyAdapter,
    monkeypatch: pytest.MonkeyPatch,
    fault: Callable[..., None],
) -> None:
    """As after a crash of the process: the device is asked, and then sent to if it has nothing."""
    once(monkeypatch, LinkHost, "send", fault)
    with opened(tmp_path, adapter) as system:
        system.submit(plan(5.0, 7.0))
        wait_until(holds(system, BAD, 5.0))
        wait_until(holds(system, SOUND, 5.0))
        started = [one.attempt_id for one in of_bad(system, events.AttemptStarted)]
        sent = [payload.attempt_id for payload in adapter.sent["bad"]]
        first = of_bad(system, events.AttemptEnded)[0]
        assert (first.outcome, first.attempt_id) == ("unknown", started[0])
        assert [one.attempt_id for one in of_bad(system, events.AttemptReconciled)] == started[:1]
        assert sent == (started[1:] if fault is fails_before else started[:1])
        assert Counter(sent).most_common(1)[0][1] == 1
        assert [one.message for one in crashes(system)] == ["Committed"]
        assert system.verify().problems == ()


@pytest.mark.parametrize("fault", [fails_before, fails_after])
def test_a_crash_in_the_append_loses_nothing_and_does_nothing_twice(
    tmp_path: Path,
    adapter: FaultyAdapter,
    monkeypatch: pytest.MonkeyPatch,
    fault: Callable[..., None],
) -> None:
    """What the journal has is waited for; what it does not have is decided again."""
    once(monkeypatch, Journal, "append", fault)
    with opened(tmp_path, adapter) as system:
        system.submit(plan(5.0, 7.0))
        wait_until(holds(system, BAD, 5.0))
        assert len(adapter.sent["bad"]) == 1
        unknown = [one.outcome for one in of_bad(system, events.AttemptEnded)].count("unknown")
        assert unknown == (1 if fault is fails_after else 0)
        assert len(crashes(system)) == 1
        assert system.verify().problems == ()


def test_an_answer_that_is_owed_is_given_after_a_crash(
    tmp_path: Path, adapter: FaultyAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command is on record, so who asked for it gets its id."""
    with opened(tmp_path, adapter) as system:
        system.submit(plan(5.0, 7.0))
        wait_until(holds(system, BAD, 5.0))
        once(monkeypatch, Journal, "append", fails_after)
        handle = system.send(BAD, "SET_CHARGE_RATE", kw=3.0, by="ann", reason="test")
        assert handle.wait(10).status == "COMPLETED"
        assert len(system.history(asset=BAD, cause="operator")) == 1


@pytest.mark.parametrize("error", [StoreUnavailable("locked"), Poisoned()])
def test_a_state_that_cannot_be_read_is_read_later(
    tmp_path: Path, adapter: FaultyAdapter, error: Exception
) -> None:
    """It is tried now and then, not all the time; what came meanwhile was kept."""
    tries: list[float] = []
    begun: list[bool] = []
    with opened(tmp_path, adapter) as system:
        rebuild = system.assembly._parts.rebuild  # noqa: SLF001 - the store itself must go on

        def failing(asset_id: Any) -> Any:  # noqa: ANN401 - as it is
            tries.append(steady_s())
            if len(tries) < 3:
                raise error
            return rebuild(asset_id)

        (actor,) = (
            one
            for one in system._running.runtime.pool._actors  # noqa: SLF001 - there is no other way to it
            if isinstance(one, AssetActor) and one._name == BAD  # noqa: SLF001 - likewise
        )
        actor._services = attrs.evolve(actor._services, rebuild=failing)  # noqa: SLF001 - likewise

        def fail_first() -> None:
            begun.append(True)
            if len(begun) == 1:
                raise Poisoned

        adapter.faults["translate", "bad"] = fail_first
        system.submit(plan(5.0, 7.0))
        wait_until(holds(system, SOUND, 5.0))
        wait_until(holds(system, BAD, 5.0))
    assert len(tries) == 3
    assert tries[1] - tries[0] > 0.9
    assert tries[2] - tries[1] > 1.9


class Shared(FaultyAdapter):
    """All its devices are behind one link, one after the other."""

    def slot_key(self, options: object) -> str:
        """Return the same for all."""
        del options
        return "one"


@pytest.mark.parametrize("place", ["translate", "interpret", "questions"])
def test_an_asset_that_crashes_gives_back_its_turn_on_a_shared_link(
    tmp_path: Path, place: str
) -> None:
    """The others behind the link are served, and so is it once it is back."""
    adapter, keys = Shared(), ("bad", "good", "other")

    def fails() -> None:
        raise Poisoned

    adapter.faults[place, "bad"] = fails
    if place == "questions":
        adapter.faults["send", "bad"] = fails
    with opened(tmp_path, adapter, keys) as system:
        system.submit(plan(5.0, 7.0, columns=tuple(f"ev_{key}_kw" for key in keys)))
        wait_until(holds(system, "ast_good", 5.0))
        wait_until(holds(system, "ast_other", 5.0))
        wait_until(lambda: system.state()[BAD].alarms == ("actor_gave_up",))
        system.send("ast_good", "SET_CHARGE_RATE", kw=3.0, by="ann", reason="test").wait(10)
        adapter.faults.clear()
        system.resume(BAD, by="ann", reason="mended")
        wait_until(holds(system, BAD, 5.0))
        assert len(adapter.sent["bad"]) == 1


# --- a handler that hangs


def test_what_a_revoked_handler_does_later_has_no_effect(
    tmp_path: Path, adapter: FaultyAdapter, gate: Gate
) -> None:
    """It appends nothing, sends nothing and changes nothing when it comes back."""
    gate.once = True
    adapter.faults["translate", "bad"] = gate
    with opened(tmp_path, adapter, hung_after_s=HUNG_S) as system:
        system.submit(plan(5.0, 7.0))
        wait_until(holds(system, BAD, 5.0))
        wait_until(holds(system, SOUND, 5.0))
        assert [(one.error, one.set_aside) for one in crashes(system)] == [("HandlerHung", True)]
        before = len(list(system.events()))
        gate.let_go.set()
        assert gate.passed.wait(10)
        system.send(SOUND, "SET_CHARGE_RATE", kw=3.0, by="ann", reason="test").wait(10)
        assert len(adapter.sent["bad"]) == 1
        own = [one for one in list(system.events())[before:] if one.header.stream == BAD]
        assert own == []
        assert holds(system, BAD, 5.0)()
        assert system.verify().problems == ()


@pytest.mark.parametrize("place", ["append", "send"])
def test_a_handler_that_hangs_at_a_door_finds_it_shut(
    tmp_path: Path, adapter: FaultyAdapter, monkeypatch: pytest.MonkeyPatch, gate: Gate, place: str
) -> None:
    """The append is dropped, the frame is too late: the wire has one frame an attempt."""

    def hangs(act: Callable[[], object]) -> None:
        gate()
        act()

    once(monkeypatch, Journal if place == "append" else LinkHost, place, hangs)
    with opened(tmp_path, adapter, hung_after_s=HUNG_S) as system:
        system.submit(plan(5.0, 7.0))
        wait_until(holds(system, BAD, 5.0))
        held = [one.attempt_id for one in of_bad(system, events.AttemptStarted)]
        gate.let_go.set()
        assert gate.passed.wait(10)
        system.send(BAD, "SET_CHARGE_RATE", kw=3.0, by="ann", reason="test").wait(10)
        started = [one.attempt_id for one in of_bad(system, events.AttemptStarted)]
        sent = [payload.attempt_id for payload in adapter.sent["bad"]]
        assert len(started) == len(held) + 1
        assert sent == (started if place == "append" else started[1:])
        assert [one.error for one in crashes(system)] == ["HandlerHung"]
        assert system.verify().problems == ()


def test_who_asked_a_hung_handler_is_told(
    tmp_path: Path, adapter: FaultyAdapter, gate: Gate
) -> None:
    """As soon as it counts as hung."""
    with opened(tmp_path, adapter, hung_after_s=HUNG_S) as system:
        system.submit(plan(5.0, 7.0))
        wait_until(holds(system, BAD, 5.0))
        adapter.faults["translate", "bad"] = gate
        gate.once = True
        with pytest.raises(HandlingFailed, match="HandlerHung"):
            system.send(BAD, "SET_CHARGE_RATE", kw=3.0, by="ann", reason="test")


def test_an_adapter_that_always_hangs_is_given_up_at_the_second_time(
    tmp_path: Path, adapter: FaultyAdapter, gate: Gate
) -> None:
    """Each costs a thread."""
    adapter.faults["translate", "bad"] = gate
    with opened(tmp_path, adapter, hung_after_s=HUNG_S) as system:
        system.submit(plan(5.0, 7.0))
        wait_until(lambda: system.state()[BAD].alarms == ("actor_gave_up",))
        wait_until(holds(system, SOUND, 5.0))
        assert gate.count == 2
        assert [one.gave_up for one in crashes(system)] == [False, True]
        gate.let_go.set()


def test_an_adapter_that_hangs_on_all_its_assets_leaves_a_thread_to_the_others(
    tmp_path: Path, adapter: FaultyAdapter, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    """Threads are bounded; the log says so; when they come back its assets go on too."""
    keys = [f"bad{n}" for n in range(8)]
    for key in keys:
        adapter.faults["translate", key] = gate
    columns = (*(f"ev_{key}_kw" for key in keys), "ev_sound_0_kw")
    before = threading.active_count()
    with opened(tmp_path, adapter, keys, hung_after_s=HUNG_S) as system:
        others = threading.active_count() - before
        system.submit(plan(5.0, 7.0, columns=columns))
        wait_until(lambda: "threads hang" in caplog.text or gate.count >= 2)
        wait_until(holds(system, SOUND, 5.0))
        system.send(SOUND, "SET_CHARGE_RATE", kw=3.0, by="ann", reason="test").wait(10)
        assert gate.count <= 3
        assert threading.active_count() - before <= others + 4
        adapter.faults.clear()
        gate.let_go.set()
        wait_until(lambda: sum(holds(system, f"ast_{key}", 5.0)() for key in keys) == 8)


# --- many at once


def test_a_storm_of_crashes_is_bounded_on_record_and_in_the_log(
    tmp_path: Path, adapter: FaultyAdapter, caplog: pytest.LogCaptureFixture
) -> None:
    """Five events an asset, a line each, one traceback; who is sound is served meanwhile."""
    keys = [f"bad{n}" for n in range(300)]
    columns = (*(f"ev_{key}_kw" for key in keys), "ev_sound_0_kw")

    def fails() -> None:
        raise Poisoned

    for key in keys:
        adapter.faults["translate", key] = fails
    with caplog.at_level(logging.WARNING), opened(tmp_path, adapter, keys) as system:
        system.submit(plan(5.0, 7.0, columns=columns))
        wait_until(holds(system, SOUND, 5.0))
        wait_until(
            lambda: all(system.state()[f"ast_{key}"].alarms == ("actor_gave_up",) for key in keys),
            25,
        )
        system.send(SOUND, "SET_CHARGE_RATE", kw=3.0, by="ann", reason="test").wait(10)
        assert len(crashes(system)) == 5 * len(keys)
        lines = [one for one in caplog.records if "failed on" in one.getMessage()]
        assert len(lines) <= 5 * len(keys) + 10
        assert sum(one.exc_info is not None and one.exc_info[0] is not None for one in lines) == 1
