"""The benches by name, and the rows that `setpoint bench` prints."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from actors.bench import (
    convert,
    engine,
    growth,
    lateness,
    memory,
    modbus,
    ocpp,
    record,
    replan,
    scale,
    soak,
    threads,
)
from actors.bench.peer import peer
from actors.bench.rows import Row, machine, versions
from actors.bench.rows import row as _row
from engine.errors import UsageError

_ASSETS: Final = 10_000
_FEW: Final = 3
"""Runs of what takes long and varies little, at the most."""


def _start(runs: int) -> Row:
    values = [engine.start_s(_ASSETS) for _ in range(runs)]
    return _row("start", values, "s", (2.0, "2 s"), (2.0 / engine.median(values), 1.0))


def _submit(runs: int) -> Row:
    values = [engine.submit_s(_ASSETS) for _ in range(runs)]
    return _row("submit", values, "s", (5.0, "5 s"), (5.0 / engine.median(values), 1.0))


def _dispatch(runs: int) -> Row:
    done = [engine.dispatch(_ASSETS, 4) for _ in range(min(runs, _FEW))]
    return _dispatched("dispatch", done, "encoding and inserting the same rows", 0.25)


def _ocpp(runs: int) -> Row:
    with peer(ocpp.DEVICES) as devices:
        done = [ocpp.dispatch(devices) for _ in range(runs)]
    return _dispatched("ocpp", done, "the bare ocpp library with the same chargers", 0.8)


def _modbus(runs: int, bench: str = "modbus", delay_s: float = 0.0) -> Row:
    with peer(modbus.DEVICES) as devices:
        ports = [int(port) for port in devices.ask("listen", modbus.BATTERIES, delay_s)]
        done = [modbus.dispatch(devices, ports) for _ in range(runs)]
    return _dispatched(bench, done, "bare pymodbus with the same batteries", 0.7)


def _dispatched(
    bench: str, done: Sequence[engine.Dispatched], limit_name: str, floor: float
) -> Row:
    """Return the row of runs that each have their own limit: the ratio is taken run by run."""
    limit = engine.median([one.commands / one.reference_s for one in done])
    ratio = engine.median([one.ratio for one in done])
    rates = [one.rate for one in done]
    return _row(bench, rates, "commands/s", (limit, limit_name), (ratio, floor))


def _rebuild(runs: int) -> Row:
    with record.prepared(record.ASSETS, record.CHANGES, record.PLANNED) as made:
        done = [(record.read_s(made), record.rebuild_s(made)) for _ in range(min(runs, _FEW))]
    limit = engine.median([read_s for read_s, _ in done])
    ratio = engine.median([read_s / rebuild_s for read_s, rebuild_s in done])
    name = "reading and decoding the same events per stream"
    return _row("rebuild", [one[1] for one in done], "s", (limit, name), (ratio, 0.5))


def _recover(runs: int) -> Row:
    with record.prepared(record.ASSETS, record.CHANGES, record.PLANNED) as made:
        record.keep_snapshots(made)
        values = [record.recover_s(made) for _ in range(runs)]
    return _row("recover", values, "s", (2.0, "2 s"), (2.0 / engine.median(values), 1.0))


def _history(runs: int) -> Row:
    with record.prepared(record.ASSETS, record.CHANGES, record.PLANNED) as made:
        record.keep_model(made)
        values = [1_000 * record.history_s(made, 7_919 * run) for run in range(runs)]
    return _row("history", values, "ms", (50.0, "50 ms"), (50.0 / engine.median(values), 1.0))


def _convert(runs: int) -> Row:
    return convert.measure(runs)


BENCHES: Final[dict[str, Callable[[int], Row]]] = {
    "start": _start,
    "submit": _submit,
    "convert": _convert,
    "dispatch": _dispatch,
    "ocpp": _ocpp,
    "modbus": _modbus,
    "modbus_20ms": lambda runs: _modbus(runs, "modbus_20ms", 0.02),
    "replan": lambda runs: replan.measure(min(runs, _FEW), _ASSETS),
    "rebuild": _rebuild,
    "recover": _recover,
    "history": _history,
    "lateness": lambda runs: lateness.measure(runs, 1_000),
    "lateness_10k": lambda runs: lateness.measure_last(min(runs, _FEW), _ASSETS),
    "memory": lambda runs: memory.measure(min(runs, _FEW), _ASSETS),
}
LONG: Final[dict[str, Callable[[int], Iterable[Row]]]] = {
    "dispatch_threads": lambda runs: [threads.measure(min(runs, _FEW), _ASSETS, 2)],
    "growth_assets": lambda runs: growth.by_assets(min(runs, _FEW)),
    "growth_events": lambda runs: growth.by_events(min(runs, _FEW)),
    "scale": lambda _: scale.measure(),
    "soak": lambda _: soak.measure(),
}
"""What is measured only when it is named, or all in full; these may have more than one row."""
_FIRST: Final = ("scale", "soak")  # they look at memory, and the others leave some


def measured(names: Sequence[str], runs: int, *, full: bool) -> Iterator[Row]:
    """Yield a row per bench, as each is done; without names, of all that are not long.

    Raises:
        UsageError: no bench has one of the names.
    """
    there = [*BENCHES, *LONG]
    unknown = [name for name in names if name not in there]
    if unknown:
        raise UsageError(f"no bench is called {', '.join(unknown)}; there are {', '.join(there)}")
    in_full = sorted(there, key=lambda name: name not in _FIRST)
    for name in names or (in_full if full else BENCHES):
        for row in LONG[name](runs) if name in LONG else [BENCHES[name](runs)]:
            yield {**row, "machine": machine(), "versions": versions()}
