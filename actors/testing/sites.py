"""Site files of tests: written by number of assets, or taken as they are."""

from os import PathLike, fspath
from pathlib import Path

_HEAD = """
[site]
id = "sit_test"
timezone = "Europe/Berlin"
[ocpp]
listen = "127.0.0.1:0"
security_profile = 0
[defaults]
command_timeout_seconds = 5
"""
_CHARGER = """
[[asset]]
id = "ast_charger_{number}"
kind = "ev_charger"
schedule_key = "{number}"
adapter = "ocpp"
charge_point = "CP-{number}"
max_kw = 22
fallback_kw = 4.2
start = "{start}"
"""
_BATTERY = """
[[asset]]
id = "ast_battery_{number}"
kind = "battery"
schedule_key = "b{number}"
adapter = "modbus"
host = "127.0.0.1"
port = {port}
max_charge_kw = 50
max_discharge_kw = 50
fallback_kw = 0
"""
_PORT = 5_020


def site_text(chargers: int = 2, batteries: int = 1, *, started: int = 0, limits: str = "") -> str:
    """Return a site file of chargers ``ast_charger_1`` on and batteries ``ast_battery_1`` on.

    The first ``started`` chargers are started by the engine, the others start by themselves.
    ``limits`` are keys of ``[site]``.

    Their columns are ``ev_1_kw`` and ``battery_b1_charge_kw`` on; no charge point has a password.
    """
    parts = [_HEAD.replace("[ocpp]", f"{limits}\n[ocpp]", 1) if limits else _HEAD]
    parts += (
        _CHARGER.format(number=number, start="engine" if number <= started else "charger")
        for number in range(1, chargers + 1)
    )
    parts += (
        _BATTERY.format(number=number, port=_PORT + number) for number in range(1, batteries + 1)
    )
    return "".join(parts)


def site_file(toml_or_path: str | PathLike[str] | None, folder: Path, number: int = 0) -> Path:
    """Return the path of a site file; of a text, that of a file in ``folder`` that has it."""
    if toml_or_path is not None and not (isinstance(toml_or_path, str) and "\n" in toml_or_path):
        return Path(toml_or_path)
    place = folder / f"site_{number}.toml"
    text = site_text() if toml_or_path is None else fspath(toml_or_path)
    place.write_text(text, encoding="utf-8")
    return place
