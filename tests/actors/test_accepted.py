"""What an accepted schedule offers its assets, before and after a restart."""

from actors.accepted import offers_of
from actors.reading import VOCABULARY
from actors.testing.rig import plan_of
from engine import events
from engine.codec import Codec, Header
from engine.types import AssetId, Channel, ScheduleId


def test_an_asset_is_offered_the_same_as_before_a_restart() -> None:
    """Also the place by which its commands are named, however the site file orders the assets."""
    plan = plan_of((0, Channel.CHARGE, 5_000))
    plans = {AssetId(name): plan for name in ("ast_c", "ast_a", "ast_b")}
    event = events.ScheduleReceived(ScheduleId("sch_1"), 1, 0, 900, b"digest", plans, (), ())
    codec = Codec(VOCABULARY)
    stored = codec.decode(codec.encode(Header(1, "sch_1", 1, 0, 0), event)).event
    assert offers_of(stored) == offers_of(event)
    assert offers_of(event)[AssetId("ast_a")].ref.ordinal == 0
