"""The verb that runs an engine until it is stopped, or until everything is done."""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import attrs
import click

from actors.cli.collector import settle
from actors.cli.live import Feed, feed_for
from actors.cli.numbers import SPEED
from actors.cli.places import moment_of, site_of, warnings_of
from actors.cli.watch_folder import Folder, schedule_id
from actors.control import ControlServer
from actors.operations import operations
from actors.standing import PlanStart
from actors.system import ActorSystem
from engine.commands import CommandStatus
from engine.config import Site
from engine.errors import SetpointError, UsageError
from engine.types import US_PER_S, to_us

if TYPE_CHECKING:
    import pandas as pd

_BENIGN = frozenset({"superseded", "override", "operator", "early_departure"})
_LOOK_S = 0.2


@attrs.frozen
class Wanted:
    """The options of `run`."""

    schedule: Path | None
    watch: Path | None
    start: PlanStart
    force: bool
    until_done: bool
    as_json: bool


@attrs.frozen
class Inputs:
    """What `run` submits: a schedule at its start, and what comes into a folder."""

    frame: "pd.DataFrame | None"
    folder: Folder | None


class Interrupts:
    """Ctrl-C once stops in good order, twice at once."""

    def __init__(self) -> None:
        """Nothing has been pressed."""
        self.stopping = threading.Event()

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Take SIGINT and SIGTERM over for as long as the engine runs."""
        before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
        for each in before:
            signal.signal(each, self._pressed)
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def _pressed(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.stopping.is_set():
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.stopping.set()


@click.command()
@click.argument("site", type=click.Path())
@click.option("--schedule", type=click.Path(path_type=Path), help="Submit this file at the start.")
@click.option("--watch", type=click.Path(path_type=Path), help="Submit files put in this folder.")
@click.option("--start-at", metavar="TIME", help="Where the plan clock starts, on an empty store.")
@click.option("--speed", type=SPEED, default=1.0, help="How many times as fast plan time runs.")
@click.option("--force", is_flag=True, help="Also at a speed with less than 1 s for a slot.")
@click.option("--until-done", is_flag=True, help="End when every horizon passed and all is over.")
@click.option("--take-over", is_flag=True, help="Pass over another engine's lock (PostgreSQL).")
@click.option("--json", "as_json", is_flag=True, help="Print events as JSON, one a line.")
def run(site: str, **options: object) -> None:
    """Run the engine of a site: listen, connect, dispatch, record.

    With --until-done the exit status is 0 if every command that was open at the start or
    created since is COMPLETED (or CANCELLED because it was superseded, overridden, taken back
    by an operator, or its vehicle left), else 1. Ctrl-C once hands the devices back and closes;
    twice ends at once.
    """
    wanted = _wanted(options)
    found = site_of(site, thorough=True)
    for warning in warnings_of(found):
        click.echo(f"warning: {warning}", err=True)
    _log_to_stderr()
    inputs = _inputs(found, wanted)
    interrupts = Interrupts()
    with interrupts.caught():
        feed = feed_for(as_json=wanted.as_json)
        try:
            system = ActorSystem.open(
                found,
                start=wanted.start,
                take_over=bool(options["take_over"]),
                on_event=feed.heard,
            )
        except OSError as error:
            raise UsageError(f"the site cannot be opened: {error}") from None
        settle()
        try:
            code = _attend(system, wanted, inputs, interrupts, feed)
        finally:
            system.close()
    raise click.exceptions.Exit(code)


def _log_to_stderr() -> None:
    """Print warnings; that a device was lost is an event, not one of each try to connect to it."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)


def _wanted(options: dict[str, object]) -> Wanted:
    speed = options["speed"]
    start_at = moment_of(options["start_at"] if isinstance(options["start_at"], str) else None)
    schedule, watch = options["schedule"], options["watch"]
    return Wanted(
        schedule if isinstance(schedule, Path) else None,
        watch if isinstance(watch, Path) else None,
        PlanStart(
            None if start_at is None else to_us(start_at),
            speed if isinstance(speed, float) else 1.0,
        ),
        bool(options["force"]),
        bool(options["until_done"]),
        bool(options["as_json"]),
    )


def _inputs(site: Site, wanted: Wanted) -> Inputs:
    """Return what is to be submitted, read before anything is opened.

    Raises:
        ScheduleRefused: the file cannot be read.
        UsageError: there is no such folder.
    """
    folder = None if wanted.watch is None else Folder(wanted.watch)
    if wanted.schedule is None:
        return Inputs(None, folder)
    from engine.frames import load_file

    return Inputs(load_file(wanted.schedule, site.timezone), folder)


def _attend(
    system: ActorSystem, wanted: Wanted, inputs: Inputs, interrupts: Interrupts, feed: Feed
) -> int:
    """Run until interrupted or done; return the exit status."""
    control = ControlServer(system.site.control_socket or "", operations(system))
    control.start()
    try:
        feed.started(system)
        if inputs.frame is not None:
            submit_frame(system, inputs.frame, feed, force=wanted.force)
        while not interrupts.stopping.wait(_LOOK_S):
            feed.refresh()
            system.check_fence()
            if inputs.folder is not None:
                _submit_new(system, inputs.folder, feed, wanted)
            if wanted.until_done and system.is_done():
                return 0 if judged(system, feed) else 1
    finally:
        control.close()
        feed.close()
    return 0


def submit_frame(
    system: ActorSystem,
    frame: "pd.DataFrame",
    feed: Feed,
    *,
    force: bool,
    own_id: str | None = None,
) -> None:
    """Submit a schedule; what it says of its slots is checked against the speed.

    ``own_id``: the id of the schedule, which is not taken twice.

    Raises:
        ScheduleRefused: with all its problems.
        UsageError: a slot would last less than a second, and nobody insists.
    """
    starts = [
        to_us(one.to_pydatetime()) for one in frame.index if hasattr(one, "tzinfo") and one.tzinfo
    ]
    _check_speed(system, starts, force=force)
    feed.accepted(system.submit(frame, schedule_id=own_id))


def _check_speed(system: ActorSystem, starts: list[int], *, force: bool) -> None:
    speed = system.clocks.plan.peek(0).speed
    steps = (later - sooner for sooner, later in pairwise(starts))
    shortest = min((step for step in steps if step > 0), default=None)
    if force or shortest is None or shortest / speed >= US_PER_S:
        return
    raise UsageError(
        f"at this speed the shortest slot lasts {shortest / speed / US_PER_S:.2f} s: "
        "slow down, or insist with --force"
    )


def _submit_new(system: ActorSystem, folder: Folder, feed: Feed, wanted: Wanted) -> None:
    """Submit what is new in the folder; a file that is refused is told and left."""
    from engine.frames import load_file

    for path in folder.new():
        try:
            own_id = schedule_id(path)
            frame = load_file(path, system.site.timezone)
            submit_frame(system, frame, feed, force=wanted.force, own_id=own_id)
        except SetpointError as error:
            feed.refused(path, error)


def judged(system: ActorSystem, feed: Feed) -> bool:
    """Return whether all commands since the start ended well, and tell of those that did not."""
    bad = 0
    for record in system.history_since_open():
        fine = record.status is CommandStatus.COMPLETED or (
            record.status is CommandStatus.CANCELLED and record.reason in _BENIGN
        )
        if not fine:
            bad += 1
            feed.failed(record)
    return bad == 0
