"""Our own charging profiles are never in each other's way, whatever a charger takes of them.

A charger keeps one profile of a purpose and stack level. In 1.6 the newer one takes the place of
the older (3.13.2); in 2.0.1 a second one there with another id is refused (K01: DuplicateProfile).
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.adapters.base import AssetView, Payload
from engine.adapters.ocpp import OcppOptions, OcppSpelling
from engine.commands import Attempt, Cause, CauseKind, Command, CommandType
from engine.errors import Untranslatable
from engine.types import AssetId, AssetKind, CommandId

AT = datetime(2025, 6, 3, 8, tzinfo=UTC)
PROTOCOLS = ("ocpp1.6", "ocpp2.0.1")
SPELLING = OcppSpelling(("1.6", "2.0.1"))
SET = Command(
    CommandId("cmd_1"),
    AssetId("a"),
    CommandType.SET_CHARGE_RATE,
    7.0,
    AT,
    Cause(CauseKind.OPERATOR),
)
RANKS = {"TxProfile": 1}
STATION = ("ChargePointMaxProfile", "ChargingStationMaxProfile")
UNITS = (None, "Current", "Power")


@attrs.frozen
class Kept:
    """A profile that a charger keeps."""

    connector: int
    purpose: str
    level: int
    limit: float

    @property
    def place(self) -> tuple[int, str, int]:
        """Where only one can be."""
        return self.connector, self.purpose, self.level


def told(frame_body: Mapping[str, Any]) -> tuple[int, Kept]:
    """Return the id of a profile that is set, and the profile."""
    profile = frame_body.get("csChargingProfiles") or frame_body["chargingProfile"]
    schedule = profile["chargingSchedule"]
    schedule = schedule[0] if isinstance(schedule, list) else schedule
    connector = frame_body.get("connectorId", frame_body.get("evseId"))
    own_id = profile.get("chargingProfileId", profile.get("id"))
    limit = schedule["chargingSchedulePeriod"][0]["limit"]
    purpose = profile["chargingProfilePurpose"]
    return own_id, Kept(connector, purpose, profile["stackLevel"], limit)


def cleared(frame_body: Mapping[str, Any]) -> int:
    """Return the id of a profile that is cleared."""
    return int(frame_body.get("id", frame_body.get("chargingProfileId", -1)))


class Charger:
    """What a charger keeps."""

    def __init__(self, protocol: str) -> None:
        """Keep nothing."""
        self.kept: dict[int, Kept] = {}
        self._replaces = protocol == "ocpp1.6"

    def take(self, payload: Payload, refused_from: int | None) -> bool:
        """Take frames up to the one that is refused; return whether all were taken."""
        for number, frame in enumerate(payload.frames):
            if number == refused_from:
                return False
            if frame.action == "ClearChargingProfile":
                self.kept.pop(cleared(frame.body), None)
                continue
            own_id, profile = told(frame.body)
            there = [one for one, kept in self.kept.items() if kept.place == profile.place]
            assert self._replaces or there in ([], [own_id]), (there, own_id)
            for one in there:
                del self.kept[one]
            self.kept[own_id] = profile
        return True

    def end_transaction(self) -> None:
        """Forget what was of the transaction."""
        self.kept = {one: kept for one, kept in self.kept.items() if kept.purpose != "TxProfile"}

    def ruling(self) -> float:
        """Return the limit that rules over the others, the station's own set aside."""
        own = [one for one in self.kept.values() if one.purpose not in STATION]
        return max(own, key=lambda one: (RANKS.get(one.purpose, 0), one.level)).limit


capabilities = st.fixed_dictionaries(
    {"protocol": st.sampled_from(PROTOCOLS)},
    optional={
        "ChargeProfileMaxStackLevel": st.sampled_from(("0", "1", "8")),
        "ChargingScheduleMaxPeriods": st.sampled_from(("1", "2", "24")),
        "ChargingScheduleAllowedChargingRateUnit": st.sampled_from(("Current", "Power")),
    },
)
steps = st.lists(
    st.tuples(st.booleans(), st.integers(0, 40), st.none() | st.integers(0, 3)), min_size=1
)


def attempts(view: AssetView, form: int, minute: int) -> Payload | None:
    """Return the frames of a setpoint in a form, null where there is no such form."""
    at = AT + timedelta(minutes=minute)
    try:
        return SPELLING.translate(SET, view, Attempt("att", 1, form, at, 900.0, 1.4, 7.0, 0.0))
    except Untranslatable:
        return None


def view_of(told_of: Mapping[str, str], options: OcppOptions) -> AssetView:
    """Return a charger that can do what it says."""
    return AssetView(
        AssetId("a"),
        AssetKind.EV_CHARGER,
        "CHARGING",
        options=options,
        capabilities=dict(told_of),
    )


@given(told_of=capabilities, story=steps, may_bound_all=st.booleans())
def test_no_profile_of_ours_is_refused_for_another_of_ours(
    told_of: dict[str, str], story: list[tuple[bool, int, int | None]], *, may_bound_all: bool
) -> None:
    """In any order of forms, whatever was refused before; and the newest setpoint rules."""
    charger = Charger(told_of["protocol"])
    options = OcppOptions("CP-1", charge_point_max=may_bound_all, phases=1)
    view = view_of(told_of, options)
    for minute, (in_transaction, form, refused_from) in enumerate(story):
        if view.transaction_id is not None and not in_transaction:
            charger.end_transaction()
        changed = (view.transaction_id is None) is in_transaction
        held = None if changed else view.held_form
        view = replace(view, transaction_id="7" if in_transaction else None, held_form=held)
        payload = attempts(view, form, minute)
        if payload is None:
            continue
        if not charger.take(payload, refused_from):
            view = replace(view, held_form=None)
            continue
        view = replace(view, held_form=form)
        setpoint = next(
            told(one.body)[1]
            for one in reversed(payload.frames)
            if one.action == "SetChargingProfile"
        )
        if setpoint.purpose not in STATION:
            assert charger.ruling() == setpoint.limit


def everything_we_set(connector: int, protocol: str) -> Iterator[tuple[int, Kept]]:
    """Yield every profile that the forms come to, on any occasion."""
    for unit in UNITS:
        for most in (None, "0", "1"):
            for periods in (None, "1"):
                for transaction_id in (None, "7"):
                    given_options = OcppOptions("CP-1", connector, charge_point_max=True)
                    told_of = {
                        "protocol": protocol,
                        **({"ChargingScheduleAllowedChargingRateUnit": unit} if unit else {}),
                        **({"ChargeProfileMaxStackLevel": most} if most else {}),
                        **({"ChargingScheduleMaxPeriods": periods} if periods else {}),
                    }
                    view = replace(view_of(told_of, given_options), transaction_id=transaction_id)
                    yield from profiles_of(view)


def profiles_of(view: AssetView) -> Iterator[tuple[int, Kept]]:
    """Yield the profiles of all forms."""
    form = 0
    while (payload := attempts(view, form, 0)) is not None:
        form += 1
        for frame in payload.frames:
            if frame.action == "SetChargingProfile":
                yield told(frame.body)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_connector_has_an_id_of_another_and_in_2_0_1_a_place_has_one(protocol: str) -> None:
    """Of every form there is, setpoint and fallback."""
    seen: dict[int, int] = {}
    for connector in (1, 2, 9):
        places: dict[tuple[int, str, int], set[int]] = {}
        for own_id, profile in everything_we_set(connector, protocol):
            places.setdefault(profile.place, set()).add(own_id)
            assert seen.setdefault(own_id, connector) == connector
        most = 1 if protocol == "ocpp2.0.1" else 2
        assert max(len(ids) for ids in places.values()) == most
