"""A dry run for a site: the adapters without their links."""

from collections.abc import Mapping
from typing import TypeAlias

from engine.adapters.registry import AdapterRegistry
from engine.config import Site
from engine.dry_run import Dry, PlannedCommand, dry_run
from engine.intake import Intake
from engine.types import AssetId

Told: TypeAlias = Mapping[AssetId, Mapping[str, str]]
"""What the devices told of themselves last, by asset: in which protocol, what they can do."""


def planned(
    intake: Intake, site: Site, adapters: AdapterRegistry, told: Told
) -> tuple[PlannedCommand, ...]:
    """Return what a schedule would send, by due time."""
    assets = {
        config.rules.asset_id: Dry(
            config.rules,
            config.options,
            adapters.adapter_of(config.rules.adapter),
            told.get(config.rules.asset_id, {}),
        )
        for config in site.assets
    }
    return dry_run(intake, assets)
