"""What an accepted schedule offers its assets, before and after a restart."""

import pytest

from actors.accepted import Accepted, decode_accepted, encode_accepted, offers_of, same_load
from actors.reading import VOCABULARY
from actors.testing.rig import plan_of
from engine import events
from engine.codec import Codec, Header
from engine.plans import PlannedChange, pack
from engine.site.load import Loads
from engine.types import US_PER_S, AssetId, Channel, ScheduleId


def test_an_asset_is_offered_the_same_as_before_a_restart() -> None:
    """Also the place by which its commands are named, however the site file orders the assets."""
    plan = plan_of((0, Channel.CHARGE, 5_000))
    plans = {AssetId(name): plan for name in ("ast_c", "ast_a", "ast_b")}
    event = events.ScheduleReceived(ScheduleId("sch_1"), 1, 0, 900, b"digest", plans, (), ())
    codec = Codec(VOCABULARY)
    stored = codec.decode(codec.encode(Header(1, "sch_1", 1, 0, 0), event)).event
    assert offers_of(stored) == offers_of(event)
    assert offers_of(event)[AssetId("ast_a")].ref.ordinal == 0


def saying(sequence: int, begins_s: int, load_w: int) -> events.ScheduleReceived:
    """Return a schedule of 900 s that says a base load."""
    span = (begins_s * US_PER_S, (begins_s + 900) * US_PER_S)
    load = pack((PlannedChange(0, span[0], Channel.CHARGE, load_w),))
    own_id, digest = ScheduleId(f"sch_{sequence}"), str(sequence).encode()
    return events.ScheduleReceived(own_id, sequence, *span, digest, {}, (), (), load)


def test_the_loads_in_force_are_read_again_after_a_restart() -> None:
    """Each schedule that still says one is named by the snapshot."""
    received = [saying(1, 0, 5_000), saying(2, 1_800, 6_000), saying(3, 900, 7_000)]
    known = Accepted().after(received)
    assert [one.schedule_id for one in known.loads.in_order] == ["sch_1", "sch_3"]
    kept = decode_accepted(encode_accepted(3, known.digests, {}, known.loads).state)
    wanted = [one for one in received if kept.lacks(one.schedule_id)]
    assert wanted == [received[0], received[2]]
    assert kept.after(wanted).loads == known.loads


@pytest.mark.parametrize(
    ("said", "same"),
    [
        (saying(3, 900, 6_000), True),
        (saying(3, 900, 7_000), False),
        (saying(3, 0, 5_000), False),
        (saying(3, 1_000, 6_000), False),
    ],
)
def test_a_schedule_that_says_another_load_is_no_repetition(
    said: events.ScheduleReceived, *, same: bool
) -> None:
    """From its own start to its own end the newest one has to say the same, and nothing beyond."""
    known = Accepted().after([saying(1, 0, 5_000), saying(2, 900, 6_000)])
    assert same_load(known.loads, said) is same
    assert not same_load(Loads(), said)
