"""Limits that are exceeded: when that is told, and when it is over."""

from engine import events
from engine.grants import Claim, Share
from engine.site import Book, Limits, Member, SiteState
from engine.site.excess import MEASURED, RESERVED, Excess, Meter, news, reserved
from engine.types import US_PER_S, AssetId

SETTLE_US = 90 * US_PER_S


def book(holds_w: int, limits: Limits) -> Book:
    """Return the book of one asset that may charge and discharge with so much."""
    own = Share(holds_w, holds_w)
    return Book(limits, [Member(AssetId("ast_a"), 1, Claim(own, own))])


def test_what_is_reserved_above_a_limit_is_told_at_once() -> None:
    """It was so at the start, or the base load took it."""
    own = book(9_000, Limits(8_000, 10_000))
    assert list(reserved(own)) == [Excess("import", RESERVED, 9_000)]
    own.load(3_000)
    (told,) = news(SiteState(), own, reserved(own))
    assert told == events.LimitExceeded("import", "reserved", 9_000, 8_000, 3_000)


def test_each_case_is_told_once_and_its_end_too() -> None:
    """What is on record is not recorded again."""
    own = book(9_000, Limits(8_000))
    state = SiteState(exceeded=("import:reserved",))
    assert news(state, own, reserved(own)) == ()
    assert news(state, own, ()) == (events.LimitKept("import", "reserved"),)


def test_what_is_measured_may_be_above_for_as_long_as_it_settles() -> None:
    """A vehicle that ramps down takes a moment; then it is told, until it is over."""
    own, meter = book(0, Limits(20_000, 5_000)), Meter(SETTLE_US)
    own.load(4_000)
    assert list(meter.read(own, 17_000, 0)) == []
    assert list(meter.read(own, 17_001, 0)) == []
    assert list(meter.read(own, 17_001, SETTLE_US - 1)) == []
    assert list(meter.read(own, 17_001, SETTLE_US)) == [Excess("import", MEASURED, 17_001)]
    assert list(meter.read(own, 17_000, SETTLE_US)) == []
    assert list(meter.read(own, 17_001, SETTLE_US)) == []


def test_feeding_in_is_held_against_the_export_limit() -> None:
    """The base load is not counted on: nobody knows how little it is."""
    own, meter = book(0, Limits(20_000, 5_000)), Meter(0)
    own.load(4_000)
    assert list(meter.read(own, -5_250, 0)) == []
    assert list(meter.read(own, -5_251, 0)) == [Excess("export", MEASURED, 5_251)]
