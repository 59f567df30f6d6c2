"""When everything that a schedule asked for has come to its end."""

import tomllib
from pathlib import Path

from actors.running import VERSION, is_over
from actors.testing.rig import Rig, charger_rules, plan_of
from engine.asset import messages as message
from engine.types import Channel


def test_the_version_on_record_is_that_of_the_package() -> None:
    """Each start says in the log which version it was; asking the installation takes too long."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["version"] == VERSION


def test_a_fallback_that_waits_for_a_shared_link_is_waited_for() -> None:
    """At the horizon it is its neighbour's turn; the fallback goes out after it."""
    rig = Rig(charger_rules(fallback_w=1_400), shared_slot=True)
    rig.connect()
    rig.offer(plan_of((0, Channel.CHARGE, 3_000)), 900)
    rig.tell(message.SlotGranted())
    assert not is_over(rig.state)
    rig.answer()
    rig.advance(900)
    assert rig.state.outside.slot == "waiting"
    assert not is_over(rig.state)
    rig.tell(message.SlotGranted())
    assert not is_over(rig.state)
    rig.answer()
    assert is_over(rig.state)
