"""The world around a site file: the file itself, the environment, the time zones, the folder."""

import os
import zoneinfo
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

import attrs

from engine.config import Check, Site, parse
from engine.errors import Problem, SiteRefused


def read_text(path: Path) -> str:
    """Return a file's text.

    Raises:
        SiteRefused: it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SiteRefused((Problem("file", reason, file=str(path)),)) from None
    except UnicodeDecodeError as error:
        problem = Problem("file", f"not UTF-8: {error.reason}", file=str(path))
        raise SiteRefused((problem,)) from None


def read_site(
    path: str | PathLike[str], option_types: Mapping[str, type], *, checks: Sequence[Check] = ()
) -> Site:
    """Return a site file's content, with every path in it made absolute.

    Relative paths are relative to the file's folder. Reads the environment and the time zones, but
    no password and no register profile.

    Args:
        path: the site file.
        option_types: the attrs class of each adapter's own keys, by the adapter's name.
        checks: further things that must hold between the assets.

    Raises:
        SiteRefused: with all its problems.
    """
    file = Path(path)
    site = parse(
        read_text(file),
        file.name,
        option_types=option_types,
        environment=os.environ,
        known_zones=zoneinfo.available_timezones(),
        checks=checks,
    )
    folder = file.absolute().parent
    return attrs.evolve(
        site,
        store_url=_absolute_url(site.store_url, folder),
        control_socket=str(folder / (site.control_socket or f".{site.id}.sock")),
        assets=tuple(
            attrs.evolve(one, options=_absolute_options(one.options, folder)) for one in site.assets
        ),
    )


def _absolute_url(url: str, folder: Path) -> str:
    if not url.startswith("sqlite:///"):
        return url
    return f"sqlite:///{folder / url.removeprefix('sqlite:///')}"


def _absolute_options(options: object, folder: Path) -> object:
    """Make the paths in an adapter's options absolute: those of files it is to read."""
    changes: dict[str, str] = {}
    for name in ("profile", "password_file"):
        value = getattr(options, name, None)
        is_path = isinstance(value, str) and (name != "profile" or value.endswith(".toml"))
        if is_path:
            changes[name] = str(folder / str(value))
    return attrs.evolve(options, **changes) if changes else options  # type: ignore[misc]  # any options class
