import attrs
import pytest

from engine.config import parse
from engine.errors import Problem, SiteRefused


@attrs.frozen
class Charger:
    """Stands for the OCPP adapter's options."""

    charge_point: str
    connector: int = 1
    password_env: str | None = attrs.field(default=None, metadata={"secret": True})
    password: str | None = attrs.field(default=None, metadata={"secret": True})


@attrs.frozen
class Battery:
    """Stands for the Modbus adapter's options."""

    host: str = attrs.field(metadata={"address": True})
    unit: int = 1


TYPES: dict[str, type] = {"ocpp": Charger, "modbus": Battery}

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
SECOND = """\
[[asset]]
id = "ast_c"
kind = "ev_charger"
schedule_key = "c"
charge_point = "CP"
connector = 2
max_kw = 11
"""
STORE, MAX, BATTERY, UNTIL = "[store]", "max_kw = 22", 'id = "ast_b"', "max_discharge_kw = 40"


def problems(text: str) -> tuple[Problem, ...]:
    """Return what is wrong with a text."""
    with pytest.raises(SiteRefused) as refused:
        parse(text, "site.toml", option_types=TYPES)
    return refused.value.problems


def changed(old: str, new: str) -> str:
    """Return the good file with one place changed; a place that is not there is a bad test."""
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "message"),
    [
        ('"c"', '"ev_001"', 29, "asset.schedule_key", "ast_a has this schedule_key"),
        ("connector = 2", "connector = 1", 31, "asset.connector", "ast_a is this very device"),
        ("connector = 2", "", 26, "asset.connector", "ast_a is this very device"),
        ("max_kw", "password = 'hush'\nmax_kw", 32, "asset.password", "another password"),
    ],
)
def test_assets_that_clash_are_refused(
    old: str, new: str, line: int, key: str, message: str
) -> None:
    """A connector has one asset, a charge point one password, a column one asset."""
    assert SECOND.count(old) == 1
    (problem,) = problems(GOOD + SECOND.replace(old, new))
    assert (problem.line, problem.column) == (line, key)
    assert message in problem.message
    assert "hush" not in str(problem)


def test_two_batteries_on_one_unit_are_refused() -> None:
    """A Modbus unit has one asset."""
    other = GOOD.partition(BATTERY)[2].replace('"battery"\nadapter', '"b2"\nadapter')
    (problem,) = problems(f'{GOOD}[[asset]]\nid = "ast_c"{other}')
    assert (problem.line, problem.column) == (26, "asset.unit")


def test_fallbacks_above_the_import_limit_are_refused() -> None:
    """The fallbacks and the base load must fit under the limit; discharging does not help."""
    text = (
        changed(STORE, "import_limit_kw = 10\nbase_load_kw = 6\n[store]")
        .replace(MAX, "max_kw = 22\nfallback_kw = 4.2")
        .replace(UNTIL, f"{UNTIL}\nfallback_kw = -5")
    )
    (problem,) = problems(text)
    assert (problem.line, problem.column) == (4, "site.import_limit_kw")
    assert "come to 10.2 kW" in problem.message


def test_a_battery_without_a_fallback_counts_with_all_that_it_can_charge_with() -> None:
    """When its lease ends it does what it wants."""
    text = changed(STORE, "import_limit_kw = 40\n[store]").replace(
        MAX, "max_kw = 22\nfallback_kw = 4.2"
    )
    (problem,) = problems(text)
    assert "come to 54.2 kW; without fallback_kw all that it can counts: ast_b" in problem.message


@pytest.mark.parametrize("fault", ["fallback_kw = 'x'", "kind = 'lamp'"])
def test_an_import_limit_does_not_miss_what_is_refused_already(fault: str) -> None:
    """A charger whose fallback or kind cannot be read has one problem, not two."""
    text = changed(STORE, "import_limit_kw = 100\n[store]")
    if fault.startswith("kind"):
        text = text.replace('kind = "ev_charger"', fault)
    else:
        text = text.replace(MAX, f"{MAX}\n{fault}")
    (problem,) = problems(text)
    assert problem.column == f"asset.{fault.partition(' ')[0]}"


def test_devices_of_others_may_share_a_host() -> None:
    """What tells them apart, only their adapter knows."""

    @attrs.frozen
    class Lamp:
        host: list[str]
        lamp: int = 1

    def lamp(number: int) -> str:
        return (
            f'[[asset]]\nid = "ast_{number}"\nkind = "ev_charger"\nschedule_key = "{number}"\n'
            f'adapter = "lamp"\nhost = ["gateway"]\nlamp = {number}\nmax_kw = 11\n'
        )

    text = '[site]\nid = "sit_a"\n' + lamp(1) + lamp(2)
    site = parse(text, "site.toml", option_types={"lamp": Lamp})
    assert [Lamp(["gateway"], 1), Lamp(["gateway"], 2)] == [one.options for one in site.assets]
