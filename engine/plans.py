"""Packed plans: one asset's part of a schedule as a step function of whole watts."""

import attrs

from engine.types import ScheduleId


@attrs.frozen
class Plan:
    """One asset's value changes, packed: change n is due at ``due[n]`` on ``channel[n]``.

    ``due`` holds int64 little-endian microseconds since 1970 UTC (plan clock), ascending;
    ``channel`` one byte each (``Channel``); ``watts`` int32 little-endian. At one instant of a
    battery the channel that goes to zero comes first. The first slot is a change on every channel.
    ``columns`` names the schedule's column of each channel, in the order of ``Channel``.
    """

    columns: tuple[str, ...]
    due: bytes
    channel: bytes
    watts: bytes


@attrs.frozen
class PlanRef:
    """Which accepted schedule a plan came with, and the asset's place in it."""

    schedule_id: ScheduleId
    sequence: int
    ordinal: int
