"""Bad input: a clear message for each, all at once, exit 2; nothing recorded, nothing sent."""

from pathlib import Path

import pytest

from actors.testing.site import TestSite

START = "2025-03-30T00:00:00+01:00"

BOTH_WAYS = """\
timestamp,battery_charge_kw,battery_discharge_kw
2025-03-30T00:00:00Z,1,1
2025-03-30T00:15:00Z,0,0
"""

BAD = [
    ("timestamp,ev_a_kw\n2025-03-30T00:00:00Z,-1\n2025-03-30T00:15:00Z,99\n", "ev_a_kw"),
    ("timestamp,ev_c_kw\n2025-03-30T00:00:00Z,1\n2025-03-30T00:15:00Z,2\n", "ev_c_kw"),
    ("timestamp,ev_a_kw\n2025-03-30T00:15:00Z,1\n2025-03-30T00:00:00Z,2\n", None),
    ("timestamp,ev_a_kw\n2025-03-30T00:00:00Z,1\n", "slot"),
    ("timestamp,ev_a_kw\n2025-03-30T00:00:00Z,fast\n2025-03-30T00:15:00Z,\n", "ev_a_kw"),
    (BOTH_WAYS, "battery"),
    ("", None),
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("text", "named"), BAD)
def test_a_bad_schedule_is_refused_before_anything_is_sent(
    depot: TestSite, text: str, named: str | None
) -> None:
    """One message names row, column and rule; the devices hear nothing of it."""
    bad = depot.folder / "bad.csv"
    bad.write_text(text, encoding="utf-8")
    dry = depot.setpoint("plan", str(depot.file), str(bad), "--json")
    done = depot.setpoint("run", str(depot.file), "--schedule", str(bad), "--start-at", START)
    assert dry.returncode == 2
    assert done.returncode == 2
    assert "refused" in done.stderr
    assert "Traceback" not in done.stderr
    assert named is None or named in done.stderr
    assert not depot.history()
    assert not depot.control_frames()


def test_a_bad_site_file_is_told_by_line_and_key(depot: TestSite) -> None:
    """Every problem at once, each with the nearest key that there is."""
    text = depot.file.read_text(encoding="utf-8")
    bad = depot.folder / "bad.toml"
    bad.write_text(text.replace("max_kw", "max_kv").replace("port =", "prt ="), encoding="utf-8")
    done = depot.setpoint("check", str(bad))
    assert done.returncode == 2
    assert "did you mean 'max_kw'" in done.stderr
    assert "did you mean 'port'" in done.stderr
    assert "bad.toml:" in done.stderr


def test_a_missing_file_is_told_in_one_line(tmp_path: Path, depot: TestSite) -> None:
    """No traceback for a path that is not there."""
    for verb in ("check", "run", "history", "state"):
        done = depot.setpoint(verb, str(tmp_path / "nowhere.toml"))
        assert done.returncode == 2
        assert "nowhere.toml" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_verb_that_needs_an_engine_says_that_none_runs(depot: TestSite) -> None:
    """Exit status 3: not reachable."""
    done = depot.setpoint("pause", str(depot.file), "ast_a", "--by", "anna", "--reason", "a test")
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
