"""The OCPP keys of an asset in the site file."""

import math
from typing import Any, Final

import attrs

from engine.errors import UsageError

_LONGEST_IDENTITY: Final = 48


def _identity(instance: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    del instance
    name = attribute.name
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} is a text that is not empty")
    if len(value) > _LONGEST_IDENTITY or not value.isprintable():
        raise ValueError(f"{name} has at most {_LONGEST_IDENTITY} printable characters")
    if ":" in value:  # RFC 7617: a user name of Basic authentication has none
        raise ValueError(f"{name} is a user name too, and may have no colon")


def _finite(instance: object, attribute: "attrs.Attribute[Any]", value: float) -> None:
    del instance
    if not math.isfinite(value):
        raise ValueError(f"{attribute.name} is a finite number")


def _secret() -> Any:  # noqa: ANN401 - an attrs field
    return attrs.field(default=None, metadata={"secret": True}, repr=False)


def _one_of(default: str, *others: str) -> Any:  # noqa: ANN401 - an attrs field
    return attrs.field(default=default, validator=attrs.validators.in_((default, *others)))


@attrs.frozen
class OcppOptions:
    """The OCPP keys of an asset in the site file.

    ``charge_point`` is the identity at the end of the URL and the user name. ``min_a`` amperes
    per phase is the least that a vehicle charges with (IEC 61851: 6). ``rate_unit`` is auto, W
    or A; ``phases`` null are those that a vehicle is measured to charge on, three before that;
    ``voltage`` volts between phase and neutral turn one into the other. ``below_min`` says
    what becomes of a power below the minimum: off or minimum; what is off for that comes on with
    ``hysteresis_a`` amperes more, or when it is set again. ``charge_point_max`` lets the charge
    point as a whole be limited where it takes nothing else and has one connector.
    ``wake_up``: a vehicle that sleeps on after a pause is given its limit again, twice (limit), or
    the second time with some seconds of nothing before it (pause).
    ``sample_interval_s`` has it measure power and currents so often, 0 leaves that to its owner.
    """

    charge_point: str = attrs.field(validator=_identity)
    connector: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    password_env: str | None = _secret()
    password_file: str | None = _secret()
    password_hash: str | None = _secret()
    password: str | None = _secret()
    min_a: float = attrs.field(default=6.0, validator=[_finite, attrs.validators.ge(0)])
    phases: int | None = attrs.field(default=None, validator=attrs.validators.in_((None, 1, 2, 3)))
    rate_unit: str = _one_of("auto", "A", "W")
    voltage: float = attrs.field(default=230.0, validator=[_finite, attrs.validators.gt(0)])
    below_min: str = _one_of("off", "minimum")
    hysteresis_a: float = attrs.field(default=0.5, validator=[_finite, attrs.validators.ge(0)])
    charge_point_max: bool = False
    wake_up: str = _one_of("limit", "pause")
    sample_interval_s: int = attrs.field(default=0, validator=attrs.validators.ge(0))

    @property
    def least_w(self) -> int:
        """The least power above 0 that a vehicle charges with."""
        return math.ceil(self.min_a * self.voltage * phases_of(self, None))


def phases_of(own: OcppOptions, measured: int | None) -> int:
    """Return the phases to reckon with: the site file's, else the measured ones, else three."""
    return own.phases or measured or 3


def options_of(options: object) -> OcppOptions:
    """Return an asset's options as what they are.

    Raises:
        UsageError: they are those of another adapter.
    """
    if not isinstance(options, OcppOptions):
        raise UsageError("an OCPP asset needs the options charge_point and connector")
    return options
