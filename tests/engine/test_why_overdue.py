"""Why, at a moment at which nobody had acted on what was due: the engine was down."""

from datetime import UTC

from actors.testing.records import by_hand, charger, recorded
from actors.testing.rig import Rig, charger_rules, plan_of
from engine.asset import AssetState
from engine.types import US_PER_S, Channel, Instant
from engine.why import explain


def told(rig: Rig, seconds: float) -> str:
    """Return why, so many seconds after the last event, with no event since."""
    later_us = round(seconds * US_PER_S)
    now = Instant(rig.now.plan_us + later_us, rig.now.device_us + later_us)
    sentence = explain(recorded(rig), AssetState(rig.state.asset_id), now, UTC).sentence
    return sentence.replace("2027-01-15 ", "").replace("+00:00", "")


def test_what_fell_due_in_a_downtime_is_said_not_to_be_taken_up() -> None:
    """From the very moment on at which it was due, and by the first that was."""
    rig = charger()
    rig.answer()
    assert "taken up" not in told(rig, 899.999)
    assert told(rig, 900).endswith("what is planned since 08:15:00 has not been taken up yet.")
    assert told(rig, 2_000).endswith("what is planned since 08:15:00 has not been taken up yet.")


def test_an_override_that_ended_in_a_downtime_is_said_to_have_ended() -> None:
    """It is in force on record, and was to be over."""
    rig = charger()
    rig.answer()
    by_hand(rig)
    rig.answer()
    assert "taken up" not in told(rig, 599)
    assert told(rig, 600).endswith("the end of the override at 08:10:00 has not been taken up yet.")


def test_a_first_value_that_held_already_is_not_waited_for() -> None:
    """It is no command of its plan."""
    rig = Rig(charger_rules())
    rig.connect("CHARGING")
    rig.offer(plan_of((0, Channel.CHARGE, 7_000)), 900)
    rig.answer()
    again = plan_of((600, Channel.CHARGE, 7_000), (900, Channel.CHARGE, 3_000))
    rig.offer(again, 1_800, sequence=2)
    assert "taken up" not in told(rig, 700)
    assert told(rig, 1_000).endswith("what is planned since 08:15:00 has not been taken up yet.")


def test_nothing_is_due_of_what_nobody_planned() -> None:
    """An override alone has no plan behind it."""
    rig = Rig(charger_rules())
    rig.connect("CHARGING")
    by_hand(rig)
    rig.answer()
    assert "taken up" not in told(rig, 300)
