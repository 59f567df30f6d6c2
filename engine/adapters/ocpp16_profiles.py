"""OCPP 1.6: charging profiles in its words, pure.

Sources: OCPP 1.6 edition 2, 5.4 (clear), 5.16 (set), 7.8 (ChargingProfile), 7.13 and 7.14
(schedule and periods).
"""

from collections.abc import Mapping
from typing import Final

from engine.adapters.base import AssetView, Frame, Payload
from engine.adapters.charging_forms import Purpose
from engine.adapters.charging_profiles import Profile, our_ids, schedule_of, setting_of, text_of
from engine.adapters.ocpp_options import OcppOptions
from engine.commands import Attempt
from engine.errors import Untranslatable

_PURPOSES: Final[Mapping[Purpose, str]] = {
    "default": "TxDefaultProfile",
    "transaction": "TxProfile",
    "station": "ChargePointMaxProfile",
}


def transaction_number(transaction_id: str) -> int:
    """Return a transaction's id as OCPP 1.6 has it.

    Raises:
        Untranslatable: it is no whole number.
    """
    try:
        return int(transaction_id)
    except ValueError:
        raise Untranslatable(f"transaction {transaction_id!r} is none of OCPP 1.6") from None


def clear_profiles(own: OcppOptions) -> Payload:
    """Clear whatever we may have set, by our own ids alone [5.4]."""
    return Payload(tuple(map(_clear, our_ids(own))))


def set_profile(own: OcppOptions, asset: AssetView, attempt: Attempt) -> Payload:
    """Set the attempt's power [5.16], with what takes over when its lease runs out.

    Raises:
        Untranslatable: there is no (further) form for it.
    """
    setting = setting_of(own, asset, attempt)
    frames = (*map(_set, setting.profiles), *map(_clear, setting.cleared))
    return Payload(frames, setting.applied_kw)


def _clear(own_id: int) -> Frame:
    return Frame("ClearChargingProfile", {"id": own_id})


def _set(profile: Profile) -> Frame:
    spelled: dict[str, object] = {
        "chargingProfileId": profile.id,
        "stackLevel": profile.level,
        "chargingProfilePurpose": _PURPOSES[profile.purpose],
        "chargingProfileKind": profile.kind,
        "chargingSchedule": schedule_of(profile),
    }
    if profile.transaction_id is not None:
        spelled["transactionId"] = transaction_number(profile.transaction_id)
    if profile.valid_to is not None:
        spelled["validTo"] = text_of(profile.valid_to)
    body: dict[str, object] = {"connectorId": profile.connector, "csChargingProfiles": spelled}
    return Frame("SetChargingProfile", body)
