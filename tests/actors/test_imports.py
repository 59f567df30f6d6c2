"""What an embedder's process has to load."""

from actors.testing.loaded import loaded


def test_opening_a_system_needs_no_pandas() -> None:
    """It takes longer to load than all else together; who submits a frame has it already."""
    assert loaded("import actors.system", {"pandas", "numpy"}) == set()
    assert loaded("import engine.frames", {"pandas", "numpy"}) == {"pandas", "numpy"}
