"""What ``import engine`` gives, and what it leaves alone."""

import os
import subprocess
import sys

import pandas as pd

import engine

FOREIGN = ("pandas", "numpy", "asyncio", "socket", "ocpp", "pymodbus", "sqlite3")


def test_the_public_names_are_sorted_and_there() -> None:
    """A name that goes is a break for somebody."""
    assert sorted(engine.__all__) == engine.__all__
    for name in engine.__all__:
        assert hasattr(engine, name)
    assert {"Command", "DispatchEngine", "EventBus", "StateMachine"} <= set(engine.__all__)


def test_importing_engine_brings_in_no_sockets_and_no_pandas() -> None:
    """The pure half can be used where nothing else is wanted."""
    code = f"import engine, sys; print([m for m in {FOREIGN!r} if m in sys.modules])"
    # Measuring coverage brings in modules of its own.
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
        env=environment,
    )
    assert done.stdout.strip() == "[]"


def test_a_schedule_becomes_commands_without_an_engine_running() -> None:
    """The seed's own example: columns become commands, only at changes."""
    rules = engine.AssetRules(
        engine.AssetId("ast_1"), engine.AssetKind.EV_CHARGER, "ocpp", "1", 22_000
    )
    index = pd.date_range("2025-01-01", periods=3, freq="15min", tz="UTC")
    frame = pd.DataFrame({"ev_1_kw": [7.0, 7.0, 0.0]}, index=index)
    made = engine.DispatchEngine([rules]).schedule_to_commands(frame)
    assert [command.value_kw for command in made] == [7.0, 0.0]
