"""A witness of a run: what was told to people, and whether live states are what the log says."""

from collections.abc import Callable, Mapping, Sequence

import attrs
from msgspec.structs import replace

from engine.asset import AssetState
from engine.bus import Event
from engine.codec import Codec, Record, Row
from engine.events import AttemptStarted
from engine.seals import STREAM as LOG
from engine.types import AssetId
from engine.verification.folds import Folds


@attrs.define
class Witness:
    """Sees each commit and each notice of a run, over all its engines.

    ``violations`` are what was seen to break P1 (what was told is in the log), P2 (what a device
    got had been committed) or P9 (a live state is the fold of what was committed). ``compared``
    counts the states that were looked at.
    """

    codec: Codec
    violations: list[str] = attrs.field(factory=list)
    compared: int = 0
    told: int = 0
    _folds: Folds = attrs.field(factory=Folds)
    _changed: dict[AssetId, None] = attrs.field(factory=dict)
    _streams: dict[int, str] = attrs.field(factory=dict)
    _attempts: set[str] = attrs.field(factory=set)

    def committed(self, rows: Sequence[Row], positions: Sequence[int]) -> None:
        """Take what was stored."""
        for row, position in zip(rows, positions, strict=True):
            self._streams[position] = row.stream
            record: Record = self.codec.decode(row)
            self._folds.feed(record)
            if isinstance(record.event, AttemptStarted):
                self._attempts.add(record.event.attempt_id)
            if record.header.stream != LOG:
                self._changed[AssetId(record.header.stream)] = None

    def received(self, device: str, message_id: str) -> None:
        """Take a control frame that a charge point got: its attempt has been committed (P2)."""
        if message_id.partition(".")[0] not in self._attempts:
            self.violations.append(f"P2: {device} got frame {message_id}, which is not on record")

    def heard(self, event: Event) -> None:
        """Take a notice: the log has what it tells of (P1)."""
        self.told += 1
        position = event.position
        if position is not None and position not in self._streams:
            self.violations.append(f"P1: {event.type} was told of position {position}: not there")

    def look(self, board: Callable[[], Mapping[AssetId, AssetState]]) -> bool:
        """Compare live states with the fold of their events (P9); there is never more to do."""
        if not self._changed:
            return False
        live = board()
        for asset_id in tuple(self._changed):
            state, folded = live.get(asset_id), self._folds.assets.get(asset_id)
            if state is None or folded is None:
                del self._changed[asset_id]
            elif state.version == folded.version:
                del self._changed[asset_id]
                self.compared += 1
                if replace(folded, outside=state.outside) != state:
                    self.violations.append(
                        f"P9: {asset_id} at version {state.version} is not what its events say"
                    )
        return False
