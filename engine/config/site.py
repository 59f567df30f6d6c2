"""From a site file's text to a Site."""

import re
import tomllib
from collections.abc import Container, Mapping
from typing import Any, Final

import attrs

from engine.config.assets import read_assets
from engine.config.lines import Lines
from engine.config.model import AssetConfig, Defaults, OcppListen, Site
from engine.config.table import Findings, Table
from engine.errors import Problem, SiteRefused
from engine.types import to_w

_VARIABLE: Final = re.compile(r"\$\{([^}]*)\}")
_SITE_ID: Final = re.compile(r"sit_[a-z0-9_]+")
_SCHEMES: Final = ("sqlite:///", "memory:")


def parse(
    text: str,
    name: str,
    option_types: Mapping[str, type],
    *,
    environment: Mapping[str, str] | None = None,
    zones: Container[str] | None = None,
) -> Site:
    """Return what a site file says.

    Args:
        text: the file's content, TOML.
        name: the file's name, for messages.
        option_types: the attrs class of each adapter's own keys, by the adapter's name.
        environment: what ``${VAR}`` in the store's URL stands for.
        zones: the time zones that there are; null takes any name.

    Raises:
        SiteRefused: with every problem, its line and its key.
    """
    findings = Findings(name, Lines(text))
    try:
        top = Table(tomllib.loads(text), (), findings)
    except tomllib.TOMLDecodeError as error:
        raise SiteRefused((_syntax(error, name),)) from None
    top.known(("site", "store", "control", "defaults", "ocpp", "asset"))
    site = _site(top, option_types, environment or {}, zones)
    problems = findings.all()
    if problems:
        raise SiteRefused(problems)
    return site


def _syntax(error: tomllib.TOMLDecodeError, name: str) -> Problem:
    found = re.search(r"line (\d+)", str(error))
    return Problem("toml", str(error), file=name, line=int(found[1]) if found else None)


def _site(
    top: Table,
    option_types: Mapping[str, type],
    environment: Mapping[str, str],
    zones: Container[str] | None,
) -> Site:
    own = top.table("site")
    own.known(("id", "timezone", "import_limit_kw", "export_limit_kw", "base_load_kw"))
    site_id = own.text("id", "sit_unnamed", needed=True) or ""
    if _SITE_ID.fullmatch(site_id) is None:
        own.refuse("id", "id", "a site's id is sit_ and lower-case letters, digits or _")
    zone = own.text("timezone", "UTC") or "UTC"
    if zones is not None and zone not in zones:
        own.refuse("timezone", "timezone", f"no time zone is called {zone!r}")
    defaults = read_defaults(top.table("defaults"), Defaults())
    ocpp = _ocpp(top)
    assets = read_assets(top, defaults, ocpp, option_types)
    control = top.table("control")
    control.known(("socket",))
    site = Site(
        site_id,
        zone,
        _store_url(top.table("store"), site_id, environment),
        assets,
        defaults,
        ocpp,
        control.text("socket"),
        _watts(own, "import_limit_kw"),
        _watts(own, "export_limit_kw"),
        _watts(own, "base_load_kw"),
    )
    _check_limit(own, site)
    return attrs.evolve(site, warnings=tuple(_warnings(site, top)))


def _watts(table: Table, key: str) -> int | None:
    value = table.number(key, least=0)
    return None if value is None else to_w(value)


def read_defaults(table: Table, base: Defaults, *, only: bool = True) -> Defaults:
    """Return the settings that assets share, from a table that may have others (``only``)."""
    names = [field.name for field in attrs.fields(Defaults)]
    if only:
        table.known(names)
    changes: dict[str, Any] = {}
    for name in names:
        if name not in table:
            continue
        if name == "max_retries":
            changes[name] = table.whole(name, base.max_retries, least=0, most=100)
        elif name == "retry_backoff_factor":
            changes[name] = table.number(name, base.retry_backoff_factor, least=1)
        elif name in {"departure_grace_s", "settle_s"}:
            changes[name] = table.number(name, getattr(base, name), least=0)
        else:
            changes[name] = table.number(name, getattr(base, name), above=0)
    return attrs.evolve(base, **changes)


# --- the store


def _store_url(table: Table, site_id: str, environment: Mapping[str, str]) -> str:
    table.known(("url",))
    url = table.text("url", f"sqlite:///{site_id}.db") or ""
    for variable in _VARIABLE.findall(url):
        if variable not in environment:
            table.refuse("url", "environment", f"the environment has no {variable!r}")
            return url
    url = _VARIABLE.sub(lambda found: environment[found[1]], url)
    if url.startswith("postgresql:"):
        table.findings.add((*table.path, "url"), "not_yet", "PostgreSQL is not in this version")
    elif not url.startswith(_SCHEMES):
        table.findings.add((*table.path, "url"), "url", "this begins with sqlite:///")
    elif url == "sqlite:///":
        table.refuse("url", "url", "a file's path comes behind sqlite:///")
    return url


# --- OCPP


def _ocpp(top: Table) -> OcppListen:
    table = top.table("ocpp")
    table.known(
        (
            "listen",
            "security_profile",
            "versions",
            "id_tags",
            "setpoint_id_tag",
            "heartbeat_seconds",
            "tls",
        )
    )
    host, port = _listen(table)
    profile = table.whole("security_profile", 1, least=0, most=3)
    if profile >= 2:  # noqa: PLR2004 - OCPP's own numbers: 2 and 3 are those with TLS
        table.refuse("security_profile", "not_yet", f"profile {profile} is not in this version")
    if "tls" in table:
        table.refuse("tls", "not_yet", "TLS is not in this version")
    tag = table.text("setpoint_id_tag", "SETPOINT") or ""
    if not 1 <= len(tag) <= 20:  # noqa: PLR2004 - OCPP 1.6, 7.28 IdToken: CiString20
        table.refuse("setpoint_id_tag", "range", "an id tag has 1 to 20 characters")
    return OcppListen(
        host,
        port,
        profile,
        _versions(table),
        _id_tags(table),
        tag,
        table.whole("heartbeat_seconds", 30, least=1, most=86_400),
    )


def _listen(table: Table) -> tuple[str, int]:
    listen = table.text("listen", "127.0.0.1:9000") or ""
    host, _, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:  # noqa: PLR2004 - the highest port
        table.refuse("listen", "address", "this is host:port, such as 127.0.0.1:9000")
        return "127.0.0.1", 9000
    return host, int(port)


def _versions(table: Table) -> tuple[str, ...]:
    versions = table.raw("versions")
    if versions is None:
        return ("1.6",)
    if not isinstance(versions, list) or not versions:
        table.refuse("versions", "type", 'this is a list, such as ["1.6"]')
        return ("1.6",)
    for version in versions:
        if version not in {"1.6", "2.0.1"}:
            table.refuse("versions", "choice", f"{version!r} is no version: 1.6 or 2.0.1")
    if "1.6" not in versions:
        table.refuse("versions", "not_yet", "2.0.1 is not in this version: add 1.6")
    return ("1.6",)


def _id_tags(table: Table) -> tuple[str, ...] | None:
    tags = table.raw("id_tags")
    if tags is None or tags == "any":
        return None
    if isinstance(tags, list) and all(isinstance(tag, str) for tag in tags):
        return tuple(tags)
    table.refuse("id_tags", "type", 'this is "any" or a list of texts')
    return None


# --- the site as a whole


def _check_limit(own: Table, site: Site) -> None:
    if site.import_limit_w is None:
        return
    chargers = [one.rules for one in site.assets if one.rules.kind == "ev_charger"]
    without = [rules.asset_id for rules in chargers if rules.fallback_w is None]
    if without:
        own.refuse(
            "import_limit_kw",
            "fallback",
            f"with an import limit every charger needs fallback_kw: {', '.join(without)}",
        )
        return
    total_w = sum(max(one.rules.fallback_w or 0, 0) for one in site.assets)
    total_w += site.base_load_w or 0
    if total_w > site.import_limit_w:
        own.refuse(
            "import_limit_kw",
            "fallback",
            f"the fallbacks and the base load come to {total_w / 1_000:g} kW",
        )


def _warnings(site: Site, top: Table) -> list[str]:
    found = [
        f"{key} is checked, but not yet enforced, by this version"
        for key in ("import_limit_kw", "export_limit_kw")
        if key in top.table("site")
    ]
    uses_ocpp = any(one.rules.adapter == "ocpp" for one in site.assets)
    if uses_ocpp and site.ocpp is not None and site.ocpp.security_profile == 0:
        found.append("security_profile 0: charge points connect without a password")
    versions = top.table("ocpp").raw("versions")
    if isinstance(versions, list) and "2.0.1" in versions:
        found.append("OCPP 2.0.1 is not in this version: 1.6 alone is offered")
    found += _plain_passwords(site.assets)
    return found


def _plain_passwords(assets: tuple[AssetConfig, ...]) -> list[str]:
    return [
        f"{one.rules.asset_id}: the password stands in the site file; better password_env, "
        "password_file or password_hash"
        for one in assets
        if getattr(one.options, "password", None) is not None
    ]
