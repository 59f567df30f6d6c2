from typing import Literal

import attrs
import pytest

from engine.config import AssetConfig, Site, parse
from engine.errors import Problem, SiteRefused


@attrs.frozen
class Charger:
    """Stands for the OCPP adapter's options."""

    charge_point: str = attrs.field(validator=attrs.validators.min_len(1))
    connector: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    password_env: str | None = attrs.field(default=None, metadata={"secret": True})
    password: str | None = attrs.field(
        default=None,
        metadata={"secret": True},
        validator=attrs.validators.optional(attrs.validators.max_len(40)),
    )
    phases: int = attrs.field(default=3, validator=attrs.validators.in_((1, 3)))
    min_a: float = 6.0
    parts: tuple[int, ...] = ()
    mode: Literal["a", "b"] = "a"


@attrs.frozen
class Battery:
    """Stands for the Modbus adapter's options."""

    host: str = attrs.field(metadata={"address": True})
    unit: int = 1

    def __attrs_post_init__(self) -> None:
        """Object to the whole, naming no key, or in no words."""
        if self.host == "nameless":
            raise ValueError("these do not go together")
        if self.host == "speechless":
            raise ValueError
        if self.unit == 0:
            raise ValueError("unit")


TYPES: dict[str, type] = {"ocpp": Charger, "modbus": Battery}
ZONES = ("UTC", "Europe/Berlin")

GOOD = """\
[site]
id = "sit_a"
timezone = "Europe/Berlin"
[store]
url = "sqlite:///a.db"
[defaults]
max_retries = 3
[ocpp]
security_profile = 1
[[asset]]
id = "ast_a"
kind = "ev_charger"
schedule_key = "ev_001"
adapter = "ocpp"
charge_point = "CP"
password_env = "KEY"
max_kw = 22
[[asset]]
id = "ast_b"
kind = "battery"
schedule_key = "battery"
adapter = "modbus"
host = "127.0.0.1"
max_charge_kw = 50
max_discharge_kw = 40
"""
SITE, STORE, RETRIES, OCPP = "[site]", "[store]", "max_retries = 3", "security_profile = 1"
TLS = {number: f"security_profile = {number}\n[ocpp.tls]" for number in (2, 3)}
EV, MAX, BATTERY, UNTIL = 'id = "ast_a"', "max_kw = 22", 'id = "ast_b"', "max_discharge_kw = 40"


def read(text: str) -> Site:
    """Return a site, read with the options above."""
    return parse(text, "site.toml", option_types=TYPES, known_zones=ZONES)


def problems(text: str) -> tuple[Problem, ...]:
    """Return what is wrong with a text."""
    with pytest.raises(SiteRefused) as refused:
        read(text)
    return refused.value.problems


def problems_or_none(text: str) -> tuple[Problem, ...]:
    """Return what is wrong with a text, if anything."""
    try:
        read(text)
    except SiteRefused as refused:
        return refused.problems
    return ()


def changed(old: str, new: str) -> str:
    """Return the good file with one place changed; a place that is not there is a bad test."""
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


def test_the_good_file_is_good() -> None:
    """Each fault below is the only one in its file."""
    assert read(GOOD).warnings == ()


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "message"),
    [
        # the file as a whole
        ("[defaults]", "[default]", 6, "default", "'default'; did you mean 'defaults'?"),
        ('id = "sit_a"\n', "", 1, "site.id", "this key is needed"),
        ("[defaults]", "[zzz]", 6, "zzz", "there are asset, control, defaults, ocpp, site, store"),
        # the site
        ("sit_a", "Sit-A", 2, "site.id", "must be sit_ and then"),
        ('"sit_a"', '" "', 2, "site.id", "must not be empty"),
        ('"sit_a"', "5", 2, "site.id", "must be a text, not a whole number"),
        ('"sit_a"', "2020-01-01", 2, "site.id", "must be a text, not a date or time"),
        ("Europe/Berlin", "Europe/Berln", 3, "site.timezone", "no time zone is called"),
        ("timezone", "time_zone", 3, "site.time_zone", "did you mean 'timezone'?"),
        (STORE, "base_load_kw = -1\n[store]", 4, "site.base_load_kw", "must be at least 0"),
        (STORE, "import_limit_kw = true\n[store]", 4, "site.import_limit_kw", "not true or false"),
        (STORE, "import_limit_kw = 9\n[store]", 4, "site.import_limit_kw", "fallback_kw: ast_a"),
        # store and control
        ("sqlite:///a.db", "sqlite:///", 5, "store.url", "a file's path comes behind"),
        ("sqlite:///a.db", "mysql://u:hush@h/d", 5, "store.url", "must begin with sqlite:///"),
        ("sqlite:///a.db", "postgresql://u:hush@h", 5, "store.url", "must be postgresql://user"),
        (
            "sqlite:///a.db",
            "postgresql://u:hush@h:xx/d",
            5,
            "store.url",
            "must be postgresql://user",
        ),
        ("sqlite:///a.db", "postgresql://u:hush@h/d?x=1", 5, "store.url", "?schema=name at most"),
        ("sqlite:///a.db", "sqlite:///${A}${B}", 5, "store.url", "environment has no A, B"),
        (STORE, "[control]\nsocket = 1\n[store]", 5, "control.socket", "must be a text"),
        ("[defaults]", "[control]\nsok = 1\n[defaults]", 7, "control.sok", "'socket'"),
        # defaults
        (RETRIES, "max_retires = 3", 7, "defaults.max_retires", "did you mean 'max_retries'?"),
        (RETRIES, "max_retries = -1", 7, "defaults.max_retries", "at least 0 and at most 100"),
        (RETRIES, "max_retries = 1.5", 7, "defaults.max_retries", "must be a whole number"),
        (RETRIES, "max_retries = true", 7, "defaults.max_retries", "not true or false"),
        (RETRIES, "retry_backoff_factor = 0.9", 7, "defaults.retry_backoff_factor", "least 1"),
        (RETRIES, "settle_s = nan", 7, "defaults.settle_s", "must be at least 0"),
        (RETRIES, "reassert_s = 0", 7, "defaults.reassert_s", "must be above 0"),
        (RETRIES, "reassert_s = inf", 7, "defaults.reassert_s", "at most 100000000"),
        # ocpp
        (OCPP, "security_profile = 2", 9, "ocpp.security_profile", "with cert and key"),
        (OCPP, "security_profile = 3", 9, "ocpp.security_profile", "cert, key and client_ca"),
        (OCPP, "security_profile = 4", 9, "ocpp.security_profile", "at least 0 and at most 3"),
        (OCPP, '[ocpp.tls]\ncert = "a"', 9, "ocpp.tls", "needs security_profile = 2 or 3"),
        (OCPP, f'{TLS[2]}\ncert = "a"', 10, "ocpp.tls.key", "this key is needed"),
        (OCPP, f'{TLS[3]}\ncert = "a"\nkey = "b"', 10, "ocpp.tls.client_ca", "is needed"),
        (OCPP, f'{TLS[2]}\ncert = ""\nkey = "b"', 11, "ocpp.tls.cert", "must not be empty"),
        (OCPP, f'{TLS[2]}\ncrt = "a"\ncert = "a"\nkey = "b"', 11, "ocpp.tls.crt", "'cert'"),
        (OCPP, "security_profile = 2\ntls = 1", 10, "ocpp.tls", "must be a table"),
        (OCPP, 'listen = "9000"', 9, "ocpp.listen", "must be host:port"),
        (OCPP, 'listen = "h:70000"', 9, "ocpp.listen", "must be host:port"),
        (OCPP, 'listen = "h:9000000"', 9, "ocpp.listen", "must be host:port"),
        (OCPP, 'listen = "h:x"', 9, "ocpp.listen", "must be host:port"),
        (OCPP, "versions = []", 9, "ocpp.versions", 'must be a list, such as ["1.6", "2.0.1"]'),
        (OCPP, 'versions = ["1.6", [2]]', 9, "ocpp.versions", "[2] is no version"),
        (OCPP, 'versions = ["2.1"]', 9, "ocpp.versions", "'2.1' is no version: 1.6 or 2.0.1"),
        (OCPP, "id_tags = [1]", 9, "ocpp.id_tags", '"any" or a list of texts'),
        (OCPP, 'id_tags = "some"', 9, "ocpp.id_tags", '"any" or a list of texts'),
        (OCPP, f'setpoint_id_tag = "{"x" * 21}"', 9, "ocpp.setpoint_id_tag", "1 to 20"),
        (OCPP, "heartbeat_seconds = 0", 9, "ocpp.heartbeat_seconds", "must be at least 1"),
        # what every asset has
        (EV, 'id = "ast_A"', 11, "asset.id", "must be ast_ and then"),
        (f"{EV}\n", "", 10, "asset.id", "this key is needed"),
        (BATTERY, EV, 19, "asset.id", "another asset has this id"),
        ('kind = "ev_charger"\n', "", 10, "asset.kind", "battery or ev_charger"),
        ("ev_charger", "ev_chager", 12, "asset.kind", "did you mean 'ev_charger'?"),
        ('"ev_001"', '""', 13, "asset.schedule_key", "must not be empty"),
        ('"ocpp"', '"ocp"', 14, "asset.adapter", "did you mean 'ocpp'?"),
        ('"ocpp"', '"zzz"', 14, "asset.adapter", "must be one of modbus, ocpp"),
        ('adapter = "ocpp"', 'adapter = "modbus"\nhost = "h"', 14, "asset.adapter", "battery"),
        (MAX, "max_kw = 22\nprioritee = 1", 18, "asset.prioritee", "did you mean 'priority'?"),
        (MAX, "max_kw = 22\npriority = 0", 18, "asset.priority", "must be at least 1"),
        (MAX, "max_kw = 22\nstale_state_seconds = 0", 18, "asset.stale_state_seconds", "above 0"),
        (MAX, "max_kw = 22\non_stop = 'hodl'", 18, "asset.on_stop", "did you mean 'hold'?"),
        (MAX, "max_kw = 22\non_stop = 7", 18, "asset.on_stop", "must be a text"),
        (MAX, "max_kw = 22\nhold_max_s = 9", 18, "asset.hold_max_s", "only for on_schedule_end"),
        (MAX, "max_kw = 22\non_schedule_end = 'hold'", 18, "asset.on_schedule_end", "hold_max_s"),
        # chargers
        (MAX, "", 10, "asset.max_kw", "this key is needed"),
        (MAX, "max_kw = 0", 17, "asset.max_kw", "must be above 0 and at most 1000000"),
        (MAX, 'max_kw = "22"', 17, "asset.max_kw", "must be a number, not a text"),
        (MAX, "max_kw = true", 17, "asset.max_kw", "must be a number, not true or false"),
        (MAX, "max_kw = nan", 17, "asset.max_kw", "must be above 0"),
        (MAX, f"max_kw = 0x{'F' * 5000}", 17, "asset.max_kw", "must be above 0"),
        (
            MAX,
            "max_kw = 22\nfallback_kw = -1",
            18,
            "asset.fallback_kw",
            "at least 0 and at most 22",
        ),
        (MAX, "max_kw = 22\nfallback_kw = 23", 18, "asset.fallback_kw", "at most 22"),
        (MAX, "max_kw = 22\nmax_charge_kw = 1", 18, "asset.max_charge_kw", "the kind battery"),
        (MAX, "max_kw = 22\nstart = 'motor'", 18, "asset.start", "one of charger, engine"),
        (MAX, "max_kw = 22\nbelow_min = 'on'", 18, "asset.below_min", "one of minimum, off"),
        (
            MAX,
            "max_kw = 22\nverify = 'readback'",
            18,
            "asset.verify",
            "ack, auto, composite, measured",
        ),
        # batteries
        (UNTIL, "", 18, "asset.max_discharge_kw", "this key is needed"),
        (UNTIL, "max_discharge_kw = -1", 25, "asset.max_discharge_kw", "must be at least 0"),
        (UNTIL, f"{UNTIL}\nfallback_kw = -41", 26, "asset.fallback_kw", "at least -40 and at most"),
        (UNTIL, f"{UNTIL}\nidle_w = 0.5", 26, "asset.idle_w", "must be a whole number"),
        (UNTIL, f"{UNTIL}\nverify = 'read'", 26, "asset.verify", "did you mean 'readback'?"),
        (UNTIL, f"{UNTIL}\nverify = 'composite'", 26, "asset.verify", "ack, measured, readback"),
        (UNTIL, f"{UNTIL}\nstart = 'engine'", 26, "asset.start", "'start' is for the kind ev"),
        # an adapter's own keys
        ('charge_point = "CP"\n', "", 10, "asset.charge_point", "this key is needed"),
        ('"CP"', '["CP"]', 15, "asset.charge_point", "must be a text, not a list"),
        ('"CP"', '""', 15, "asset.charge_point", "Length of 'charge_point' must be >= 1"),
        (MAX, "max_kw = 22\nconnector = 0", 18, "asset.connector", "'connector' must be >= 1"),
        (MAX, "max_kw = 22\nconnector = true", 18, "asset.connector", "not true or false"),
        (MAX, "max_kw = 22\nconnector = 9223372036854775808", 18, "asset.connector", "64 bits"),
        (MAX, "max_kw = 22\nphases = 2", 18, "asset.phases", "'phases' must be in (1, 3)"),
        (MAX, "max_kw = 22\nmin_a = inf", 18, "asset.min_a", "must be a finite number"),
        (MAX, "max_kw = 22\nparts = [1, 'x']", 18, "asset.parts", "must be a whole number, not"),
        (MAX, "max_kw = 22\nmode = 'c'", 18, "asset.mode", "c not in literal"),
        ('password_env = "KEY"', "password = 5", 16, "asset.password", "must be a text"),
        ('password_env = "KEY"', "password = ''", 16, "asset.password", "must not be empty"),
        ('password_env = "KEY"', f"password = '{'hush' * 11}'", 16, "asset.password", "not shown"),
        (MAX, "max_kw = 22\npassword = 'hush'", 18, "asset.password", "one of these is enough"),
        ('"127.0.0.1"', '"nameless"', 22, "asset.adapter", "these do not go together"),
        ('"127.0.0.1"', '"speechless"', 22, "asset.adapter", "cannot be used"),
        (UNTIL, f"{UNTIL}\nunit = 0", 26, "asset.unit", "unit"),
    ],
)
def test_each_fault_is_named_with_its_line_and_key(
    old: str, new: str, line: int, key: str, message: str
) -> None:
    """One fault in a good file is one problem, and it is told without a secret."""
    (problem,) = problems(changed(old, new))
    assert (problem.file, problem.line, problem.column) == ("site.toml", line, key)
    assert message in problem.message
    assert "hush" not in str(problem)


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("site = 5\n" + GOOD.replace(SITE, "[site2]").replace("[site2]", "[defaults2]"), 1, "site"),
        ("asset = 5\n" + GOOD.partition("[[asset]]")[0], 1, "asset"),
        (GOOD.partition("[[asset]]")[0], None, "asset"),
        (GOOD.partition("[[asset]]")[0] + "[asset]\nid = 'ast_a'\n", 10, "asset"),
        ("asset = [5]\n" + GOOD.partition("[[asset]]")[0], 1, "asset"),
    ],
)
def test_what_is_no_table_is_one_problem(text: str, line: int | None, key: str) -> None:
    """Nothing is missed inside what is wrong as a whole."""
    assert [(line, key)] == [
        (one.line, one.column) for one in problems(text) if one.column != "defaults2"
    ]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("[site\n", 1, "Expected"),
        (GOOD + "\nx = ", 27, "Invalid value (at end of document)"),
        (GOOD + "max_charge_kw = 1\n", 26, "overwrite"),
        (f"a = 1{'0' * 5000}", None, "too many digits"),
        ("a = " + "[" * 100_000, None, "nested too deeply"),
    ],
)
def test_what_is_not_toml_is_refused(text: str, line: int | None, message: str) -> None:
    """Syntax errors tell their line, and nothing that TOML text can do raises anything else."""
    (problem,) = problems(text)
    assert (problem.rule, problem.file, problem.line) == ("toml", "site.toml", line)
    assert message in problem.message


def test_all_problems_come_at_once_in_the_order_of_their_lines() -> None:
    """Eleven faults are one error with eleven lines, also within one table."""
    text = (
        GOOD.replace("sit_a", "x")
        .replace("sqlite:", "y:")
        .replace(RETRIES, "max_retries = -1")
        .replace(OCPP, "security_profile = 3")
        .replace("ast_a", "a")
        .replace('"ev_001"', "1")
        .replace(MAX, "max_kw = 0\nconnector = 0\nphases = 2\nfallback_kw = 50\nhold_max_s = 0")
        .replace(UNTIL, "max_discharge_kw = 'z'\nfallback_kw = -60")
    )
    found = problems(text)
    assert [one.line for one in found] == [2, 5, 7, 9, 11, 13, 17, 18, 19, 21, 29]
    assert "11 problems" in str(SiteRefused(found))


ODD = (
    "-1",
    "0",
    "1.5",
    "nan",
    "-inf",
    '""',
    '"x"',
    '"${A}"',
    "true",
    "[]",
    "{}",
    "[{ a = [1] }]",
    "{ a = { b = 1 } }",
    "2020-01-01T00:00:00Z",
    f"0x{'f' * 5000}",
)


@pytest.mark.parametrize("odd", ODD)
def test_no_value_of_any_key_raises_anything_else(odd: str) -> None:
    """Whatever TOML can hold at a key, the site is taken or refused on the line of that key."""
    lines = GOOD.splitlines()
    for number, line in enumerate(lines, 1):
        key, equals, _ = line.partition(" = ")
        if not equals:
            continue
        text = "\n".join((*lines[: number - 1], f"{key} = {odd}", *lines[number:]))
        found = problems_or_none(text)
        assert not found or number in [one.line for one in found]


def test_a_refused_limit_bounds_no_fallback() -> None:
    """A fallback is not blamed for a maximum that could not be read."""
    (problem,) = problems(changed(MAX, 'max_kw = "22"\nfallback_kw = 4.2'))
    assert problem.column == "asset.max_kw"


def test_a_misspelt_policy_is_not_blamed_on_its_companion() -> None:
    """``hold_max_s`` beside a misspelt ``hold`` is no second problem."""
    (problem,) = problems(changed(MAX, "max_kw = 22\non_schedule_end = 'hodl'\nhold_max_s = 9"))
    assert problem.column == "asset.on_schedule_end"


def test_an_asset_of_no_kind_is_checked_as_far_as_it_goes() -> None:
    """Keys of either kind are known to it; its other keys are checked."""
    text = changed('kind = "ev_charger"', 'kind = "lamp"\npriority = 0\nidle_w = 1')
    assert [one.column for one in problems(text)] == ["asset.kind", "asset.priority"]


def test_assets_without_ids_are_not_each_others_duplicates() -> None:
    """What is missing twice is not the same twice."""
    text = GOOD.replace(EV, "").replace(BATTERY, "").replace('schedule_key = "battery"\n', "")
    assert {one.rule for one in problems(text)} == {"missing"}


def test_a_long_value_is_shown_shortened() -> None:
    """A slip of the clipboard does not fill the screen."""
    (problem,) = problems(changed("Europe/Berlin", "x" * 500))
    assert len(problem.value or "") < 100


def test_checks_see_only_sound_assets() -> None:
    """A check of the caller need not expect an asset without options."""
    seen: list[str] = []

    def check(assets: tuple[AssetConfig, ...]) -> list[tuple[str, str, str]]:
        seen.extend(asset.rules.asset_id for asset in assets)
        return []

    with pytest.raises(SiteRefused):
        parse(changed('"CP"', "5"), "site.toml", option_types=TYPES, checks=(check,))
    assert seen == ["ast_b"]


def test_a_mistyped_key_is_told_beside_an_adapter_of_the_other_kind() -> None:
    """Both in the one error; keys that either of them has are not in doubt."""
    text = changed('adapter = "ocpp"', 'adapter = "modbus"\nunt = 2\nhost = "h"')
    assert [(one.column, one.message) for one in problems(text)] == [
        ("asset.adapter", "'modbus' is for the kind battery"),
        ("asset.unt", "no key is called 'unt'; did you mean 'unit'?"),
    ]


def test_a_mistyped_key_is_told_beside_a_kind_that_is_missing() -> None:
    """Without an adapter either, any adapter's keys may be meant."""
    text = changed('kind = "battery"\n', "").replace('adapter = "modbus"\n', "unt = 1\n")
    assert [(one.column, one.message) for one in problems(text)] == [
        ("asset.kind", "this key is needed: battery or ev_charger"),
        ("asset.unt", "no key is called 'unt'; did you mean 'unit'?"),
    ]


def test_the_keys_of_an_adapter_that_nobody_knows_are_not_in_doubt() -> None:
    """Once it is installed they may be right."""
    text = changed('adapter = "ocpp"', 'adapter = "zzz"\nlamp = 5')
    assert [one.column for one in problems(text)] == ["asset.adapter"]


def test_an_adapter_that_is_not_installed_is_refused_for_its_kind_too() -> None:
    """Without an ``adapter`` key the usual one of the kind must be there."""
    text = changed('adapter = "ocpp"\n', "").replace("[ocpp]\nsecurity_profile = 1\n", "")
    with pytest.raises(SiteRefused) as refused:
        parse(text, "site.toml", option_types={"modbus": Battery})
    (problem,) = refused.value.problems
    assert (problem.column, problem.message) == ("asset.adapter", "must be one of modbus")
