"""What a running engine shows: a live table on a terminal, plain or JSON lines elsewhere."""

import sys
import threading
from collections import Counter, deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click
import msgspec

from actors.cli.output import counted, json_line, text
from engine.types import iso, to_us

if TYPE_CHECKING:
    from rich.live import Live

    from actors.receipts import Receipt
    from actors.system import ActorSystem
    from engine.bus import Event
    from engine.history import CommandRecord

_QUIET = frozenset({"COMMAND_CREATED", "COMMAND_ACKNOWLEDGED"})
_LINES = 12


class Feed(Protocol):
    """Where `run` and `demo` tell what happens."""

    def heard(self, event: "Event") -> None:
        """Tell of an event, or keep it until `started`. The bus thread."""

    def started(self, system: "ActorSystem") -> None:
        """Tell that the engine runs."""

    def accepted(self, receipt: "Receipt") -> None:
        """Tell that a schedule was accepted."""

    def refused(self, path: Path, error: Exception) -> None:
        """Tell that a file was refused."""

    def failed(self, record: "CommandRecord") -> None:
        """Tell of a command that did not end well."""

    def note(self, line: str) -> None:
        """Tell one line."""

    def refresh(self) -> None:
        """Show what is new."""

    def close(self) -> None:
        """Show no more."""


def feed_for(*, as_json: bool) -> Feed:
    """Return the feed that fits where the output goes."""
    if as_json:
        return JsonFeed()
    if sys.stdout.isatty():
        return LiveFeed()
    return PlainFeed()


def event_row(event: "Event") -> dict[str, object]:
    """Return an event as a row."""
    return {
        "type": str(event.type),
        "asset_id": event.asset_id,
        "at": iso(to_us(event.at)),
        "position": event.position,
        **{key: value for key, value in event.data.items() if value is not None},
    }


def event_line(event: "Event") -> str:
    """Return an event as one line for people."""
    data = " ".join(
        f"{key}={text(value)}" for key, value in event.data.items() if value not in (None, "")
    )
    return f"{iso(to_us(event.at))}  {event.type:<20}  {event.asset_id or '':<24}  {data}"


class PlainFeed:
    """One line an event, on standard output."""

    def __init__(self) -> None:
        """Keep what is heard until the engine runs."""
        self._lock = threading.RLock()
        self._early: list[Event] | None = []
        self._closed = False

    def heard(self, event: "Event") -> None:
        """Tell of an event. The bus thread."""
        with self._lock:
            if self._early is not None:
                self._early.append(event)
            elif not self._closed:
                self._tell(event)

    def _tell(self, event: "Event") -> None:
        if event.type not in _QUIET:
            self.note(event_line(event))

    def started(self, system: "ActorSystem") -> None:
        """Tell that the engine runs, and what was heard before."""
        with self._lock:
            self._introduce(system)
            early, self._early = self._early or [], None
            for event in early:
                self._tell(event)

    def _introduce(self, system: "ActorSystem") -> None:
        """Tell where chargers connect."""
        self.note(f"{system.site.id} runs with {counted(len(system.site.assets), 'asset')}")
        if system.ocpp_url is not None:
            self.note(f"OCPP at {system.ocpp_url}")

    def accepted(self, receipt: "Receipt") -> None:
        """Tell that a schedule was accepted."""
        what = "unchanged" if receipt.unchanged else counted(receipt.commands, "command")
        self.note(f"{receipt.schedule_id} accepted: {counted(receipt.assets, 'asset')}, {what}")
        if receipt.ignored_columns:
            self.note(f"ignored columns: {', '.join(receipt.ignored_columns)}")
        for row, column, from_kw, to_kw in receipt.clamped:
            self.note(f"clamped: row {row}, column {column}: {from_kw} kW to {to_kw} kW")

    def refused(self, path: Path, error: Exception) -> None:
        """Tell that a file was refused."""
        click.echo(f"{path}: {error}", err=True)

    def failed(self, record: "CommandRecord") -> None:
        """Tell of a command that did not end well."""
        click.echo(
            f"{record.id} {record.asset_id} {record.type} {text(record.value_kw)} kW: "
            f"{record.status} {text(record.reason)}",
            err=True,
        )

    def note(self, line: str) -> None:
        """Print one line at once."""
        click.echo(line)
        sys.stdout.flush()

    def refresh(self) -> None:
        """Show nothing more: every line was printed when it came."""

    def close(self) -> None:
        """Tell nothing more."""
        with self._lock:
            self._closed = True


class JsonFeed(PlainFeed):
    """One JSON object an event."""

    def _tell(self, event: "Event") -> None:
        self.note(json_line(event_row(event)))

    def _introduce(self, system: "ActorSystem") -> None:
        row = {"type": "ENGINE_STARTED", "site": system.site.id, "ocpp_url": system.ocpp_url}
        self.note(json_line(row))

    def accepted(self, receipt: "Receipt") -> None:
        """Tell that a schedule was accepted."""
        row = msgspec.to_builtins(receipt)
        self.note(json_line({"type": "RECEIPT", **row}))


class LiveFeed(PlainFeed):
    """A table of the assets and the newest events, drawn again as things happen."""

    def __init__(self) -> None:
        """Draw nothing yet."""
        super().__init__()
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._counts: Counter[str] = Counter()
        self._system: ActorSystem | None = None
        self._live: Live | None = None

    def _tell(self, event: "Event") -> None:
        self._counts[str(event.type)] += 1
        super()._tell(event)

    def _introduce(self, system: "ActorSystem") -> None:
        from rich.live import Live

        super()._introduce(system)
        self._system = system
        self._live = Live(auto_refresh=False, transient=False)
        self._live.start()

    def note(self, line: str) -> None:
        """Keep one line; `refresh` draws it."""
        with self._lock:
            self._lines.append(line)

    def refresh(self) -> None:
        """Draw the assets and the newest lines."""
        if self._live is not None and self._system is not None:
            self._live.update(self._drawn(self._system), refresh=True)

    def _drawn(self, system: "ActorSystem") -> Any:  # noqa: ANN401 - a rich renderable
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        now = system.clocks.now()
        done = self._counts["COMMAND_COMPLETED"]
        lost = self._counts["COMMAND_FAILED"] + self._counts["COMMAND_TIMED_OUT"]
        title = f"{system.site.id}  {iso(now.plan_us)[:19]}Z  {done} done, {lost} not"
        table = Table(title=title, header_style="bold", expand=True)
        for name in ("asset", "state", "setpoint kW", "measured kW", "soc %", "source"):
            table.add_column(name)
        for view in system.state().values():
            style = "" if view.connected else "dim"
            table.add_row(
                view.asset_id,
                view.state if view.state_known else f"{view.state}?",
                text(view.setpoint_kw),
                text(view.measured_kw),
                text(view.soc_pct),
                text(view.setpoint_source),
                style=style,
            )
        with self._lock:
            lines = list(self._lines)
        return Group(table, *(Text(line, no_wrap=True, overflow="ellipsis") for line in lines))

    def close(self) -> None:
        """Draw once more, and leave the terminal as it is."""
        super().close()
        self.refresh()
        if self._live is not None:
            self._live.stop()
