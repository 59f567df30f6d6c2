"""What a start rebuilds, from snapshots and from what came after them."""

from collections.abc import Iterator
from typing import Any

import attrs
import pytest
from msgspec.structs import replace

from actors.accepted import SCHEDULES
from actors.reading import VOCABULARY, Reader
from actors.recovery import Recovery, rebuilt, recover
from actors.snapshots import EVERY, Snapshots
from actors.store import Store, open_store
from actors.testing.rig import Rig, charger_rules, plan_of
from engine.asset import AssetState, Outside
from engine.codec import Codec, Header, Row
from engine.errors import StoreUnavailable
from engine.types import AssetId, Channel

CODEC = Codec(VOCABULARY)
EV = AssetId("ast_ev")


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A store that keeps what it is given."""
    store = open_store(store_url)
    yield store
    store.close()


def busy(slots: int) -> Rig:
    """Return a charger that has carried out so many planned commands."""
    rig = Rig(charger_rules())
    rig.connect()
    rig.offer(plan_of(*((60 * n, Channel.CHARGE, 1_000 + n) for n in range(slots))), 60 * slots)
    for _ in range(slots - 1):
        rig.answer()
        rig.advance(60)
    rig.answer()
    return rig


def rows_of(rig: Rig) -> list[Row]:
    """Return an asset's stream."""
    return [
        CODEC.encode(Header(1, rig.state.asset_id, n, at.plan_us, at.device_us), event)
        for n, (event, at) in enumerate(zip(rig.events, rig.times, strict=True), 1)
    ]


def folded(rig: Rig) -> AssetState:
    """Return what is folded of an asset's state."""
    return replace(rig.state, outside=Outside())


@attrs.define
class Counting:
    """A store that counts the rows that are read from its streams."""

    inner: Store
    read: int = 0

    def read_stream(self, stream: str, after_version: int = 0) -> Iterator[Row]:
        """As the store."""
        for row in self.inner.read_stream(stream, after_version):
            self.read += 1
            yield row

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the store has
        return getattr(self.inner, name)


def recovered(store: Store) -> tuple[Recovery, int]:
    """Return what is rebuilt, and from how many rows."""
    counting: Any = Counting(store)
    return recover(Reader(counting, CODEC)), counting.read


def keep(store: Store, *states: AssetState) -> None:
    """Have snapshots stored."""
    snapshots = Snapshots(store, {})
    for state in states:
        snapshots.offer(state)
    snapshots.write(everything=True)


def test_an_asset_is_rebuilt_from_its_stream(store: Store) -> None:
    """Where there is no snapshot."""
    rig = busy(3)
    store.append(rows_of(rig))
    recovery, read = recovered(store)
    assert recovery.assets == {EV: folded(rig)}
    assert read == len(rig.events)


def test_only_what_follows_a_snapshot_is_read(store: Store) -> None:
    """The cost of a start does not grow with the stream."""
    late = busy(40)
    early = late.state
    late.advance(60)
    late.answer()
    store.append(rows_of(late))
    keep(store, early)
    recovery, read = recovered(store)
    assert recovery.assets == {EV: folded(late)}
    assert read == late.state.version - early.version
    assert recovery.snapshots == {EV: early.version}
    assert rebuilt(Reader(store, CODEC), EV) == folded(late)


def test_a_snapshot_that_is_the_newest_state_needs_no_event(store: Store) -> None:
    """As after a clean stop."""
    rig = busy(5)
    store.append(rows_of(rig))
    keep(store, rig.state)
    recovery, read = recovered(store)
    assert (recovery.assets, read) == ({EV: folded(rig)}, 0)


@pytest.mark.parametrize("body", [b"", b"\x93\x63\x01\x80"])
def test_a_snapshot_of_no_use_is_passed_over(store: Store, body: bytes) -> None:
    """Damaged, or of another version: the stream says everything."""
    rig = busy(3)
    store.append(rows_of(rig))
    store.save_snapshots([Row(EV, 5, "snapshot.asset", body), Row(SCHEDULES, 1, "s", body)])
    recovery, read = recovered(store)
    assert (recovery.assets, read) == ({EV: folded(rig)}, len(rig.events))


def test_a_snapshot_ahead_of_its_stream_is_passed_over(store: Store) -> None:
    """As after a log whose end was cut off: what is not in the log did not happen."""
    rig = busy(4)
    rows = rows_of(rig)
    store.append(rows[:-2])
    keep(store, rig.state)
    recovery, read = recovered(store)
    assert (recovery.assets[EV].version, read) == (len(rows) - 2, len(rows) - 2)


def test_a_snapshot_takes_the_place_of_the_one_before(store: Store) -> None:
    """One a stream."""
    first, second = busy(2), busy(4)
    keep(store, first.state)
    keep(store, second.state)
    assert [(row.stream, row.version) for row in store.snapshots()] == [(EV, second.state.version)]


def test_few_are_written_at_a_time(store: Store) -> None:
    """What waits for the journal does not wait for thousands of snapshots."""
    snapshots = Snapshots(store, {})
    blank = busy(2).state
    for number in range(1_200):
        snapshots.offer(replace(blank, asset_id=AssetId(f"ast_{number}")))
    snapshots.write()
    assert len(list(store.snapshots())) == 500
    snapshots.write(everything=True)
    assert len(list(store.snapshots())) == 1_200


def test_states_that_did_not_change_are_not_written_again(store: Store) -> None:
    """At a stop only what is newer than its snapshot is."""
    rig = busy(2)
    snapshots = Snapshots(store, {EV: rig.state.version})
    snapshots.offer_changed([rig.state])
    snapshots.write(everything=True)
    assert not list(store.snapshots())
    assert snapshots.due_at(EV) == rig.state.version + EVERY


def test_snapshots_that_cannot_be_stored_are_not_missed(caplog: pytest.LogCaptureFixture) -> None:
    """A warning says so; nothing else comes of it."""

    class Full:
        def save_snapshots(self, _: object) -> None:
            raise StoreUnavailable("the disk is full")

    full: Any = Full()
    snapshots = Snapshots(full, {})
    snapshots.offer(busy(2).state)
    snapshots.write(everything=True)
    assert "snapshots were not kept: the disk is full" in caplog.text
