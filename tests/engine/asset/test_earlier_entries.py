"""Another entry of the site file: what a device was set to by the one before is still reserved."""

from collections.abc import Mapping

import attrs
from msgspec.structs import replace

from actors.testing.rig import Rig, charger_rules, plan_of
from engine import events
from engine.asset import effects as effect
from engine.asset import evolve
from engine.asset import messages as message
from engine.asset.granting import opening_claim
from engine.asset.reach import reach
from engine.asset.state import Interference
from engine.asset.worn import Worn
from engine.commands import CommandStatus, CommandType
from engine.events import RELEASED
from engine.grants import UNBOUNDED_W, Bound, Grant, Share
from engine.phases import Use
from engine.types import US_PER_S, Channel

CHARGE = Channel.CHARGE
LONG: Mapping[str, object] = {"failsafe_after_s": 100_000.0, "stale_s": 100_000.0}


def grant(most_w: int, answers_w: int, number: int) -> Grant:
    """Return a grant for charging."""
    return Grant(Bound(most_w, answers_w, 30_000), Bound(UNBOUNDED_W, 0), number)


def granted(rig: Rig, most_w: int, answers_w: int) -> None:
    """Let the site grant; the number goes up."""
    own = rig.state.outside.grant
    assert own is not None
    rig.tell(message.Granted(grant(most_w, answers_w, own.number + 1)))


def share(rig: Rig) -> Share:
    """Return what was claimed last for charging."""
    return [one.claim for one in rig.effects if isinstance(one, effect.Claimed)][-1].charge


def uses(rig: Rig) -> tuple[Use, ...]:
    """Return what was claimed last of the phases."""
    return [one.claim for one in rig.effects if isinstance(one, effect.Claimed)][-1].uses


def charger(**rules: object) -> Rig:
    """Return a charger that is planned to hold 11 kW, and may."""
    rig = Rig(charger_rules(**{**LONG, **rules}), grant=grant(4_200, 0, 0))
    rig.connect("CHARGING")
    if rig.state.attempt is not None:
        rig.answer()
    rig.offer(plan_of((0, CHARGE, 11_000)), 90_000)
    granted(rig, 11_000, 11_000)
    return rig


def holding(**rules: object) -> Rig:
    """Return such a charger that holds them."""
    rig = charger(**rules)
    rig.answer()
    return rig


def under(rig: Rig, **changes: object) -> None:
    """Start a new engine under another entry, a second later."""
    rig.rules = attrs.evolve(rig.rules, **changes)  # type: ignore[arg-type] # the fields of AssetRules
    rig.advance(1)
    before = rig.state
    opened = opening_claim(rig.fold(), rig.rules, rig.now)
    rig.restart()
    assert before.version < rig.state.version
    assert opened.charge.holds_w == share(rig).holds_w


def test_what_was_set_by_an_entry_of_before_is_reserved_until_it_is_set_anew() -> None:
    """The new one says that the device can do less; it goes on with what it was told."""
    rig = holding()
    under(rig, max_charge_w=6_000)
    assert share(rig).holds_w == 11_000
    rig.connect("CHARGING")
    granted(rig, 6_000, 6_000)
    rig.answer()
    assert share(rig) == Share(6_000, 6_000, 4_200)
    assert rig.state.earlier is None


def test_a_device_on_its_own_does_as_before_until_it_is_set_anew() -> None:
    """Whatever the new entry says that it can; one that says more counts at once."""
    rig = holding()
    rig.tell(
        message.OverrideRequested(
            RELEASED,
            CommandType.RELEASE,
            "next_change",
            None,
            "ann",
            "why",
            "operator",
            rig.replies.append,
        )
    )
    granted(rig, 22_000, 22_000)
    rig.answer()
    under(rig, max_charge_w=16_000)
    assert share(rig).holds_w == 22_000
    under(rig, max_charge_w=32_000)
    assert share(rig).holds_w == 32_000
    assert rig.state.earlier is None


def test_the_fallback_that_a_device_was_given_is_reserved_until_it_is_given_another() -> None:
    """It goes there at the end of its lease; what was never set was given none."""
    rig = holding(failsafe_after_s=900.0, fallback_w=9_000)
    under(rig, fallback_w=1_000)
    rig.advance(1_000)
    assert share(rig) == Share(9_000, 9_000, 1_000)
    new = Rig(charger_rules(**LONG), grant=grant(4_200, 0, 0))
    under(new, fallback_w=1_000)
    assert share(new).holds_w == 1_000


def test_a_minimum_that_was_in_force_counts_until_it_is_set_anew() -> None:
    """Less than it was set to it then."""
    rig = holding(least_w=4_140, below_min="minimum", fallback_w=0)
    rig.offer(plan_of((0, CHARGE, 2_000)), 90_000, sequence=2)
    rig.answer()
    under(rig, below_min="off", least_w=1_380)
    assert share(rig).holds_w == 4_140


def test_evidence_of_what_an_earlier_entry_has_set_says_nothing_of_the_new_one() -> None:
    """The device shows that it holds what it was told, and that is more than it is said to can."""
    rig = holding(verify="composite")
    under(rig, max_charge_w=6_000, verify="composite")
    work = rig.state.work
    assert work is not None
    done = events.CommandVerified(work.open_ids, CommandStatus.COMPLETED, "composite")
    after = evolve(rig.state, done, rig.now)
    assert reach(after, rig.rules, rig.now) == (11_000, 0)


def test_an_asset_that_is_back_in_the_site_file_is_reserved_what_it_may_hold() -> None:
    """Nobody has set it to anything else that we know of; then its lease is over."""
    rig = holding(failsafe_after_s=900.0, fallback_w=9_000)
    rig.tell(message.Configured(None))
    assert rig.state.rules is None
    rig.advance(60)
    back = attrs.evolve(rig.rules, max_charge_w=6_000, fallback_w=1_000)
    assert opening_claim(rig.fold(), back, rig.now).charge == Share(11_000, 11_000, 1_000)
    later = replace(rig.now, device_us=rig.now.device_us + 960 * US_PER_S)
    assert opening_claim(rig.fold(), back, later).charge == Share(9_000, 9_000, 1_000)


def test_an_attempt_that_was_on_the_wire_counts_when_its_asset_is_back() -> None:
    """It may have been carried out."""
    rig = charger()
    rig.tell(message.Configured(None))
    rig.tell(message.Configured(rig.rules))
    assert rig.state.attempt is None
    assert share(rig).holds_w == 11_000


def test_how_often_an_asset_was_set_again_and_how_worn_it_is_outlast_its_absence() -> None:
    """Flash does not heal, and another controller is there still."""
    rig = charger()
    state = replace(
        rig.state,
        worn=(Worn("charge_setpoint_w", (1,), 7, 3, 9),),
        interference=Interference((5, 6), left=True),
    )
    after = evolve(state, events.AssetRetired(), rig.now)
    assert after.worn == state.worn
    assert after.interference == Interference((5, 6))


def test_what_was_set_in_watts_may_all_be_on_one_phase_until_it_is_set_in_amperes() -> None:
    """Though the new entry says that its share of the power counts on each."""
    rig = holding(options={"phases": 3, "rate_unit": "auto"})
    under(rig, options={"phases": 3, "rate_unit": "A"})
    assert [use.of(11_000) for use in uses(rig)] == [11_000] * 3
    rig.connect("CHARGING")
    granted(rig, 11_000, 11_000)
    rig.answer()
    assert uses(rig) == ()
    under(rig, options={"phases": 3, "rate_unit": "auto"})
    assert uses(rig) == ()
    new = Rig(charger_rules(**LONG), grant=grant(4_200, 0, 0))
    under(new, options={"phases": 3, "rate_unit": "A"})
    assert uses(new) == ()


def test_of_several_entries_before_what_takes_the_most_counts() -> None:
    """Until the device is set anew."""
    rig = holding(options={"phases": 2, "rate_unit": "A"})
    under(rig, options={"phases": 3, "rate_unit": "A"}, max_charge_w=16_000)
    under(rig, options={"phases": 3, "rate_unit": "A"}, max_charge_w=20_000)
    assert [use.of(11_000) for use in uses(rig)] == [5_500] * 3
