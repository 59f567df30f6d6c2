"""The benches of a running engine, on a few assets: that each counts what it should."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from actors.actor import PoolActor
from actors.bench import engine, lateness, memory, registry, replan, threads
from actors.bench.rest import at_rest
from actors.bench.rows import within
from actors.cli.bench import bench
from engine.asset.messages import Woke
from engine.errors import UsageError


def test_dispatch_counts_every_command_of_every_slot() -> None:
    """All assets change at each slot."""
    found = engine.dispatch(7, 3)
    assert found.commands == 21
    assert found.ratio == found.reference_s / found.took_s


def test_the_limit_of_dispatch_is_measured_when_its_engine_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The read model's thread would take time from it."""
    seen: set[threading.Thread] = set()

    def reference_s(records: list[object]) -> float:
        seen.update(threading.enumerate())
        return float(len(records))

    monkeypatch.setattr(engine, "_reference_s", reference_s)
    before = set(threading.enumerate())
    assert engine.dispatch(3, 2).reference_s == 12.0
    assert seen
    assert seen - before == set()


def test_a_schedule_of_a_bench_names_as_many_chargers_as_it_says() -> None:
    """Also where the frame of `convert` has batteries between them."""
    for count in (1, 9, 10, 100):
        table = engine.schedule(count, 4)
        assert list(table.columns) == [f"ev_{number}_kw" for number in range(count)]


class TestReplan:
    def test_a_rolled_schedule_is_a_slot_later_and_changes_a_tenth(self) -> None:
        """The others' new slot equals their last value."""
        with engine.running(20) as (system, _):
            table = replan.day(system.site, engine.BEGIN)
        later = replan.rolled(table)
        assert list(later.index[:-1]) == list(table.index[1:])
        same = [name for n, name in enumerate(table.columns) if n % 10]
        assert later[same].iloc[:-1].to_numpy().tolist() == table[same].iloc[1:].to_numpy().tolist()
        assert later[same].iloc[-1].tolist() == table[same].iloc[-1].tolist()
        changed = [name for name in table.columns if name not in same]
        assert (later[changed].iloc[:-1].to_numpy() != table[changed].iloc[1:].to_numpy()).any()

    def test_it_stores_an_event_for_each_changed_asset(self) -> None:
        """Beside the schedule's own and the seals."""
        found = replan.replan(20)
        assert found.rows == 2 + 1 + found.seals

    def test_a_replan_that_stores_too_much_is_not_measured(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A fast one that grows with the site would pass for one that does not."""
        monkeypatch.setattr(replan, "_OWN_ROWS", 0)
        with pytest.raises(ValueError, match="rows were stored for 2 assets"):
            replan.replan(20)

    def test_a_replan_of_other_assets_is_not_measured(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The tenth has to be the tenth."""
        monkeypatch.setattr(replan, "rolled", lambda table: table / 2)
        with pytest.raises(ValueError, match="20 assets changed, not 2"):
            replan.replan(20)


class TestLateness:
    @pytest.fixture(autouse=True)
    def _soon(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(lateness, "_AHEAD_S", 3.0)

    def test_every_asset_is_sent_to_after_its_time(self) -> None:
        """In order of lateness."""
        found = lateness.late(5)
        assert len(found.seconds) == 5
        assert 0 < found.seconds[0] <= found.seconds[-1]
        assert found.last_ms == 1_000 * found.seconds[-1]

    def test_a_change_that_is_sent_twice_is_not_measured(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each asset has one command at that instant."""
        monkeypatch.setattr(lateness, "at_rest", _sending_once_more())
        with pytest.raises(ValueError, match="of 5 assets 4 were sent to once"):
            lateness.late(5)

    def test_of_a_thousand_ten_may_be_later(self) -> None:
        """The 990th is what 99 of 100 do not exceed."""
        assert lateness.Late([n / 1_000 for n in range(1, 1_001)]).p99_ms == pytest.approx(990.0)
        assert lateness.Late([0.004]).p99_ms == pytest.approx(4.0)


def _sending_once_more() -> object:
    """Return an `at_rest` that has a command sent by hand before the second rest."""
    rests = iter((False, True))

    def rest(system: object, **_: object) -> None:
        if next(rests):
            system.send("ast_0", "SET_CHARGE_RATE", kw=1.0, by="a test", reason="again").wait(10)  # type: ignore[attr-defined]

    return rest


class TestMemory:
    def test_an_engine_is_idle_when_it_is_measured(self, tmp_path: Path) -> None:
        """Its schedule is over, its assets are there, and its devices are not."""
        memory.prepare(tmp_path, 3)
        assert memory.resident_kb(tmp_path, 3) > 10_000

    def test_a_process_of_its_own_is_measured(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What assets take is what such a process takes more than one without."""
        taken = {0: 90_000.0, 4: 90_048.0}
        monkeypatch.setattr(memory, "_elsewhere_kb", lambda _, assets: taken[assets])
        assert memory.of_one_kb(4, runs=2) == [12.0, 12.0]

    def test_the_process_prints_one_number(self, tmp_path: Path) -> None:
        """In kilobytes."""
        memory.prepare(tmp_path, 0)
        done = CliRunner().invoke(memory.main, [str(tmp_path), "0"])
        assert float(done.output) > 10_000

    def test_a_system_that_does_not_tell_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Only Linux has /proc/self/statm."""
        monkeypatch.setattr(memory, "_STATM", tmp_path / "statm")
        with pytest.raises(UsageError, match="Linux"):
            memory.resident_kb(tmp_path, 0)


class TestThreads:
    def test_each_actor_has_a_thread_of_its_own(self) -> None:
        """And handles its messages there, one after the other."""
        pool = threads.ThreadEach()
        seen: dict[str, set[int]] = {"a": set(), "b": set()}

        class Noting(PoolActor):
            def on_receive(self, message: str) -> None:
                seen[message].add(threading.get_ident())

        for name in seen:
            ref = Noting.start(pool)
            for _ in range(3):
                pool.ask(ref, name, 20.0)
        assert pool.stop()
        assert [len(idents) for idents in seen.values()] == [1, 1]
        assert seen["a"] != seen["b"]

    def test_the_same_commands_are_dispatched(self) -> None:
        """By the same actors; only what runs them is another."""
        assert engine.dispatch(4, 2, threads.runtime).commands == 8

    def test_as_many_as_the_machine_bears_are_taken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Half as many until they start, in both, and the row says how many."""
        monkeypatch.setattr(threads, "_starts", lambda count: count <= 6)
        found = threads.measure(1, 10, 2)
        assert found["limit_name"] == "the same 4 actors with a thread each"

    def test_a_thread_that_cannot_be_started_is_no_error(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Those that were started end."""
        before, most = set(threading.enumerate()), iter([True, True, False])
        start = threading.Thread.start

        def limited(thread: threading.Thread) -> None:
            if not next(most):
                raise RuntimeError("can't start new thread")
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", limited)
        assert not threads._starts(3)  # noqa: SLF001 - what the machine refuses
        assert set(threading.enumerate()) - before == set()


class TestRest:
    def test_an_engine_at_rest_has_committed_what_it_was_told(self) -> None:
        """The end of its log does not move any more."""
        with engine.running(3) as (system, _):
            end = at_rest(system)
            system.assembly.tell[system.site.assets[0].rules.asset_id](Woke())
            assert at_rest(system) == end == len(list(system.events()))


class TestRegistry:
    def test_the_help_lists_every_bench(self) -> None:
        """So that a name can be taken from it."""
        said = CliRunner().invoke(bench, ["--help"]).output.split()
        assert [name for name in (*registry.BENCHES, *registry.LONG) if name not in said] == []

    def test_the_long_ones_run_in_full_or_by_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each yields its rows with the machine."""
        monkeypatch.setattr(registry, "BENCHES", {"short": lambda runs: {"bench": "s", "n": runs}})
        monkeypatch.setattr(registry, "LONG", {"long": lambda _: _two()})
        assert [one["bench"] for one in registry.measured((), 1, full=False)] == ["s"]
        assert [one["bench"] for one in registry.measured((), 1, full=True)] == ["s", "l1", "l2"]
        named = list(registry.measured(("long",), 1, full=False))
        assert [one["bench"] for one in named] == ["l1", "l2"]
        assert all("machine" in one and "versions" in one for one in named)

    def test_an_unknown_name_is_told_the_others(self) -> None:
        """The long ones too."""
        with pytest.raises(UsageError, match=r"nothing; there are .*growth_events"):
            list(registry.measured(("nothing",), 1, full=False))

    def test_a_limit_that_is_not_to_be_passed_gives_a_ratio_above_one(self) -> None:
        """Higher is better."""
        found = within("b", [20.0, 25.0, 30.0], 50.0, "ms", "the last")
        assert (found["ratio"], found["floor"]) == (2.0, 1.0)
        assert found["limit_name"] == "50 ms, the last"
        assert within("b", [5.0], 10.0, "KB")["limit_name"] == "10 KB"


def _two() -> Iterator[dict[str, object]]:
    yield {"bench": "l1"}
    yield {"bench": "l2"}
