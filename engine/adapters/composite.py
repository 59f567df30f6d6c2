"""What a composite schedule says holds now, the same in both versions of OCPP.

Sources: OCPP 1.6 edition 2, 5.7 and 7.13; OCPP 2.0.1 edition 2, part 2, 2.14.
"""

from collections.abc import Mapping
from typing import Final

from engine.adapters.base import SetpointRead
from engine.adapters.ocpp_options import OcppOptions, phases_of
from engine.adapters.samples import PLAUSIBLE_W, number

QUESTION_S: Final = 60
"""How far ahead a charge point is asked."""


def present_limit(
    schedule: object, own: OcppOptions, raw: str, measured: int | None = None
) -> SetpointRead | None:
    """Return the limit of a composite schedule's first period as a setpoint, null without one.

    Amperes are of the phases that it names, else of those that are ``measured`` or configured.
    """
    if not isinstance(schedule, Mapping):
        return None
    periods = schedule.get("chargingSchedulePeriod")
    if not isinstance(periods, list) or not periods or not isinstance(periods[0], Mapping):
        return None
    limit, phases = number(periods[0].get("limit")), periods[0].get("numberPhases")
    if limit is None or not 0 <= limit <= PLAUSIBLE_W:
        return None
    used = phases if phases in (1, 2, 3) else phases_of(own, measured)
    is_amperes = schedule.get("chargingRateUnit") == "A"
    per_unit_kw = own.voltage * used / 1_000 if is_amperes else 0.001
    step_kw = 0.1 * per_unit_kw + 0.001
    return SetpointRead(limit * per_unit_kw, None, step_kw, raw)
