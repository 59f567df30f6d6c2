"""A whole conversation over TLS: an engine, and a charge point as `setpoint sim charger`."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from actors.sim.depot import Depot
from actors.system import ActorSystem
from actors.testing.certificates import Authority
from actors.testing.site import KEY_VARIABLE, TestSite, free_port
from actors.testing.waiting import wait_until
from engine import events

SITE = """\
[site]
id = "sit_test"
[ocpp]
listen = "127.0.0.1:{port}"
security_profile = {profile}
[ocpp.tls]
cert = "csms.pem"
key = "csms.key"
client_ca = "Test-Authority.pem"
[[asset]]
id = "ast_a"
kind = "ev_charger"
schedule_key = "a"
charge_point = "CP-1"
password_env = "SETPOINT_TEST_KEY"
max_kw = 22
min_a = 0
"""
PASSWORD = ("--password-env", KEY_VARIABLE)
CERTIFICATE = ("--cert", "CP-1.pem", "--key", "CP-1.key")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestSite]:
    """Give a folder with certificates, from which commands are run."""
    monkeypatch.setenv(KEY_VARIABLE, secrets.token_hex(16))
    monkeypatch.chdir(tmp_path)
    authority = Authority(tmp_path)
    authority.issue("csms", also=("127.0.0.1",), is_server=True)
    authority.issue("CP-1")
    made = TestSite(tmp_path, ("a",), Depot(), free_port())
    yield made
    made.killed()
    made.depot.stop()


def charger(site: TestSite, scheme: str, *how: str) -> None:
    """Start a charge point."""
    url = f"{scheme}://127.0.0.1:{site.ocpp_port}"
    known = ("--id", "CP-1", "--plug-in", "now", "--wire-log", "wire.jsonl")
    site.started("sim", "charger", "--url", url, *known, *how)


def noticed(system: ActorSystem) -> list[str]:
    """Return what kinds of refusals are on record."""
    told = (event.event for event in system.events())
    return [one.kind for one in told if isinstance(one, events.SecurityNoticed)]


@pytest.mark.timeout(150)
@pytest.mark.parametrize(
    ("profile", "own", "others", "kind"),
    [(2, PASSWORD, (), "wrong_password"), (3, CERTIFICATE, PASSWORD, "no_certificate")],
)
def test_a_charger_is_commanded_over_tls(
    site: TestSite, profile: int, own: tuple[str, ...], others: tuple[str, ...], kind: str
) -> None:
    """Who comes without TLS, or without what its profile asks for, is refused and on record."""
    site.file.write_text(SITE.format(port=site.ocpp_port, profile=profile), encoding="utf-8")
    assert site.setpoint("check", str(site.file)).returncode == 0
    with ActorSystem.open(site.file) as system:
        charger(site, "ws", *PASSWORD)
        charger(site, "wss", "--ca", "Test-Authority.pem", *others)
        wait_until(lambda: {"connection_without_tls", kind} <= set(noticed(system)))
        assert not system.state()["ast_a"].connected
        site.killed()
        charger(site, "wss", "--ca", "Test-Authority.pem", *own)
        wait_until(lambda: system.state()["ast_a"].state == "CHARGING")
        handle = system.send("ast_a", "SET_CHARGE_RATE", kw=6, by="anna", reason="a test")
        assert handle.wait(20).status == "COMPLETED"
    lines = (site.folder / "wire.jsonl").read_text(encoding="utf-8").splitlines()
    said = {(one["direction"], one["action"]) for one in map(msgspec.json.decode, lines)}
    assert {("out", "BootNotification"), ("in", "SetChargingProfile")} <= said


def test_the_site_files_check_finds_the_wrong_key(site: TestSite) -> None:
    """With file, line and what is wrong; so does a start."""
    site.file.write_text(SITE.format(port=site.ocpp_port, profile=2), encoding="utf-8")
    (site.folder / "csms.key").write_bytes((site.folder / "CP-1.key").read_bytes())
    for verb in ("check", "run"):
        done = site.setpoint(verb, str(site.file))
        assert done.returncode == 2
        assert "site.toml:8, ocpp.tls.key, value 'csms.key': does not belong" in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--url", "wss://127.0.0.1:1", "--ca", "no.pem"), "--ca no.pem: No such file"),
        (("--url", "ws://127.0.0.1:1", "--ca", "no.pem"), "only for a URL that begins with wss://"),
        (("--url", "wss://127.0.0.1:1", "--cert", "CP-1.pem"), "--key CP-1.pem: has no private"),
    ],
)
def test_a_simulated_charger_says_what_is_wrong_with_its_files(
    site: TestSite, options: tuple[str, ...], message: str
) -> None:
    """Before it connects, as usage."""
    done = site.setpoint("sim", "charger", "--id", "CP-1", *options)
    assert done.returncode == 2
    assert message in done.stderr


def test_a_simulated_battery_listens_over_tls_too(site: TestSite) -> None:
    """A key alone is of no use."""
    listen = ("sim", "battery", "--listen", "127.0.0.1:0")
    done = site.setpoint(*listen, "--key", "csms.key")
    assert (done.returncode, done.stderr) == (2, "--ca and --key need --cert\n")
    done = site.setpoint(*listen, "--cert", "csms.pem", "--key", "csms.key", "--ca", "csms.pem")
    assert done.returncode == 2
    assert "--ca csms.pem: has no certificate of a certificate authority" in done.stderr
