"""A clean stop, step by step: once the links go, no attempt is put on record any more."""

import asyncio
import threading
from pathlib import Path

import attrs

from actors.system import ActorSystem
from actors.testing.faulty_adapter import FaultyAdapter, site
from actors.testing.instant import days
from actors.testing.waiting import wait_until
from engine.adapters.base import Connected
from engine.adapters.registry import AdapterRegistry
from engine.bus import Event, EventType
from engine.config import Site

BAD = "ast_bad"


def released_on_stop(place: Path) -> Site:
    """Return a site of one device, which is released when the engine stops."""
    own = site(place, ("bad",), sound=0)
    (asset,) = own.assets
    rules = attrs.evolve(asset.rules, on_stop="release")
    return attrs.evolve(own, assets=(attrs.evolve(asset, rules=rules),))


def registry(adapter: FaultyAdapter) -> AdapterRegistry:
    """Return the registry of that device's adapter."""
    return AdapterRegistry({"faulty": adapter})


def test_a_device_that_comes_back_while_its_link_closes_gets_no_attempt(tmp_path: Path) -> None:
    """What is put on record then would stay DISPATCHED, and nobody would send it."""
    adapter = FaultyAdapter()
    told: list[Event] = []
    is_back = threading.Event()

    def hear(event: Event) -> None:
        told.append(event)
        if event.data.get("booted"):
            is_back.set()

    async def come_back() -> None:
        adapter.links["bad"].report(Connected(booted=True))
        await asyncio.to_thread(is_back.wait, 20)

    adapter.faults["close", "bad"] = come_back
    with ActorSystem.open(released_on_stop(tmp_path), adapters=registry(adapter)) as system:
        system.subscribe(hear, "ASSET_CONNECTED", "COMMAND_DISPATCHED")
        system.submit(days(5.0, 7.0, columns=("ev_bad_kw",)))
        wait_until(lambda: system.state()[BAD].held_charge_kw == 5.0)
    assert is_back.is_set()
    assert [one.type for one in told].count(EventType.COMMAND_DISPATCHED) == 2
    assert len(adapter.sent["bad"]) == 2
