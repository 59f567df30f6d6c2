"""Names as people give them: whether they are any, and what was meant by those that are not."""

import difflib
from collections.abc import Collection
from typing import Final, TypeGuard

_NEAR: Final = 0.6
_LISTED: Final = 12


def is_text(value: object) -> TypeGuard[str]:
    """Return whether a value is a text that can be written down: half a surrogate pair cannot.

    Such halves stand for bytes of a command line that are not UTF-8.
    """
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def nearest(name: str, names: Collection[str], count: int = 1, cutoff: float = _NEAR) -> list[str]:
    """Return the names that look most like one, in any case, the nearest first."""
    by_lower = {one.lower(): one for one in sorted(names)}
    near = difflib.get_close_matches(name.lower(), by_lower, count, cutoff)
    return [by_lower[one] for one in near]


def instead_of(name: str, names: Collection[str]) -> str:
    """Return the end of a sentence that says what there is in place of a name that is not."""
    near = nearest(name, names, 3)
    if near:
        return f"did you mean {' or '.join(map(repr, near))}?"
    if not names:
        return "there is none"
    first = sorted(names)[:_LISTED]
    more = len(names) - len(first)
    return f"there are {', '.join(first)}{f' and {more:,} more' if more else ''}"
