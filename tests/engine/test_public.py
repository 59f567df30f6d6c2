"""What ``import engine`` gives, and what it leaves alone."""

import pandas as pd

import engine
from actors.testing.loaded import loaded

FOREIGN = ("pandas", "numpy", "asyncio", "socket", "ocpp", "pymodbus", "sqlite3")


def test_the_public_names_are_sorted_and_there() -> None:
    """A name that goes is a break for somebody."""
    assert sorted(engine.__all__) == engine.__all__
    for name in engine.__all__:
        assert hasattr(engine, name)
    assert {"Command", "DispatchEngine", "EventBus", "StateMachine"} <= set(engine.__all__)


def test_importing_engine_brings_in_no_sockets_and_no_pandas() -> None:
    """The pure half can be used where nothing else is wanted."""
    assert loaded("import engine", FOREIGN) == set()


def test_a_schedule_becomes_commands_without_an_engine_running() -> None:
    """The seed's own example: columns become commands, only at changes."""
    rules = engine.AssetRules(
        engine.AssetId("ast_1"), engine.AssetKind.EV_CHARGER, "ocpp", "1", 22_000
    )
    index = pd.date_range("2025-01-01", periods=3, freq="15min", tz="UTC")
    frame = pd.DataFrame({"ev_1_kw": [7.0, 7.0, 0.0]}, index=index)
    made = engine.DispatchEngine([rules]).schedule_to_commands(frame)
    assert [command.value_kw for command in made] == [7.0, 0.0]
