"""Folds for people over recorded events: what became of each command, what was known when."""

from engine.history.changes import Change, Changes, changes_of
from engine.history.filters import Filters
from engine.history.fold import CommandHistory, histories
from engine.history.records import (
    AnswerRecord,
    AttemptRecord,
    CauseRecord,
    CommandRecord,
    History,
    LateAnswer,
    summary,
    to_json,
)
from engine.history.report import Report, ReportRow, report_of
from engine.history.states import asset_state

__all__ = [
    "AnswerRecord",
    "AttemptRecord",
    "CauseRecord",
    "Change",
    "Changes",
    "CommandHistory",
    "CommandRecord",
    "Filters",
    "History",
    "LateAnswer",
    "Report",
    "ReportRow",
    "asset_state",
    "changes_of",
    "histories",
    "report_of",
    "summary",
    "to_json",
]
