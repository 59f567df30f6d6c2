"""The site's own state: which engine runs it, on which clock, with which assets."""

from engine.site.state import SiteState, evolve_site

__all__ = ["SiteState", "evolve_site"]
