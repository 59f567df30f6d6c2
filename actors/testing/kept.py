"""What a read model keeps of an asset, in memory: for tests of the fold that goes on from it."""

import attrs

from engine.history.asset import AssetHistory
from engine.history.filters import EVERYTHING
from engine.history.kept import Head
from engine.history.lives import Life
from engine.history.planned import PlanRow
from engine.history.rows import encode, head_of, life_of, plan_of
from engine.types import AssetId, CommandId, ScheduleId


@attrs.define
class Kept:
    """Rows of one asset as bytes. See `engine.history.kept.Recall`."""

    asset_id: AssetId
    head: bytes | None = None
    plans: dict[ScheduleId, bytes] = attrs.field(factory=dict)
    lives: dict[CommandId, bytes] = attrs.field(factory=dict)
    attempts: dict[str, tuple[CommandId, ...]] = attrs.field(factory=dict)

    def plan(self, schedule_id: ScheduleId) -> PlanRow | None:
        """See `Recall`."""
        found = self.plans.get(schedule_id)
        return None if found is None else plan_of(found)

    def life(self, command_id: CommandId) -> Life | None:
        """See `Recall`."""
        found = self.lives.get(command_id)
        return None if found is None else life_of(found)

    def attempt(self, attempt_id: str) -> tuple[CommandId, ...]:
        """See `Recall`."""
        return self.attempts.get(attempt_id, ())

    def resumed(self) -> AssetHistory:
        """Return the asset's history as it is kept."""
        head = Head() if self.head is None else head_of(self.head)
        return AssetHistory(self.asset_id, EVERYTHING, head, self)

    def keep(self, asset: AssetHistory) -> None:
        """Keep what changed."""
        changed = asset.changes()
        self.head = encode(asset.head())
        self.plans |= {one: encode(plan.row()) for one, plan in changed.plans.items()}
        self.lives |= {one: encode(life) for one, life in changed.lives.items()}
        self.attempts |= changed.attempts

    def whole(self) -> AssetHistory:
        """Return the history with everything that is kept in memory."""
        asset = self.resumed()
        asset.load(self.plans, self.lives)
        return asset
