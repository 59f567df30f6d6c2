"""OCPP 1.6: commands as messages of the central system, pure.

Sources: OCPP 1.6 edition 2 (sections in brackets) and the JSON schemas that come with it.
"""

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import attrs

from engine.adapters.base import (
    Answer,
    AssetView,
    Frame,
    Observation,
    Outcome,
    Payload,
    SetpointRead,
)
from engine.commands import Attempt, Command, CommandType
from engine.errors import Untranslatable, UsageError

VOLTS: Final = 230
FORMS: Final = ("absolute", "relative", "one_period")
_BACK: Final = timedelta(minutes=1)
_BACK_S: Final = 60
_QUESTION_S: Final = 60
_SETPOINT, _FALLBACK = 0, 1


def _text(instance: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    del instance
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{attribute.name} is a text that is not empty")


def _secret() -> Any:  # noqa: ANN401 - an attrs field
    return attrs.field(default=None, metadata={"secret": True}, repr=False)


@attrs.frozen
class OcppOptions:
    """The OCPP keys of an asset in the site file.

    ``charge_point`` is the identity at the end of the URL and the user name. ``min_a`` amperes
    per phase is the least that a vehicle charges with (IEC 61851: 6). ``rate_unit`` is auto, W
    or A. ``below_min`` says what becomes of a power below the minimum: off or minimum.
    """

    charge_point: str = attrs.field(validator=_text)
    connector: int = attrs.field(default=1, validator=[attrs.validators.ge(1)])
    password_env: str | None = _secret()
    password_file: str | None = _secret()
    password_hash: str | None = _secret()
    password: str | None = _secret()
    min_a: float = attrs.field(default=6.0, validator=[attrs.validators.ge(0)])
    phases: int = attrs.field(default=3, validator=[attrs.validators.in_((1, 2, 3))])
    rate_unit: str = attrs.field(
        default="auto", validator=[attrs.validators.in_(("auto", "A", "W"))]
    )
    below_min: str = attrs.field(
        default="off", validator=[attrs.validators.in_(("off", "minimum"))]
    )


def options_of(options: object) -> OcppOptions:
    """Return an asset's options as what they are.

    Raises:
        UsageError: they are those of another adapter.
    """
    if not isinstance(options, OcppOptions):
        raise UsageError("an OCPP asset needs the options charge_point and connector")
    return options


class Ocpp16Spelling:
    """The pure half of the OCPP 1.6 adapter."""

    options: type = OcppOptions
    protocol = "ocpp1.6"

    def slot_key(self, options: object) -> str:
        """Return what the connectors of one charge point have in common: its identity."""
        return options_of(options).charge_point

    def translate(self, command: Command, asset: AssetView, attempt: Attempt) -> Payload:
        """Spell a command as the CALLs of a central system.

        Raises:
            Untranslatable: a charger cannot do it, or there is no further form.
        """
        own = options_of(asset.options)
        match command.type:
            case CommandType.SET_CHARGE_RATE:
                return _set_profile(own, asset, attempt)
            case CommandType.SET_DISCHARGE_RATE:
                raise Untranslatable("a charger cannot discharge")
            case CommandType.RELEASE:
                return _clear_profiles(own, asset, attempt)
            case CommandType.CALL:
                return _call(command)
            case _:
                return Payload((_simple(command, own, asset),))

    def interpret(self, answer: Answer, asset: AssetView) -> tuple[Observation, ...]:
        """Return what an answer says beyond yes or no: a composite schedule's present limit."""
        own = options_of(asset.options)
        for value in answer.values:
            if isinstance(value, Mapping) and "chargingSchedule" in value:
                read = _composite(value["chargingSchedule"], own, answer.raw)
                return () if read is None else (read,)
        return ()

    def questions(self, asset: AssetView) -> tuple[Payload, ...]:
        """Return GetCompositeSchedule [5.7]: which limit holds now."""
        own = options_of(asset.options)
        body: dict[str, object] = {
            "connectorId": own.connector,
            "duration": _QUESTION_S,
            "chargingRateUnit": unit_of(own, asset.capabilities),
        }
        return (Payload((Frame("GetCompositeSchedule", body, control=False),)),)


def _simple(command: Command, own: OcppOptions, asset: AssetView) -> Frame:
    """Return the one frame of START, STOP and CHANGE_AVAILABILITY [5.11, 5.12, 5.2]."""
    if command.type is CommandType.START_CHARGING:
        tag = str(command.arguments.get("id_tag", "SETPOINT"))
        return Frame("RemoteStartTransaction", {"connectorId": own.connector, "idTag": tag})
    if command.type is CommandType.STOP_CHARGING:
        if asset.transaction_id is None:
            raise Untranslatable("there is no transaction to stop")
        return Frame("RemoteStopTransaction", {"transactionId": _number(asset.transaction_id)})
    operative = command.arguments.get("operative", True)
    kind = "Operative" if operative else "Inoperative"
    return Frame("ChangeAvailability", {"connectorId": own.connector, "type": kind})


def _number(transaction_id: str) -> int:
    try:
        return int(transaction_id)
    except ValueError:
        raise Untranslatable(f"transaction {transaction_id!r} is none of OCPP 1.6") from None


def _call(command: Command) -> Payload:
    action, payload = command.arguments.get("action"), command.arguments.get("payload")
    if not isinstance(action, str) or not isinstance(payload, dict):
        raise Untranslatable("a CALL needs an action and a payload")
    return Payload((Frame(action, payload),))


# --- charging profiles [3.13, 5.16]


def unit_of(own: OcppOptions, capabilities: Mapping[str, str]) -> str:
    """Return W or A: what the site file says, else what the charger takes, watts by preference."""
    if own.rate_unit != "auto":
        return own.rate_unit
    told = capabilities.get("ChargingScheduleAllowedChargingRateUnit", "")
    units = {part.strip().lower() for part in told.split(",")}
    watts = units & {"power", "w"}
    return "A" if units & {"current", "a"} and not watts else "W"


def limit_of(power_kw: float, own: OcppOptions, unit: str) -> tuple[float, float]:
    """Return a power as a limit with one decimal, rounded down, and what that comes to in kW.

    Below the least current it becomes 0, or the least, as ``below_min`` says.
    """
    watts = power_kw * 1_000
    per_ampere = VOLTS * own.phases
    least_w = own.min_a * per_ampere
    if 0 < watts < least_w:
        watts = least_w if own.below_min == "minimum" else 0.0
    if unit == "W":
        tenths = math.floor(round(watts * 10, 3))
        return tenths / 10, tenths / 10_000
    amperes = math.floor(round(watts / per_ampere * 10, 6)) / 10
    return amperes, round(amperes * per_ampere) / 1_000


def _set_profile(own: OcppOptions, asset: AssetView, attempt: Attempt) -> Payload:
    if attempt.form >= len(FORMS):
        raise Untranslatable("the charger refuses every form of a charging profile")
    form = FORMS[attempt.form]
    if form == "one_period" and attempt.lease_s is None:
        raise Untranslatable("without a lease there is no further form")
    unit = unit_of(own, asset.capabilities)
    limit, applied_kw = limit_of(attempt.charge_kw or 0.0, own, unit)
    fallback = None
    if attempt.fallback_kw is not None:
        fallback = limit_of(attempt.fallback_kw, own, unit)[0]
    made = _Profiles(own, asset, attempt, unit)
    frames = [made.setpoint(limit, fallback, form)]
    if form == "one_period" and fallback is not None:
        frames.insert(0, made.fallback(fallback))
    return Payload(tuple(frames), applied_kw)


class _Profiles:
    """The charging profiles of one attempt."""

    def __init__(self, own: OcppOptions, asset: AssetView, attempt: Attempt, unit: str) -> None:
        self.own = own
        self.asset = asset
        self.attempt = attempt
        self.unit = unit

    def setpoint(self, limit: float, fallback: float | None, form: str) -> Frame:
        """Return the profile that holds until the lease ends, and gives way to the fallback."""
        lease_s = self.attempt.lease_s
        periods = [self._period(0, limit)]
        schedule: dict[str, object] = {"chargingRateUnit": self.unit}
        # startSchedule lies a minute back, so that a charger whose clock is slow does not wait.
        back_s = _BACK_S if form != "relative" else 0
        if lease_s is not None:
            end_s = back_s + round(lease_s)
            if fallback is not None and form != "one_period":
                if fallback != limit:
                    periods.append(self._period(end_s, fallback))
            else:
                schedule["duration"] = end_s
        if form != "relative":
            start = self.attempt.at - _BACK
            schedule["startSchedule"] = start.strftime("%Y-%m-%dT%H:%M:%SZ")
        schedule["chargingSchedulePeriod"] = periods
        kind = "Relative" if form == "relative" else "Absolute"
        return self._frame(self._purpose(), kind, schedule, (_level(self.asset), _SETPOINT))

    def fallback(self, limit: float) -> Frame:
        """Return the profile below all others, which holds when the setpoint's has ended."""
        schedule: dict[str, object] = {
            "chargingRateUnit": self.unit,
            "startSchedule": (self.attempt.at - _BACK).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "chargingSchedulePeriod": [self._period(0, limit)],
        }
        return self._frame("TxDefaultProfile", "Absolute", schedule, (0, _FALLBACK))

    def _purpose(self) -> str:
        return "TxDefaultProfile" if self.asset.transaction_id is None else "TxProfile"

    def _period(self, start_s: int, limit: float) -> dict[str, object]:
        return {"startPeriod": start_s, "limit": limit, "numberPhases": self.own.phases}

    def _frame(
        self, purpose: str, kind: str, schedule: dict[str, object], place: tuple[int, int]
    ) -> Frame:
        level, which = place
        profile: dict[str, object] = {
            "chargingProfileId": profile_id(self.own.connector, purpose, which),
            "stackLevel": level,
            "chargingProfilePurpose": purpose,
            "chargingProfileKind": kind,
            "chargingSchedule": schedule,
        }
        if purpose == "TxProfile" and self.asset.transaction_id is not None:
            profile["transactionId"] = _number(self.asset.transaction_id)
        body: dict[str, object] = {
            "connectorId": self.own.connector,
            "csChargingProfiles": profile,
        }
        return Frame("SetChargingProfile", body)


def profile_id(connector: int, purpose: str, which: int) -> int:
    """Return our own id of a profile: 1000·connector + 10·rung + (0 setpoint, 1 fallback)."""
    rung = 1 if purpose == "TxProfile" else 0
    return 1_000 * connector + 10 * rung + which


def _level(asset: AssetView) -> int:
    """Return stack level 1, or 0 where the charger has no other."""
    told = asset.capabilities.get("ChargeProfileMaxStackLevel", "")
    return min(1, int(told)) if told.isascii() and told.isdigit() else 1


def _clear_profiles(own: OcppOptions, asset: AssetView, attempt: Attempt) -> Payload:
    """Clear what we may have set, by our own ids alone [5.4]."""
    if attempt.form:
        raise Untranslatable("there is no other form of ClearChargingProfile")
    purposes = ["TxDefaultProfile"]
    if asset.transaction_id is not None:
        purposes.insert(0, "TxProfile")
    ids = [profile_id(own.connector, purpose, _SETPOINT) for purpose in purposes]
    ids.append(profile_id(own.connector, "TxDefaultProfile", _FALLBACK))
    return Payload(tuple(Frame("ClearChargingProfile", {"id": each}) for each in ids))


# --- answers


_ACCEPTED: Final = frozenset({"Accepted", "Scheduled", "RebootRequired", "Unlocked"})
_UNSUPPORTED: Final = frozenset({"NotSupported", "NotImplemented"})


def judge(action: str, conf: Mapping[str, object]) -> tuple[Outcome, str | None]:
    """Return what a CALLRESULT means for its CALL, and how it was put if it is a refusal.

    An unknown profile id is as clear as it gets; a status that nobody knows is no answer.
    """
    status = conf.get("status")
    if status is None or status in _ACCEPTED:
        return "accepted", None
    if action == "ClearChargingProfile" and status == "Unknown":
        return "accepted", None
    if status in _UNSUPPORTED:
        return "rejected", "unsupported"
    if status in {"Rejected", "Faulted", "UnlockFailed", "Failed", "Occupied", "UnknownMessageId"}:
        return "rejected", str(status)
    return "unknown", str(status)


def _composite(schedule: object, own: OcppOptions, raw: str) -> SetpointRead | None:
    """Return the limit of a composite schedule's first period as a setpoint."""
    if not isinstance(schedule, Mapping):
        return None
    periods = schedule.get("chargingSchedulePeriod")
    if not isinstance(periods, list) or not periods or not isinstance(periods[0], Mapping):
        return None
    limit = periods[0].get("limit")
    if not isinstance(limit, int | float) or not math.isfinite(limit):
        return None
    phases = periods[0].get("numberPhases")
    used = phases if isinstance(phases, int) and phases else own.phases
    per_unit = VOLTS * used / 1_000 if schedule.get("chargingRateUnit") == "A" else 0.001
    step_kw = 0.1 * per_unit + 0.001
    return SetpointRead(limit * per_unit, None, step_kw, raw)
