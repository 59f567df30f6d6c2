"""How long a command that did not work waits until it is tried again: arithmetic, no clock."""

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
