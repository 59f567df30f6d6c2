"""Storms: a day of a depot in which much goes wrong, for each of many seeds; every promise holds.

CI runs 300; ``--setpoint-storms 10000`` asks for more, ``--setpoint-seed N`` repeats one.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from actors.testing.storm import Storm


@pytest.mark.storm(seeds=300)
@pytest.mark.timeout(120)
def test_every_promise_holds_in_a_storm(
    tmp_path: Path, setpoint_seed: int, record_property: Callable[[str, object], None]
) -> None:
    """Ten assets, 96 slots, three re-plans, twenty faults of six kinds, a crash."""
    storm = Storm(tmp_path, setpoint_seed)
    counts = storm.run()
    record_property("storm", dict(counts))
    kinds = [one for one in counts if one.startswith("fault ")]
    assert counts["faults"] >= 20
    assert len(kinds) >= 6
    assert counts["crashes"] >= 1
    assert counts["re-plans"] == 3
    assert counts["OCPP control frames"] + counts["Modbus writes"] >= 200
