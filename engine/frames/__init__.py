"""Frames in (schedules, schedule files) and out (tables of records).

The only package that imports pandas, which takes a while: import it where a frame is at hand.
"""

from pandas import DataFrame

from engine.frames.files import load_file
from engine.frames.records import to_frame
from engine.frames.schedule import read_schedule

__all__ = ["DataFrame", "load_file", "read_schedule", "to_frame"]
