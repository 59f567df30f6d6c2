"""The site file: TOML text to what an engine is made of, with all its problems at once."""

from engine.config.checks import Check
from engine.config.model import AssetConfig, Defaults, OcppListen, Site, TlsFiles
from engine.config.site import parse
from engine.config.template import site_template
from engine.config.tls import TlsCheck

__all__ = [
    "AssetConfig",
    "Check",
    "Defaults",
    "OcppListen",
    "Site",
    "TlsCheck",
    "TlsFiles",
    "parse",
    "site_template",
]
