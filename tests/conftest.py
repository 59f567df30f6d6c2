"""The stores that tests run on: SQLite always, PostgreSQL where one is told of."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

POSTGRES: Final = os.environ.get("SETPOINT_TEST_POSTGRES")
STORES: Final = ("sqlite", "postgres") if POSTGRES else ("sqlite",)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for more malformed frames than CI sends."""
    parser.addoption(
        "--setpoint-malformed",
        type=int,
        default=10_000,
        metavar="N",
        help="send N malformed OCPP frames, and a tenth as many Modbus answers",
    )


@pytest.fixture
def malformed(request: pytest.FixtureRequest) -> int:
    """Give how many malformed frames are to be sent."""
    return int(request.config.getoption("--setpoint-malformed"))


def pytest_report_header() -> str:
    """Say which stores are tested."""
    if POSTGRES:
        return "stores: SQLite and PostgreSQL"
    return "stores: SQLite only; SETPOINT_TEST_POSTGRES names no PostgreSQL"


@pytest.fixture(params=STORES)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the URL of a store that is not there yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'a.db'}"
        return
    schema = f"test_{secrets.token_hex(8)}"
    yield f"{POSTGRES}?schema={schema}"
    drop(schema)
    drop(f"{schema}_read")


def drop(schema: str) -> None:
    """Remove a schema with all that is in it."""
    import psycopg  # noqa: PLC0415 - only where there is a PostgreSQL

    with psycopg.connect(POSTGRES or "", autocommit=True) as session:
        session.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')
