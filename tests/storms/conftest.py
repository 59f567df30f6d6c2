"""What all storms of a run come to, and what was sent malformed, in its last lines."""

from collections import Counter

import pytest

TITLES = {
    "storm": "{:,} storms, none of which broke a promise",
    "malformed": "{:,} campaigns of malformed frames, which did no harm",
}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how much was looked at, and how often each fault struck."""
    totals: dict[str, Counter[str]] = {name: Counter() for name in TITLES}
    runs: Counter[str] = Counter()
    for report in terminalreporter.getreports("passed"):
        for name, counted in report.user_properties:
            if name in TITLES and isinstance(counted, dict):
                runs[name] += 1
                totals[name].update(counted)
    for name, count in runs.items():
        terminalreporter.section(name)
        told = ", ".join(f"{total:,} {what}" for what, total in sorted(totals[name].items()))
        terminalreporter.write_line(f"{TITLES[name].format(count)}: {told}")
