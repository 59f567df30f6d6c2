"""The peers are Node programs: without Node and its packages there are none of these tests."""

import shutil
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
IS_INSTALLED: Final = shutil.which("node") is not None and (HERE / "node_modules").is_dir()

collect_ignore_glob = [] if IS_INSTALLED else ["test_*.py"]


def pytest_report_header() -> str:
    """Say whether the peers take part, and how to have them."""
    return f"peers: {'yes' if IS_INSTALLED else 'no (tox -e peers installs and runs them)'}"
