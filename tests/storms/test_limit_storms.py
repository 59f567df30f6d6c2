"""Storms under site limits: what devices may hold never comes to more, whatever goes wrong.

CI runs 50; ``--setpoint-storms 1000`` asks for more, ``--setpoint-seed N`` repeats one.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from actors.testing.storm import LIMITED, Storm


@pytest.mark.storm(seeds=50)
@pytest.mark.timeout(240)
def test_limits_are_kept_in_a_storm(
    tmp_path: Path, setpoint_seed: int, record_property: Callable[[str, object], None]
) -> None:
    """Devices that are slow, refuse, lie and go away; crashes, restarts and people."""
    counts = Storm(tmp_path, setpoint_seed, LIMITED).run()
    record_property("storm", dict(counts))
    assert counts["increases under a limit"] >= 20
    assert counts["looks at the power"] >= 100
    assert counts["crashes"] >= 1
