"""What the peers need that is no Python package: without it there are none of these tests."""

import shutil
from ctypes.util import find_library
from pathlib import Path
from typing import Final

import pytest

HERE: Final = Path(__file__).parent
IS_INSTALLED: Final = shutil.which("node") is not None and (HERE / "node_modules").is_dir()
HAS_LIBMODBUS: Final = find_library("modbus") is not None

collect_ignore_glob = [] if IS_INSTALLED else ["test_*.py"]


def pytest_report_header() -> str:
    """Say which peers take part, and how to have the others."""
    if not IS_INSTALLED:
        return "peers: no (tox -e peers installs and runs them)"
    return f"peers: {'all' if HAS_LIBMODBUS else 'all but libmodbus (Debian: libmodbus5)'}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the peers on libmodbus where there is none."""
    if HAS_LIBMODBUS:
        return
    for item in items:
        case = getattr(item, "callspec", None)
        if case is not None and case.params.get("make") == "libmodbus":
            item.add_marker(pytest.mark.skip(reason="libmodbus is not installed"))
