"""The adapters of a system: those built in, and those that others have installed."""

import importlib.metadata
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import attrs

from actors.clock import Clocks
from actors.passwords import check_password, hash_of
from actors.profiles import profiles_of
from engine.adapters.base import AdapterPlugin
from engine.adapters.modbus import ModbusOptions, ModbusSpelling
from engine.adapters.ocpp import OcppOptions, OcppSpelling
from engine.adapters.registry import AdapterRegistry
from engine.config import OcppListen, Site
from engine.errors import UsageError


class Guarding(Protocol):
    """Who says whether devices may be sent to; see `actors.fence.Fence`."""

    def may_send(self) -> bool:
        """Return whether a control frame may leave now."""

    async def may_keep(self) -> bool:
        """Return whether a round of keep-alives may go out."""


GROUP: Final = "setpoint.adapters"
BUILT_IN: Final[dict[str, type]] = {"ocpp": OcppOptions, "modbus": ModbusOptions}


def plugins() -> dict[str, AdapterPlugin]:
    """Return the adapters that others have installed, by name.

    Raises:
        UsageError: one cannot be imported, or takes the name of a built-in one.
    """
    found: dict[str, AdapterPlugin] = {}
    for entry in importlib.metadata.entry_points(group=GROUP):
        if entry.name in BUILT_IN:
            raise UsageError(f"the adapter {entry.name!r} is built in: {entry.value} may not be")
        try:
            loaded = entry.load()
        except Exception as error:
            raise UsageError(f"the adapter {entry.name!r} cannot be imported: {error}") from error
        found[entry.name] = loaded() if isinstance(loaded, type) else loaded
    return found


def option_types(given: Mapping[str, AdapterPlugin] | None = None) -> dict[str, type]:
    """Return every adapter's class of options, by the adapter's name; ``given`` ones go first."""
    return BUILT_IN | {
        name: plugin.options for name, plugin in (plugins() | dict(given or {})).items()
    }


def default_adapters(
    site: Site,
    clocks: Clocks,
    fence: Guarding | None = None,
    notice: Callable[[str, str, int], None] = lambda _kind, _peer, _count: None,
    given: Mapping[str, AdapterPlugin] | None = None,
) -> AdapterRegistry:
    """Return the adapters that a site uses, ready to be linked.

    ``given`` ones go before those that are built in or installed.
    ``fence`` is asked before each control frame and each round of keep-alives; ``notice``
    hears of refused peers, once a kind and minute, and how many they were.

    Raises:
        SiteRefused: a register profile or a password cannot be read.
    """
    from actors.links.exchange import Guards  # noqa: PLC0415 - pymodbus is slow to import
    from actors.links.modbus import ModbusAdapter  # noqa: PLC0415
    from actors.links.ocpp import OcppAdapter  # noqa: PLC0415

    registry = AdapterRegistry(given)
    used = {one.rules.adapter for one in site.assets} - set(registry)
    if used - set(BUILT_IN):
        registry = AdapterRegistry(plugins() | dict(registry))
    stale_s = min((one.rules.stale_s for one in site.assets), default=60.0)
    if "modbus" in used:
        guards = Guards(clocks.device_us, stale_s=stale_s)
        if fence is not None:
            guards = attrs.evolve(guards, may_send=fence.may_send, may_keep=fence.may_keep)
        registry.register("modbus", ModbusAdapter(profiles_of(site), guards))
    if "ocpp" in used:
        listen = site.ocpp or OcppListen()
        registry.register("ocpp", OcppAdapter(listen, clocks, (checker(site), notice), stale_s))
    return registry


def spelling_adapters(site: Site) -> AdapterRegistry:
    """Return the adapters of a site without their links: for dry runs, no secret is read."""
    registry = AdapterRegistry(dict(plugins()))
    listen = site.ocpp or OcppListen()
    registry.register("ocpp", OcppSpelling(listen.versions))  # type: ignore[arg-type]  # a dry run links nothing
    registry.register("modbus", ModbusSpelling(profiles_of(site)))  # type: ignore[arg-type]  # nor here
    return registry


def checker(site: Site) -> Callable[[str, str], bool]:
    """Return what tells whether a charge point's password is right."""
    hashes: dict[str, str] = {}
    for asset in site.assets:
        options = asset.options
        if isinstance(options, OcppOptions):
            hashed = hash_of(options, asset.rules.asset_id)
            if hashed is not None:
                hashes[options.charge_point] = hashed

    def check(identity: str, password: str) -> bool:
        hashed = hashes.get(identity)
        return hashed is not None and check_password(password, hashed)

    return check
