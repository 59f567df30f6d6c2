"""A dry run for a site: the adapters without their links."""

from engine.adapters.registry import AdapterRegistry
from engine.config import Site
from engine.dry_run import Dry, PlannedCommand, dry_run
from engine.intake import Intake


def planned(intake: Intake, site: Site, adapters: AdapterRegistry) -> tuple[PlannedCommand, ...]:
    """Return what a schedule would send, by due time."""
    assets = {
        config.rules.asset_id: Dry(
            config.rules, config.options, adapters.adapter_of(config.rules.adapter)
        )
        for config in site.assets
    }
    return dry_run(intake, assets)
