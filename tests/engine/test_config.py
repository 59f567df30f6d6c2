import enum
from typing import Any, Literal

import attrs
import pytest

from engine.config import AssetConfig, Defaults, OcppListen, Site, TlsFiles, parse, site_template
from engine.errors import SiteRefused, UnknownAsset
from engine.rules import AssetRules
from engine.types import AssetId, AssetKind


@attrs.frozen
class Charger:
    """Stands for the OCPP adapter's options."""

    charge_point: str
    connector: int = 1
    password_env: str | None = attrs.field(default=None, metadata={"secret": True})
    password_file: str | None = attrs.field(default=None, metadata={"secret": True})
    password_hash: str | None = attrs.field(default=None, metadata={"secret": True})
    password: str | None = attrs.field(default=None, metadata={"secret": True})
    min_a: float = 6.0
    below_min: str = "off"


@attrs.frozen
class Battery:
    """Stands for the Modbus adapter's options."""

    host: str = attrs.field(metadata={"address": True})
    port: int = attrs.field(default=502, metadata={"address": True})
    unit: int = 1
    profile: str = "generic-battery"
    idle_w: int = 100


class Colour(enum.StrEnum):
    RED = "red"


@attrs.frozen
class Foreign:
    """Stands for the options of an adapter that somebody else wrote."""

    mode: Literal["a", "b"] = "a"
    colour: Colour = Colour.RED
    ratio: float = 1.0
    parts: tuple[int, ...] = ()
    quiet: bool = False
    _hidden: int = 0
    counted: int = attrs.field(default=7, init=False)


@attrs.frozen
class Bare:
    """Stands for options without annotations."""

    anything = attrs.field(default=None)  # type: ignore[var-annotated]  # that is the point


TYPES: dict[str, type] = {"ocpp": Charger, "modbus": Battery, "foreign": Foreign, "bare": Bare}
SITE = '[site]\nid = "sit_a"\ntimezone = "Europe/Berlin"\n'
TLS_2 = 'security_profile = 2\n[ocpp.tls]\ncert = "a"\nkey = "b"'
CHARGER = """\
[[asset]]
id = "ast_a"
kind = "ev_charger"
schedule_key = "ev_001"
adapter = "ocpp"
charge_point = "CP"
password_env = "KEY"
max_kw = 22
"""
BATTERY = """\
[[asset]]
id = "ast_b"
kind = "battery"
schedule_key = "battery"
adapter = "modbus"
host = "127.0.0.1"
max_charge_kw = 50
max_discharge_kw = 40
"""


def read(text: str, **more: Any) -> Site:  # noqa: ANN401 - parse's own arguments
    """Return a site, read with the options above."""
    return parse(text, "site.toml", option_types=TYPES, **more)


def one(text: str) -> AssetConfig:
    """Return the asset of a site with one."""
    (asset,) = read(SITE + text).assets
    return asset


def test_the_smallest_site_has_the_defaults_of_the_contract() -> None:
    """An id and an asset are enough; a charger without [ocpp] connects to 127.0.0.1:9000."""
    site = read('[site]\nid = "sit_a"\n' + CHARGER)
    assert (
        Site(
            id="sit_a",
            timezone="UTC",
            store_url="sqlite:///sit_a.db",
            assets=site.assets,
            defaults=Defaults(5.0, 30.0, 3, 2.0, 60.0, 900.0, 60.0, 90.0, 300.0),
            ocpp=OcppListen("127.0.0.1", 9000, 1, ("1.6", "2.0.1"), None, "SETPOINT", 30),
        )
        == site
    )


def test_a_charger_has_the_defaults_of_the_contract() -> None:
    """What a charger's entry does not say is as the contract shows it."""
    assert AssetConfig(
        AssetRules(
            AssetId("ast_a"),
            AssetKind.EV_CHARGER,
            "ocpp",
            "ev_001",
            22_000,
            verify="auto",
            options={"charge_point": "CP", "connector": 1, "min_a": 6.0, "below_min": "off"},
        ),
        Charger("CP", password_env="KEY"),
    ) == one(CHARGER)


def test_a_battery_has_the_defaults_of_the_contract() -> None:
    """A battery is read back; its address is not recorded."""
    asset = one(BATTERY)
    assert Battery("127.0.0.1") == asset.options
    assert (
        AssetRules(
            AssetId("ast_b"),
            AssetKind.BATTERY,
            "modbus",
            "battery",
            50_000,
            40_000,
            verify="readback",
            options={"unit": 1, "profile": "generic-battery", "idle_w": 100},
        )
        == asset.rules
    )


def test_a_site_of_batteries_listens_nowhere() -> None:
    """Without chargers and without [ocpp] there is no listener."""
    assert read(SITE + BATTERY).ocpp is None


def test_ocpp_is_kept_when_the_file_has_it() -> None:
    """An [ocpp] table counts even before the first charger."""
    site = read(SITE + '[ocpp]\nlisten = "[::1]:0"\nid_tags = ["A"]\n' + BATTERY)
    assert OcppListen("::1", 0, id_tags=("A",)) == site.ocpp


def test_every_rule_can_be_given() -> None:
    """Policies, limits and times of an asset's entry become its rules."""
    rules = one(
        CHARGER + "fallback_kw = 4.2\non_schedule_end = 'hold'\nhold_max_s = 3600\n"
        "on_stop = 'fallback'\non_interference = 'yield'\nstart = 'engine'\n"
        "below_min = 'minimum'\npriority = 2\nverify = 'ack'\n"
    ).rules
    assert (
        rules.fallback_w,
        rules.on_schedule_end,
        rules.hold_max_s,
        rules.on_stop,
        rules.on_interference,
    ) == (4_200, "hold", 3600.0, "fallback", "yield")
    assert (
        rules.start,
        rules.below_min,
        rules.priority,
        rules.verify,
    ) == ("engine", "minimum", 2, "ack")


def test_a_battery_may_fall_back_to_discharging() -> None:
    """A battery's fallback is signed, charging positive."""
    assert one(BATTERY + "fallback_kw = -40\nidle_w = 0\n").rules.fallback_w == -40_000


def test_an_asset_overrides_the_defaults_of_its_site() -> None:
    """[defaults] holds for all, an asset's own key for itself."""
    text = "[defaults]\nmax_retries = 0\nsettle_s = 0\nreassert_s = 10\n"
    rules = read(SITE + text + CHARGER + "reassert_s = 20\n").assets[0].rules
    assert (rules.max_retries, rules.settle_s, rules.reassert_s) == (0, 0.0, 20.0)


def test_the_site_id_tag_reaches_every_asset() -> None:
    """Remote starts carry the tag of [ocpp]."""
    site = read(SITE + '[ocpp]\nsetpoint_id_tag = "T"\n' + CHARGER)
    assert site.assets[0].rules.id_tag == "T"


def test_names_have_defaults() -> None:
    """Without them the adapter is the usual one of the kind, the schedule key the id."""
    rules = one(
        "[[asset]]\nid = 'ast_a'\nkind = 'ev_charger'\nmax_kw = 1\ncharge_point = 'C'\n"
    ).rules
    assert (rules.adapter, rules.schedule_key) == ("ocpp", "ast_a")


def test_a_foreign_adapter_brings_its_own_keys() -> None:
    """Literals, enumerations, lists and private fields of its attrs class are read."""
    asset = one(
        "[[asset]]\nid = 'ast_f'\nkind = 'battery'\nadapter = 'foreign'\nmax_charge_kw = 1\n"
        "max_discharge_kw = 0\nmode = 'b'\ncolour = 'red'\nratio = 2\nparts = [1, 2]\n"
        "quiet = true\nhidden = 3\n"
    )
    assert asset.options == Foreign("b", Colour.RED, 2.0, (1, 2), quiet=True, hidden=3)
    assert asset.rules.options == {
        "mode": "b",
        "colour": "red",
        "ratio": 2.0,
        "quiet": True,
        "_hidden": 3,
        "counted": 7,
    }


def test_options_without_types_are_taken_as_they_are() -> None:
    """An attrs class without annotations gets what TOML has."""
    asset = one(
        "[[asset]]\nid = 'ast_f'\nkind = 'battery'\nadapter = 'bare'\nmax_charge_kw = 1\n"
        "max_discharge_kw = 1\nanything = [1, 'a']\n"
    )
    assert getattr(asset.options, "anything", None) == [1, "a"]
    assert asset.rules.options == {}


def test_the_store_url_takes_from_the_environment() -> None:
    """${VAR} stands for what the environment has."""
    text = SITE + '[store]\nurl = "sqlite:///${PLACE}/${NAME}.db"\n' + BATTERY
    site = read(text, environment={"PLACE": "data", "NAME": "depot"})
    assert site.store_url == "sqlite:///data/depot.db"


def test_the_control_socket_is_as_written() -> None:
    """Where a relative one lies is for whoever read the file to say."""
    assert read(SITE + '[control]\nsocket = "x.sock"\n' + BATTERY).control_socket == "x.sock"


def test_known_zones_are_asked_only_when_given() -> None:
    """Pure parsing takes any zone's name."""
    assert read(SITE + BATTERY, known_zones=("Europe/Berlin",)).timezone == "Europe/Berlin"
    assert read('[site]\nid = "sit_a"\ntimezone = "Mars/North"\n' + BATTERY).timezone == (
        "Mars/North"
    )


def test_two_connectors_share_a_charge_points_password() -> None:
    """The password is given once per charge point, or twice alike."""
    second = CHARGER.replace("ast_a", "ast_c").replace("ev_001", "c") + "connector = 2\n"
    assert len(read(SITE + CHARGER + second).assets) == 2
    assert read(SITE + CHARGER + second.replace('password_env = "KEY"\n', "")).warnings == ()


def test_a_battery_and_a_charger_may_have_the_same_schedule_key() -> None:
    """Keys are unique among the assets of one kind: the columns differ."""
    assert len(read(SITE + CHARGER.replace("ev_001", "battery") + BATTERY).assets) == 2


def test_an_import_limit_that_the_fallbacks_keep_is_taken() -> None:
    """Chargers' fallbacks, a charging battery's and the base load are added up."""
    site = read(
        SITE
        + "import_limit_kw = 10\nbase_load_kw = 3.8\nexport_limit_kw = 5\n"
        + CHARGER
        + "fallback_kw = 4.2\n"
        + BATTERY
        + "fallback_kw = 2\n"
    )
    assert (site.import_limit_w, site.export_limit_w, site.base_load_w) == (10_000, 5_000, 3_800)
    assert site.warnings == ()


def test_what_a_limit_does_not_see_is_warned_of() -> None:
    """Without a base load it bounds the assets alone; without a fallback an asset is on its own."""
    limits = "import_limit_kw = 100\nexport_limit_kw = 100\n"
    site = read(SITE + limits + CHARGER + "fallback_kw = 4.2\n" + BATTERY)
    alone, charging, discharging = site.warnings
    assert "bounds the assets alone while no base load is known" in alone
    assert "ast_b: without fallback_kw 50 kW of charging" in charging
    assert "ast_b: without fallback_kw 40 kW of discharging" in discharging


@pytest.mark.parametrize(
    ("given", "offered"),
    [('["2.0.1"]', ("2.0.1",)), ('["1.6"]', ("1.6",)), ('["2.0.1", "1.6"]', ("1.6", "2.0.1"))],
)
def test_the_versions_that_are_offered_are_those_of_the_file(
    given: str, offered: tuple[str, ...]
) -> None:
    """Each alone, or both in any order."""
    site = read(f'[site]\nid = "sit_a"\n[ocpp]\nversions = {given}\n' + CHARGER)
    assert site.ocpp is not None
    assert site.ocpp.versions == offered


@pytest.mark.parametrize(
    ("ocpp", "asset", "warning"),
    [
        ("security_profile = 0", "", "security_profile 0: charge points connect without"),
        ("", 'password = "0123456789abcdef"', "ast_a: the password stands in the site file"),
        ("security_profile = 1", "password_less", "CP: no password is given"),
        (TLS_2, "password_less", "CP: no password is given, so security profile 2"),
        ("security_profile = 1\n[ocpp.tls]", "", "profile 1 has no TLS; the table is passed over"),
        (TLS_2 + '\nclient_ca = "c"', "", "profile 2 asks for no client certificates"),
    ],
)
def test_what_is_unwise_is_warned_of(ocpp: str, asset: str, warning: str) -> None:
    """A warning names the key or the asset and keeps nothing from working."""
    entry = CHARGER.replace('password_env = "KEY"', "" if asset else 'password_env = "KEY"')
    if asset != "password_less":
        entry += asset + "\n"
    (found,) = read(f"{SITE}[ocpp]\n{ocpp}\n{entry}").warnings
    assert warning in found
    assert "0123456789abcdef" not in found


def test_an_asset_that_wants_a_sweep_of_its_own_is_told_that_there_is_one_for_all() -> None:
    """Every other default may be overridden; the same value again is nothing to tell."""
    every = "[defaults]\ndispatch_interval_seconds = 7\n"
    assert read(SITE + every + CHARGER + "dispatch_interval_seconds = 7\n").warnings == ()
    (found,) = read(SITE + every + CHARGER + "dispatch_interval_seconds = 2\n").warnings
    assert found.startswith("ast_a: all assets are swept together")
    assert found.endswith("of [defaults]: 7")


def test_profile_3_is_a_certificate_in_place_of_a_password() -> None:
    """Nothing is missing without one."""
    entry = CHARGER.replace('password_env = "KEY"\n', "")
    tls = '\nsecurity_profile = 3\n[ocpp.tls]\ncert = "a"\nkey = "b"\nclient_ca = "c"\n'
    site = read(f"{SITE}[ocpp]{tls}{entry}")
    assert site.ocpp is not None
    assert site.ocpp.tls == TlsFiles("a", "b", "c")
    assert site.warnings == ()


def test_what_is_wrong_with_the_files_of_tls_stands_at_their_lines() -> None:
    """Who looks into them is the caller."""

    def look(files: TlsFiles) -> list[tuple[str, str]]:
        assert files == TlsFiles("a", "b")
        return [("cert", "has expired"), ("key", "is not readable")]

    with pytest.raises(SiteRefused) as refused:
        parse(f"{SITE}[ocpp]\n{TLS_2}\n{CHARGER}", "s", option_types=TYPES, tls_check=look)
    found = [(one.line, one.column, one.message) for one in refused.value.problems]
    assert found == [
        (7, "ocpp.tls.cert", "has expired"),
        (8, "ocpp.tls.key", "is not readable"),
    ]


def test_profile_0_needs_no_password() -> None:
    """Without authentication a charge point without a password is none to warn of."""
    entry = CHARGER.replace('password_env = "KEY"\n', "")
    (warning,) = read(SITE + "[ocpp]\nsecurity_profile = 0\n" + entry).warnings
    assert "security_profile 0" in warning


def test_callers_checks_find_the_line_of_an_asset() -> None:
    """A check of the caller gives id, key and message; it sees all sound assets."""

    def check(assets: tuple[AssetConfig, ...]) -> list[tuple[str, str, str]]:
        return [(asset.rules.asset_id, "max_kw", "odd") for asset in assets[:1]]

    with pytest.raises(SiteRefused) as refused:
        read(SITE + CHARGER, checks=(check,))
    (problem,) = refused.value.problems
    assert (
        problem.file,
        problem.line,
        problem.column,
        problem.message,
    ) == ("site.toml", 11, "asset.max_kw", "odd")


def test_an_asset_is_found_by_its_id_or_told_what_there_is() -> None:
    """For who has typed it."""
    site = read(site_template())
    last = site.assets[-1]
    assert site.asset(last.rules.asset_id) is last
    with pytest.raises(UnknownAsset, match="'ast_bay_9'; did you mean 'ast_bay_2' or"):
        site.asset("ast_bay_9")


def test_the_template_is_a_working_site() -> None:
    """What ``setpoint init`` writes has two chargers and a battery, and nothing to warn of."""
    site = read(site_template())
    assert [asset.rules.kind for asset in site.assets] == [
        AssetKind.EV_CHARGER,
        AssetKind.EV_CHARGER,
        AssetKind.BATTERY,
    ]
    assert site.warnings == ()
