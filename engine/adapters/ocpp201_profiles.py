"""OCPP 2.0.1: charging profiles in its words, pure.

Source: OCPP 2.0.1 edition 2, part 2: K (smart charging), 2.11 (ChargingProfileType), 2.12
(ChargingScheduleType).
"""

from collections.abc import Mapping
from typing import Final

from engine.adapters.base import AssetView, Frame, Payload
from engine.adapters.charging_forms import Purpose
from engine.adapters.charging_profiles import Profile, our_ids, schedule_of, setting_of, text_of
from engine.adapters.ocpp_options import OcppOptions
from engine.commands import Attempt

_PURPOSES: Final[Mapping[Purpose, str]] = {
    "default": "TxDefaultProfile",
    "transaction": "TxProfile",
    "station": "ChargingStationMaxProfile",
}


def clear_profiles(own: OcppOptions) -> Payload:
    """Clear whatever we may have set, by our own ids alone [K10]."""
    return Payload(tuple(map(_clear, our_ids(own))))


def set_profile(own: OcppOptions, asset: AssetView, attempt: Attempt) -> Payload:
    """Set the attempt's power [K01], with what takes over when its lease runs out.

    Raises:
        Untranslatable: there is no (further) form for it.
    """
    setting = setting_of(own, asset, attempt, one_id_a_place=True)
    frames = (*map(_set, setting.profiles), *map(_clear, setting.cleared))
    return Payload(frames, setting.applied_kw)


def _clear(own_id: int) -> Frame:
    return Frame("ClearChargingProfile", {"chargingProfileId": own_id})


def _set(profile: Profile) -> Frame:
    """Return a profile with its one schedule, which has the profile's own id."""
    spelled: dict[str, object] = {
        "id": profile.id,
        "stackLevel": profile.level,
        "chargingProfilePurpose": _PURPOSES[profile.purpose],
        "chargingProfileKind": profile.kind,
        "chargingSchedule": [{"id": profile.id, **schedule_of(profile)}],
    }
    if profile.transaction_id is not None:
        spelled["transactionId"] = profile.transaction_id
    if profile.valid_to is not None:
        spelled["validTo"] = text_of(profile.valid_to)
    return Frame("SetChargingProfile", {"evseId": profile.connector, "chargingProfile": spelled})
