"""Devices in this process that answer at once: what an engine costs without a wire."""

from collections.abc import Callable

import attrs

from actors.clock import steady_s
from engine.adapters.base import (
    Answer,
    AssetView,
    Connected,
    Frame,
    Link,
    Observation,
    Payload,
    StateReported,
)
from engine.commands import Attempt, Command


@attrs.frozen
class InstantOptions:
    """An instant device needs no address."""


@attrs.define
class InstantLink:
    """A device that is there, ready and obedient; it counts what it was sent.

    ``last_s`` is when that was last, on the steady clock.
    """

    report: Callable[[Observation], None]
    sent: int = 0
    last_s: float = 0.0

    async def open(self) -> None:
        """Be connected."""
        self.report(Connected())
        self.report(StateReported("PREPARING", "Preparing"))

    async def send(self, payload: Payload, timeout_s: float) -> Answer:
        """Accept."""
        del timeout_s
        self.last_s = steady_s()
        self.sent += len(payload.frames)
        return Answer('{"status":"Accepted"}')

    async def close(self) -> None:
        """Let go."""


class InstantAdapter:
    """Spells a setpoint as an OCPP charging profile, so that events are as long as real ones."""

    options: type = InstantOptions

    def __init__(self) -> None:
        """Begin without devices."""
        self.links: list[InstantLink] = []

    def translate(self, command: Command, asset: AssetView, attempt: Attempt) -> Payload:
        """Spell a command as SetChargingProfile."""
        del asset
        limit = round((command.value_kw or 0.0) * 1_000, 1)
        periods = [
            {"startPeriod": 0, "limit": limit, "numberPhases": 3},
            {"startPeriod": 960, "limit": 4_200.0, "numberPhases": 3},
        ]
        schedule = {
            "startSchedule": f"{attempt.at.isoformat(timespec='seconds')[:-6]}Z",
            "chargingRateUnit": "W",
            "chargingSchedulePeriod": periods,
        }
        profile = {
            "chargingProfileId": 1_000,
            "stackLevel": 1,
            "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Absolute",
            "chargingSchedule": schedule,
        }
        body: dict[str, object] = {"connectorId": 1, "csChargingProfiles": profile}
        return Payload((Frame("SetChargingProfile", body),), command.value_kw)

    def interpret(self, answer: Answer, asset: AssetView) -> tuple[Observation, ...]:
        """An acceptance says nothing more."""
        del answer, asset
        return ()

    def questions(self, asset: AssetView) -> tuple[Payload, ...]:
        """There is nothing to ask."""
        del asset
        return ()

    def link(self, options: object, report: Callable[[Observation], None]) -> Link:
        """Return a device."""
        del options
        made = InstantLink(report)
        self.links.append(made)
        return made
