"""What the judge knows of an attempt."""

from collections.abc import Mapping
from typing import Any

import attrs

from engine.adapters.base import Payload
from engine.types import AssetId


@attrs.define
class Attempt:
    """One recorded attempt: when it was recorded (device clock), its frames and its outcome."""

    id: str
    asset_id: AssetId
    recorded_us: int
    payload: Payload
    outcome: str | None = None

    @property
    def control_frames(self) -> list[Mapping[str, Any]]:
        """The bodies of the frames that change what the device does."""
        return [frame.body for frame in self.payload.frames if frame.control]
