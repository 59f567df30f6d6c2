"""What a log rests on, put on record and read again."""

from pathlib import Path

import pytest

from actors.archiving import archive
from actors.reading import VOCABULARY
from actors.store import open_store
from actors.testing.logs import START_US, asset_name, depot_log
from engine import events
from engine.archives import STREAM, AssetBase, Bases, LogArchived, SchedulesBase, SiteBase, Tail
from engine.asset import AssetState
from engine.codec import Codec, Header, Record
from engine.errors import StoreCorrupt
from engine.plans import PlannedChange, PlanRef, pack
from engine.rules import AssetRules
from engine.seals import STREAM as LOG
from engine.seals import LogSealed, SealMark
from engine.site import SiteState
from engine.types import US_PER_S, AssetId, AssetKind, Channel, ScheduleId
from engine.verification import verify

CONFIGURED = events.SiteConfigured("sit_a", "UTC", (AssetId("ast_a"),))
RUNNING = SiteState(9, 3, CONFIGURED, events.ClockStarted(1, 2, 60.0), True, 5, 7, 2, ("a",))  # noqa: FBT003 - all fields
SEAL = LogSealed(7, 3, 1, b"d" * 32, b"p" * 32, 1, "engine", b"c")


def archived(bases: int) -> LogArchived:
    """Return the event behind so many bases."""
    return LogArchived("old.db", 5, SealMark(7, b"m" * 32, 40), SEAL, 0, bases)


def test_a_base_of_the_site_has_all_of_its_state() -> None:
    """Whoever adds a field to the state adds it to the base."""
    waiting = SiteState(2, clock=events.ClockSet(4, 1.0))
    for state in (SiteState(), RUNNING, waiting):
        assert state == SiteBase.of(state).state()
    plain = SiteState()
    assert all(getattr(RUNNING, one) != getattr(plain, one) for one in SiteState.__struct_fields__)


def test_the_bases_that_count_are_those_of_the_newest_archive() -> None:
    """The older ones are history."""
    old = Bases(None, {}, SchedulesBase(1, {}), SiteState(1)).recorded()
    new = Bases(None, {}, SchedulesBase(4, {}), RUNNING).recorded()
    found = Bases.of([*old, archived(len(old)), *new, archived(len(new))])
    assert (found.schedules.sequence, found.site) == (4, RUNNING)
    assert found.begins() == {"log": 6, "archive": 0, "site": 9}


def test_the_plan_clock_of_a_base_runs_as_it_ran() -> None:
    """One, unless a run was started faster."""
    assert Bases().speed == 1.0
    assert Bases(site=RUNNING).speed == 60.0


def test_a_log_without_a_base_of_the_site_has_its_whole_record() -> None:
    """So an archive of before goes on to be read."""
    bases = Bases.of([SchedulesBase(1, {}), archived(1)])
    assert bases.site == SiteState()
    assert bases.begins()["site"] == 0


def test_a_base_that_cannot_be_read_stops_its_asset_alone() -> None:
    """The others go on; the asset's events mean nothing without it."""
    ast_a, ast_b = AssetId("ast_a"), AssetId("ast_b")
    bases = Bases(assets={ast_a: AssetBase(ast_a, 4, 5, b"no state")})
    assert list(bases.readable()) == []
    with pytest.raises(StoreCorrupt, match="on which the events of ast_a rest"):
        bases.state(ast_a)
    assert AssetState(ast_b) == bases.state(ast_b)


def test_the_plan_before_the_one_in_force_stays() -> None:
    """Why tells what a plan replaced."""
    car = AssetId("ast_car")
    happened = [
        events.AssetConfigured(AssetRules(car, AssetKind.EV_CHARGER, "fake", "car", 22_000)),
        events.ConnectionChanged(connected=True, booted=True),
        replaced(1),
        events.ConnectionChanged(connected=False),
        replaced(2),
    ]
    tail = Tail(AssetState(car))
    for version, event in enumerate(happened, start=1):
        tail.feed(Record(Header(1, car, version, START_US, START_US), "", event))
    assert tail.begins() == 2


def test_of_an_asset_without_commands_the_newest_row_stays() -> None:
    """It says which version comes next."""
    car = AssetId("ast_car")
    tail = Tail(AssetState(car))
    for version in (1, 2, 3):
        event = events.ConnectionChanged(connected=version % 2 == 1)
        tail.feed(Record(Header(1, car, version, START_US, START_US), "", event))
    assert tail.begins() == 2


def replaced(sequence: int) -> events.PlanReplaced:
    """Return a plan of two changes, later than now."""
    hour_us = START_US + 3_600 * US_PER_S
    changes = [PlannedChange(n, hour_us + n, Channel.CHARGE, 4_000 + n) for n in range(2)]
    ref = PlanRef(ScheduleId(f"sch_{sequence}"), sequence, 0)
    return events.PlanReplaced(ref, pack(changes, ("ev_kw",)), START_US, hour_us + 10)


def test_a_log_that_ends_before_its_cut_lacks_the_seal_of_it(tmp_path: Path) -> None:
    """All that came later is gone too."""
    codec = Codec(VOCABULARY)
    store = open_store("memory:")
    store.append(depot_log(2, 5, 20, schedules=2).rows)
    seals = [codec.decode(row) for row in store.read_stream(LOG)]
    archive(store, tmp_path / "old.db", seals[-1].header.at_us, lambda *_: None)
    rows = list(store.read_all())
    bases = Bases.of(codec.decode(row).event for row in store.read_stream(STREAM))
    store.close()
    assert verify(rows, codec, bases=bases).problems == ()
    assert asset_name(1) in bases.assets
    cut = [row for row in rows if row.stream != LOG]
    found = verify(cut[: len(cut) // 2], codec, bases=bases)
    assert any("cut for an archive is missing" in str(one) for one in found.problems)
