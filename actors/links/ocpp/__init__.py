"""OCPP-J on the wire: the central system that charge points connect to."""

from collections.abc import Callable

from actors.clock import Clocks
from actors.links.ocpp.csms import Csms
from actors.links.ocpp.door import CheckPassword, House
from actors.links.ocpp.link import OcppLink
from actors.links.ocpp.manners import Manners
from actors.links.ocpp.refusals import Notice
from engine.adapters.base import Link, Observation
from engine.adapters.ocpp import OcppSpelling, options_of
from engine.config import OcppListen

__all__ = ["OcppAdapter"]


class OcppAdapter(OcppSpelling):
    """The adapter of the site file's name ``ocpp``: the spelling, and links on one listener."""

    def __init__(
        self,
        listen: OcppListen,
        clocks: Clocks,
        guard: tuple[CheckPassword, Notice],
        stale_s: float,
        quiet_s: float = 3.0,
    ) -> None:
        """Listen to nobody yet.

        ``guard`` tells whether a charge point's password is right, and hears of refused peers.
        After ``quiet_s`` seconds a charge point that has not said who it is, is asked.

        Raises:
            SiteRefused: the files of TLS cannot be used.
        """
        super().__init__(listen.versions)
        check, notice = guard
        self._clocks = clocks
        manners = Manners(
            clocks.device_us,
            clocks.wall_us,
            max(1, min(listen.heartbeat_seconds, int(stale_s / 2))),
            listen.id_tags,
            listen.setpoint_id_tag,
            quiet_s,
        )
        self._csms = Csms(House(listen, check, stale_s, notice, clocks.device_us), manners)

    @property
    def url(self) -> str | None:
        """Where charge points connect, null while no link is open."""
        return self._csms.url

    def link(self, options: object, report: Callable[[Observation], None]) -> Link:
        """Return the link of one connector."""
        return OcppLink(self._csms, options_of(options), report, self._clocks.device_us)
