"""What a device was set to stays reserved when it is no longer known that it holds it."""

import pytest
from msgspec.structs import replace

from engine import events
from engine.asset import AssetState, evolve
from engine.asset.state import UNKNOWN_HOLDING, Holding, Remains
from engine.types import US_PER_S, AssetId, Instant

LEASE_US = 900 * US_PER_S
HELD = Holding(9_000, 0, lease_until_us=LEASE_US)
NOW = Instant(0, 0)


def state(holding: Holding = HELD, ahead_s: int = 0) -> AssetState:
    """Return a device that holds something, by a clock that is thought to be so far ahead."""
    made = AssetState(AssetId("ast_1"), holding=holding)
    capabilities = {"protocol": "ocpp1.6"}
    device = replace(made.device, clock_ahead_s=ahead_s, capabilities=capabilities)
    return replace(made, device=device)


@pytest.mark.parametrize(
    "event",
    [
        events.ClockSkewed(3_600),
        events.PhasesMeasured(1),
        events.CapabilitiesLearned({"protocol": "ocpp2.0.1"}),
        events.TransactionStarted("7", "1|TAG|t|0", None, 0),
        events.ConnectionChanged(connected=True, booted=True),
    ],
)
def test_what_makes_a_setpoint_doubtful_leaves_it_reserved(event: events.AssetEvent) -> None:
    """Until its lease is over: the device may go on by it."""
    after = evolve(state(), event, NOW)
    assert after.holding == UNKNOWN_HOLDING
    assert after.remains == Remains(9_000, 0, LEASE_US)


@pytest.mark.parametrize(
    ("thought_s", "found_s", "longer_s"), [(0, -600, 600), (0, 600, 0), (600, 0, 600), (-600, 0, 0)]
)
def test_by_a_clock_that_is_behind_a_lease_ends_later(
    thought_s: int, found_s: int, longer_s: int
) -> None:
    """By as much as it is behind what was thought when the setpoint was made."""
    after = evolve(state(ahead_s=thought_s), events.ClockSkewed(found_s), NOW)
    assert after.remains == Remains(9_000, 0, LEASE_US + longer_s * US_PER_S)


def test_a_wrong_clock_reserves_nothing_where_nothing_is_held() -> None:
    """And what has no end gets none."""
    assert evolve(state(UNKNOWN_HOLDING), events.ClockSkewed(-600), NOW).remains is None
    released = evolve(state(Holding(None, None, released=True)), events.ClockSkewed(-600), NOW)
    assert released.remains is not None
    assert released.remains.until_us is None
