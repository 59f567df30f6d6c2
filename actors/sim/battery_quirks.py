"""What a simulated battery can do wrong, by name; each was seen in the field."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from engine.adapters.tables import nearest

ANY_EXCEPTION: Final = "exception_N"
EXCEPTION: Final = re.compile(r"exception_(\d{1,3})")
"""The quirk to refuse every write with an exception code."""

QUIRKS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "answer_twice": "answers every write twice",
        "clamp": "takes half of what is written to a setpoint",
        "drifts": "answers under the transaction id before, after ten requests on a connection",
        "drop_connection": "hangs up on every request",
        ANY_EXCEPTION: "refuses writes with exception code N, exception_6 say",
        "fc16_only": "knows no function code 6",
        "fc6_only": "knows no function code 16",
        "faulted": "reports FAULTED and does not move",
        "flash_wear": "takes no setpoint within ten seconds of the one before",
        "forgets_setpoint": "goes back to 0 a minute after the last sign of life",
        "gateway_fault": "answers everything like a gateway whose device is off",
        "ignore_write": "answers writes and does nothing",
        "late": "does what is written, and answers after the time-out",
        "mute": "does what is written and does not answer",
        "nan_readings": "tells its power and charge as no number",
        "needs_mode": "refuses a setpoint before the mode that its profile has for it",
        "never_lapses": "holds its setpoint for ever, whatever its profile says",
        "one_client": "closes every connection beside its first",
        "other_controller": "is set to 1 kW by somebody else, ten seconds after each setpoint",
        "silent": "neither answers nor does anything",
        "slow": "does it and answers two seconds later",
        "swapped_words": "has the words of its long registers the other way round",
        "unavailable": "reports UNAVAILABLE and does not move",
        "wrong_echo": "does what is written and answers with another value",
        "wrong_function": "answers a write with another function code",
        "wrong_transaction": "answers a write under another transaction id",
        "zero_transaction": "answers a write under transaction id 0",
    }
)


def known_quirk(name: str) -> str:
    """Return the name of a quirk, one of `QUIRKS` or ``exception_N``.

    Raises:
        ValueError: there is none of this name; names the nearest.
    """
    is_known = name in QUIRKS and name != ANY_EXCEPTION
    if not is_known and EXCEPTION.fullmatch(name) is None:
        raise ValueError(f"no quirk is called {name!r}{nearest(name, QUIRKS)}")
    return name


def refusal(quirks: frozenset[str]) -> int | None:
    """Return the exception code that writes are refused with, null where they are not."""
    found = (EXCEPTION.fullmatch(quirk) for quirk in sorted(quirks))
    return next((int(one[1]) for one in found if one is not None), None)
