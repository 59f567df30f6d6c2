"""What is wrong with the files of TLS, before anybody connects."""

from pathlib import Path

import attrs
import pytest

from actors.clock import wall_now
from actors.environment import read_site
from actors.testing.certificates import DAY, Authority, Pair
from actors.tls import ServerTls, client_faults, server_faults
from engine.adapters.modbus import ModbusOptions, ModbusTls
from engine.config import TlsFiles
from engine.errors import SiteRefused

ENCRYPTED = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMII\n-----END ENCRYPTED PRIVATE KEY-----\n"
SITE = """\
[site]
id = "sit_a"
[ocpp]
security_profile = 3
[ocpp.tls]
cert = "csms.pem"
key = "csms.key"
client_ca = "Test-Authority.pem"
[[asset]]
id = "ast_a"
kind = "ev_charger"
charge_point = "CP"
max_kw = 22
"""
BATTERY = """\
[[asset]]
id = "ast_b"
kind = "battery"
host = "battery.local"
max_charge_kw = 50
max_discharge_kw = 50

tls = { ca = "Test-Authority.pem", cert = "csms.pem", key = "csms.key" }
"""


@attrs.frozen
class Charger:
    """Stands for the OCPP adapter's options."""

    charge_point: str


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Give an authority whose files are in the test's folder."""
    return Authority(tmp_path)


@pytest.fixture
def own(authority: Authority) -> Pair:
    """Give the central system's certificate."""
    return authority.issue("csms", is_server=True)


def files(own: Pair, authority: Authority) -> TlsFiles:
    """Return the files of profile 3."""
    return TlsFiles(own.cert, own.key, authority.file)


def test_files_that_go_together_are_found_good(authority: Authority, own: Pair) -> None:
    """Also a certificate and its key in one file."""
    assert list(server_faults(files(own, authority))) == []
    one = Path(own.cert).with_name("both.pem")
    one.write_bytes(Path(own.cert).read_bytes() + Path(own.key).read_bytes())
    assert list(server_faults(TlsFiles(str(one), str(one)))) == []
    client = authority.issue("CP")
    assert list(client_faults(authority.file, client.cert, client.key)) == []
    assert list(client_faults(None, None, None)) == []


@pytest.mark.parametrize(
    ("key", "content", "message"),
    [
        ("cert", None, "No such file or directory"),
        ("key", None, "No such file or directory"),
        ("client_ca", None, "No such file or directory"),
        ("cert", "x", "has no certificate in PEM form"),
        ("cert", "ä", "has no certificate in PEM form"),
        ("key", "x", "has no private key in PEM form"),
        ("key", ENCRYPTED, "is encrypted, and there is no way to give its password"),
        ("client_ca", "", "has no certificate in PEM form"),
        ("client_ca", "x" * (1 << 20), "is far too long"),
    ],
)
def test_a_file_that_is_no_good_is_named(
    authority: Authority, own: Pair, key: str, content: str | None, message: str
) -> None:
    """By its key, with what is wrong."""
    given = files(own, authority)
    file = Path(getattr(given, key))
    file.unlink()
    if content is not None:
        file.write_text(content, encoding="utf-8")
    ((found, said),) = server_faults(given)
    assert found == key
    assert said.startswith(message)


def test_what_is_no_file_is_named(authority: Authority, own: Pair, tmp_path: Path) -> None:
    """In the system's own words."""
    found = list(server_faults(TlsFiles(own.cert, str(tmp_path), authority.file)))
    assert found == [("key", "Is a directory")]


def test_a_key_of_another_certificate_is_named(authority: Authority, own: Pair) -> None:
    """It cannot be told which of the two is the wrong one; the key is."""
    other = authority.issue("other", is_server=True)
    found = list(server_faults(TlsFiles(own.cert, other.key)))
    assert found == [("key", "does not belong to the certificate")]


@pytest.mark.parametrize("is_server", [True, False])
def test_a_certificate_that_has_expired_is_named(authority: Authority, *, is_server: bool) -> None:
    """Whatever it is for; one that begins tomorrow likewise."""
    for until, message in (
        (wall_now() - DAY / 24, "certificate has expired"),
        (wall_now() + 3 * DAY, "certificate is not yet valid"),
    ):
        pair = authority.issue("late", is_server=is_server, until=until)
        look = TlsFiles(pair.cert, pair.key)
        found = (
            server_faults(look) if is_server else client_faults(authority.file, pair.cert, pair.key)
        )
        assert list(found) == [("cert", message)]


def test_a_certificate_for_clients_is_none_to_listen_with(authority: Authority) -> None:
    """No charge point would take it."""
    pair = authority.issue("CP")
    ((key, message),) = server_faults(TlsFiles(pair.cert, pair.key))
    assert key == "cert"
    assert "purpose" in message


def test_who_signs_must_be_an_authority_that_has_not_expired(
    authority: Authority, own: Pair, tmp_path: Path
) -> None:
    """A client's certificate in its place is a mix-up."""
    client = authority.issue("CP")
    ((key, message),) = server_faults(TlsFiles(own.cert, own.key, client.cert))
    assert (key, message) == ("client_ca", "has no certificate of a certificate authority")
    late = Authority(tmp_path, "Late", until=wall_now() - DAY / 24)
    assert list(client_faults(late.file, None, None)) == [("ca", "certificate has expired")]


def test_a_key_without_a_certificate_is_a_mistake(own: Pair) -> None:
    """The other way round the certificate's own file may have the key."""
    assert list(client_faults(None, None, own.key)) == [("key", "is of no use without a cert")]


def test_a_site_that_is_not_from_a_file_is_refused_too(own: Pair) -> None:
    """When the listener is made, before it listens."""
    with pytest.raises(SiteRefused, match=r"ocpp.tls.key, value .*: No such file"):
        ServerTls(TlsFiles(own.cert, "nowhere.key"))


def test_the_site_files_check_names_file_and_line(tmp_path: Path, own: Pair) -> None:
    """Paths are relative to the site file; who only reads the history needs no certificate."""
    site = tmp_path / "site.toml"
    site.write_text(SITE, encoding="utf-8")
    read = read_site(site, {"ocpp": Charger}, thorough=True)
    assert read.ocpp is not None
    assert read.ocpp.tls == TlsFiles(own.cert, own.key, f"{tmp_path}/Test-Authority.pem")
    Path(own.key).unlink()
    with pytest.raises(SiteRefused) as refused:
        read_site(site, {"ocpp": Charger}, thorough=True)
    (problem,) = refused.value.problems
    assert (problem.file, problem.line, problem.column) == ("site.toml", 7, "ocpp.tls.key")
    assert read_site(site, {"ocpp": Charger}).ocpp == read.ocpp


def test_the_files_of_a_battery_are_checked_too(tmp_path: Path, authority: Authority) -> None:
    """At the line of its table; they are relative to the site file as well."""
    own = authority.issue("csms")
    text = SITE[: SITE.index("[ocpp]")] + BATTERY
    site = tmp_path / "site.toml"
    site.write_text(text, encoding="utf-8")
    read = read_site(site, {"modbus": ModbusOptions}, thorough=True)
    assert read.assets[0].options == ModbusOptions(
        "battery.local", tls=ModbusTls(authority.file, own.cert, own.key)
    )
    Path(own.key).write_text("", encoding="utf-8")
    with pytest.raises(SiteRefused) as refused:
        read_site(site, {"modbus": ModbusOptions}, thorough=True)
    (problem,) = refused.value.problems
    assert (problem.line, problem.column) == (10, "asset.tls")
    assert problem.message == "key has no private key in PEM form"
