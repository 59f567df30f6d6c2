"""How the central system treats its charge points."""

from collections.abc import Callable

import attrs

from engine.types import iso


@attrs.frozen
class Manners:
    """How the central system treats charge points; the clocks are device and wall clock, in µs.

    ``heartbeat_s`` is what BootNotification.conf asks for [4.2], ``id_tags`` null takes any,
    ``own_tag`` is that of our own remote starts. After ``quiet_s`` seconds on the loop's clock a
    charge point that has not said who and how it is, is asked.
    """

    device_us: Callable[[], int]
    wall_us: Callable[[], int]
    heartbeat_s: int = 30
    id_tags: tuple[str, ...] | None = None
    own_tag: str = "SETPOINT"
    quiet_s: float = 3.0

    def now(self) -> str:
        """Return the time as charge points are told it."""
        return iso(self.wall_us())[:19] + "Z"

    def tag_info(self, tag: object) -> dict[str, object]:
        """Return what an id tag may, as idTagInfo [7.27]; case makes no difference [7.28]."""
        if self.id_tags is None:
            return {"status": "Accepted"}
        known = {one.casefold() for one in (*self.id_tags, self.own_tag)}
        is_known = isinstance(tag, str) and tag.casefold() in known
        return {"status": "Accepted" if is_known else "Invalid"}
