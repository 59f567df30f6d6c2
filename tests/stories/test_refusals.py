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


@pytest.mark.timeout(120)
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
    assert not list(depot.folder.glob("*.db")) or not depot.history()
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


def test_a_bad_register_profile_is_told_problem_by_problem(depot: TestSite) -> None:
    """Beside what else is wrong, by its own file and line."""
    (depot.folder / "mine.toml").write_text('[profile]\nnme = "x"\n[poll]\n', encoding="utf-8")
    text = depot.file.read_text(encoding="utf-8")
    before, battery, after = text.partition('"ast_battery"')
    assert battery
    for number, profile in enumerate(("mine.toml", "generic-batery")):
        bad = depot.folder / f"bad{number}.toml"
        named = f'{battery}\nprofile = "{profile}"'
        bad.write_text(f"{before}{named}{after}", encoding="utf-8")
        done = depot.setpoint("check", str(bad))
        assert done.returncode == 2
        assert done.stderr.count("refused") == 1
        assert ("mine.toml:", "did you mean 'generic-battery'")[number] in done.stderr


def test_a_missing_file_is_told_in_one_line(tmp_path: Path, depot: TestSite) -> None:
    """No traceback for a path that is not there."""
    for verb in ("check", "run", "history", "state"):
        done = depot.setpoint(verb, str(tmp_path / "nowhere.toml"))
        assert done.returncode == 2
        assert "nowhere.toml" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_file_or_folder_that_is_not_there_starts_no_engine(depot: TestSite) -> None:
    """What is on its way to the devices stays as it is."""
    for option in ("--schedule", "--watch"):
        done = depot.setpoint("run", str(depot.file), option, str(depot.folder / "no.csv"))
        assert done.returncode == 2
        assert "no.csv" in done.stderr
        assert not done.stdout
        assert not list(depot.folder.glob("*.db"))


@pytest.mark.parametrize("verb", ["history", "state", "tail", "verify", "rebuild"])
def test_a_store_that_is_not_there_is_refused(depot: TestSite, verb: str) -> None:
    """Exit status 2 and a plain line: no file, no store in it, no URL of one."""
    (depot.folder / "empty.db").touch()
    for place in ("nowhere.db", "empty.db", "mysql://localhost/x"):
        done = depot.setpoint(verb, str(depot.folder / place) if ".db" in place else place)
        assert done.returncode == 2
        assert "store" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_server_that_is_away_is_not_reachable(depot: TestSite) -> None:
    """Exit status 3, at once, with what the server's own library says of it."""
    pytest.importorskip("psycopg")
    for verb in ("history", "verify", "backup"):
        args = (str(depot.folder / "copy.db"),) if verb == "backup" else ()
        done = depot.setpoint(verb, "postgresql://nobody:x@127.0.0.1:1/depot", *args)
        assert done.returncode == 3
        assert "port 1" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_postgres_url_that_is_none_is_refused(depot: TestSite) -> None:
    """Exit status 2: what cannot be read of it, is not known or is left out, is named."""
    pytest.importorskip("psycopg")
    for url in ("postgresql://[::1/x", "postgresql://h:port/x", "postgresql://h"):
        done = depot.setpoint("history", url)
        assert done.returncode == 2
        assert "the store's URL" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_copy_goes_where_it_can_be_written(depot: TestSite) -> None:
    """Exit status 2 and the name of the file."""
    done = depot.setpoint("backup", str(depot.file), str(depot.folder / "no" / "copy.db"))
    assert done.returncode == 2
    assert "copy.db cannot be written" in done.stderr


def test_a_verb_that_needs_an_engine_says_that_none_runs(depot: TestSite) -> None:
    """Exit status 3: not reachable."""
    done = depot.setpoint("pause", str(depot.file), "ast_a", "--by", "anna", "--reason", "a test")
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
