"""Waiting until an engine has nothing to do, so that a bench measures only its own work."""

import threading
from collections.abc import Callable
from typing import Final

from actors.clock import steady_s
from actors.read_model import ReadModel
from actors.store import open_store
from actors.store.tables import open_tables, place_of
from actors.system import ActorSystem
from engine.asset import AssetState

_WAIT_S: Final = 300.0


def until(condition: Callable[[], bool], look_s: float = 0.01) -> None:
    """Return once something is so; look every ``look_s`` seconds.

    Raises:
        TimeoutError: it is not in five minutes.
    """
    tick, end_s = threading.Event(), steady_s() + _WAIT_S
    while not condition():
        if steady_s() > end_s:
            raise TimeoutError("what a bench waits for does not come")
        tick.wait(look_s)


def at_rest(system: ActorSystem, *, model: bool = True) -> int:
    """Wait until no asset is at work and all is in the read model; return the log's end.

    Without ``model`` it is not waited for.

    Raises:
        TimeoutError: the engine does not come to rest.
    """
    board, url = system.assembly.board, system.site.store_url
    until(lambda: all(_rests(board[asset_id]) for asset_id in system.assembly.tell))
    system.journal.flush().result(_WAIT_S)
    store = open_store(url, read_only=True)
    try:
        if model:
            _wait_for_model(url, store.last_position)
        return store.last_position()
    finally:
        store.close()


def _rests(state: AssetState) -> bool:
    device = state.device.connected and state.device.state_known
    return device and state.outside.offered and state.attempt is None and state.work is None


def _wait_for_model(url: str, last_position: Callable[[], int]) -> None:
    tables = open_tables(place_of(url))
    if tables is None:
        return
    model = ReadModel(tables)
    try:
        until(lambda: model.mark.position == last_position())
    finally:
        model.close()
