"""From a site file's text to a Site."""

import re
import tomllib
from collections.abc import Container, Mapping, Sequence
from typing import Final

import attrs

from engine.config.assets import Surroundings, read_assets
from engine.config.checks import CHECKS, Check, passwords_of
from engine.config.defaults import NAMES, read_defaults
from engine.config.limits import LIMIT_KEYS, check_limits, limit_warnings, with_limits
from engine.config.lines import Lines
from engine.config.model import AssetConfig, Defaults, OcppListen, Site
from engine.config.ocpp import ocpp_warnings, read_ocpp
from engine.config.table import Findings, Table
from engine.config.tls import TlsCheck, unseen
from engine.errors import Problem, SiteRefused

_VARIABLE: Final = re.compile(r"\$\{([^}]*)\}")
_POSTGRES: Final = re.compile(
    r"postgresql://([^/?#]*@)?(\[[^]/?#]*\]|[^][/?#@:]*)(:\d{1,5})?/[^/?#]+(\?schema=[A-Za-z0-9_]+)?"
)
_SITE_ID: Final = re.compile(r"sit_[a-z0-9_]+")
_SITE_KEYS: Final = ("id", "timezone", *LIMIT_KEYS)
_WITH_PASSWORD: Final = (1, 2)
"""Security profiles with Basic authentication."""
_AT_LINE: Final = re.compile(r"at line (\d+)")


def parse(  # noqa: PLR0913 - what a file may name outside of itself, all optional but the first
    text: str,
    name: str,
    *,
    option_types: Mapping[str, type],
    environment: Mapping[str, str] | None = None,
    known_zones: Container[str] | None = None,
    checks: Sequence[Check] = (),
    tls_check: TlsCheck = unseen,
) -> Site:
    """Return what a site file says.

    Args:
        text: the file's content, TOML.
        name: the file's name, for messages.
        option_types: the attrs class of each adapter's own keys, by the adapter's name.
        environment: what ``${VAR}`` in the store's URL stands for.
        known_zones: the time zones that there are; null takes any name.
        checks: further things that must hold between the assets.
        tls_check: looks at the files of [ocpp.tls].

    Raises:
        SiteRefused: with every problem, its line and its key.
    """
    findings = Findings(name, Lines(text))
    top = Table(_document(text, name), (), findings)
    top.known(("site", "store", "control", "defaults", "ocpp", "asset"))
    ocpp = read_ocpp(top.table("ocpp"), tls_check)
    around = Surroundings(
        _defaults(top.table("defaults")),
        ocpp.setpoint_id_tag,
        option_types,
        (*CHECKS, *checks),
    )
    own = top.table("site")
    site = attrs.evolve(
        _site(own, known_zones),
        store_url=_store_url(top, environment or {}),
        control_socket=_control_socket(top.table("control")),
        defaults=around.defaults,
        assets=read_assets(top, around),
    )
    uses_ocpp = any(one.rules.adapter == "ocpp" for one in site.assets)
    site = attrs.evolve(site, ocpp=ocpp if uses_ocpp or "ocpp" in top else None)
    check_limits(top, site)
    problems = findings.all()
    if problems:
        raise SiteRefused(problems)
    return attrs.evolve(site, warnings=tuple(_warnings(site, top)))


def _document(text: str, name: str) -> dict[str, object]:
    """Return the content of a TOML text.

    Raises:
        SiteRefused: it is none.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _AT_LINE.search(str(error))
        line = int(found[1]) if found else text.rstrip().count("\n") + 1
        problem = Problem("toml", str(error), file=name, line=line)
    except ValueError:
        # Python's int() refuses to read thousands of digits (CVE-2020-10735).
        problem = Problem("toml", "a number has too many digits", file=name)
    except RecursionError:
        problem = Problem("toml", "nested too deeply", file=name)
    raise SiteRefused((problem,))


def _site(own: Table, known_zones: Container[str] | None) -> Site:
    own.known(_SITE_KEYS)
    site_id = own.text("id", needed=True) or ""
    if _SITE_ID.fullmatch(site_id) is None:
        own.refuse("id", "id", "must be sit_ and then lower-case letters, digits or _")
    zone = own.text("timezone") or "UTC"
    if known_zones is not None and zone not in known_zones:
        own.refuse("timezone", "timezone", f"no time zone is called {zone!r}")
    return with_limits(Site(site_id, zone, store_url="", assets=()), own)


def _defaults(table: Table) -> Defaults:
    table.known(NAMES)
    return read_defaults(table, Defaults())


def _control_socket(table: Table) -> str | None:
    table.known(("socket",))
    return table.text("socket")


def _store_url(top: Table, environment: Mapping[str, str]) -> str:
    """Return the store's URL; its value is never shown, since it may hold a password."""
    table = top.table("store")
    table.known(("url",))
    url = table.text("url") or f"sqlite:///{top.table('site').raw('id')}.db"
    missing = [name for name in _VARIABLE.findall(url) if name not in environment]
    if missing:
        message = f"the environment has no {', '.join(missing)}"
        table.refuse("url", "environment", message, secret=True)
        return url
    url = _VARIABLE.sub(lambda found: environment[found[1]], url)
    fault = _url_fault(url)
    if fault is not None:
        table.refuse("url", "url", fault, secret=True)
    return url


def _url_fault(url: str) -> str | None:
    if url.startswith("postgresql://"):
        if _POSTGRES.fullmatch(url):
            return None
        return "must be postgresql://user:password@host:port/database, with ?schema=name at most"
    if not url.startswith(("sqlite:///", "memory:")):
        return "must begin with sqlite:/// or postgresql://"
    return "a file's path comes behind sqlite:///" if url == "sqlite:///" else None


# --- the site as a whole


def _warnings(site: Site, top: Table) -> list[str]:
    found = list(limit_warnings(site))
    if site.ocpp is not None:
        found += ocpp_warnings(top.table("ocpp"), site.ocpp)
        found += _without_password(site.assets, site.ocpp)
    found += [
        f"{one.rules.asset_id}: the password stands in the site file; "
        "better password_env, password_file or password_hash"
        for one in site.assets
        if "password" in passwords_of(one)
    ]
    found += [
        f"{one.rules.asset_id}: all assets are swept together, every dispatch_interval_seconds "
        f"of [defaults]: {site.defaults.dispatch_interval_seconds:g}"
        for one in site.assets
        if one.rules.dispatch_interval_s != site.defaults.dispatch_interval_seconds
    ]
    return found


def _without_password(assets: tuple[AssetConfig, ...], ocpp: OcppListen) -> list[str]:
    """Return the charge points that cannot log in."""
    if ocpp.security_profile not in _WITH_PASSWORD:
        return []
    points = [one for one in assets if getattr(one.options, "charge_point", None) is not None]
    names = dict.fromkeys(str(getattr(one.options, "charge_point", "")) for one in points)
    able = {getattr(one.options, "charge_point", "") for one in points if passwords_of(one)}
    return [
        f"{name}: no password is given, so security profile {ocpp.security_profile} keeps it out"
        for name in names
        if name not in able
    ]
