"""A site file that was changed between two starts: what came, what went, what is another."""

from pathlib import Path

import attrs
import pytest

from actors.bench.device import InstantAdapter
from actors.system import ActorSystem
from actors.testing.instant import plan, site
from actors.testing.waiting import wait_until
from engine import events
from engine.adapters.registry import AdapterRegistry
from engine.config import Site
from engine.errors import ScheduleRefused, UnknownAsset


def opened(made: Site) -> ActorSystem:
    """Open an engine of a site on its store."""
    return ActorSystem.open(made, adapters=AdapterRegistry({"instant": InstantAdapter()}))


def configured(system: ActorSystem, after: int) -> list[tuple[str, type]]:
    """Return which assets were configured or retired behind a position."""
    return [
        (one.header.stream, type(one.event))
        for one in system.events(after=after)
        if isinstance(one.event, events.AssetConfigured | events.AssetRetired)
    ]


def test_an_asset_that_went_is_retired_and_one_that_is_back_goes_on(tmp_path: Path) -> None:
    """Its history stays; nothing is sent to it; a changed entry is on record before it counts."""
    two, one = site(tmp_path, 2), site(tmp_path, 1)
    with opened(two) as system:
        system.submit(plan(5.0, 7.0))
        wait_until(lambda: all(v.held_charge_kw == 5.0 for v in system.state().values()))
        last = max(record.position or 0 for record in system.events())
    with opened(one) as system:
        wait_until(lambda: configured(system, last) == [("ast_1", events.AssetRetired)])
        assert list(system.state()) == ["ast_0"]
        assert {record.asset_id for record in system.history()} == {"ast_0", "ast_1"}
        assert "not in the site file any more" in system.why("ast_1").sentence
        with pytest.raises(UnknownAsset):
            system.send("ast_1", "SET_CHARGE_RATE", kw=3.0, by="anna", reason="a test")
        with pytest.raises(ScheduleRefused):
            system.submit(plan(6.0, 7.0, shift=1))
        assert system.verify().ok
        last = max(record.position or 0 for record in system.events())
    rules = attrs.evolve(two.assets[1].rules, max_charge_w=4_000)
    back = attrs.evolve(two, assets=(two.assets[0], attrs.evolve(two.assets[1], rules=rules)))
    with opened(back) as system:
        wait_until(lambda: configured(system, last) == [("ast_1", events.AssetConfigured)])
        with pytest.raises(ScheduleRefused, match=r"ev_1_kw"):
            system.submit(plan(3.0, 5.0, shift=1))
        system.submit(plan(3.0, 4.0, shift=1))
        assert system.verify().ok
