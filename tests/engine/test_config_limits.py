"""Limits of phases in a site file: what they are in watts, what they need, what is warned of."""

import attrs
import pytest

from engine.adapters.ocpp_options import OcppOptions
from engine.config import Site, parse
from engine.errors import Problem, SiteRefused


@attrs.frozen
class Battery:
    """Stands for the Modbus adapter's options."""

    host: str = attrs.field(metadata={"address": True})


def text(*of_site: str, charger: str = "", battery: str | None = None) -> str:
    """Return a site file of a charger of 22 kW, and of a battery where it has keys."""
    parts = [
        '[site]\nid = "sit_a"',
        *of_site,
        '[[asset]]\nid = "ast_a"\nkind = "ev_charger"\ncharge_point = "CP"',
        'password_env = "KEY"\nmax_kw = 22\nfallback_kw = 4.14',
        charger,
    ]
    if battery is not None:
        parts.append(
            '[[asset]]\nid = "ast_b"\nkind = "battery"\nhost = "127.0.0.1"\n'
            f"max_charge_kw = 9\nmax_discharge_kw = 9\n{battery}"
        )
    return "\n".join(parts)


def read(written: str) -> Site:
    """Return what a site file says."""
    types: dict[str, type] = {"ocpp": OcppOptions, "modbus": Battery}
    return parse(written, "site.toml", option_types=types)


def problem(written: str) -> Problem:
    """Return the one thing that is wrong with a site file."""
    with pytest.raises(SiteRefused) as refused:
        read(written)
    (found,) = refused.value.problems
    return found


EVEN = 'phases = 3\nrate_unit = "A"'


def test_amperes_of_a_phase_are_watts_at_the_nominal_voltage() -> None:
    """Together with the limits of the whole, or alone."""
    site = read(text("import_limit_a = 63", "base_load_a = 10.5", charger=EVEN))
    assert (site.phase_limit_w, site.phase_base_w) == (14_490, 2_415)
    assert site.import_limit_w is None
    assert site.has_import_limit
    assert site.warnings == ()
    assert not read(text()).has_import_limit


def test_the_phases_that_an_asset_is_on_are_part_of_its_rules() -> None:
    """In the order of its own."""
    told = 'phase_rotation = ["L2", "L3", "L1"]'
    site = read(text(charger=told, battery='phase_rotation = ["L3"]'))
    assert [one.rules.phase_rotation for one in site.assets] == [("L2", "L3", "L1"), ("L3",)]


@pytest.mark.parametrize(
    "told", ['"L1"', "[]", '["L1", "L4"]', '["L1", "L1"]', "[1]", "7", '[["L1"]]']
)
def test_what_is_no_list_of_phases_is_refused(told: str) -> None:
    """Each once at the most."""
    found = problem(text(charger=f"phase_rotation = {told}"))
    assert found.column == "asset.phase_rotation"
    assert 'a list of "L1", "L2" and "L3", each once' in found.message


def test_as_many_phases_as_the_charger_has_are_named() -> None:
    """Not fewer."""
    found = problem(text(charger='phases = 3\nphase_rotation = ["L1"]'))
    assert found.message == "names 1 of the connection's phases, and phases says 3"


def test_a_base_load_of_a_phase_is_for_a_limit_of_it() -> None:
    """Without one it would say nothing."""
    assert problem(text("base_load_a = 3")).column == "site.base_load_a"


@pytest.mark.parametrize("told", ["-1", "true", '"63"'])
def test_a_limit_is_an_amount_of_amperes(told: str) -> None:
    """The connection has the same fuse for each phase."""
    assert problem(text(f"import_limit_a = {told}")).column == "site.import_limit_a"


@pytest.mark.parametrize(
    ("of_site", "charger", "message"),
    [
        (("import_limit_a = 17", "base_load_a = 11.5"), EVEN, "come to 17.5 A of L3"),
        (("import_limit_a = 17", "base_load_kw = 7.935"), EVEN, "come to 17.5 A of L3"),
        (
            ("import_limit_a = 17",),
            'phases = 1\nphase_rotation = ["L2"]',
            "come to 18.0 A of L2",
        ),
        (("import_limit_a = 17",), "", "come to 18.0 A of L3"),
    ],
)
def test_fallbacks_that_come_to_more_than_a_phase_carries_are_refused(
    of_site: tuple[str, ...], charger: str, message: str
) -> None:
    """With the base load; the phase that carries the most is named."""
    found = problem(text(*of_site, charger=charger))
    assert found.column == "site.import_limit_a"
    assert message in found.message


def test_a_battery_without_a_fallback_counts_with_all_that_it_can_on_a_phase() -> None:
    """It is named."""
    found = problem(text("import_limit_a = 40", charger=EVEN, battery='phase_rotation = ["L1"]'))
    assert "come to 45.1 A of L1; without fallback_kw all that it can" in found.message


def test_a_charger_needs_a_fallback_under_a_limit_of_phases_too() -> None:
    """Nobody knows what it does when its lease ends."""
    found = problem(text("import_limit_a = 63").replace("fallback_kw = 4.14", ""))
    assert found.column == "site.import_limit_a"
    assert "each charger needs fallback_kw: ast_a" in found.message


BASE = "site.import_limit_a: the base load {}: give base_load_a"
EACH = "{}: all of its power counts on each phase: {}"
WITH_AMPERES = 'with phases and rate_unit = "A" its share does'
SAY_WHICH = "say by phase_rotation which it is on"


@pytest.mark.parametrize(
    ("of_site", "charger", "battery", "warnings"),
    [
        ((), EVEN, None, (BASE.format("is not known"),)),
        (
            ("base_load_kw = 3",),
            EVEN,
            None,
            (BASE.format("counts with a third on each phase"),),
        ),
        (("base_load_a = 0",), "", None, (EACH.format("ast_a", WITH_AMPERES),)),
        (
            ("base_load_a = 0",),
            "phases = 1",
            "fallback_kw = 0",
            (EACH.format("ast_a", SAY_WHICH), EACH.format("ast_b", SAY_WHICH)),
        ),
    ],
)
def test_what_counts_more_than_it_may_take_is_warned_of(
    of_site: tuple[str, ...], charger: str, battery: str | None, warnings: tuple[str, ...]
) -> None:
    """And what the site file can say to change that."""
    site = read(text("import_limit_a = 63", *of_site, charger=charger, battery=battery))
    assert site.warnings == warnings
