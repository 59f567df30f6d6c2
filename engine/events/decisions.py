"""What an asset is to hold, and how it comes to that: the words that events share."""

from typing import Final

from msgspec import Struct

from engine.commands import CommandType
from engine.types import CommandId, ScheduleId


class Setpoint(Struct, frozen=True, gc=False):
    """What an asset should hold: the pair of powers, or, with both null, its own control."""

    charge_w: int | None
    discharge_w: int | None


RELEASED: Final = Setpoint(None, None)
NO_SCHEDULE: Final = ScheduleId("")


class Step(Struct, frozen=True, gc=False):
    """One attempt's share of a setpoint: the commands it serves and the pair that holds after."""

    command_ids: tuple[CommandId, ...]
    type: CommandType
    value_w: int | None
    setpoint: Setpoint


class Taken(Struct, frozen=True, gc=False):
    """How far a plan has been taken up: its first ``count`` changes have fallen due."""

    schedule_id: ScheduleId
    count: int


class Cut(Struct, frozen=True, gc=False):
    """What a site limit left of a setpoint, and why it is not more.

    ``asked`` is what should hold otherwise. ``direction`` is import or export, or the phase that
    has the least room: L1, L2 or L3. Of ``limit_w`` the base load took ``base_w`` and what the
    other assets may hold ``others_w``; ``granted_w`` is the most that this asset may be set to.
    """

    asked: Setpoint
    direction: str
    granted_w: int
    limit_w: int
    base_w: int
    others_w: int


class Decision(Struct, frozen=True, gc=False):
    """What should hold from now on, why, and the steps that bring it about.

    ``source`` is schedule, override, fallback, release or hold; ``losers`` are the sources that
    wanted something else, each with its charge and discharge in watts. ``horizon_us`` and
    ``sequence`` say which schedule's horizon it was decided on. With ``cut`` a site limit won over
    ``source``, which is the first of the losers then.
    """

    target: Setpoint
    source: str
    steps: tuple[Step, ...]
    due_us: int
    expires_us: int | None = None
    losers: tuple[tuple[str, int | None, int | None], ...] = ()
    taken: Taken | None = None
    horizon_us: int | None = None
    sequence: int | None = None
    cut: Cut | None = None
