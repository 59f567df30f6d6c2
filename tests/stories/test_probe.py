"""Looking at devices and profiles from the command line, without writing anywhere."""

from pathlib import Path

import msgspec
import pytest

from actors.profiles import register_profile
from actors.sim.battery import SimBattery
from actors.sim.sunspec import sunspec_battery
from actors.testing.site import TestSite, battery_site, simulated_site
from actors.testing.waiting import wait_until
from engine.adapters.sunspec import STORAGE


def probed(site: TestSite, asset: str = "ast_battery") -> dict[str, object]:
    """Return what a probe says as JSON, whatever its exit status."""
    done = site.setpoint("probe", str(site.file), asset, "--json")
    found: dict[str, object] = msgspec.json.decode(done.stdout)
    return found


@pytest.mark.timeout(120)
def test_a_battery_is_looked_at_and_never_written_to(tmp_path: Path) -> None:
    """Each register as it came and as a value, and what would be written."""
    with battery_site(tmp_path, SimBattery(register_profile("huawei-luna2000"))) as site:
        done = site.setpoint("probe", str(site.file), "ast_battery")
        assert done.returncode == 0, done.stderr
        assert "SunSpec: no map at 40000, 0 or 50000" in done.stdout
        assert " 37004 holding  soc_pct                      01f4                 50" in done.stdout
        assert "47100 (0xB7FC) = [1]  forcible_command, function 6" in done.stdout
        assert "its own timer is written with each setpoint: 900 s" in done.stdout
        assert site.writes() == []
        as_json = probed(site)
        assert as_json["good"] is True
        assert as_json["sunspec"] == {}


@pytest.mark.timeout(120)
def test_a_sunspec_map_is_shown(tmp_path: Path) -> None:
    """Who made it, its models, and the registers that it leads to."""
    with battery_site(tmp_path, sunspec_battery(STORAGE, 0)) as site:
        done = site.setpoint("probe", str(site.file), "ast_battery")
        assert done.returncode == 0, done.stderr
        assert "SunSpec: map at 0, Setpoint Simulated battery 1.0 SIM-0001" in done.stdout
        assert "models: 1@2 103@70 124@122 802@148" in done.stdout
        assert "StorCtl_Mod" in done.stdout
        assert site.writes() == []


@pytest.mark.timeout(120)
def test_what_makes_no_sense_is_told_and_is_no_good(tmp_path: Path) -> None:
    """Another model, and a charge that cannot be; exit status 1."""
    battery = SimBattery(register_profile("generic-battery"))
    battery.press("model_id", 803)
    with battery_site(tmp_path, battery) as site:
        done = site.setpoint("probe", str(site.file), "ast_battery")
        assert done.returncode == 1
        assert "not 802: another device" in done.stdout


@pytest.mark.timeout(120)
def test_a_map_that_leads_nowhere_is_said(tmp_path: Path) -> None:
    """The generic battery has none at all."""
    battery = SimBattery(register_profile("generic-battery"))
    with battery_site(tmp_path, battery) as site:
        text = site.file.read_text(encoding="utf-8")
        site.file.write_text(text.replace("generic-battery", "sunspec"), encoding="utf-8")
        done = site.setpoint("probe", str(site.file), "ast_battery")
        assert done.returncode == 1
        assert "not usable: no SunSpec map at 40000, 0 or 50000" in done.stdout
        assert probed(site)["problem"] == "no SunSpec map at 40000, 0 or 50000"
        site.depot.do(battery.stop())
        done = site.setpoint("probe", str(site.file), "ast_battery")
        assert (done.returncode, "cannot be reached" in done.stderr) == (3, True)
        assert site.setpoint("probe", str(site.file), "ast_nobody").returncode == 2


@pytest.mark.timeout(120)
def test_a_unit_that_does_not_answer_is_not_reachable(tmp_path: Path) -> None:
    """There is a connection, and nobody at this unit id; it does not take for ever."""
    with battery_site(tmp_path, SimBattery(register_profile("generic-battery"), 7)) as site:
        text = site.file.read_text(encoding="utf-8")
        site.file.write_text(text.replace("unit = 7", "unit = 8"), encoding="utf-8")
        done = site.setpoint("probe", str(site.file), "ast_battery")
        assert done.returncode == 3
        assert "unit 8 takes the connection, but does not answer" in done.stderr


@pytest.mark.timeout(120)
def test_a_charger_is_known_by_the_engine_that_runs(tmp_path: Path) -> None:
    """Without one there is nobody to ask, which is said."""
    with simulated_site(tmp_path, ("a",)) as site:
        asked = ("probe", str(site.file), "ast_a")
        done = site.setpoint(*asked)
        assert done.returncode == 3
        assert "connects to the engine by itself" in done.stderr
        site.started("run", str(site.file))
        wait_until(lambda: site.setpoint(*asked).returncode == 0)
        done = site.setpoint(*asked)
        assert "connected: True" in done.stdout
        known = probed(site, "ast_a")
        assert known["asset_id"] == "ast_a"
        assert isinstance(known["capabilities"], dict)
        running = site.setpoint("probe", str(site.file), "ast_battery")
        assert running.returncode == 0
        assert "an engine runs" in running.stderr


def test_a_profile_is_checked_with_all_its_problems(tmp_path: Path) -> None:
    """With file and line, exit status 2; a sound one is explained."""
    with battery_site(tmp_path, SimBattery(register_profile("generic-battery"))) as site:
        bad = tmp_path / "bad.toml"
        bad.write_text('[profile]\nname = "x"\ncontrol = "amont"\n', encoding="utf-8")
        done = site.setpoint("profile", "check", str(bad))
        assert done.returncode == 2
        assert "bad.toml:3, control" in done.stderr
        assert "did you mean 'amount'?" in done.stderr
        assert "bad.toml:1, source" in done.stderr
        good = site.setpoint("profile", "check", "goodwe-et")
        assert good.returncode == 0
        assert "47511 (0xB997) = [11]  ems_power_mode, function 6" in good.stdout
        assert "it has no time-out" in good.stdout
        as_json = msgspec.json.decode(
            site.setpoint("profile", "check", "goodwe-et", "--json").stdout
        )
        assert as_json["writes"]["release"][-1]["values"] == [1]
        learned = site.setpoint("profile", "check", "sunspec")
        assert "`setpoint probe` shows what it leads to" in learned.stdout


def test_a_site_asks_no_more_than_the_registers_hold(tmp_path: Path) -> None:
    """Refused by `check`, which also warns of a battery without a time-out of its own."""
    with battery_site(tmp_path, SimBattery(register_profile("goodwe-et"))) as site:
        done = site.setpoint("check", str(site.file))
        assert done.returncode == 0, done.stderr
        assert "ast_battery: it has no time-out" in done.stderr
        text = site.file.read_text(encoding="utf-8")
        site.file.write_text(text.replace("max_charge_kw = 10", "max_charge_kw = 11"))
        done = site.setpoint("check", str(site.file))
        assert done.returncode == 2
        assert "asset.max_charge_kw: profile goodwe-et goes to 10 kW" in done.stderr
        site.file.write_text(text.replace("goodwe-et", "goodwe-at"))
        done = site.setpoint("check", str(site.file))
        assert done.returncode == 2
        assert "did you mean 'goodwe-et'?" in done.stderr
