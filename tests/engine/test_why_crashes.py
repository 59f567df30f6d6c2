"""Why a setpoint is what it is when the engine itself failed on it."""

from datetime import UTC

import pytest

from actors.testing.records import charger, recorded
from actors.testing.rig import Rig, battery_rules, charger_rules, plan_of
from engine.adapters import base
from engine.asset import AssetState
from engine.asset import messages as message
from engine.commands import CommandType
from engine.events import Setpoint
from engine.types import Channel
from engine.why import Explanation, explain

GAVE_UP = message.Crashed("Woke", "ValueError", set_aside=True, gave_up=True)


def why(rig: Rig) -> Explanation:
    """Return why the asset's setpoint is what it is now."""
    return explain(recorded(rig), AssetState(rig.state.asset_id), rig.now, UTC)


def topics(told: Explanation) -> list[str]:
    """Return the events of a chain."""
    return [link.topic.removeprefix("asset.") for link in told.chain]


def settled() -> Rig:
    """Return a charger that has accepted the first of three slots."""
    rig = charger()
    rig.answer()
    return rig


def test_what_was_left_out_after_a_crash_is_told_until_the_next_decision() -> None:
    """With the error's type; a crash that the asset got over explains nothing."""
    rig = settled()
    rig.tell(message.Crashed("Woke", "ValueError"))
    assert "failed" not in why(rig).sentence
    rig.tell(message.Crashed("Woke", "KeyError", set_aside=True))
    told = why(rig)
    assert told.sentence.endswith("+00:00 the engine failed on Woke (KeyError).")
    assert topics(told)[-1] == "actor_crashed"
    assert told.chain[-1].text == "the engine failed on Woke (KeyError)"
    rig.advance(900)
    assert "failed" not in why(rig).sentence


def test_an_asset_that_is_given_up_says_so_and_who_brought_it_back() -> None:
    """Also when it was given up long before the newest decision."""
    rig = settled()
    rig.tell(GAVE_UP)
    told = why(rig)
    assert told.sentence.endswith(
        "it is given up, as the engine failed on it repeatedly (ValueError)."
    )
    assert told.chain[-1].text == "the engine failed on Woke (ValueError), which is given up"
    rig.tell(message.OverrideCleared("ann", "mended", rig.replies.append, "resume"))
    told = why(rig)
    assert "given up" not in told.sentence
    assert "ann put it back to work (mended)" in [link.text for link in told.chain]


def test_a_power_by_hand_waits_for_an_asset_that_is_given_up() -> None:
    """It is not the device that reports a fault."""
    rig = settled()
    rig.tell(GAVE_UP)
    rate = CommandType.SET_CHARGE_RATE
    reply = rig.replies.append
    rig.tell(
        message.OverrideRequested(
            Setpoint(3_000, 0), rate, "unplugged", None, "ann", "why", "override", reply
        )
    )
    assert "the engine has given it up; since " in why(rig).sentence
    assert "reports a fault" not in why(rig).sentence


@pytest.mark.parametrize("crash", [GAVE_UP, message.Crashed("Woke", "KeyError")])
def test_an_asset_of_which_nothing_was_asked_yet(crash: message.Crashed) -> None:
    """It may have been given up all the same."""
    rig = Rig(charger_rules())
    rig.tell(crash)
    assert ("given up" in why(rig).sentence) is crash.gave_up


def test_a_link_that_could_not_be_opened_is_in_the_chain() -> None:
    """After what it stands in the way of."""
    rig = settled()
    rig.tell(message.LinkFailed("ValueError"))
    assert why(rig).chain[-1].text == "its link could not be opened (ValueError)"


def test_a_device_that_is_not_used_is_told_of_with_what_was_seen() -> None:
    """Also where it was seen before anything was to be sent, and not any more once it is used."""
    seen = "the connection was closed"
    rig = Rig(battery_rules())
    rig.observe(base.Disconnected(seen, lasts=True))
    assert "closed" not in why(rig).sentence
    rig.offer(plan_of((0, Channel.CHARGE, 5_000)), 900)
    assert f"the battery cannot be reached ({seen})" in why(rig).sentence
    assert f"its link could not be opened ({seen})" in {one.text for one in why(rig).chain}
    rig.connect()
    rig.answer()
    assert seen not in str(why(rig))
