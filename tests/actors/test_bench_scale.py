"""The benches of many charge points and of a long time, on a few and for a moment."""

from collections import Counter

import pytest

from actors.bench import scale, soak
from actors.bench.lateness import Late
from actors.bench.peer import peer
from engine.commands import CommandStatus


def test_each_charge_point_is_told_each_slot_and_again_when_it_is_back() -> None:
    """None arrives before its time, and all of them come back."""
    found = scale.measured(3, 2, 4.0)
    assert [len(one.seconds) for one in found.slots] == [3, 3]
    assert min(one.seconds[0] for one in found.slots) > 0
    assert len(found.memory_kb) == 2
    assert found.cpu > 0
    assert found.back_s > 0


def test_a_slot_that_did_not_reach_all_is_no_figure() -> None:
    """What did not arrive is not early."""
    with (
        peer(scale.DEVICES) as devices,
        pytest.raises(ValueError, match="0 setpoints arrived at 2 charge points"),
    ):
        scale._slot(devices, 2, 0.0, 0.0)  # noqa: SLF001 - what looks at one slot


def test_the_rows_of_scale_say_what_each_charge_point_takes() -> None:
    """Memory is the last slot's; growth is what it is of the third's."""
    slots = [Late([0.01, 0.02]), Late([0.01, 0.03]), Late([0.01, 0.04])]
    rows = {
        str(one["bench"]): one["value"]
        for one in scale.rows(scale.Scale(2, slots, [80.0, 90.0, 100.0, 110.0], 0.25, 1.5))
    }
    assert rows == {
        "scale_lateness": 30.0,
        "scale_last": 30.0,
        "scale_cpu": 25.0,
        "scale_memory": 55.0,
        "scale_growth": 110.0,
        "scale_reconnect": 1.5,
    }


def test_every_setpoint_of_a_soak_comes_to_a_good_end() -> None:
    """So fast that some are superseded before they are sent; none is lost."""
    found = soak.measured(2, 1, 86_400.0)
    assert len(found.memory_kb) == 1
    assert found.ended.total() >= 2 * 2 * 96
    assert found.ended[CommandStatus.COMPLETED] > 0


def test_the_rows_of_a_soak_compare_the_last_day_with_the_fifth() -> None:
    """Before that an engine fills what it keeps."""
    ended = Counter({CommandStatus.COMPLETED: 7})
    found = soak.Soak([50.0, 60.0, 70.0, 80.0, 100.0, 101.0, 103.0], ended)
    rows = {str(one["bench"]): one["value"] for one in soak.rows(found)}
    assert rows == {"soak_growth": 103.0, "soak": 7}
