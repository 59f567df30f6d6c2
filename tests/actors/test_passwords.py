import logging
from pathlib import Path

import attrs
import pytest

from actors.passwords import check_password, hash_of, hash_password, resolve_password
from engine.errors import SiteRefused

KEY = "0123456789abcdef"


@attrs.frozen
class Options:
    """Stands for the options of an OCPP asset."""

    password_env: str | None = None
    password_file: str | None = None
    password_hash: str | None = None
    password: str | None = None


def test_a_password_has_its_own_hash_and_no_other() -> None:
    """A hash tells the right password from a wrong one."""
    hashed = hash_password(KEY)
    assert check_password(KEY, hashed)
    assert not check_password(KEY + " ", hashed)
    assert not check_password("", hashed)


def test_a_hash_names_its_scheme_salt_and_digest() -> None:
    """The digest is SHA-256 over salt and password, both in hexadecimal."""
    assert hash_password("pw", b"\x01\x02") == (
        "sha256$0102$c5a5cb9dd07108ca298559f2db1943db694cc3879b820c4a92ca36f799b67e2c"
    )


def test_each_hash_has_a_salt_of_its_own() -> None:
    """Two charge points with one password do not show it."""
    first, second = hash_password(KEY), hash_password(KEY)
    assert first != second
    assert len(first.split("$")[1]) == 32


def test_a_hash_may_be_written_in_capitals() -> None:
    """Hexadecimal digits mean the same in either case."""
    scheme, salt, digest = hash_password(KEY).split("$")
    assert check_password(KEY, f"{scheme}${salt.upper()}${digest.upper()}")


@pytest.mark.parametrize(
    "hashed",
    [
        "",
        "sha256",
        "sha256$00",
        "sha256$$" + "0" * 64,
        "sha256$00$00",
        "sha256$zz$" + "0" * 64,
        "sha256$00$é",
        "md5$00$" + "0" * 64,
        "sha256$00$" + "0" * 64 + "$",
    ],
)
def test_what_is_no_hash_has_no_password(hashed: str) -> None:
    """Nothing gets in by a damaged hash, and nothing is raised."""
    assert not check_password(KEY, hashed)
    with pytest.raises(SiteRefused, match="password_hash"):
        resolve_password(Options(password_hash=hashed), "ast_a")


def test_a_password_that_is_not_unicode_is_wrong_and_no_fault() -> None:
    """What a device sends may hold half a character."""
    assert not check_password("\ud800", hash_password(KEY))


def test_a_hash_in_the_site_file_is_taken_as_it_is() -> None:
    """Nothing is read for it, and nothing warned of."""
    hashed = hash_password(KEY)
    found = resolve_password(Options(password_hash=hashed), "ast_a")
    assert found is not None
    assert (found.text, found.warnings) == (hashed, ())
    assert hashed not in repr(found)


def test_a_password_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """``password_env`` names a variable."""
    monkeypatch.setenv("CP_KEY", KEY)
    found = resolve_password(Options(password_env="CP_KEY"), "ast_a")
    assert found is not None
    assert check_password(KEY, found.text)
    assert found.warnings == ()


def test_a_password_comes_from_a_file(tmp_path: Path) -> None:
    """``password_file`` names a file; its line end is no part of the password."""
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n", encoding="utf-8")
    found = resolve_password(Options(password_file=str(file)), "ast_a")
    assert found is not None
    assert check_password(KEY, found.text)


def test_a_password_in_the_site_file_is_warned_of() -> None:
    """It works, and the warning does not repeat it."""
    found = resolve_password(Options(password=KEY), "ast_a")
    assert found is not None
    assert check_password(KEY, found.text)
    assert found.warnings == ("ast_a: the password stands in the site file",)


def test_no_password_is_none() -> None:
    """An asset that names no password has no hash; other adapters have no such keys."""
    assert resolve_password(Options(), "ast_a") is None
    assert hash_of(object(), "ast_a") is None


@pytest.mark.parametrize(("password", "warnings"), [("a" * 15, 1), ("é" * 8, 0)])
def test_a_short_key_is_logged(
    password: str, warnings: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Fewer than 16 bytes are taken with a warning that does not hold the key."""
    monkeypatch.setenv("CP_KEY", password)
    with caplog.at_level(logging.WARNING):
        hashed = hash_of(Options(password_env="CP_KEY"), "ast_a")
    assert hashed is not None
    assert check_password(password, hashed)
    assert caplog.messages == ["ast_a: the password has fewer than 16 bytes"] * warnings


def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unset and empty are the same: there is no empty password."""
    for value in (None, ""):
        monkeypatch.delenv("CP_KEY", raising=False)
        if value is not None:
            monkeypatch.setenv("CP_KEY", value)
        with pytest.raises(SiteRefused, match="password_env: ast_a: no password in CP_KEY"):
            resolve_password(Options(password_env="CP_KEY"), "ast_a")


@pytest.mark.parametrize(
    ("content", "message"), [(None, "No such file"), (b"\n", "no password in"), (b"\xff", "UTF-8")]
)
def test_a_file_without_a_password_is_named(
    content: bytes | None, message: str, tmp_path: Path
) -> None:
    """A missing, empty or unreadable file is refused by name."""
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SiteRefused, match=message) as refused:
        resolve_password(Options(password_file=str(file)), "ast_a")
    assert str(file) in str(refused.value)


def test_an_empty_password_in_the_site_file_is_refused() -> None:
    """Nobody gets in with nothing."""
    with pytest.raises(SiteRefused, match="no password in the site file"):
        resolve_password(Options(password=""), "ast_a")
