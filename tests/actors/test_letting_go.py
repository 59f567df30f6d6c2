"""What a closed system leaves in its process: nothing; and one that was interrupted early on."""

import gc
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from actors.asset import AssetActor
from actors.dispatcher import DispatcherActor
from actors.testing.instant import opened, plan
from actors.testing.waiting import wait_until
from engine.asset import AssetState


def actors_alive() -> list[AssetActor]:
    """Return the asset actors in this process, whosever they are."""
    return [one for one in gc.get_objects() if type(one) is AssetActor]


def _is_among(one: object, others: Sequence[object]) -> bool:
    return any(one is other for other in others)


def test_a_closed_system_is_let_go_of(tmp_path: Path) -> None:
    """Its actors, and with them all that they know, go with the collector's next round."""
    others = actors_alive()
    with opened(tmp_path) as system:
        system.submit(plan(7.0, 11.0))
        actors = [weakref.ref(one) for one in actors_alive() if not _is_among(one, others)]
        assert len(actors) == 2
    del system
    gc.collect()
    assert [one() for one in actors if one() is not None] == []


def test_a_started_system_keeps_one_state_of_each_asset(tmp_path: Path) -> None:
    """What was read from the store at the start is not kept beside what became of it."""

    def states() -> list[AssetState]:
        gc.collect()
        return [one for one in gc.get_objects() if type(one) is AssetState]

    def in_memory() -> list[str]:
        return sorted(one.asset_id for one in states() if not _is_among(one, others))

    with opened(tmp_path) as system:
        system.submit(plan(7.0, 11.0))
    del system
    others = states()
    with opened(tmp_path):
        wait_until(lambda: in_memory() == ["ast_0", "ast_1"])


def test_an_interruption_while_it_opens_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Ctrl-C before there is a dispatcher: what is there is closed, and the next one opens."""

    def interrupted(*_: Any) -> None:  # noqa: ANN401 - as the actor is begun
        raise KeyboardInterrupt

    with monkeypatch.context() as early:
        early.setattr(DispatcherActor, "start", interrupted)
        opening = opened(tmp_path)
        with pytest.raises(KeyboardInterrupt):
            opening.__enter__()
    assert caplog.text == ""
    with opened(tmp_path) as system:
        assert system.submit(plan(7.0, 11.0)).commands == 4
