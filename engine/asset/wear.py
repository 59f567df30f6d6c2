"""Registers that are kept in flash, which wears: how often they are written, and what waits for it.

A payload says of each such register how often it may be written. What would write other words than
the last ones counts as a write. A decrease is never held: flash is worth less than a limit.
"""

from collections.abc import Iterator
from typing import Final, cast

from msgspec.structs import replace

from engine.adapters.base import Frame, Payload
from engine.asset.holding import is_increase, known_holding
from engine.asset.state import AssetState
from engine.asset.worn import Worn
from engine.events import Setpoint
from engine.types import US_PER_S, Instant

WRITE_BUDGET: Final = "write_budget"
WRITE_INTERVAL: Final = "write_interval"
_DAY_US: Final = 86_400 * US_PER_S


def kept_in_flash(payload: Payload) -> Iterator[Frame]:
    """Yield the writes of a payload to registers that are kept in flash."""
    return (frame for frame in payload.frames if "persistent" in frame.body)


def wear_reason(
    state: AssetState, payload: Payload, setpoint: Setpoint, now: Instant
) -> str | None:
    """Return why a payload that raises power has to wait for flash, null if it may go."""
    held = [
        reason
        for frame in kept_in_flash(payload)
        if (reason := _frame_reason(_worn(state, frame), frame, now)) is not None
    ]
    if not held or not is_increase(known_holding(state, now), setpoint):
        return None
    return WRITE_BUDGET if WRITE_BUDGET in held else WRITE_INTERVAL


def is_spent(state: AssetState, now: Instant) -> bool:
    """Return whether a register was written as often today as it may be."""
    return any(one.day == _day(now) and one.left <= 0 for one in state.worn)


def worn_by(state: AssetState, payload: Payload, at: Instant) -> AssetState:
    """Return the state with the writes of a payload counted; days are those of UTC."""
    for frame in kept_in_flash(payload):
        before = _worn(state, frame)
        if before.words == _words(frame):
            continue
        day = _day(at)
        _, daily_writes = _allowed(frame)
        left = before.left if day == before.day else daily_writes
        now_worn = Worn(before.role, _words(frame), day, left - 1, at.device_us)
        others = tuple(one for one in state.worn if one.role != before.role)
        state = replace(state, worn=(*others, now_worn))
    if WRITE_BUDGET in state.alarms and all(one.left > 0 for one in state.worn):
        alarms = tuple(one for one in state.alarms if one != WRITE_BUDGET)
        return replace(state, alarms=alarms)
    return state


def forget_words(state: AssetState) -> AssetState:
    """Return the state of a device that was found changed: the same words would be a write now."""
    if not state.worn:
        return state
    return replace(state, worn=tuple(replace(one, words=()) for one in state.worn))


def _frame_reason(worn: Worn, frame: Frame, now: Instant) -> str | None:
    min_interval_s, _ = _allowed(frame)
    if worn.words == _words(frame):
        return None
    if worn.day == _day(now) and worn.left <= 0:
        return WRITE_BUDGET
    again_us = worn.last_us + round(min_interval_s * US_PER_S)
    return WRITE_INTERVAL if now.device_us < again_us else None


def _worn(state: AssetState, frame: Frame) -> Worn:
    role = str(frame.body["role"])
    return next((one for one in state.worn if one.role == role), Worn(role))


def _allowed(frame: Frame) -> tuple[float, int]:
    min_interval_s, daily_writes = cast("list[float]", frame.body["persistent"])
    return min_interval_s, int(daily_writes)


def _words(frame: Frame) -> tuple[int, ...]:
    return tuple(cast("list[int]", frame.body["values"]))


def _day(at: Instant) -> int:
    return at.device_us // _DAY_US
