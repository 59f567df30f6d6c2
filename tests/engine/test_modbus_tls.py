"""The keys of Modbus/TCP Security in a site file."""

import pytest

from engine.adapters.modbus import ModbusOptions, ModbusTls
from engine.config import Site, parse
from engine.errors import SiteRefused

SITE = '[site]\nid = "sit_a"\n'
BATTERY = """\
[[asset]]
id = "ast_{key}"
kind = "battery"
schedule_key = "{key}"
host = "10.0.0.7"
unit = {unit}
max_charge_kw = 50
max_discharge_kw = 50
{more}
"""


def read(*more: str) -> Site:
    """Return a site of as many batteries behind one host."""
    assets = "".join(
        BATTERY.format(key=f"b{number}", unit=number, more=text)
        for number, text in enumerate(more, 1)
    )
    return parse(SITE + assets, "site.toml", option_types={"modbus": ModbusOptions})


def test_the_files_are_a_table_and_the_port_is_its_own() -> None:
    """802 where there is TLS, unless another is given; none of it goes on record."""
    (secured,) = read('tls = { ca = "ca.pem", cert = "c.pem", key = "c.key", name = "b" }').assets
    assert secured.options == ModbusOptions(
        "10.0.0.7", 802, tls=ModbusTls("ca.pem", "c.pem", "c.key", "b")
    )
    assert secured.rules.options.keys() == {"unit", "profile", "idle_w"}
    (clear,) = read("").assets
    assert clear.options == ModbusOptions("10.0.0.7", 502)
    (own,) = read("tls = {}\nport = 8802").assets
    assert own.options == ModbusOptions("10.0.0.7", 8802, tls=ModbusTls())


@pytest.mark.parametrize(
    ("tls", "message"),
    [
        ('"yes"', "must be a table, not a text"),
        ('{ cb = "a" }', "no key is called 'cb'; there are ca, cert, key, name"),
        ("{ ca = 5 }", "must be a text, not a whole number"),
        ('{ ca = "" }', "Length of 'ca' must be >= 1: 0"),
    ],
)
def test_what_is_no_such_table_is_refused(tls: str, message: str) -> None:
    """At its line, in words."""
    with pytest.raises(SiteRefused) as refused:
        read(f"tls = {tls}")
    (problem,) = refused.value.problems
    assert (problem.line, problem.column, problem.message) == (11, "asset.tls", message)


def test_batteries_of_one_host_have_the_same_keys() -> None:
    """They share the connection."""
    assert len(read('tls = { ca = "a" }', 'tls = { ca = "a" }').assets) == 2
    with pytest.raises(SiteRefused, match="ast_b1 shares the connection"):
        read('tls = { ca = "a" }', 'tls = { ca = "b" }')
