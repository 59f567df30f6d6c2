"""What all storms of a run come to, in its last lines."""

from collections import Counter

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how much was looked at, and how often each fault struck."""
    total: Counter[str] = Counter()
    storms = 0
    for report in terminalreporter.getreports("passed"):
        for name, counted in report.user_properties:
            if name == "storm" and isinstance(counted, dict):
                storms += 1
                total.update(counted)
    if storms:
        terminalreporter.section("storms")
        told = ", ".join(f"{count:,} {name}" for name, count in sorted(total.items()))
        terminalreporter.write_line(f"{storms:,} storms, none of which broke a promise: {told}")
