"""What a process loads: for tests of how quickly something can be imported."""

import os
import subprocess
import sys
from collections.abc import Collection


def loaded(code: str, names: Collection[str]) -> set[str]:
    """Return which modules of these names a process of its own has, once it has run some code.

    Raises:
        subprocess.CalledProcessError: the code fails.
    """
    # Measuring coverage brings in modules of its own.
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")
    }
    asked = f"{code}; import sys; print(*(set({sorted(names)!r}) & sys.modules.keys()))"
    done = subprocess.run(  # noqa: S603 - this interpreter, and the code of a test
        [sys.executable, "-c", asked],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
        env=environment,
    )
    return set(done.stdout.split())
