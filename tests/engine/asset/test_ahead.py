"""A charger is given planned changes ahead, where the site file asks for it."""

from typing import Any

import pytest
from msgspec.structs import replace

from actors.testing.rig import FakeSpelling, Rig, charger_rules, names_of, plan_of
from engine.adapters import base
from engine.asset import messages as message
from engine.asset.ahead import bounded
from engine.commands import Attempt, Command, CommandType
from engine.events import Setpoint
from engine.grants import Bound, Grant
from engine.types import Channel

CHARGE = Channel.CHARGE
PLAN = plan_of((0, CHARGE, 11_000), (300, CHARGE, 30_000), (600, CHARGE, 7_000), (1_200, CHARGE, 0))


class Seeing(FakeSpelling):
    """An adapter that keeps what it is given ahead."""

    seen: tuple[tuple[float, float], ...] = ()

    def translate(self, command: Command, asset: base.AssetView, attempt: Attempt) -> base.Payload:
        """Spell a command."""
        self.seen = attempt.ahead
        return super().translate(command, asset, attempt)


def planned(periods_ahead: int = 3, **changes: Any) -> Rig:  # noqa: ANN401 - fields of AssetRules
    """Return a charger that was sent the first setpoint of the plan."""
    rig = Rig(charger_rules(periods_ahead=periods_ahead, **changes), Seeing())
    rig.connect("CHARGING")
    rig.offer(PLAN, 90_000)
    return rig


def seen(rig: Rig) -> tuple[tuple[float, float], ...]:
    """Return what was given ahead last."""
    assert isinstance(rig.adapter, Seeing)
    return rig.adapter.seen


def test_changes_within_the_lease_go_along_within_the_assets_limits() -> None:
    """At its end there is the fallback, so what comes later is of no use."""
    assert seen(planned()) == ((300.0, 22.0), (600.0, 7.0))
    assert seen(planned(1)) == ((300.0, 22.0),)
    assert seen(planned(0)) == ()


def test_what_a_charger_has_ahead_is_renewed_at_half_the_lease_as_ever() -> None:
    """Its own time comes with a command of the plan all the same."""
    rig = planned()
    rig.answer()
    assert rig.advance(299) == []
    rig.advance(1)
    rig.answer()
    assert seen(rig) == ((300.0, 7.0),)
    assert [one.cause.kind for one in rig.history().values()][:2] == ["schedule", "schedule"]
    rig.advance(150)
    assert rig.state.attempt is None


def test_a_new_plan_replaces_what_was_given_ahead_at_once() -> None:
    """Although nothing changes now: the charger would go on with the old one."""
    rig = planned()
    rig.answer()
    other = plan_of((0, CHARGE, 11_000), (300, CHARGE, 5_000))
    happened = rig.offer(other, 90_000, sequence=2)
    assert names_of(happened) == ["PlanReplaced", "CommandCreated", "AttemptStarted"]
    assert seen(rig) == ((300.0, 5.0),)
    rig.answer()
    assert rig.state.holding.ahead[0][1] == 5_000
    assert "rule:reassert" in {one.cause.kind for one in rig.history().values()}


def test_a_plan_that_is_the_same_ahead_changes_nothing() -> None:
    """Only the rest of it differs."""
    rig = planned()
    rig.answer()
    same = plan_of((0, CHARGE, 11_000), (300, CHARGE, 30_000), (600, CHARGE, 7_000))
    assert names_of(rig.offer(same, 90_000, sequence=2)) == ["PlanReplaced"]


def test_an_override_takes_back_what_was_given_ahead() -> None:
    """Even one of the same power: the charger would change by itself."""
    rig = planned()
    rig.answer()
    rig.tell(
        message.OverrideRequested(
            Setpoint(11_000, 0),
            CommandType.SET_CHARGE_RATE,
            "resume",
            None,
            "ann",
            "why",
            "override",
            rig.replies.append,
        )
    )
    assert seen(rig) == ()
    rig.answer()
    assert rig.state.holding.ahead == ()
    assert names_of(rig.advance(300)) == ["PlanCut"]


def test_what_was_given_ahead_holds_after_the_option_was_taken_out() -> None:
    """It is the plan after all; a new plan replaces it."""
    rig = planned()
    rig.answer()
    assert names_of(rig.tell(message.Configured(charger_rules()))) == ["AssetConfigured"]
    other = plan_of((0, CHARGE, 11_000), (300, CHARGE, 5_000))
    assert names_of(rig.offer(other, 90_000, sequence=2))[-1] == "AttemptStarted"
    assert seen(rig) == ()


def test_under_a_site_limit_nothing_ahead_is_above_what_is_granted() -> None:
    """That is what is set now; more is granted when it is due."""
    rig = Rig(charger_rules(periods_ahead=3), Seeing())
    outside = rig.state.outside
    grant = Grant(Bound(11_000, 11_000, 20_000), Bound(0, 0))
    rig.state = replace(rig.state, outside=replace(outside, grant=grant))
    rig.connect("CHARGING")
    rig.offer(PLAN, 90_000)
    assert seen(rig) == ((300.0, 11.0), (600.0, 7.0))
    rig.answer()
    assert rig.advance(200) == []


@pytest.mark.parametrize(("most_w", "expected"), [(8_000, (8_000, 7_000)), (0, (0, 0))])
def test_what_is_ahead_can_be_bounded(most_w: int, expected: tuple[int, int]) -> None:
    """Each change by itself."""
    found = bounded(((1, 11_000), (2, 7_000)), most_w)
    assert tuple(watts for _, watts in found) == expected


def test_a_vehicle_that_left_has_nothing_ahead() -> None:
    """Its plan is cut."""
    rig = planned(departure_grace_s=0)
    rig.answer()
    rig.observe(base.StateReported("AVAILABLE", "Available"))
    rig.advance(61)
    assert rig.state.programme.absence is not None
    assert seen(rig) == ()
    rig.answer()
    rig.observe(base.StateReported("PREPARING", "Preparing"))
    rig.answer()
    assert "rule:plug_in" in {one.cause.kind for one in rig.history().values()}
    assert seen(rig) == ()
