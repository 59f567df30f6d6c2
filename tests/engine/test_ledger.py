"""The ledger of a site limit: what is granted to whom, and that it never comes to too much."""

from collections.abc import Sequence

import attrs
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engine.grants import NOTHING, UNBOUNDED_W, Claim, Grant, Share
from engine.site import EXPORT, IMPORT, Book, Limits, Member
from engine.site.ledger import Account, entitled, granted
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
    assert due_w == entitled(capacity_w, accounts)


def test_who_ranks_higher_takes_from_who_ranks_lower() -> None:
    """The lower one keeps his floor."""
    ranked = [account(B, share(22_000, 0), 2), account(A, share(22_000, 20_000, 4_200), 1)]
    assert entitled(25_000, ranked) == [20_800, 4_200]


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
    assert own.ledgers[IMPORT].reserved_w <= 18_000


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
    assert own.ledgers[IMPORT].reserved_w == 25_000
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
    assert granted(10_000, ranked, [0, 8_000]) == [0, 9_000]
    ranked = [account(A, share(9_000, 0, 0, 4_140), 2), account(B, share(9_000, 8_000), 1)]
    assert granted(10_000, ranked, [0, 8_000]) == [0, 1_000]


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


# --- whatever happens


@attrs.define
class Device:
    """An asset as the ledger has to reckon with it: what it may hold, what it was told and when."""

    floor_w: int
    least_w: int
    holds_w: int
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
        limit_w=st.integers(10_000, 60_000),
        own=st.lists(
            st.tuples(
                st.integers(0, 3_000),
                st.sampled_from([0, 4_140]),
                st.integers(0, 3_000),
                st.integers(1, 3),
            ),
            min_size=1,
            max_size=4,
        ),
    )
    def begin(self, limit_w: int, own: list[tuple[int, int, int, int]]) -> None:
        """Start with what the log says."""
        self.limit_w = limit_w
        self.allowed_w = 0
        self.devices = {
            AssetId(f"ast_{n}"): Device(floor_w, least_w, holds_w)
            for n, (floor_w, least_w, holds_w, _) in enumerate(own)
        }
        ranks = [rank for *_, rank in own]
        members = (
            Member(asset_id, rank, device.claim())
            for (asset_id, device), rank in zip(self.devices.items(), ranks, strict=True)
        )
        self.book = Book(Limits(limit_w), members)
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
        assert ledger.reserved_w <= max(before_w, ledger.capacity_w)

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
        ledger = self.book.ledgers[IMPORT]
        self.book.load(base_w)
        self.allowed_w = max(ledger.reserved_w, self.allowed_w if base_w else 0)

    @invariant()
    def the_sum_of_reservations_is_within_the_limit(self) -> None:
        """It is, but for what was more when the base load rose."""
        ledger = self.book.ledgers[IMPORT]
        assert ledger.reserved_w <= max(ledger.capacity_w, self.allowed_w, self.floors_w())

    @invariant()
    def what_devices_may_hold_is_reserved(self) -> None:
        """Neither what they hold nor what they may yet be set to is forgotten."""
        ledger = self.book.ledgers[IMPORT]
        for asset_id, device in self.devices.items():
            heard_w = [device.bound_w] if device.number else []
            may_w = max(heard_w + [grant.charge.most_w for grant in device.mail], default=0)
            assert may_w <= ledger.account(asset_id).reserved_w

    def floors_w(self) -> int:
        """Return what is reserved before anything is granted."""
        return sum(max(one.floor_w, 3_000) for one in self.devices.values())


TestSite = Site.TestCase


def test_nobody_has_a_share_without_a_claim() -> None:
    """An asset that has claimed nothing holds nothing."""
    assert Claim().charge == NOTHING == Claim().discharge
