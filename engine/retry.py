"""When a command that did not work is tried again: arithmetic on given times, no clock."""

from typing import Final

from engine.types import US_PER_S

LONGEST_WAIT_S: Final = 60.0


def backoff_us(attempt_number: int, factor: float) -> int:
    """Return the wait before a retry, min(60, factor ** number) seconds, in microseconds.

    Args:
        attempt_number: 1 for the first retry, 2 for the second.
        factor: ``retry_backoff_factor`` of the site file, above 0.

    Raises:
        ValueError: the number is below 1 or the factor not above 0.
    """
    if attempt_number < 1 or not factor > 0:
        raise ValueError(f"no backoff for retry {attempt_number} with factor {factor}")
    try:
        wait_s = min(LONGEST_WAIT_S, float(factor) ** attempt_number)
    except OverflowError:
        wait_s = LONGEST_WAIT_S
    return round(wait_s * US_PER_S)


def next_attempt_us(
    ended_us: int, number: int, factor: float, expires_us: int | None, *, max_retries: int = 3
) -> int | None:
    """Return when retry ``number`` may begin, None when there is none.

    There is none beyond ``max_retries``, and none at or after the command's expiry: from that
    instant on it is another setpoint's time. All times are microseconds since 1970 on one clock.

    Args:
        ended_us: when the attempt before it ended.
        number: 1 for the first retry.
        factor: ``retry_backoff_factor`` of the site file, above 0.
        expires_us: when the command expires, None where it never does.
        max_retries: how many retries the command has in all.
    """
    if number > max_retries:
        return None
    begins_us = ended_us + backoff_us(number, factor)
    if expires_us is not None and begins_us >= expires_us:
        return None
    return begins_us
