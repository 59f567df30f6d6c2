"""Register profiles by the names that site files use, and whether they go with a site."""

from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path

from actors.environment import absolute_options, read_text
from engine.adapters.explained import fail_safe, lapses_after_s
from engine.adapters.modbus import ModbusOptions, limits_w
from engine.adapters.profile import builtin, parse
from engine.adapters.registers import RegisterProfile
from engine.config import AssetConfig, Site
from engine.config.checks import Check
from engine.errors import Problem, ProfileRefused, SiteRefused
from engine.types import to_kw


def register_profile(name: str) -> RegisterProfile:
    """Return a register profile: a built-in one, or that of a path ending in ``.toml``.

    Raises:
        ProfileRefused: there is none of this name, or the file has problems.
        SiteRefused: the file cannot be read.
    """
    if name.endswith(".toml"):
        path = Path(name)
        return parse(read_text(path), path.name)
    try:
        return builtin(name)
    except LookupError as error:
        message = f"{error}; a file's name ends with .toml"
        raise ProfileRefused((Problem("profile", message),)) from None


def profiles_of(site: Site) -> dict[str, RegisterProfile]:
    """Return the register profiles that a site's batteries name.

    Raises:
        SiteRefused: one cannot be read, or has problems.
    """
    profiles: dict[str, RegisterProfile] = {}
    for asset in site.assets:
        options = asset.options
        if not isinstance(options, ModbusOptions) or options.profile in profiles:
            continue
        profiles[options.profile] = register_profile(options.profile)
    return profiles


def limits_check(file: str | PathLike[str]) -> Check:
    """Return what refuses a battery whose registers hold less than the site file says."""
    folder = Path(file).absolute().parent

    def check(assets: Iterable[AssetConfig]) -> Iterator[tuple[str, str, str]]:
        for asset in assets:
            options = absolute_options(asset.options, folder)
            if isinstance(options, ModbusOptions):
                try:
                    profile = register_profile(options.profile)
                except SiteRefused as error:
                    for one in error.problems:
                        said = one.message if one.file is None else str(one)
                        yield asset.rules.asset_id, "profile", said
                    continue
                yield from _too_much(asset, profile)

    return check


def _too_much(asset: AssetConfig, profile: RegisterProfile) -> Iterator[tuple[str, str, str]]:
    rules = asset.rules
    asked = {"max_charge_kw": rules.max_charge_w, "max_discharge_kw": rules.max_discharge_w}
    for (key, asked_w), most_w in zip(asked.items(), limits_w(profile), strict=True):
        if asked_w > most_w:
            yield rules.asset_id, key, f"profile {profile.name} goes to {to_kw(most_w):g} kW"
    after_s = profile.readback_after_s
    if 2 * after_s > rules.command_timeout_s:
        needed = f"profile {profile.name} reads back after {after_s:g} s, which needs twice as long"
        yield rules.asset_id, "command_timeout_seconds", needed


def lease_warnings(site: Site) -> Iterator[str]:
    """Yield the batteries that are not safe within their lease when the engine dies for good."""
    profiles = profiles_of(site)
    for asset in site.assets:
        options = asset.options
        if not isinstance(options, ModbusOptions) or profiles[options.profile].learns:
            continue
        profile, lease_s = profiles[options.profile], asset.rules.failsafe_after_s
        after_s = lapses_after_s(profile, lease_s)
        if after_s is None or after_s > lease_s:
            yield f"{asset.rules.asset_id}: {fail_safe(profile, lease_s)} (lease {lease_s:g} s)"
