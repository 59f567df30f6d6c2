"""Where a verb finds things: the site file, its store, its control socket."""

import contextlib
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from actors.adapters import option_types
from actors.audit import moment
from actors.environment import read_site
from actors.profiles import lease_warnings, limits_check
from actors.reading import VOCABULARY, Reader
from actors.store import open_store
from actors.store.tables import place_of
from engine.codec import Codec
from engine.config import Site
from engine.errors import StoreCorrupt

_PASSWORD: Final = re.compile(r"(://[^:/@]*:).*@")
"""Up to the last @, as a password may have one that nobody has escaped."""


def site_of(path: str, *, thorough: bool = False) -> Site:
    """Return a site file's content; ``thorough`` looks into the files that it names too.

    Raises:
        SiteRefused: with all its problems.
    """
    checks = (limits_check(path),) if thorough else ()
    return read_site(path, option_types(), checks=checks, thorough=thorough)


def warnings_of(site: Site) -> Iterator[str]:
    """Yield what is not wrong with a site, and worth knowing before it runs."""
    yield from site.warnings
    yield from lease_warnings(site)


def control_socket(path: str) -> str:
    """Return where the running engine of a site answers."""
    socket = site_of(path).control_socket
    if socket is None:
        raise LookupError("a site that was read from a file has a control socket")
    return socket


def is_site_file(place: str) -> bool:
    """Return whether a place is a site file, not a store."""
    return Path(place).suffix == ".toml"


def store_url(place: str) -> str:
    """Return the URL of a store, given itself, as a file, or by its site file."""
    if "://" in place or place.startswith("memory:"):
        return place
    if is_site_file(place):
        return site_of(place).store_url
    return f"sqlite:///{Path(place).absolute()}"


def shown(url: str) -> str:
    """Return a store's URL as people may see it: without a password."""
    return _PASSWORD.sub(r"\1***@", url)


@contextlib.contextmanager
def reader_of(place: str) -> Iterator[Reader]:
    """Open a store read-only, for as long as it is read."""
    site = site_of(place) if is_site_file(place) else None
    url = store_url(place) if site is None else site.store_url
    expected = () if site is None else [one.rules.asset_id for one in site.assets]
    with _named(url):
        store = open_store(url, read_only=True)
        try:
            yield Reader(store, Codec(VOCABULARY), place_of(url), expected)
        finally:
            store.close()


@contextlib.contextmanager
def _named(url: str) -> Iterator[None]:
    """Say of what cannot be read in which store that is; a site file is all that was typed."""
    try:
        yield
    except StoreCorrupt as error:
        place = shown(url).removeprefix("sqlite:///")
        raise StoreCorrupt(f"{place}: {error}") from error


def moment_of(text: str | None) -> datetime | None:
    """Return a time that somebody typed, null if nobody did.

    Raises:
        UsageError: it is no ISO 8601 time, or has no offset.
    """
    return None if text is None else moment(text)
