"""What a closed system leaves in its process: nothing."""

import gc
import weakref
from pathlib import Path

from actors.asset import AssetActor
from actors.testing.instant import opened, plan


def test_a_closed_system_is_let_go_of(tmp_path: Path) -> None:
    """Its actors, and with them all that they know, go with the collector's next round."""
    with opened(tmp_path) as system:
        system.submit(plan(7.0, 11.0))
        actors = [weakref.ref(one) for one in gc.get_objects() if type(one) is AssetActor]
        assert len(actors) >= 2
    del system
    gc.collect()
    assert [one() for one in actors if one() is not None] == []
