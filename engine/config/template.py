"""The commented site file that ``setpoint init`` writes."""

from typing import Final

_TEMPLATE: Final = """\
# A Setpoint site. `setpoint check site.toml` names everything that is wrong with it.
[site]
id = "sit_my_depot"
timezone = "Europe/Berlin"
# import_limit_kw = 60                  # what the whole site may draw
# import_limit_a = 100                  # what each phase of its connection carries
# base_load_kw = 8                      # what it draws beside the assets

[store]
url = "sqlite:///my_depot.db"           # relative to this file

[ocpp]
listen = "127.0.0.1:9000"               # where charge points connect; 0.0.0.0:9000 for all networks
security_profile = 1                    # passwords; 2 and 3: TLS, with [ocpp.tls]; 0: none

# Two connectors of one charge point. It connects to ws://HOST:9000/CP-1
# with the user name CP-1 and the password in the environment variable CP_1_KEY.
[[asset]]
id = "ast_bay_1"
kind = "ev_charger"
schedule_key = "bay_1"                  # the schedule's column ev_bay_1_kw
adapter = "ocpp"
charge_point = "CP-1"
connector = 1
password_env = "CP_1_KEY"               # or password_file, or password_hash
max_kw = 22
fallback_kw = 4.2                       # when the schedule ends, or this engine dies

[[asset]]
id = "ast_bay_2"
kind = "ev_charger"
schedule_key = "bay_2"
adapter = "ocpp"
charge_point = "CP-1"
connector = 2
max_kw = 22
fallback_kw = 4.2

[[asset]]
id = "ast_battery"
kind = "battery"
schedule_key = "battery"                # battery_charge_kw and battery_discharge_kw
adapter = "modbus"
host = "127.0.0.1"
port = 5020
unit = 1
profile = "generic-battery"             # or a path to your own register profile, ending in .toml
max_charge_kw = 50
max_discharge_kw = 50
fallback_kw = 0
"""


def site_template() -> str:
    """Return a working site file with two chargers and a battery."""
    return _TEMPLATE
