"""Whose the store is: known before anything goes to a device, also after a standstill."""

import asyncio
from collections.abc import Iterator

import attrs
import pytest

from actors import fence as fences
from actors.clock import wall_now
from actors.fence import Fence, claim
from actors.reading import VOCABULARY
from actors.store import Store, VersionConflict, open_store
from actors.testing.faulty_store import FaultyStore
from actors.testing.logs import depot_log
from actors.testing.waiting import wait_until
from engine.codec import Codec, Row
from engine.seals import STREAM
from engine.verification import verify

CODEC = Codec(VOCABULARY)


@pytest.fixture
def store() -> Iterator[FaultyStore]:
    """Give a store with a log that engine 1 has written."""
    inner = open_store("memory:")
    inner.append(depot_log(1, 2, 4).rows)
    yield FaultyStore(inner)
    inner.close()


@attrs.define
class Told:
    """A fence, and what it has said."""

    fence: Fence
    reasons: list[str]


@pytest.fixture
def told(store: FaultyStore) -> Iterator[Told]:
    """Give the fence of engine 1."""
    reasons: list[str] = []
    fenced: list[Fence] = []

    def taken(who: str) -> None:
        reasons.append(who)
        fenced[0].fenced(who)

    made = Fence(store, CODEC, (1, "engine"), taken)
    fenced.append(made)
    made.start()
    yield Told(made, reasons)
    made.stop(5)


def keeps(fence: Fence) -> bool:
    """Return whether a round of keep-alives may go out."""
    return asyncio.run(fence.may_keep())


def test_the_head_is_read_before_each_round_of_keep_alives(told: Told, store: FaultyStore) -> None:
    """It is this engine's: they may go on."""
    assert keeps(told.fence)
    assert keeps(told.fence)
    assert store.reads == 2
    assert told.reasons == []


def test_a_store_that_gives_no_answer_lets_keep_alives_go_on(
    told: Told, store: FaultyStore
) -> None:
    """The lease would run out otherwise, and nobody can have taken what cannot be written."""
    store.lost = True
    assert keeps(told.fence)
    assert told.fence.may_send()


def test_a_foreign_head_fences(told: Told, store: FaultyStore) -> None:
    """Who has it is told once; nothing is sent or kept alive any more."""
    claim(store.inner, CODEC, "another")
    assert not keeps(told.fence)
    assert not keeps(told.fence)
    assert not told.fence.may_send()
    assert told.reasons == ["engine another, epoch 2"]


def test_an_engine_without_work_finds_out_too(told: Told, store: FaultyStore) -> None:
    """It looks whose the log is, also when it has nothing to send or to record."""
    claim(store.inner, CODEC, "another")
    told.fence.look()
    wait_until(lambda: not told.fence.may_send())
    assert told.reasons == ["engine another, epoch 2"]


def test_after_a_standstill_nothing_is_sent_before_the_head_was_read(
    told: Told, store: FaultyStore
) -> None:
    """Not even keep-alives, however long the store gives no answer."""
    store.lost = True
    told.fence.stood_still(3.0)
    assert not told.fence.may_send()
    store.read.clear()
    assert store.read.wait(10)
    assert not told.fence.may_send()
    assert not keeps(told.fence)
    store.lost = False
    wait_until(told.fence.may_send)
    assert told.reasons == []


def test_a_take_over_during_a_standstill_is_found_out(told: Told, store: FaultyStore) -> None:
    """By the first read, before anything is sent."""
    claim(store.inner, CODEC, "another")
    told.fence.stood_still(3.0)
    wait_until(lambda: told.reasons == ["engine another, epoch 2"])
    assert not told.fence.may_send()


def test_who_took_over_from_a_live_engine_waits(
    store: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the other one has found out."""
    now = [100.0]
    monkeypatch.setattr(fences, "steady_s", lambda: now[0])
    fence = Fence(store, CODEC, (1, "engine"), print)
    fence.hold_back()
    fence.start()
    assert not fence.may_send()
    now[0] += 1.9
    assert not fence.may_send()
    now[0] += 0.2
    assert fence.may_send()
    fence.stop(5)


def test_who_took_over_waits_no_longer_than_needed(
    store: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then it may send; who did not take over does not wait at all."""
    monkeypatch.setattr(fences, "AFTER_TAKE_OVER_S", 1.0)
    fence = Fence(store, CODEC, (1, "engine"), print)
    fence.wait()
    fence.hold_back()
    assert not fence.may_send()
    fence.wait()
    assert fence.may_send()


def test_a_claim_is_a_seal_like_any_other(store: FaultyStore) -> None:
    """The chain goes on; the engine before can write nothing any more."""
    before = store.inner.last_row(STREAM)
    assert before is not None
    claim(store.inner, CODEC, "another")
    newest = store.inner.last_row(STREAM)
    assert newest is not None
    assert CODEC.decode(newest).header.wall_us <= round(wall_now().timestamp() * 1e6)
    assert verify(store.inner.read_all(), CODEC).problems == ()
    with pytest.raises(VersionConflict):
        store.inner.append([Row(STREAM, before.version + 1, "log.sealed", b"")])


def test_a_claim_is_tried_until_it_comes_through(store: FaultyStore) -> None:
    """The engine before may still be writing."""
    tries = []

    @attrs.define
    class Busy:
        inner: Store

        def last_row(self, stream: str) -> Row | None:
            return self.inner.last_row(stream)

        def append(self, rows: list[Row]) -> object:
            tries.append(rows)
            if len(tries) < 3:
                claim(self.inner, CODEC, "still here")
            return self.inner.append(rows)

    claim(Busy(store.inner), CODEC, "another")  # type: ignore[arg-type]  # as above
    assert len(tries) == 3
    newest = store.inner.last_row(STREAM)
    assert newest is not None
    assert CODEC.decode(newest).event.instance == "another"


def test_an_empty_store_needs_no_claim() -> None:
    """Nobody has written to it."""
    store = open_store("memory:")
    claim(store, CODEC, "another")
    assert store.last_position() == 0
    store.close()
