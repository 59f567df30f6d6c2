"""Verification: whether a log is what the engine wrote, and what the engine promises of it."""

from engine.verification.comparison import Comparison
from engine.verification.result import Verification
from engine.verification.snapshots import SnapshotComparison
from engine.verification.verifier import Verifier, verify

__all__ = ["Comparison", "SnapshotComparison", "Verification", "Verifier", "verify"]
