"""What an embedder's process has to load."""

from actors.testing.loaded import loaded

_HELP = """\
import contextlib, io, sys
from actors.cli import main
sys.argv = ["setpoint", *{arguments}]
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
    main()
import sys"""


def test_help_needs_no_engine() -> None:
    """It is asked for most often by those who wait for it; a verb's own help knows its module."""
    assert loaded(_HELP.format(arguments=["--help"]), {"engine", "attrs"}) == set()
    assert loaded(_HELP.format(arguments=["history", "--help"]), {"engine"}) == {"engine"}


def test_opening_a_system_needs_no_pandas() -> None:
    """It takes longer to load than all else together; who submits a frame has it already."""
    assert loaded("import actors.system", {"pandas", "numpy"}) == set()
    assert loaded("import engine.frames", {"pandas", "numpy"}) == {"pandas", "numpy"}
