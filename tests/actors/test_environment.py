from pathlib import Path

import attrs
import pytest

from actors.environment import read_site
from engine.config import AssetConfig, Site
from engine.errors import SiteRefused


@attrs.frozen
class Battery:
    """Stands for the Modbus adapter's options."""

    host: str = attrs.field(default="127.0.0.1", metadata={"address": True})
    profile: str = "generic-battery"
    password_file: str | None = None


TEXT = """\
[site]
id = "sit_a"
timezone = "Europe/Berlin"
[[asset]]
id = "ast_b"
kind = "battery"
adapter = "modbus"
max_charge_kw = 50
max_discharge_kw = 50
"""


def read(folder: Path, text: str = TEXT) -> Site:
    """Return a site, read from a file."""
    file = folder / "site.toml"
    file.write_text(text, encoding="utf-8")
    return read_site(file, {"modbus": Battery})


def test_everything_lies_beside_the_site_file(tmp_path: Path) -> None:
    """Store and control socket have their names from the site's id."""
    site = read(tmp_path)
    assert site.store_url == f"sqlite:///{tmp_path}/sit_a.db"
    assert site.control_socket == f"{tmp_path}/.sit_a.sock"


def test_relative_paths_are_relative_to_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the process stands does not matter."""
    monkeypatch.setenv("DEPOT", "depot")
    text = TEXT.replace(
        "[[asset]]",
        '[store]\nurl = "sqlite:///data/${DEPOT}.db"\n[control]\nsocket = "c"\n[[asset]]',
    )
    file = tmp_path / "site.toml"
    file.write_text(f'{text}profile = "my.toml"\npassword_file = "key"\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    site = read_site("site.toml", {"modbus": Battery})
    assert site.store_url == f"sqlite:///{tmp_path}/data/depot.db"
    assert site.control_socket == f"{tmp_path}/c"
    assert site.assets[0].options == Battery(
        profile=f"{tmp_path}/my.toml", password_file=f"{tmp_path}/key"
    )


def test_absolute_paths_and_names_stay(tmp_path: Path) -> None:
    """A built-in profile is a name, and a store in memory has no path."""
    text = TEXT.replace(
        "[[asset]]", '[store]\nurl = "memory:"\n[control]\nsocket = "/run/c"\n[[asset]]'
    )
    site = read(tmp_path, text)
    assert (site.store_url, site.control_socket) == ("memory:", "/run/c")
    assert site.assets[0].options == Battery()
    absolute = text.replace("memory:", "sqlite:////var/a.db")
    assert read(tmp_path, absolute).store_url == "sqlite:////var/a.db"


def test_the_recorded_options_keep_the_profile_as_written(tmp_path: Path) -> None:
    """No path of this machine gets into an event."""
    rules = read(tmp_path, TEXT + 'profile = "my.toml"\n').assets[0].rules
    assert rules.options["profile"] == "my.toml"


def test_zones_are_checked_against_those_that_there_are(tmp_path: Path) -> None:
    """A time zone must exist."""
    with pytest.raises(SiteRefused, match="no time zone is called 'Europe/Berln'"):
        read(tmp_path, TEXT.replace("Berlin", "Berln"))


def test_checks_are_passed_on(tmp_path: Path) -> None:
    """What the caller wants to hold between assets is asked."""

    def check(assets: tuple[AssetConfig, ...]) -> list[tuple[str, str, str]]:
        return [(asset.rules.asset_id, "id", "odd") for asset in assets]

    read(tmp_path)
    with pytest.raises(SiteRefused, match=r"asset\.id: odd"):
        read_site(tmp_path / "site.toml", {"modbus": Battery}, checks=(check,))


def test_options_of_any_class_are_let_be(tmp_path: Path) -> None:
    """Only what names a file is made absolute."""

    @attrs.frozen
    class Other:
        profile: int = 3

    (tmp_path / "site.toml").write_text(TEXT, encoding="utf-8")
    site = read_site(tmp_path / "site.toml", {"modbus": Other})
    assert site.assets[0].options == Other()


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "No such file"), (b"\xff\xfe", "not UTF-8"), (b"[site", "site.toml:1")],
)
def test_a_file_that_cannot_be_read_is_refused(
    content: bytes | None, message: str, tmp_path: Path
) -> None:
    """A missing file, one that is not UTF-8 and one that is not TOML are named."""
    file = tmp_path / "site.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SiteRefused, match=message) as refused:
        read_site(file, {"modbus": Battery})
    assert "site.toml" in str(refused.value)


def test_a_folder_is_no_site_file(tmp_path: Path) -> None:
    """The reason is the system's own."""
    with pytest.raises(SiteRefused, match="Is a directory"):
        read_site(tmp_path, {})
