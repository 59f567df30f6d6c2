"""A dry run: every command with its payload, in order of time."""

import pandas as pd

from engine.adapters.base import Payload
from engine.adapters.modbus import ModbusOptions, ModbusSpelling
from engine.adapters.ocpp import OcppSpelling
from engine.adapters.ocpp16 import Ocpp16Spelling, OcppOptions
from engine.adapters.profile import builtin
from engine.dry_run import Dry, dry_run, to_json
from engine.frames import read_schedule
from engine.rules import AssetRules
from engine.types import AssetId, AssetKind

EV, BATTERY = AssetId("ast_ev"), AssetId("ast_b")
RULES = {
    EV: AssetRules(EV, AssetKind.EV_CHARGER, "ocpp", "1", 22_000, fallback_w=4_200),
    BATTERY: AssetRules(BATTERY, AssetKind.BATTERY, "modbus", "battery", 50_000, 50_000),
}
ASSETS = {
    EV: Dry(RULES[EV], OcppOptions("CP-1"), Ocpp16Spelling()),  # type: ignore[arg-type]  # links nothing
    BATTERY: Dry(
        RULES[BATTERY],
        ModbusOptions("localhost"),
        ModbusSpelling({"generic-battery": builtin("generic-battery")}),  # type: ignore[arg-type]  # nor this
    ),
}


def schedule() -> pd.DataFrame:
    """Return two slots in which the battery turns round."""
    index = pd.date_range("2025-01-01", periods=2, freq="15min", tz="UTC")
    return pd.DataFrame(
        {
            "ev_1_kw": [7.4, 7.4],
            "battery_charge_kw": [5.0, 0.0],
            "battery_discharge_kw": [0.0, 9.0],
        },
        index=index,
    )


def test_every_command_comes_with_its_payload() -> None:
    """The channel that goes to zero first, and a charger's profile in full."""
    found = dry_run(read_schedule(schedule(), RULES), ASSETS)
    rows = [to_json(one) for one in found]
    assert [(row["asset_id"], row["value_kw"]) for row in rows] == [
        ("ast_b", 0.0),
        ("ast_b", 5.0),
        ("ast_ev", 7.4),
        ("ast_b", 0.0),
        ("ast_b", 9.0),
    ]
    assert rows[2]["protocol"] == "ocpp1.6"
    assert rows[2]["applied_kw"] == 7.4
    assert rows[2]["expires_at"] == "2025-01-01T00:30:00.000000Z"
    assert all(isinstance(one.payload, Payload) for one in found)


def test_a_charger_is_planned_for_as_it_told_of_itself() -> None:
    """In the version that it spoke last, in amperes where it takes no watts."""
    told = {"protocol": "ocpp2.0.1", "ChargingScheduleAllowedChargingRateUnit": "A"}
    charger = Dry(RULES[EV], OcppOptions("CP-1"), OcppSpelling(), told)  # type: ignore[arg-type]  # links nothing
    found = dry_run(read_schedule(schedule(), RULES), {**ASSETS, EV: charger})
    row = next(to_json(one) for one in found if one.command.asset_id == EV)
    assert row["protocol"] == "ocpp2.0.1"
    assert row["payload"][0]["body"]["evseId"] == 1  # type: ignore[index]  # JSON
    assert row["applied_kw"] == 7.383


def test_what_an_adapter_cannot_spell_is_told() -> None:
    """The rest is shown all the same."""
    wrong = {**ASSETS, BATTERY: Dry(RULES[BATTERY], OcppOptions("CP-1"), Ocpp16Spelling())}  # type: ignore[arg-type]  # on purpose
    found = dry_run(read_schedule(schedule(), RULES), wrong)
    told = [to_json(one) for one in found if one.problem]
    assert told
    assert told[0]["problem"] == "a charger cannot discharge"
    assert told[0]["applied_kw"] is None
    assert told[0]["payload"] == []
