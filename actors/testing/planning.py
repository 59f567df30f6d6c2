"""Schedules of a few values for a system that runs, from its present moment on."""

from collections.abc import Sequence
from datetime import timedelta

from actors.receipts import Receipt
from actors.testing.schedules import begun_at
from actors.testing.simulation import Simulation


def plan_from_now(system: Simulation, step_s: float = 900.0, **columns: Sequence[float]) -> Receipt:
    """Submit a schedule whose slots follow each other from the plan clock's next second on.

    Args:
        system: what runs.
        step_s: how long a slot lasts, in seconds.
        columns: the powers in kW by a schedule's column; all have the same number.
    """
    begins = system.plan_now.replace(microsecond=0) + timedelta(seconds=1)
    schedule = begun_at(begins, timedelta(seconds=step_s), columns)
    return system.submit(schedule, slot=timedelta(seconds=step_s) if len(schedule) == 1 else None)
