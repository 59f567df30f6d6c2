"""Adapters of others in a simulated site: under the seed, with faults, crashes and the judge."""

import contextlib
import hashlib
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pandas as pd
import pytest

from actors.bench.device import InstantAdapter
from actors.system import ActorSystem
from actors.testing.crashes import Crashed, Point
from actors.testing.faults import Direction, Fault
from actors.testing.frames import Message
from actors.testing.simulation import Simulation
from actors.testing.sites import site_text
from actors.testing.turns import START
from engine.adapters.registry import AdapterRegistry
from engine.errors import SiteRefused

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "custom-adapter"
POST = """
[[asset]]
id = "ast_post"
kind = "ev_charger"
schedule_key = "post"
adapter = "lamppost"
host = "127.0.0.1"
max_kw = 11
fallback_kw = 3
"""


@attrs.define
class Lines:
    """Cuts the example's protocol into messages; an action is a line's first word."""

    rest: dict[Direction, bytes] = attrs.field(factory=lambda: {"in": b"", "out": b""})

    def feed(self, direction: Direction, data: bytes) -> list[Message]:
        """Return the lines that are complete."""
        *lines, self.rest[direction] = (self.rest[direction] + data).split(b"\n")
        return [
            Message(line + b"\n", line.split()[0].decode(), slice(0, len(line))) for line in lines
        ]


@attrs.frozen
class Street:
    """A run of a charger, a battery and a lamp post."""

    run: Simulation
    post: Any

    def plan(self, *kw: float) -> pd.DataFrame:
        """Return a schedule of quarter-hours, the same for all."""
        index = pd.date_range(START, periods=len(kw), freq="15min")
        columns = ("ev_post_kw", "ev_1_kw", "battery_b1_charge_kw")
        return pd.DataFrame(
            {**dict.fromkeys(columns, kw), "battery_b1_discharge_kw": 0.0}, index=index
        )

    def log(self) -> str:
        """Return a digest of the log."""
        digest = hashlib.sha256()
        for row in self.run.rows():
            digest.update(f"{row.stream} {row.version} {row.topic} ".encode() + row.state)
        return digest.hexdigest()


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> AdapterRegistry:
    """Give the example's adapter by its name."""
    monkeypatch.syspath_prepend(EXAMPLE)
    return AdapterRegistry({"lamppost": importlib.import_module("lamppost").LamppostAdapter()})


@contextlib.contextmanager
def street(folder: Path, adapters: AdapterRegistry, seed: int = 0) -> Iterator[Street]:
    """Run a site whose lamp post is one of the example's."""
    file = folder / "site.toml"
    file.write_text(site_text(1, 1) + POST, encoding="utf-8")
    with Simulation.of(file, seed, adapters=adapters) as run:
        post = importlib.import_module("simulated_lamppost").SimulatedLamppost(7400)
        run.world.tap(7400, Lines, "ast_post")
        run.world.loop().submit(post.start())
        run.advance(5)
        yield Street(run, post)


def test_a_device_of_others_runs_beside_the_simulated_ones(
    tmp_path: Path, example: AdapterRegistry
) -> None:
    """On the same clock and network; the judge holds what it can against the log."""
    with street(tmp_path, example) as made:
        made.run.submit(made.plan(7.0, 5.0, 5.0))
        made.run.advance(1_000)
        assert made.post.watts == 5_000
        assert made.run.battery("ast_battery_1").setpoint_w() == 5_000
        assert "ast_post" not in made.run.devices
        assert made.run.assert_promises()["Modbus writes"] >= 2


def test_the_same_seed_gives_the_same_log(tmp_path: Path, example: AdapterRegistry) -> None:
    """Also with an adapter and a device of others, and a crash."""

    def logged(seed: int) -> str:
        with street(tmp_path, example, seed) as made:
            made.run.crash_at("after_append", 9)
            with contextlib.suppress(Crashed):
                made.run.submit(made.plan(7.0, 5.0, 5.0))
            made.run.advance(10)
            made.run.restart()
            made.run.submit(made.plan(4.0, 6.0, 6.0))
            made.run.advance(1_000)
            made.run.assert_promises()
            return made.log()

    assert logged(1) == logged(1)
    assert logged(1) != logged(2)


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (Fault(kind="drop", asset="ast_post", direction="out", action="OK"), "timed_out"),
        (Fault(kind="garbage", asset="ast_post", direction="out", action="OK"), "timed_out"),
        (Fault(kind="cut", asset="ast_post", direction="in", action="SET"), "link_lost"),
    ],
)
def test_faults_of_the_wire_strike_a_protocol_of_others(
    tmp_path: Path, example: AdapterRegistry, fault: Fault, outcome: str
) -> None:
    """Once somebody says where its messages end; what is lost is cleared up."""
    with street(tmp_path, example) as made:
        made.run.world.faults.add(fault)
        made.run.submit(made.plan(7.0, 7.0))
        made.run.advance(60)
        assert [fault.kind] == [one.kind for one in made.run.world.faults.injected]
        outcomes = [one.outcome for it in made.run.history(asset="ast_post") for one in it.attempts]
        assert outcome in outcomes
        assert made.post.watts == 7_000
        made.run.assert_promises()


@pytest.mark.parametrize("point", ["before_send", "after_send", "after_answer"])
def test_an_engine_crashes_on_a_link_of_others(
    tmp_path: Path, example: AdapterRegistry, point: Point
) -> None:
    """And the next one finds out what its device holds."""
    with street(tmp_path, example) as made:
        made.run.crash_at(point)
        made.run.submit(made.plan(7.0, 7.0))
        assert not made.run.advance(5)
        made.run.restart()
        made.run.advance(60)
        assert made.post.watts == 7_000
        assert made.run.assert_promises()["recovered"] >= 1


def test_given_adapters_stand_beside_the_installed_ones(tmp_path: Path) -> None:
    """An engine finds the built-in ones by itself, and reads the keys of those it is given."""
    file = tmp_path / "site.toml"
    text = site_text(1, 0) + POST.replace('host = "127.0.0.1"\n', "").replace("lamppost", "instant")
    file.write_text(f'{text}[store]\nurl = "sqlite:///t.db"\n', encoding="utf-8")
    with ActorSystem.open(file, adapters=AdapterRegistry({"instant": InstantAdapter()})) as system:
        assert {"ast_charger_1", "ast_post"} == set(system.state())
        assert (system.ocpp_url or "").startswith("ws://127.0.0.1:")


def test_an_adapter_that_nobody_gives_is_refused(tmp_path: Path) -> None:
    """By its name."""
    file = tmp_path / "site.toml"
    file.write_text(site_text(1, 0) + POST, encoding="utf-8")
    with pytest.raises(SiteRefused, match="lamppost"):
        Simulation.of(file)
