"""Stores' URLs as people see them: they may hold a password."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from actors.cli import setpoint
from actors.cli.places import shown, site_of
from engine.config import site_template


def test_a_site_check_does_not_show_the_stores_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it comes from the environment, and in what a program prints of a site."""
    monkeypatch.setenv("DEPOT_DB", "postgresql://depot:hush@db.example:5433/depots?schema=north")
    file = tmp_path / "site.toml"
    file.write_text(site_template().replace("sqlite:///my_depot.db", "${DEPOT_DB}"), "utf-8")

    done = CliRunner().invoke(setpoint, ["check", str(file)])

    assert done.exit_code == 0
    assert "store postgresql://depot:***@db.example:5433/depots?schema=north" in done.output
    assert "hush" not in done.output
    assert "hush" not in repr(site_of(str(file)))


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("postgresql://u:hu@sh@[::1]:5433/d", "postgresql://u:***@[::1]:5433/d"),
        ("postgresql://:hush@h/d", "postgresql://:***@h/d"),
        ("postgresql://u@h:5433/d", "postgresql://u@h:5433/d"),
        ("postgresql://h:5433/d", "postgresql://h:5433/d"),
        ("sqlite:////depots/a:b@c.db", "sqlite:////depots/a:b@c.db"),
        ("memory:a", "memory:a"),
    ],
)
def test_only_a_password_is_left_out(url: str, seen: str) -> None:
    """Whatever it has in it; the rest says which store it is."""
    assert shown(url) == seen
