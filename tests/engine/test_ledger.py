"""The ledger of a site limit: what is granted to whom, and that it never comes to too much."""

from collections.abc import Sequence

import attrs
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engine.grants import NOTHING, UNBOUNDED_W, Claim, Grant, Share
from engine.phases import PHASES, WHOLE, Use
from engine.site import EXPORT, IMPORT, Book, Limits, Member
from engine.site.accounts import Account
from engine.site.ledger import entitled, granted
from engine.types import AssetId

A, B, C = AssetId("ast_a"), AssetId("ast_b"), AssetId("ast_c")


def share(wish_w: int, holds_w: int, floor_w: int = 0, least_w: int = 0) -> Share:
    """Return a share."""
    return Share(wish_w, max(holds_w, floor_w), floor_w, least_w)


def account(asset_id: AssetId, own: Share, priority: int = 1) -> Account:
    """Return an account with nothing granted."""
    return Account(asset_id, priority, own)


def book(limits: Limits, *members: tuple[AssetId, int, Share]) -> Book:
    """Return the book of assets that charge."""
    return Book(limits, (Member(one, rank, Claim(charge=own)) for one, rank, own in members))


def charge_w(grants: dict[AssetId, Grant]) -> dict[AssetId, int]:
    """Return what each asset may charge with."""
    return {asset_id: grant.charge.most_w for asset_id, grant in grants.items()}


@pytest.mark.parametrize(
    ("capacity_w", "ranked", "due_w"),
    [
        (30_000, [share(22_000, 0), share(22_000, 0)], [22_000, 8_000]),
        (30_000, [share(22_000, 0), share(22_000, 20_000)], [10_000, 20_000]),
        (30_000, [share(22_000, 0, 4_200), share(22_000, 0, 4_200)], [22_000, 8_000]),
        (30_000, [share(0, 0, 4_200), share(22_000, 0, 4_200)], [4_200, 22_000]),
        (25_000, [share(22_000, 0, 0, 4_140), share(22_000, 0, 0, 4_140)], [22_000, 0]),
        (25_000, [share(22_000, 22_000, 0, 22_000), share(9_000, 0, 2_000)], [22_000, 3_000]),
        (20_000, [share(22_000, 22_000), share(22_000, 22_000)], [20_000, 0]),
        (6_000, [share(9_000, 0, 4_200), share(9_000, 0, 4_200)], [4_200, 1_800]),
        (5_000, [share(9_000, 0, 4_200, 4_140), share(9_000, 0, 4_200, 4_140)], [4_200, 0]),
        (-1_000, [share(9_000, 0, 4_200), share(9_000, 0, 4_200)], [0, 0]),
    ],
)
def test_equals_keep_what_they_have_and_the_rest_goes_by_id(
    capacity_w: int, ranked: Sequence[Share], due_w: list[int]
) -> None:
    """Everybody has his floor as long as there is room for all of them."""
    accounts = [account(AssetId(f"ast_{n}"), one) for n, one in enumerate(ranked)]
    assert due_w == entitled({WHOLE: capacity_w}, accounts)


def test_who_ranks_higher_takes_from_who_ranks_lower() -> None:
    """The lower one keeps his floor."""
    ranked = [account(B, share(22_000, 0), 2), account(A, share(22_000, 20_000, 4_200), 1)]
    assert entitled({WHOLE: 25_000}, ranked) == [20_800, 4_200]


def test_what_an_asset_holds_above_its_grant_is_not_its_own_to_keep() -> None:
    """Somebody else has set it: nobody gives up anything for that."""
    own = book(Limits(20_000), (A, 1, share(10_000, 10_000)), (B, 1, share(10_000, 10_000)))
    own.settle()
    own.claim(A, Claim(share(15_000, 22_000), number=1))
    assert charge_w(own.settle()) == {A: 10_000}


def test_what_an_asset_holds_above_its_grant_makes_no_room_for_more() -> None:
    """It is granted more when that is free, as any other."""
    own = book(Limits(20_000), (A, 1, share(10_000, 10_000)), (B, 1, share(10_000, 10_000)))
    own.settle()
    own.claim(A, Claim(share(15_000, 22_000), number=1))
    own.claim(B, Claim(share(4_000, 10_000), number=1))
    assert charge_w(own.settle()) == {A: 10_000, B: 4_000}
    own.claim(A, Claim(share(15_000, 10_000), number=2))
    own.claim(B, Claim(share(4_000, 4_000), number=2))
    assert charge_w(own.settle()) == {A: 15_000}


def test_a_floor_is_an_assets_own_again_when_the_base_load_leaves_room_for_it() -> None:
    """Who ranks higher does not take it meanwhile."""
    low = share(11_000, 4_200, 4_200, 4_140)
    own = book(Limits(20_000), *((one, 1, low) for one in (A, B, C)))

    def settled(base_w: int) -> dict[AssetId, int]:
        """Return the bounds once the assets have acted on what they were told."""
        own.load(base_w)
        for number in range(1, 6):
            bounds = charge_w(own.settle())
            for one, most_w in bounds.items():
                own.claim(one, Claim(share(11_000, most_w, 4_200, 4_140), number=number))
        return {one: own.ledgers[IMPORT].account(one).own_w for one in (A, B, C)}

    assert sum(settled(14_000).values()) == 12_600
    after = settled(2_000)
    assert min(after.values()) == 4_200
    assert own.ledgers[IMPORT].reserved_w[WHOLE] <= 18_000


def test_an_increase_waits_for_the_decrease_that_makes_room() -> None:
    """What another asset is to give up is free once it is known to have given it up."""
    own = book(Limits(25_000), (A, 1, share(20_000, 20_000)), (B, 2, share(0, 0)))
    assert charge_w(own.settle()) == {A: 20_000, B: 0}
    own.claim(A, Claim(share(20_000, 20_000), number=1))
    own.claim(B, Claim(share(22_000, 0), number=1))
    assert charge_w(own.settle()) == {A: 3_000, B: 5_000}
    own.claim(A, Claim(share(20_000, 20_000), number=2))
    assert own.settle() == {}
    own.claim(A, Claim(share(20_000, 3_000), number=2))
    assert charge_w(own.settle()) == {B: 22_000}


def test_a_bound_counts_until_the_asset_acts_on_a_newer_one() -> None:
    """A decision under the older grant may be on its way."""
    own = book(Limits(25_000), (A, 1, share(20_000, 0)), (B, 1, share(20_000, 0)))
    assert charge_w(own.settle()) == {A: 20_000, B: 5_000}
    own.claim(A, Claim(share(0, 0), number=0))
    assert charge_w(own.settle()) == {A: 0}
    assert own.ledgers[IMPORT].reserved_w == {WHOLE: 25_000}
    own.claim(A, Claim(share(0, 0), number=2))
    assert charge_w(own.settle()) == {B: 20_000}


def test_a_wish_is_answered_also_when_the_bound_stays() -> None:
    """Who wishes for more waits for an answer, whatever it is."""
    own = book(Limits(10_000), (A, 1, share(10_000, 0)), (B, 1, share(0, 0)))
    own.settle()
    own.claim(B, Claim(share(5_000, 0), number=1))
    (bound,) = (grant.charge for grant in own.settle().values())
    assert (bound.most_w, bound.answers_w) == (0, 5_000)
    assert (bound.limit_w, bound.base_w, bound.others_w) == (10_000, 0, 10_000)


def test_a_claim_that_is_made_again_is_answered_again() -> None:
    """The answer was not heard, or got lost in a crash."""
    own = book(Limits(10_000), (A, 1, share(10_000, 0)))
    first = own.settle()[A]
    assert own.settle() == {}
    own.claim(A, Claim(share(10_000, 0)))
    again = own.settle()[A]
    assert (again.charge, again.number) == (first.charge, 2)


def test_too_little_to_be_used_is_not_granted() -> None:
    """Below the least current a charger is off, and another can use what is left."""
    ranked = [account(A, share(9_000, 0, 0, 4_140)), account(B, share(9_000, 8_000))]
    assert granted({WHOLE: 10_000}, ranked, {WHOLE: 8_000}) == [0, 9_000]
    ranked = [account(A, share(9_000, 0, 0, 4_140), 2), account(B, share(9_000, 8_000), 1)]
    assert granted({WHOLE: 10_000}, ranked, {WHOLE: 8_000}) == [0, 1_000]


def test_the_base_load_takes_from_the_import_limit() -> None:
    """It throttles from the lowest rank on, and what is too much is told."""
    own = book(Limits(30_000), (A, 2, share(10_000, 10_000)), (B, 1, share(15_000, 15_000)))
    own.settle()
    assert not list(own.excess())
    own.load(12_000)
    assert charge_w(own.settle()) == {B: 8_000}
    assert list(own.excess()) == [(IMPORT, 25_000)]


def test_a_rise_that_is_about_to_come_takes_room_and_is_no_excess_yet() -> None:
    """Room is made for it first."""
    own = book(Limits(30_000), (A, 1, share(10_000, 10_000)), (B, 1, share(15_000, 15_000)))
    own.settle()
    own.load(12_000, 4_000)
    assert charge_w(own.settle()) == {B: 8_000}
    assert not list(own.excess())


def test_discharging_counts_under_the_export_limit() -> None:
    """Without an import limit charging is not bounded; the base load says nothing of exports."""
    own = Book(Limits(None, 8_000), [Member(A, 1, Claim(discharge=share(12_000, 0)))])
    own.load(5_000)
    (grant,) = own.settle().values()
    assert grant.charge.most_w == UNBOUNDED_W
    assert grant.charge.limit_w is None
    assert grant.discharge.most_w == 8_000
    assert list(own.ledgers) == [EXPORT]


def test_a_bound_that_is_no_news_comes_with_one_that_is() -> None:
    """A grant says both directions."""
    own = Book(Limits(10_000, 8_000), [Member(A, 1, Claim(share(9_000, 0), share(0, 0)))])
    own.settle()
    own.claim(A, Claim(share(9_000, 0), share(20_000, 0), 1))
    (grant,) = own.settle().values()
    assert (grant.charge.most_w, grant.discharge.most_w, grant.number) == (9_000, 8_000, 2)


def test_an_asset_that_was_never_told_anything_has_no_bound_to_repeat() -> None:
    """Every asset is told both directions with the first settling; otherwise it is a mistake."""
    own = Book(Limits(10_000, 8_000), [Member(A, 1, Claim())])
    own.ledgers[EXPORT].bounds = dict  # type: ignore[method-assign]
    with pytest.raises(LookupError, match="ast_a was never told"):
        own.settle()


# --- phases

ON_EACH = tuple(Use(one) for one in PHASES)
A_THIRD = tuple(Use(one, 1, 3) for one in PHASES)
ON_L1 = (Use("L1"),)


def phased(
    limits: Limits, *members: tuple[AssetId, tuple[Use, ...], Share], priorities: str = ""
) -> Book:
    """Return the book of assets that charge on phases, all of one rank but for ``priorities``."""
    ranks = [int(one) for one in priorities] or [1] * len(members)
    return Book(
        limits,
        (
            Member(one, rank, Claim(charge=own), uses)
            for (one, uses, own), rank in zip(members, ranks, strict=True)
        ),
    )


def test_each_phase_is_kept_within_its_limit() -> None:
    """Who is on one phase alone takes all of his power from it, the others a third."""
    own = phased(Limits(phase_w=5_000), (A, ON_L1, share(4_000, 0)), (B, A_THIRD, share(11_000, 0)))
    assert charge_w(own.settle()) == {A: 4_000, B: 3_000}
    assert own.ledgers[IMPORT].reserved_w == {"L1": 5_000, "L2": 1_000, "L3": 1_000}


def test_the_whole_and_its_phases_are_kept_together() -> None:
    """Whichever has less room; the bound says which that was."""
    limits = Limits(import_w=9_000, phase_w=5_000)
    own = phased(limits, (A, ON_L1, share(4_000, 0)), (B, A_THIRD, share(11_000, 0)))
    grants = own.settle()
    assert charge_w(grants) == {A: 4_000, B: 3_000}
    bound = grants[B].charge
    assert (bound.phase, bound.limit_w, bound.others_w) == ("L1", 5_000, 4_000)
    own = phased(limits, (A, A_THIRD, share(8_000, 0)), (B, A_THIRD, share(11_000, 0)))
    bound = own.settle()[B].charge
    assert (bound.phase, bound.most_w, bound.limit_w, bound.others_w) == (None, 1_000, 9_000, 8_000)


def test_who_is_on_other_phases_is_not_held_up() -> None:
    """What L1 lacks is there on L2."""
    on_l2 = (Use("L2"),)
    own = phased(Limits(phase_w=5_000), (A, ON_L1, share(7_000, 0)), (B, on_l2, share(5_000, 0)))
    assert charge_w(own.settle()) == {A: 5_000, B: 5_000}


def test_a_higher_rank_takes_a_phase_from_a_lower_one() -> None:
    """When that is known to have left it."""
    own = phased(
        Limits(phase_w=5_000),
        (A, ON_EACH, share(5_000, 5_000)),
        (B, A_THIRD, share(9_000, 0)),
        priorities="12",
    )
    assert charge_w(own.settle()) == {A: 2_000, B: 0}
    own.claim(A, Claim(share(5_000, 2_000), number=1))
    assert charge_w(own.settle()) == {B: 9_000}


def test_the_floors_are_lowered_where_a_phase_has_no_room_for_them() -> None:
    """From the last rank on, and only of those who are on that phase."""
    own = phased(
        Limits(phase_w=5_000, phase_base_w=4_000),
        (A, (Use("L2"),), share(0, 0, 1_000)),
        (B, ON_L1, share(0, 0, 1_000)),
        (C, A_THIRD, share(0, 0, 3_000)),
    )
    own.load(0)
    assert charge_w(own.settle()) == {A: 1_000, B: 1_000, C: 0}


def test_the_base_load_takes_a_third_of_each_phase_if_nothing_else_is_known() -> None:
    """Also of what it is about to take."""
    own = phased(Limits(import_w=30_000, phase_w=5_000), (A, A_THIRD, share(0, 0)))
    own.load(10_000, 4_000)
    lines = {name: (line.capacity_w, line.left_w) for name, _, line in own.lines()}
    assert lines["import"] == (20_000, 26_000)
    assert lines["L1"] == lines["L2"] == lines["L3"] == (1_666, 3_666)
    own = phased(Limits(phase_w=5_000, phase_base_w=2_000), (A, A_THIRD, share(0, 0)))
    own.load(10_000)
    assert {line.left_w for _, _, line in own.lines()} == {3_000}


def test_a_phase_of_which_too_much_is_reserved_is_named() -> None:
    """The others are within their limit."""
    own = phased(Limits(phase_w=5_000), (A, ON_L1, share(6_000, 6_000)))
    assert list(own.excess()) == [("L1", 6_000)]


def test_what_an_earlier_entry_has_set_takes_more_until_it_is_set_anew() -> None:
    """Its claim says what it takes meanwhile."""
    limits = Limits(import_w=30_000, phase_w=5_000)
    held = Claim(share(4_000, 4_000), uses=ON_EACH)
    own = Book(
        limits,
        [Member(A, 1, held, A_THIRD), Member(B, 1, Claim(share(3_000, 0)), A_THIRD)],
    )
    assert charge_w(own.settle()) == {A: 4_000, B: 3_000}
    assert own.ledgers[IMPORT].reserved_w["L1"] == 5_000
    own.claim(A, Claim(share(4_000, 4_000), number=1))
    own.claim(B, Claim(share(9_000, 3_000), number=1))
    assert charge_w(own.settle()) == {B: 9_000}
    assert own.ledgers[IMPORT].reserved_w["L1"] == 4_334


# --- whatever happens


@attrs.define
class Device:
    """An asset as the ledger has to reckon with it: what it may hold, what it was told and when."""

    floor_w: int
    least_w: int
    holds_w: int
    uses: tuple[Use, ...] = ()
    wish_w: int = 0
    bound_w: int = 0
    number: int = 0
    mail: list[Grant] = attrs.field(factory=list)

    def claim(self) -> Claim:
        """Return what it claims now."""
        own = Share(self.wish_w, max(self.holds_w, self.floor_w), self.floor_w, self.least_w)
        return Claim(charge=own, number=self.number)


class Site(RuleBasedStateMachine):
    """Assets that wish, hear late, obey late, fail to obey and claim late; a base load beside."""

    devices: dict[AssetId, Device]
    book: Book

    @initialize(
        limit_w=st.one_of(st.none(), st.integers(10_000, 60_000)),
        phase_w=st.one_of(st.none(), st.integers(9_000, 20_000)),
        own=st.lists(
            st.tuples(
                st.integers(0, 3_000),
                st.sampled_from([0, 4_140]),
                st.integers(0, 3_000),
                st.integers(1, 3),
                st.sampled_from([ON_EACH, A_THIRD, ON_L1, (Use("L3", 23, 24),)]),
            ),
            min_size=1,
            max_size=4,
        ),
    )
    def begin(
        self,
        limit_w: int | None,
        phase_w: int | None,
        own: list[tuple[int, int, int, int, tuple[Use, ...]]],
    ) -> None:
        """Start with what the log says; without any limit there is one of the whole."""
        limit_w = 10_000 if limit_w is None and phase_w is None else limit_w
        self.allowed_w = dict.fromkeys(("", *PHASES), 0)
        self.devices = {
            AssetId(f"ast_{n}"): Device(floor_w, least_w, holds_w, uses)
            for n, (floor_w, least_w, holds_w, _, uses) in enumerate(own)
        }
        members = (
            Member(asset_id, rank, device.claim(), device.uses)
            for (asset_id, device), (*_, rank, _) in zip(self.devices.items(), own, strict=True)
        )
        self.book = Book(Limits(limit_w, phase_w=phase_w), members)
        self.settle()

    def device(self, n: int) -> tuple[AssetId, Device]:
        """Return one of the devices."""
        return list(self.devices.items())[n % len(self.devices)]

    def settle(self) -> None:
        """Let the site look: it grants only what is free, and that is on its way."""
        ledger = self.book.ledgers[IMPORT]
        before_w = ledger.reserved_w
        for asset_id, grant in self.book.settle().items():
            self.devices[asset_id].mail.append(grant)
        for name, reserved_w in ledger.reserved_w.items():
            assert reserved_w <= max(before_w[name], ledger.lines[name].capacity_w)

    @rule(n=st.integers(0, 3), wish_w=st.integers(0, 22_000))
    def wish(self, n: int, wish_w: int) -> None:
        """An asset's plan changes."""
        self.device(n)[1].wish_w = wish_w

    @rule(n=st.integers(0, 3))
    def hear(self, n: int) -> None:
        """A grant arrives."""
        device = self.device(n)[1]
        if device.mail:
            grant = device.mail.pop(0)
            device.bound_w, device.number = grant.charge.most_w, grant.number

    @rule(n=st.integers(0, 3), obeys=st.booleans())
    def send(self, n: int, obeys: bool) -> None:  # noqa: FBT001 - drawn
        """A setpoint is sent, and confirmed or not."""
        device = self.device(n)[1]
        set_w = min(device.wish_w, device.bound_w)
        device.holds_w = set_w if obeys else max(device.holds_w, set_w)

    @rule(n=st.integers(0, 3))
    def tell(self, n: int) -> None:
        """An asset's claim reaches the site."""
        asset_id, device = self.device(n)
        self.book.claim(asset_id, device.claim())

    @rule()
    def look(self) -> None:
        """The site settles what it was told."""
        self.settle()

    @rule(base_w=st.integers(0, 15_000))
    def load(self, base_w: int) -> None:
        """The base load changes; what it takes is not the assets' doing."""
        self.book.load(base_w)
        for name, reserved_w in self.book.ledgers[IMPORT].reserved_w.items():
            self.allowed_w[name] = max(reserved_w, self.allowed_w[name] if base_w else 0)

    @invariant()
    def the_sum_of_reservations_is_within_the_limit(self) -> None:
        """It is, but for what was more when the base load rose."""
        ledger = self.book.ledgers[IMPORT]
        for name, reserved_w in ledger.reserved_w.items():
            capacity_w = ledger.lines[name].capacity_w
            assert reserved_w <= max(capacity_w, self.allowed_w[name], self.floors_w(name))

    @invariant()
    def what_devices_may_hold_is_reserved(self) -> None:
        """Neither what they hold nor what they may yet be set to is forgotten."""
        ledger = self.book.ledgers[IMPORT]
        for asset_id, device in self.devices.items():
            heard_w = [device.bound_w] if device.number else []
            may_w = max(heard_w + [grant.charge.most_w for grant in device.mail], default=0)
            assert may_w <= ledger.account(asset_id).reserved_w

    @invariant()
    def what_devices_may_draw_of_a_phase_is_within_its_limit(self) -> None:
        """Reckoned from what they hold and were told, not from what the ledger says."""
        for name, line in self.book.ledgers[IMPORT].lines.items():
            drawn_w = 0
            for device in self.devices.values():
                told_w = [device.bound_w, *(grant.charge.most_w for grant in device.mail)]
                most_w = max(device.holds_w, *told_w)
                drawn_w += sum(
                    -(-most_w * one.share // one.parts)
                    for one in (*device.uses, Use(WHOLE))
                    if one.line == name
                )
            assert drawn_w <= max(line.capacity_w, self.allowed_w[name], self.floors_w(name))

    def floors_w(self, name: str) -> int:
        """Return what is reserved of a line before anything is granted."""
        return sum(
            use.of(max(one.floor_w, 3_000))
            for one in self.devices.values()
            for use in (*one.uses, Use(WHOLE))
            if use.line == name
        )


TestSite = Site.TestCase


def test_nobody_has_a_share_without_a_claim() -> None:
    """An asset that has claimed nothing holds nothing."""
    assert Claim().charge == NOTHING == Claim().discharge
