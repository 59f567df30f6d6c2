"""What an embedder's process has to load."""

import os
import subprocess
import sys


def test_opening_a_system_needs_no_pandas() -> None:
    """It takes longer to load than all else together; who submits a frame has it already."""
    code = "import actors.system, sys; print({'pandas', 'numpy'} & sys.modules.keys())"
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
    assert done.stdout.strip() == "set()"
