"""What a simulated charge point answers to a CALL."""

from collections.abc import Callable, Mapping

import attrs


def _nothing() -> None:
    pass


@attrs.frozen
class Reply:
    """The payload of a result, and what is done when it is out."""

    payload: Mapping[str, object]
    then: Callable[[], None] = _nothing
