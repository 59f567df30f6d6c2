"""Limits that are exceeded: when that is told, and when it is over."""

import attrs

from engine import events
from engine.grants import Claim, Share
from engine.phases import PHASES, WHOLE, Use
from engine.rules import AssetRules
from engine.site import Book, Limits, Member, SiteState
from engine.site.excess import (
    MEASURED,
    RESERVED,
    Drawn,
    Excess,
    Meter,
    news,
    reserved,
    together,
)
from engine.types import US_PER_S, AssetId, AssetKind

CHARGER = AssetRules(AssetId("ast_a"), AssetKind.EV_CHARGER, "ocpp", "a", 22_000)
SETTLE_US = 90 * US_PER_S


def book(holds_w: int, limits: Limits) -> Book:
    """Return the book of one asset that may charge and discharge with so much."""
    own = Share(holds_w, holds_w)
    return Book(limits, [Member(AssetId("ast_a"), 1, Claim(own, own))])


def drawing(power_w: int) -> dict[str, int]:
    """Return what one device draws of a site without limits of its phases."""
    return together(book(0, Limits(1)), [Drawn(CHARGER, power_w)])


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
    assert list(meter.read(own, drawing(17_000), 0)) == []
    assert list(meter.read(own, drawing(17_001), 0)) == []
    assert list(meter.read(own, drawing(17_001), SETTLE_US - 1)) == []
    assert list(meter.read(own, drawing(17_001), SETTLE_US)) == [Excess("import", MEASURED, 17_001)]
    assert list(meter.read(own, drawing(17_000), SETTLE_US)) == []
    assert list(meter.read(own, drawing(17_001), SETTLE_US)) == []


def test_feeding_in_is_held_against_the_export_limit() -> None:
    """The base load is not counted on: nobody knows how little it is."""
    own, meter = book(0, Limits(20_000, 5_000)), Meter(0)
    own.load(4_000)
    assert list(meter.read(own, drawing(-5_250), 0)) == []
    assert list(meter.read(own, drawing(-5_251), 0)) == [Excess("export", MEASURED, 5_251)]


def test_a_phase_that_carries_too_much_is_named() -> None:
    """A vehicle on one phase takes all of it from there, if it is measured to be on one."""
    single = attrs.evolve(CHARGER, options={"phases": 3, "rate_unit": "A"})
    uses = tuple(Use(one, 1, 3) for one in PHASES)
    own = Book(Limits(phase_w=4_000), [Member(AssetId("ast_a"), 1, Claim(), uses)])
    meter = Meter(0)
    evenly = together(own, [Drawn(single, 12_000)])
    assert evenly == {WHOLE: 12_000, "L1": 4_000, "L2": 4_000, "L3": 4_000}
    assert list(meter.read(own, evenly, 0)) == []
    on_one = together(own, [Drawn(single, 4_201, 1)])
    assert on_one == {WHOLE: 4_201, "L1": 4_201, "L2": 0, "L3": 0}
    found = list(meter.read(own, on_one, 0))
    assert found == [Excess("L1", MEASURED, 4_201)]
    (told,) = news(SiteState(), own, found)
    assert told == events.LimitExceeded("L1", "measured", 4_201, 4_000, 0)
    assert news(SiteState(exceeded=("L1:measured",)), own, ()) == (
        events.LimitKept("L1", "measured"),
    )
