"""How commands for a battery become register reads and writes, and what registers say.

A frame's action is ``write`` or ``read``; its body has ``unit``, ``space`` (holding or input),
``address`` (0-based), ``function`` (3, 4, 6 or 16), ``role`` and, for a write, ``values`` (words),
for a read, ``count``. Source: MODBUS Application Protocol V1.1b3.
"""

import contextlib
import math
from collections.abc import Callable, Mapping
from typing import Any, Final, assert_never

import attrs

from engine.adapters.base import Answer, AssetView, Frame, Observation, Payload
from engine.adapters.device import (
    MOST_READ,
    READ_HOLDING,
    READ_INPUT,
    WRITE_MULTIPLE,
    WRITE_SINGLE,
    Device,
    reads,
)
from engine.adapters.readings import observations
from engine.adapters.registers import RegisterProfile, quantise, value_range
from engine.adapters.sunspec_profile import profile_from
from engine.adapters.tables import is_whole, nearest
from engine.commands import Attempt, Command, CommandType
from engine.errors import Untranslatable, UsageError
from engine.types import W_PER_KW, to_w

PORT: Final = 502
SECURE_PORT: Final = 802
"""The registered port of Modbus over TLS."""
_MOST_WRITTEN: Final = 123
_LAST_ADDRESS: Final = 0xFFFF
_LAST_WORD: Final = 0xFFFF


def _within(low: int, high: int) -> list[Callable[[Any, Any, Any], Any]]:
    return [attrs.validators.instance_of(int), attrs.validators.ge(low), attrs.validators.le(high)]


def _file() -> Any:  # noqa: ANN401 - attrs has it so
    return attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.min_len(1))
    )


@attrs.frozen
class ModbusTls:
    """Modbus/TCP Security: files in PEM form, and the name that the device's certificate has.

    ``ca`` is whom to trust, null the system's authorities; ``cert`` and ``key`` are what the device
    is shown; ``name`` is null where it is the host. Source: MB-TCP-Security-v21.
    """

    ca: str | None = _file()
    cert: str | None = _file()
    key: str | None = _file()
    name: str | None = _file()


def _usual_port(own: "ModbusOptions") -> int:
    return PORT if own.tls is None else SECURE_PORT


@attrs.frozen
class ModbusOptions:
    """The Modbus keys of an asset in the site file.

    ``tls`` null is Modbus in the clear; the port is 802 with it and 502 without unless it is given.
    ``profile`` names a register profile: a built-in one, or a path ending in ``.toml`` as it stands
    in the site file. ``idle_w`` is the asset's own key as well; here it tells idle from charging
    where a device has no state register. Unit 0 is a broadcast that no device answers.
    """

    tls: ModbusTls | None = attrs.field(default=None, kw_only=True)
    host: str = attrs.field(validator=attrs.validators.min_len(1), metadata={"address": True})
    port: int = attrs.field(
        default=attrs.Factory(_usual_port, takes_self=True),
        validator=_within(1, 65_535),
        metadata={"address": True},
    )
    unit: int = attrs.field(default=1, validator=_within(1, 255))
    profile: str = attrs.field(default="generic-battery", validator=attrs.validators.min_len(1))
    idle_w: int = attrs.field(default=100, validator=_within(0, 1_000_000))


def options_of(options: object) -> ModbusOptions:
    """Return an asset's options as what they are.

    Raises:
        UsageError: they are those of another adapter.
    """
    if not isinstance(options, ModbusOptions):
        raise UsageError("a Modbus asset needs the options host, port, unit and profile")
    return options


class ModbusSpelling:
    """The pure half of the Modbus adapter, for the register profiles that it is given by name."""

    options: type = ModbusOptions

    def __init__(self, profiles: Mapping[str, RegisterProfile]) -> None:
        """Take the profiles by the names that site files use."""
        self._profiles = dict(profiles)

    # --- what the profile says of an asset

    def profile_of(self, options: object) -> RegisterProfile:
        """Return the register profile of an asset.

        Raises:
            UsageError: these are no Modbus options, or no profile has the name that they give.
        """
        name = options_of(options).profile
        profile = self._profiles.get(name)
        if profile is None:
            raise UsageError(
                f"no register profile is called {name!r}{nearest(name, self._profiles)}"
            )
        return profile

    def profile_for(self, asset: AssetView) -> RegisterProfile:
        """Return the register profile of an asset, as learned of its device where it has to be.

        Raises:
            Untranslatable: the device has not told its registers yet, or cannot be controlled.
        """
        profile = self.profile_of(asset.options)
        if not profile.learns:
            return profile
        if not asset.capabilities:
            raise Untranslatable("the device tells its registers when it is connected")
        try:
            return profile_from(asset.capabilities)
        except LookupError as error:
            raise Untranslatable(str(error)) from None

    def _known(self, asset: AssetView) -> RegisterProfile | None:
        with contextlib.suppress(Untranslatable):
            return self.profile_for(asset)
        return None

    def step_w(self, options: object) -> int:
        """Return the resolution of the device's setpoint in watts, at least 1."""
        return step_w(self.profile_of(options))

    def limits_w(self, options: object) -> tuple[int, int]:
        """Return the greatest charge and discharge power that the registers take, in watts."""
        return limits_w(self.profile_of(options))

    def shared_register(self, options: object) -> bool:
        """Return whether charge and discharge are always written together."""
        return self.profile_of(options).control != "pair"

    def slot_key(self, options: object) -> str:
        """Return what units behind one connection have in common: host and port."""
        own = options_of(options)
        return f"{own.host}:{own.port}"

    def poll_s(self, options: object) -> float:
        """Return the profile's seconds between polls."""
        return self.profile_of(options).poll_s

    # --- Spelling

    def translate(self, command: Command, asset: AssetView, attempt: Attempt) -> Payload:
        """Spell a command as register writes, followed by a read of what they wrote.

        Raises:
            Untranslatable: a battery cannot do it, or it was refused in the one form there is.
        """
        if attempt.form:
            raise Untranslatable("a register write has one form only")
        fallback_kw = attempt.fallback_kw
        device = Device(
            self.profile_for(asset),
            options_of(asset.options).unit,
            attempt.lease_s,
            None if fallback_kw is None else to_w(fallback_kw),
        )
        kind = command.type
        match kind:
            case CommandType.SET_CHARGE_RATE | CommandType.SET_DISCHARGE_RATE:
                return _rate(device, command, asset, attempt)
            case CommandType.STOP_CHARGING:
                return Payload(device.pair(0, 0))
            case CommandType.RELEASE:
                return Payload(device.release())
            case CommandType.CALL:
                return Payload((_call(command, device.unit),))
            case CommandType.START_CHARGING | CommandType.CHANGE_AVAILABILITY:
                raise Untranslatable(f"a battery cannot {kind.value}")
            case _:
                assert_never(kind)

    def interpret(self, answer: Answer, asset: AssetView) -> tuple[Observation, ...]:
        """Return what the registers in an answer say; nothing where it was refused."""
        profile = self._known(asset)
        if answer.outcome != "accepted" or profile is None:
            return ()
        return observations(profile, answer, options_of(asset.options).idle_w)

    def questions(self, asset: AssetView) -> tuple[Payload, ...]:
        """Return the reads of the registers that tell the setpoint; nothing where none does."""
        profile = self._known(asset)
        if profile is None:
            return ()
        frames = reads(profile.telling, options_of(asset.options).unit)
        return (Payload(frames),) if frames else ()

    def poll(self, options: object, *, greeting: bool = False) -> Payload:
        """Return the reads of state, power, charge and setpoint, and on greeting of the model."""
        device = Device(self.profile_of(options), options_of(options).unit)
        return Payload(device.poll(greeting=greeting))


def limits_w(profile: RegisterProfile) -> tuple[int, int]:
    """Return the greatest charge and discharge power that a profile's registers take, in watts."""
    first, last = profile.setpoints[0], profile.setpoints[-1]
    if profile.control != "signed":
        return math.floor(value_range(first)[1]), math.floor(value_range(last)[1])
    low, high = (math.trunc(value) for value in value_range(first))
    return (high, -low) if profile.charge_sign > 0 else (-low, high)


def step_w(profile: RegisterProfile) -> int:
    """Return the resolution of a profile's setpoint in watts, at least 1."""
    return max(1, *(math.ceil(one.resolution) for one in profile.setpoints))


# --- rates


def _rate(device: Device, command: Command, asset: AssetView, attempt: Attempt) -> Payload:
    """Return the frames of a rate; a channel not known to hold its part is written first."""
    charging = command.type is CommandType.SET_CHARGE_RATE
    own_kw, other_kw = attempt.charge_kw, attempt.discharge_kw
    held_kw = asset.held_discharge_kw
    if not charging:
        own_kw, other_kw = other_kw, own_kw
        held_kw = asset.held_charge_kw
    own_w, other_w = _watts(command.value_kw if own_kw is None else own_kw), _watts(other_kw or 0.0)
    if own_w and other_w:
        raise Untranslatable("a battery cannot charge and discharge at once")
    pair = (own_w, other_w) if charging else (other_w, own_w)
    own, other = ("charge_setpoint_w", "discharge_setpoint_w")[:: 1 if charging else -1]
    if device.profile.control != "pair":
        role = device.profile.setpoints[0 if charging else -1].role
        return Payload(device.pair(*pair), _applied_kw(device, role, own_w, charging))
    known = held_kw is not None and to_w(held_kw) == other_w
    frames = device.pair(*pair, first=None if known else other, only=own)
    return Payload(frames, _applied_kw(device, own, own_w, charging))


def _applied_kw(device: Device, role: str, value_w: int, charging: bool) -> float:  # noqa: FBT001 - which of two channels
    """Return what a channel's value becomes on the device, in kW."""
    sign = 1
    if device.profile.control == "signed":
        sign = device.profile.charge_sign * (1 if charging else -1)
    applied = quantise(device.profile.register(role), sign * value_w)
    return abs(float(applied)) / W_PER_KW


def _watts(power_kw: float | None) -> int:
    if power_kw is None or not math.isfinite(power_kw) or power_kw < 0:
        raise Untranslatable(f"{power_kw} kW is not a power that can be set")
    return to_w(power_kw)


# --- calls by hand


def _call(command: Command, unit: int) -> Frame:
    """Return the frame of a CALL: write_register, write_registers or read_registers."""
    payload = command.arguments.get("payload")
    given: Mapping[str, object] = payload if isinstance(payload, dict) else {}
    action = command.arguments.get("action")
    space = given.get("space", "holding")
    body: dict[str, object] = {
        "unit": unit,
        "space": "input" if space == "input" else "holding",
        "address": _whole(given.get("address"), "address", 0, _LAST_ADDRESS),
    }
    if action == "read_registers":
        body["count"] = _whole(given.get("count", 1), "count", 1, MOST_READ)
        body["function"] = READ_INPUT if space == "input" else READ_HOLDING
        return Frame("read", {**body, "role": "call"}, control=False)
    if action == "write_register":
        body["values"] = [_word(given.get("value"))]
        body["function"] = WRITE_SINGLE
    elif action == "write_registers":
        body["values"] = _words(given.get("values"))
        body["function"] = WRITE_MULTIPLE
    else:
        raise Untranslatable("a battery takes write_register, write_registers and read_registers")
    return Frame("write", {**body, "role": "call"})


def _whole(value: object, name: str, low: int, high: int) -> int:
    if not is_whole(value) or not low <= value <= high:
        raise Untranslatable(f"{name} is an integer from {low} to {high}, not {value!r}")
    return value


def _word(value: object) -> int:
    return _whole(value, "a word", 0, _LAST_WORD)


def _words(values: object) -> list[int]:
    if not isinstance(values, list) or not 1 <= len(values) <= _MOST_WRITTEN:
        raise Untranslatable(f"values is a list of 1 to {_MOST_WRITTEN} words")
    return [_word(value) for value in values]
