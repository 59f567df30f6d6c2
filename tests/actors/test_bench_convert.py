import numpy as np
import pytest

from actors.bench import convert
from engine.errors import ScheduleRefused
from engine.frames import read_schedule
from engine.plans import Plan


def test_the_loop_that_is_measured_beside_gives_the_same_plans() -> None:
    """Batteries and chargers, byte for byte."""
    schedule, rules = convert.frame(40, 96, seed=3), convert.rules(40)
    assert convert.reference(schedule, rules) == read_schedule(schedule, rules).plans


def test_the_loop_that_is_measured_beside_makes_the_same_checks() -> None:
    """A gap, a power above the limit, both directions and times that go back are refused."""
    schedule, rules = convert.frame(11, 4, seed=3), convert.rules(11)
    schedule.iloc[0, 2:4] = [np.nan, 22.001]
    schedule.iloc[1, 0:2] = 1.0
    for check in (convert.reference, read_schedule):
        with pytest.raises(ScheduleRefused) as caught:
            check(schedule, rules)
        assert len(caught.value.problems) == 3
    for check in (convert.reference, read_schedule):
        with pytest.raises(ScheduleRefused, match="not_increasing"):
            check(convert.frame(2, 4, seed=3).iloc[::-1], rules)


def test_a_frame_of_the_bench_is_the_same_for_the_same_seed() -> None:
    """And about 16 changes a channel long, as the bench says."""
    frame = convert.frame(100, 96, seed=1)
    assert frame.equals(convert.frame(100, 96, seed=1))
    assert not frame.equals(convert.frame(100, 96, seed=2))
    changes = sum(map(len, read_schedule(frame, convert.rules(100)).plans.values()))
    assert 14 < changes / len(frame.columns) < 20


def test_the_bench_reports_both_sides_and_their_ratio() -> None:
    """Plans that differ would be an error, whatever the speed."""
    found = convert.measure(runs=1, assets=20)
    assert found["bench"] == "convert"
    assert found["floor"] == 5.0
    assert found["ratio"] == found["value"] / found["limit"]  # type: ignore[operator]


def test_a_conversion_that_differs_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fast wrong answer has no speed."""

    def no_plans(*_: object) -> dict[str, Plan]:
        return {}

    monkeypatch.setattr(convert, "reference", no_plans)
    with pytest.raises(ValueError, match="differ"):
        convert.measure(runs=1, assets=2)
