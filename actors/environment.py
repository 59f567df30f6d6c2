"""The world around a site file: the file itself, the environment, the time zones, the folder."""

import os
import zoneinfo
from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path

import attrs

from actors.tls import client_faults, server_faults
from engine.config import AssetConfig, Check, OcppListen, Site, TlsFiles, parse
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
        problem = Problem("file", f"not UTF-8, as a TOML file is: {error.reason}", file=str(path))
        raise SiteRefused((problem,)) from None


def read_site(
    path: str | PathLike[str],
    option_types: Mapping[str, type],
    *,
    checks: Sequence[Check] = (),
    thorough: bool = False,
) -> Site:
    """Return a site file's content, with every path in it made absolute.

    Relative paths are relative to the file's folder. Reads the environment and the time zones, but
    no password and no register profile.

    Args:
        path: the site file.
        option_types: the attrs class of each adapter's own keys, by the adapter's name.
        checks: further things that must hold between the assets.
        thorough: look into the files of TLS as well, as who is about to use them does.

    Raises:
        SiteRefused: with all its problems.
    """
    file = Path(path)
    folder = file.absolute().parent

    def tls_check(files: TlsFiles) -> Iterable[tuple[str, str]]:
        return server_faults(_absolute_tls(files, folder)) if thorough else ()

    def assets_tls(assets: tuple[AssetConfig, ...]) -> Iterator[tuple[str, str, str]]:
        for asset in assets if thorough else ():
            for message in _tls_faults(absolute_options(asset.options, folder)):
                yield asset.rules.asset_id, "tls", message

    site = parse(
        read_text(file),
        file.name,
        option_types=option_types,
        environment=os.environ,
        known_zones=zoneinfo.available_timezones(),
        checks=(*checks, assets_tls),
        tls_check=tls_check,
    )
    return attrs.evolve(
        site,
        store_url=_absolute_url(site.store_url, folder),
        ocpp=_absolute_ocpp(site.ocpp, folder),
        control_socket=str(folder / (site.control_socket or f".{site.id}.sock")),
        assets=tuple(
            attrs.evolve(one, options=absolute_options(one.options, folder)) for one in site.assets
        ),
    )


def _absolute_url(url: str, folder: Path) -> str:
    if not url.startswith("sqlite:///"):
        return url
    return f"sqlite:///{folder / url.removeprefix('sqlite:///')}"


def _absolute_ocpp(ocpp: OcppListen | None, folder: Path) -> OcppListen | None:
    if ocpp is None or ocpp.tls is None:
        return ocpp
    return attrs.evolve(ocpp, tls=_absolute_tls(ocpp.tls, folder))


def _absolute_tls(files: TlsFiles, folder: Path) -> TlsFiles:
    ca = files.client_ca
    return TlsFiles(
        str(folder / files.cert), str(folder / files.key), None if ca is None else str(folder / ca)
    )


def _tls_faults(options: object) -> Iterator[str]:
    """Give what is wrong with the files with which an asset is connected to."""
    tls = getattr(options, "tls", None)
    if tls is not None:
        for which, message in client_faults(tls.ca, tls.cert, tls.key):
            yield f"{which} {message}"


def absolute_options(options: object, folder: Path) -> object:
    """Make the paths in an adapter's options absolute: those of files it is to read."""
    changes: dict[str, object] = {}
    for name in ("profile", "password_file"):
        value = getattr(options, name, None)
        is_path = isinstance(value, str) and (name != "profile" or value.endswith(".toml"))
        if is_path:
            changes[name] = str(folder / str(value))
    tls = getattr(options, "tls", None)
    if tls is not None:
        files = {key: getattr(tls, key) for key in ("ca", "cert", "key")}
        there = {key: str(folder / file) for key, file in files.items() if file is not None}
        changes["tls"] = attrs.evolve(tls, **there)
    return attrs.evolve(options, **changes) if changes else options  # type: ignore[misc]  # any options class
