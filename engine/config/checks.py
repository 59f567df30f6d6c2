"""What must hold between the assets of a site, whichever adapters they have."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias

from engine.config.model import AssetConfig

Check: TypeAlias = Callable[[tuple[AssetConfig, ...]], Iterable[tuple[str, str, str]]]
"""Gives an asset's id, the key at fault and what is wrong, for each problem."""

_PASSWORDS: Final = ("password_env", "password_file", "password_hash", "password")


def one_asset_each(assets: tuple[AssetConfig, ...]) -> Iterator[tuple[str, str, str]]:
    """Give the assets that are the very connector or Modbus unit of another."""
    owners: dict[object, str] = {}
    for asset in assets:
        place, key = _place(asset.options)
        owner = owners.setdefault(place, asset.rules.asset_id)
        if place is not None and owner != asset.rules.asset_id:
            yield asset.rules.asset_id, key, f"{owner} is this very device"


def one_password_each(assets: tuple[AssetConfig, ...]) -> Iterator[tuple[str, str, str]]:
    """Give the assets with an empty password, with two, or with another than their neighbour's."""
    first: dict[object, tuple[str, dict[str, object]]] = {}
    for asset in assets:
        asset_id, given = asset.rules.asset_id, passwords_of(asset)
        if not given:
            continue
        *_, last = given
        if not all(given.values()):
            yield asset_id, next(key for key in given if not given[key]), "must not be empty"
        if len(given) > 1:
            yield asset_id, last, f"one of these is enough: {', '.join(given)}"
        owner, its = first.setdefault(
            getattr(asset.options, "charge_point", asset_id), (asset_id, given)
        )
        if its != given:
            yield asset_id, last, f"{owner} gives the same charge point another password"


def one_way_each(assets: tuple[AssetConfig, ...]) -> Iterator[tuple[str, str, str]]:
    """Give the assets that reach the same host and port otherwise than another: over other TLS."""
    ways: dict[object, tuple[str, object]] = {}
    for asset in assets:
        options, asset_id = asset.options, asset.rules.asset_id
        if not hasattr(options, "tls"):
            continue
        place = (getattr(options, "host", None), getattr(options, "port", None))
        owner, its = ways.setdefault(place, (asset_id, options.tls))
        if its != options.tls:
            yield asset_id, "tls", f"{owner} shares the connection, and has other keys for TLS"


def passwords_of(asset: AssetConfig) -> dict[str, object]:
    """Return the keys that say what an asset's password is, with their values."""
    found = {key: getattr(asset.options, key, None) for key in _PASSWORDS}
    return {key: value for key, value in found.items() if value is not None}


def _place(options: object) -> tuple[object, str]:
    charge_point = getattr(options, "charge_point", None)
    if charge_point is not None:
        return ("ocpp", charge_point, getattr(options, "connector", 1)), "connector"
    host, unit = getattr(options, "host", None), getattr(options, "unit", None)
    if host is not None and unit is not None:  # without a unit, what tells devices apart is unknown
        return ("modbus", host, getattr(options, "port", 0), unit), "unit"
    return None, ""


CHECKS: Final[tuple[Check, ...]] = (one_asset_each, one_password_each, one_way_each)
