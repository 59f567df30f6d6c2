"""The site file: TOML text to what an engine is made of, with all its problems at once."""

from engine.config.checks import Check
from engine.config.model import AssetConfig, Defaults, OcppListen, Site
from engine.config.site import parse
from engine.config.template import site_template

__all__ = ["AssetConfig", "Check", "Defaults", "OcppListen", "Site", "parse", "site_template"]
