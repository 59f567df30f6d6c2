"""What people ask of the record afterwards, in Python and on the command line."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from actors.audit import StoreAudit
from actors.cli import setpoint
from actors.cli.places import reader_of
from actors.clock import wall_now
from actors.testing.instant import opened, plan
from actors.testing.waiting import wait_until
from engine.errors import StoreCorrupt, StoreMissing, UnknownAsset, UsageError


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Give the store of two chargers, of which the first was overridden by hand."""
    with opened(tmp_path) as system:
        system.submit(plan(5.0, 7.0))
        wait_until(lambda: all(v.held_charge_kw == 5.0 for v in system.state().values()))
        system.send("ast_0", "SET_CHARGE_RATE", kw=3.0, by="ann", reason="a test").wait(10)
    return tmp_path / "t.db"


@pytest.fixture
def audit(store: Path) -> Iterator[StoreAudit]:
    """Give what can be asked of that store."""
    with reader_of(str(store)) as reader:
        yield StoreAudit(reader)


def later() -> datetime:
    """Return a moment behind everything that was recorded."""
    return wall_now() + timedelta(seconds=1)


def test_why_names_the_person_and_what_was_outranked(audit: StoreAudit) -> None:
    """Now, and at a moment before the override."""
    told = audit.why("ast_0")
    assert "3 kW should hold, because ann set it by hand" in told.sentence
    assert "over 5 kW by schedule" in told.sentence
    set_at = next(one.at for one in told.chain if one.topic == "asset.override_set")
    before = audit.why("ast_0", set_at - timedelta(microseconds=1))
    assert "5 kW should hold, because schedule sch_1 plans it" in before.sentence
    assert all(one.at < set_at for one in before.chain)


def test_a_state_at_a_moment_is_what_was_known_then(audit: StoreAudit) -> None:
    """Before the first event there is no asset; nothing is known that was not recorded."""
    assert audit.state_at(datetime(2020, 1, 1, tzinfo=UTC)) == {}
    now = audit.state_at(later())
    assert (now["ast_0"].setpoint_kw, now["ast_1"].setpoint_kw) == (3.0, 5.0)
    assert (now["ast_0"].setpoint_source, now["ast_0"].last_seen_at) == ("override", None)
    set_at = next(e for e in audit.events() if e.topic == "asset.override_set").header.at_us
    then = datetime.fromtimestamp(set_at / 1e6, UTC) - timedelta(milliseconds=1)
    assert audit.state_at(then)["ast_0"].setpoint_kw == 5.0


def test_a_difference_names_the_event_that_made_it(audit: StoreAudit) -> None:
    """Of each field that is another at the end; of the others nothing."""
    override = next(e for e in audit.events() if e.topic == "asset.override_set")
    at = datetime.fromtimestamp(override.header.at_us / 1e6, UTC) - timedelta(milliseconds=1)
    changes = {(str(one.asset_id), one.field): one for one in audit.diff(at, later())}
    assert {asset for asset, _ in changes} == {"ast_0"}
    made = changes["ast_0", "setpoint_kw"]
    assert (made.before, made.after, made.topic) == (5.0, 3.0, "asset.attempt_started")
    assert changes["ast_0", "setpoint_source"].after == "override"
    assert audit.diff(later(), later()) == ()


def test_questions_that_make_no_sense_are_refused(audit: StoreAudit) -> None:
    """In plain words."""
    with pytest.raises(UnknownAsset, match="no asset is called 'ast_9'"):
        audit.why("ast_9")
    with pytest.raises(UnknownAsset):
        audit.why("sch_1")
    with pytest.raises(UsageError, match="has no offset"):
        audit.state_at("2026-01-01T00:00:00")
    with pytest.raises(UsageError, match=r"write 2026-01-01T00:00\+01:00, or 2026-01-01T00:00Z"):
        audit.state_at("2026-01-01")
    with pytest.raises(UsageError, match="has no time zone"):
        audit.why("ast_0", datetime(2026, 1, 1))  # noqa: DTZ001 - that is what is refused
    with pytest.raises(UsageError, match="no ISO 8601 time"):
        audit.diff("noon", later())
    with pytest.raises(UsageError, match="comes before"):
        audit.diff(later(), datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(UsageError, match="'DONE' is no status; there are PENDING, DISPA"):
        audit.history(status="DONE")
    with pytest.raises(UsageError, match="5 is no time"):
        audit.state_at(5)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="has no offset"):
        audit.history(since="2026-01-01T00:00:00")
    with pytest.raises(UsageError, match="not in the years 1 to 9999"):
        audit.why("ast_0", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5))))


def test_arguments_of_no_kind_are_refused_in_words(audit: StoreAudit) -> None:
    """And not by what happens to fail on them; a filter that there is not would let all pass."""
    nonsense: Any = 5
    with pytest.raises(UnknownAsset, match="no asset is called"):
        audit.why("\ud800")
    with pytest.raises(UsageError, match="schedule is text"):
        audit.history(schedule="\ud800")
    with pytest.raises(UnknownAsset, match="no asset is called 5; there are ast_0, ast_1"):
        audit.why(nonsense)
    with pytest.raises(UsageError, match="asset is text, not 5"):
        audit.history(asset=nonsense)
    with pytest.raises(UsageError, match="schedule is text, not 5"):
        audit.report(schedule=nonsense)
    with pytest.raises(UsageError, match="a position is from 0 to 9223372036854775807, not"):
        audit.events(after=1.5)  # type: ignore[arg-type]
    misspelt: Any = {"aset": "ast_0"}
    with pytest.raises(TypeError, match="no filter 'aset'; did you mean 'asset'"):
        audit.history(**misspelt)


def test_commands_are_found_by_times_in_words_as_by_aware_ones(audit: StoreAudit) -> None:
    """ISO 8601 with an offset."""
    everything = audit.history()
    assert len(everything) > 0
    assert everything == audit.history(since="2000-01-01T00:00:00Z", until="2100-01-01T00:00:00Z")
    assert len(audit.history(since="2100-01-01T00:00:00Z")) == 0


def test_a_running_system_answers_the_same(tmp_path: Path) -> None:
    """The class of the embedding API has all of it."""
    with opened(tmp_path) as system:
        system.submit(plan(5.0, 7.0))
        wait_until(lambda: all(v.held_charge_kw == 5.0 for v in system.state().values()))
        assert "5 kW should hold" in system.why("ast_1").sentence
        assert system.state_at(later())["ast_1"].setpoint_kw == 5.0
        assert {one.asset_id for one in system.diff("2020-01-01T00:00Z", later())} == {
            "ast_0",
            "ast_1",
        }
        assert system.verify().ok


def run(*arguments: str) -> tuple[int, str]:
    """Run a verb; return its exit status and what it printed."""
    done = CliRunner().invoke(setpoint, arguments)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout


def rows(*arguments: str) -> list[dict[str, Any]]:
    """Return what a verb prints as JSON."""
    code, out = run(*arguments, "--json")
    assert code == 0
    return [json.loads(line) for line in out.splitlines()]


def test_verbs_print_what_the_methods_return(store: Path, audit: StoreAudit) -> None:
    """For people, as JSON lines and as CSV."""
    place, now = str(store), later().isoformat()
    (told,) = rows("why", place, "ast_0", "--at", now)
    assert told["sentence"] == audit.why("ast_0", now).sentence
    code, out = run("why", place, "ast_0")
    assert (code, out.splitlines()[0]) == (0, audit.why("ast_0").sentence)
    assert len(out.splitlines()) == 1 + len(audit.why("ast_0").chain)
    assert run("why", place, "ast_0", "--csv")[1].startswith("position,at,topic,text\n")
    assert {one["asset_id"]: one["setpoint_kw"] for one in rows("state", place, "--at", now)} == {
        "ast_0": 3.0,
        "ast_1": 5.0,
    }
    found = rows("diff", place, "--from", "2020-01-01T00:00Z", "--to", now)
    assert {"asset_id", "field", "before", "after", "at", "topic", "event_id"} == set(found[0])
    assert ("ast_0", "setpoint_kw", None, 3.0) in {
        (one["asset_id"], one["field"], one["before"], one["after"])
        for one in found
        if one["field"] == "setpoint_kw"
    }
    (checked,) = rows("verify", place)
    assert (checked["ok"], checked["problems"]) == (True, [])
    noted = f"{checked['last_seal']['n']}:{checked['last_seal']['digest']}"
    assert run("verify", place, "--seal", noted)[0] == 0
    other = f"{checked['last_seal']['n'] + 1}:{checked['last_seal']['digest']}"
    code, out = run("verify", place, "--seal", other)
    assert code == 1
    assert "missing: the log ends with seal" in out
    with pytest.raises(UsageError, match="is no seal"):
        run("verify", place, "--seal", "x")


def test_a_report_has_the_facts_of_each_slot(store: Path, audit: StoreAudit) -> None:
    """And a total for each asset and schedule; as JSON what the method returns."""
    place = str(store)
    told = rows("report", place, "--asset", "ast_1", "--since", "2020-01-01T00:00Z")
    assert told == json.loads(json.dumps([one.to_json() for one in audit.report(asset="ast_1")]))
    first = told[0]
    assert (first["kind"], first["planned_kw"], first["acknowledged_kw"]) == ("slot", 5.0, 5.0)
    assert (told[-1]["kind"], told[-1]["schedule_id"]) == ("total", "sch_1")
    assert rows("report", place, "--schedule", "sch_none") == []
    code, out = run("report", place, "--csv")
    assert (code, out.splitlines()[0].split(",")[:2]) == (0, ["kind", "asset_id"])


def test_a_log_as_csv_has_one_header(store: Path) -> None:
    """A row for each event, as in JSON."""
    place = str(store)
    code, out = run("tail", place, "--since", "0", "--csv")
    table = list(csv.DictReader(io.StringIO(out)))
    events = rows("tail", place, "--since", "0")
    assert (code, [int(one["position"]) for one in table]) == (
        0,
        [one["position"] for one in events],
    )
    assert [one["topic"] for one in table] == [one["topic"] for one in events]


@pytest.mark.parametrize("given", [(), ("ast_a",), ("ast_a", "much")])
def test_an_override_that_is_not_complete_shows_how_one_is_set(given: tuple[str, ...]) -> None:
    """As it is typed, without the word `set` that nobody types."""
    done = CliRunner().invoke(setpoint, ["override", "site.toml", *given])
    assert done.exit_code == 2
    assert "Usage: setpoint override [OPTIONS] SITE ASSET KW" in done.stderr


def test_a_file_that_is_no_store_is_named(tmp_path: Path) -> None:
    """And not taken for an empty one."""
    path = tmp_path / "broken.db"
    path.write_bytes(b"no database at all, but long enough to be taken for one" * 100)
    with pytest.raises(StoreMissing, match=r"broken\.db is no store"):
        run("verify", str(path))
    path.write_bytes(b"SQLite format 3\x00" + b"and then nothing of the kind" * 100)
    with pytest.raises(StoreCorrupt, match=r"broken\.db: the store's file is damaged"):
        run("verify", str(path))
