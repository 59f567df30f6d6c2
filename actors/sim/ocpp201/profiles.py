"""A charging profile of OCPP 2.0.1: that of 1.6 under other names, and some rules more. Pure.

OCPP 2.0.1 edition 3, part 2: K01 (SetChargingProfile) and 2.11 (ChargingProfileType).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import attrs

from actors.sim.limits import Limits
from actors.sim.profiles import (
    MAX_PROFILE,
    RELATIVE,
    TX_DEFAULT_PROFILE,
    ChargingProfile,
    ProfileRefused,
    read_profile,
)

_EXTERNAL: Final = "ChargingStationExternalConstraints"
_PURPOSES: Final[Mapping[str, str]] = MappingProxyType({"ChargingStationMaxProfile": MAX_PROFILE})


def purpose_of(name: str | None) -> str | None:
    """Return a purpose by what it is called in 2.0.1."""
    return None if name is None else _PURPOSES.get(name, name)


def read_profile_201(body: Mapping[str, Any]) -> ChargingProfile:
    """Read ``chargingProfile`` of a message that fits its schema.

    Raises:
        ProfileRefused: it fits the schema and still makes no sense.
    """
    if body["chargingProfilePurpose"] == _EXTERNAL:
        raise ProfileRefused(
            "external constraints do not come from the central system"
        )  # K01.FR.22
    schedule, *others = body["chargingSchedule"]
    if others:
        raise ProfileRefused("several schedules are for ISO 15118")
    if (body["chargingProfileKind"] == RELATIVE) == ("startSchedule" in schedule):
        raise ProfileRefused("a start goes with every schedule that is not relative")  # K01.FR.40
    purpose = purpose_of(body["chargingProfilePurpose"])
    names = {"chargingProfileId": body["id"], "chargingProfilePurpose": purpose}
    profile = read_profile({**body, **names, "chargingSchedule": schedule})
    return attrs.evolve(profile, told=body)


def check_unique(limits: Limits, profile: ChargingProfile, evse: int) -> None:
    """See that no other profile of this purpose and level holds there at the same time.

    Raises:
        ProfileRefused: one does [K01.FR.06, K01.FR.39]; or a default of this level is set for an
            EVSE and for the station as a whole [K01.FR.52, K01.FR.53].
    """
    for kept in limits.kept:
        other = kept.profile
        same = (other.purpose, other.stack_level) == (profile.purpose, profile.stack_level)
        if other.id == profile.id or not same:
            continue
        if kept.connector == evse and _overlap(other, profile):
            raise ProfileRefused(f"profile {other.id} is of the same purpose and level")
        if profile.purpose == TX_DEFAULT_PROFILE and 0 in {kept.connector, evse}:
            raise ProfileRefused(f"profile {other.id} is a default of the same level")


def _overlap(one: ChargingProfile, other: ChargingProfile) -> bool:
    def ends_before(first: ChargingProfile, second: ChargingProfile) -> bool:
        return (
            first.valid_to is not None
            and second.valid_from is not None
            and first.valid_to <= second.valid_from
        )

    return not ends_before(one, other) and not ends_before(other, one)
