from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.sim.limits import Limits, Selection, Situation, Stretch
from actors.sim.profiles import Limit, ProfileRefused, read_profile

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
IDLE = Situation(connector=1, at=NOW)
CHARGING = Situation(
    connector=1, at=NOW, transaction_id=7, charge_start=NOW - timedelta(seconds=100)
)
WHOLE = Situation(connector=0, at=NOW)


def body(
    number: int = 1,
    purpose: str = "TxDefaultProfile",
    *,
    limits: tuple[tuple[int, float], ...] = ((0, 7_000.0),),
    level: int = 0,
    **more: Any,  # noqa: ANN401 - whatever a profile may have
) -> dict[str, Any]:
    """Return a profile as it comes; ``schedule`` goes into its chargingSchedule."""
    schedule = {
        "startSchedule": "2026-01-05T12:00:00Z",
        "chargingRateUnit": "W",
        "chargingSchedulePeriod": [{"startPeriod": s, "limit": v} for s, v in limits],
        **more.pop("schedule", {}),
    }
    return {
        "chargingProfileId": number,
        "stackLevel": level,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {key: each for key, each in schedule.items() if each is not None},
        **more,
    }


def after(situation: Situation, seconds: float) -> Situation:
    """Return the same situation some seconds later."""
    return attrs.evolve(situation, at=situation.at + timedelta(seconds=seconds))


def kept(*profiles: tuple[Situation, dict[str, Any]]) -> Limits:
    """Return limits with these profiles, set in this order."""
    limits = Limits()
    for situation, each in profiles:
        limits.put(read_profile(each), situation)
    return limits


def test_without_a_profile_there_is_no_limit() -> None:
    """Null says so."""
    assert Limits().limit_w(CHARGING) is None


def test_after_the_fallback_period_begins_the_fallback_holds() -> None:
    """Nobody has to send anything for it."""
    limits = kept((IDLE, body(limits=((0, 11_000.0), (960, 4_200.0)))))
    assert limits.limit_w(after(CHARGING, 959.9)) == 11_000.0
    assert limits.limit_w(after(CHARGING, 960.0)) == 4_200.0
    assert limits.limit_w(after(CHARGING, 86_400.0)) == 4_200.0


def test_an_absolute_schedule_waits_for_its_start_and_ends_with_its_duration() -> None:
    """Before and after there is no limit."""
    limits = kept((IDLE, body(schedule={"duration": 60})))
    assert limits.limit_w(after(CHARGING, -1)) is None
    assert limits.limit_w(CHARGING) == 7_000.0
    assert limits.limit_w(after(CHARGING, 60)) is None


@pytest.mark.parametrize("kind", ["Relative", "Absolute"])
def test_a_schedule_without_a_start_begins_with_the_transaction(kind: str) -> None:
    """100 seconds of it have passed already."""
    limits = kept(
        (
            CHARGING,
            body(
                purpose="TxProfile",
                limits=((0, 9_000.0), (101, 1_000.0)),
                chargingProfileKind=kind,
                schedule={"startSchedule": None},
            ),
        )
    )
    assert limits.limit_w(CHARGING) == 9_000.0
    assert limits.limit_w(after(CHARGING, 1)) == 1_000.0


@pytest.mark.parametrize(("kind", "days"), [("Daily", 1), ("Weekly", 7)])
def test_a_recurring_schedule_begins_anew(kind: str, days: int) -> None:
    """Each round is like the first."""
    limits = kept(
        (
            IDLE,
            body(
                chargingProfileKind="Recurring",
                recurrencyKind=kind,
                limits=((0, 2_000.0), (3_600, 9_000.0)),
            ),
        )
    )
    for rounds in (0, 1, 50):
        begin = after(CHARGING, rounds * days * 86_400)
        assert limits.limit_w(begin) == 2_000.0
        assert limits.limit_w(after(begin, 3_600)) == 9_000.0


def test_a_profile_holds_within_its_validity_only() -> None:
    """From validFrom on, up to validTo."""
    limits = kept(
        (IDLE, body(validFrom="2026-01-05T12:01:00Z", validTo="2026-01-05T13:02:00+01:00"))
    )
    found = [limits.limit_w(after(CHARGING, seconds)) for seconds in (59, 60, 119, 120)]
    assert found == [None, 7_000.0, 7_000.0, None]


def test_the_highest_level_that_sets_a_limit_leads() -> None:
    """When it has ended the next one below takes over."""
    limits = kept(
        (IDLE, body(1, level=0, limits=((0, 4_200.0),))),
        (IDLE, body(2, level=1, limits=((0, 11_000.0),), schedule={"duration": 900})),
    )
    assert limits.limit_w(CHARGING) == 11_000.0
    assert limits.limit_w(after(CHARGING, 900)) == 4_200.0


def test_a_transactions_profile_goes_before_the_default() -> None:
    """Also where its level is lower and its limit higher; its end gives way to the default."""
    limits = kept(
        (IDLE, body(1, level=5, limits=((0, 3_000.0),))),
        (CHARGING, body(2, "TxProfile", limits=((0, 9_000.0),), schedule={"duration": 60})),
    )
    assert limits.limit_w(CHARGING) == 9_000.0
    assert limits.limit_w(after(CHARGING, 60)) == 3_000.0
    assert limits.limit_w(IDLE) == 3_000.0


def test_the_charge_points_maximum_caps_every_other_profile() -> None:
    """The lower of both counts."""
    limits = kept(
        (WHOLE, body(1, "ChargePointMaxProfile", limits=((0, 6_000.0),))),
        (IDLE, body(2, limits=((0, 9_000.0), (60, 4_500.0)))),
    )
    assert limits.limit_w(CHARGING) == 6_000.0
    assert limits.limit_w(after(CHARGING, 60)) == 4_500.0
    assert limits.limit_w(WHOLE) == 6_000.0


def test_a_default_on_zero_is_for_every_connector_without_its_own() -> None:
    """On the same level a connector's own profile is used."""
    limits = kept(
        (WHOLE, body(1, limits=((0, 5_000.0),))),
        (IDLE, body(2, limits=((0, 8_000.0),))),
    )
    assert limits.limit_w(CHARGING) == 8_000.0
    assert limits.limit_w(attrs.evolve(CHARGING, connector=2)) == 5_000.0


@pytest.mark.parametrize(
    ("told", "loaded", "expected_w"),
    [(None, 3, 6_900.0), (3, 3, 6_900.0), (1, 3, 2_300.0), (3, 1, 2_300.0)],
)
def test_amperes_are_per_phase(told: int | None, loaded: int, expected_w: float) -> None:
    """10 A on as many phases as are allowed and loaded."""
    assert Limit(10.0, "A", told).watts(loaded) == expected_w


@pytest.mark.parametrize(
    ("number", "level"), [(1, 3), (2, 0)], ids=["the same id", "the same level and purpose"]
)
def test_a_profile_replaces_the_one_in_its_place(number: int, level: int) -> None:
    """The old one is gone, not covered."""
    limits = kept((IDLE, body(1)), (IDLE, body(number, level=level, limits=((0, 5_000.0),))))
    assert [number] == [each.profile.id for each in limits.kept]
    assert limits.limit_w(CHARGING) == 5_000.0


def test_another_connectors_profile_stays() -> None:
    """Level and purpose are a place on one connector."""
    limits = kept((IDLE, body(1)), (attrs.evolve(IDLE, connector=2), body(2)))
    assert len(limits.kept) == 2


@pytest.mark.parametrize(
    ("situation", "profile"),
    [
        pytest.param(IDLE, body(purpose="TxProfile"), id="no transaction"),
        pytest.param(WHOLE, body(purpose="TxProfile"), id="TxProfile on 0"),
        pytest.param(CHARGING, body(purpose="TxProfile", transactionId=8), id="another one"),
        pytest.param(IDLE, body(purpose="ChargePointMaxProfile"), id="maximum on 1"),
    ],
)
def test_a_profile_is_refused_where_its_purpose_does_not_fit(
    situation: Situation, profile: dict[str, Any]
) -> None:
    """And nothing is kept of it."""
    limits = Limits()
    with pytest.raises(ProfileRefused):
        limits.put(read_profile(profile), situation)
    assert limits.kept == ()


@pytest.mark.parametrize(
    "profile",
    [
        pytest.param(body(limits=()), id="no period"),
        pytest.param(body(limits=((10, 1.0),)), id="begins late"),
        pytest.param(body(limits=((0, 1.0), (60, 2.0), (30, 1.0))), id="not in order"),
        pytest.param(body(limits=((0, -1.0),)), id="negative"),
        pytest.param(body(level=-1), id="negative level"),
        pytest.param(body(validFrom="yesterday"), id="no time"),
        pytest.param(body(chargingProfileKind="Recurring"), id="recurs how"),
        pytest.param(body(recurrencyKind="Daily"), id="absolute and recurring"),
        pytest.param(
            body(purpose="ChargePointMaxProfile", chargingProfileKind="Relative"),
            id="relative maximum",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(profile: dict[str, Any]) -> None:
    """Though it fits the schema."""
    with pytest.raises(ProfileRefused):
        read_profile(profile)


def test_a_lenient_charge_point_keeps_a_transactions_profile_for_the_next_one() -> None:
    """It has no effect before."""
    limits = Limits()
    limits.put(read_profile(body(purpose="TxProfile")), IDLE, lenient=True)
    assert limits.limit_w(IDLE) is None
    assert limits.limit_w(CHARGING) == 7_000.0


def test_transaction_profiles_end_with_their_transaction() -> None:
    """The default stays."""
    limits = kept((CHARGING, body(1, "TxProfile")), (IDLE, body(2)))
    limits.end_transaction(1)
    assert [each.profile.id for each in limits.kept] == [2]


@pytest.mark.parametrize(
    ("selection", "left"),
    [
        (Selection(id=2), [1, 3]),
        (Selection(id=2, purpose="ChargePointMaxProfile"), [1, 3]),
        (Selection(connector=1), [3]),
        (Selection(purpose="ChargePointMaxProfile"), [1, 2]),
        (Selection(connector=1, stack_level=1), [1, 3]),
        (Selection(), []),
    ],
)
def test_clearing_drops_what_is_meant(selection: Selection, left: list[int]) -> None:
    """An id alone decides; else every criterion that is given."""
    limits = kept(
        (IDLE, body(1)), (IDLE, body(2, level=1)), (WHOLE, body(3, "ChargePointMaxProfile"))
    )
    assert limits.clear(selection)
    assert left == [each.profile.id for each in limits.kept]


def test_clearing_what_is_not_there_says_so() -> None:
    """Unknown, in the words of the answer."""
    assert not kept((IDLE, body(1))).clear(Selection(id=9))


def test_a_composite_schedule_has_every_change_and_no_other() -> None:
    """Where the limit stays the same there is no new stretch."""
    limits = kept(
        (IDLE, body(1, level=0, limits=((0, 4_200.0),))),
        (IDLE, body(2, level=1, limits=((0, 9_000.0), (30, 9_000.0)), schedule={"duration": 60})),
        (WHOLE, body(3, "ChargePointMaxProfile", limits=((0, 20_000.0), (90, 3_000.0)))),
    )
    expected = (Stretch(0, 9_000.0), Stretch(60, 4_200.0), Stretch(90, 3_000.0))
    assert expected == limits.composite(CHARGING, 3_600)


PERIODS = st.lists(
    st.tuples(st.integers(1, 500), st.integers(0, 20_000)), max_size=4, unique_by=lambda p: p[0]
).map(lambda found: ((0, 8_000.0), *((s, float(v)) for s, v in sorted(found))))
PROFILES = st.lists(
    st.tuples(
        st.sampled_from(["TxDefaultProfile", "TxProfile", "ChargePointMaxProfile"]),
        st.integers(0, 3),
        PERIODS,
        st.none() | st.integers(1, 600),
        st.integers(-300, 300),
    ),
    max_size=8,
)


def stack_of(drawn: list[Any]) -> Limits:
    """Return limits with drawn profiles."""
    limits = Limits()
    for number, (purpose, level, periods, duration, offset) in enumerate(drawn):
        start = (NOW + timedelta(seconds=offset)).isoformat()
        schedule = {"startSchedule": start, "duration": duration}
        profile = read_profile(
            body(number, purpose, limits=periods, level=level, schedule=schedule)
        )
        limits.put(profile, WHOLE if purpose == "ChargePointMaxProfile" else CHARGING)
    return limits


@given(drawn=PROFILES, seconds=st.integers(0, 900))
def test_the_limit_is_one_of_the_stack_and_never_above_its_maximum(
    drawn: list[Any], seconds: int
) -> None:
    """No profile that holds now is ignored by both its purpose and the minimum."""
    limits = stack_of(drawn)
    moment = after(CHARGING, seconds)
    limit_w = limits.limit_w(moment)
    holding = {
        each.profile.purpose: found.value
        for each in sorted(limits.kept, key=lambda kept: kept.profile.stack_level)
        if (found := each.profile.limit_at(moment.at, moment.reference)) is not None
    }
    assert (limit_w is None) == (not holding)
    if limit_w is not None:
        own = holding.get("TxProfile", holding.get("TxDefaultProfile"))
        assert limit_w in holding.values()
        assert limit_w <= holding.get("ChargePointMaxProfile", limit_w)
        assert own is None or limit_w <= own


@given(drawn=PROFILES, seconds=st.integers(0, 899))
def test_a_composite_schedule_agrees_with_the_limit_at_every_second(
    drawn: list[Any], seconds: int
) -> None:
    """What is told to hold then is what holds then."""
    limits = stack_of(drawn)
    told = [each for each in limits.composite(CHARGING, 900) if each.start_s <= seconds]
    assert limits.limit_w(after(CHARGING, seconds)) == told[-1].limit_w
