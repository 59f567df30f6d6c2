"""What assets and their site tell each other under a site limit: claims, and the grants for them.

All powers are whole watts, zero or above, charging and discharging apart: charging counts under the
import limit, discharging under the export limit.
"""

from typing import Final

from msgspec import Struct

from engine.phases import Use


class Share(Struct, frozen=True, gc=False):
    """One direction of a claim.

    ``holds_w`` is the most that the device may hold, by itself or by what was sent to it; never
    below ``floor_w``, what it may go to at the end of its lease. ``wish_w`` is what should hold.
    Above the floor less than ``least_w`` is of no use to it.
    """

    wish_w: int = 0
    holds_w: int = 0
    floor_w: int = 0
    least_w: int = 0


NOTHING: Final = Share()


class Claim(Struct, frozen=True, gc=False):
    """What an asset wishes and may hold, as decided under grant ``number`` or an older one.

    ``uses`` is what its charging takes of the phases, where that is not what its entry says.
    """

    charge: Share = NOTHING
    discharge: Share = NOTHING
    number: int = 0
    uses: tuple[Use, ...] = ()


class Bound(Struct, frozen=True, gc=False):
    """The most that one direction may be set to, and why it is not more.

    ``answers_w`` is the wish that was looked at. Of ``limit_w`` the base load took ``base_w`` and
    the other assets ``others_w``; without a limit in this direction it is null. They are those of
    the ``phase`` that leaves the least, null where it is the connection as a whole.
    """

    most_w: int
    answers_w: int
    limit_w: int | None = None
    base_w: int = 0
    others_w: int = 0
    phase: str | None = None


class Grant(Struct, frozen=True, gc=False):
    """What one asset may be set to from now on; a higher ``number`` takes the place of lower."""

    charge: Bound
    discharge: Bound
    number: int = 0


UNBOUNDED_W: Final = 2**31 - 1
"""The bound of a direction without a limit."""
