"""What an asset's actor wants of the links."""

from typing import Protocol

from engine.adapters.base import Payload
from engine.asset import effects as effect
from engine.types import AssetId


class LinkPort(Protocol):
    """What an asset hands its attempts to; never blocks, answers by messages."""

    def send(self, asset_id: AssetId, attempt_id: str, payload: Payload, timeout_s: float) -> None:
        """Send an attempt; the outcome comes as AttemptAnswered."""

    def ask(self, asset_id: AssetId, attempt_id: str, payload: Payload, timeout_s: float) -> None:
        """Ask the device; the answer comes as QuestionAnswered."""

    def keep(self, asset_id: AssetId, keep: effect.KeepAlive) -> None:
        """Repeat confirmed frames, or stop doing so."""

    def tell_again(self, asset_id: AssetId) -> None:
        """Tell what the device has said last of its connection and its state; as Observed."""

    def request_slot(self, asset_id: AssetId) -> None:
        """Queue for a shared link; the turn comes as SlotGranted."""

    def release_slot(self, asset_id: AssetId) -> None:
        """End the turn."""

    def hasten(self, asset_id: AssetId) -> None:
        """Wait less long for what the device is being asked, as a setpoint waits behind it."""
