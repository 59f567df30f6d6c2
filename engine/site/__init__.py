"""The site's own state: which engine runs it, on which clock, with which assets and limits."""

from engine.site.limits import EXPORT, IMPORT, Book, Limits, Member
from engine.site.state import SiteState, evolve_site

__all__ = ["EXPORT", "IMPORT", "Book", "Limits", "Member", "SiteState", "evolve_site"]
