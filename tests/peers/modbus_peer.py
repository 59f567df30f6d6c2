"""A battery on another Modbus library as an object, and a site that has it in place of its own."""

import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

import attrs
import msgspec

from actors.testing.site import TestSite, free_port, simulated_site
from tests.peers.node import Node, whole_lines

HEARTBEAT: Final = 30  # the register whose writes are no control frames
MAKES: Final = {
    "modbus-serial": "modbus_serial_battery.js",
    "jsmodbus": "jsmodbus_battery.js",
    "libmodbus": "libmodbus_battery.py",
}


class Read(msgspec.Struct, tag_field="kind", tag="read", frozen=True):
    """A read as the battery saw it: the words that it gave, or the exception."""

    address: int
    count: int
    function: int
    answered: bool
    values: tuple[int, ...] = ()
    exception: int | None = None


class Write(msgspec.Struct, tag_field="kind", tag="write", frozen=True):
    """A write as the battery saw it."""

    address: int
    values: tuple[int, ...]
    function: int
    answered: bool
    exception: int | None = None

    @property
    def is_control(self) -> bool:
        """Whether it changes what the battery does."""
        return self.address != HEARTBEAT


class Pair(msgspec.Struct, tag_field="kind", tag="pair", frozen=True):
    """The powers that the battery was to hold from then on, in watts, and who said so."""

    charge_w: int
    discharge_w: int
    by: str


Entry: TypeAlias = Read | Write | Pair


@attrs.frozen
class Recorded:
    """A control write in the store, and the attempt that it belongs to."""

    attempt_id: str
    address: int
    values: tuple[int, ...]


class Panel(msgspec.Struct, frozen=True):
    """What the battery shows on its front: its set pair, power (charging positive) and charge."""

    charge_w: int
    discharge_w: int
    power_w: float
    soc_pct: float
    heartbeat: int
    state: str

    @property
    def pair_w(self) -> tuple[int, int]:
        """The charge and the discharge power that it is to hold."""
        return self.charge_w, self.discharge_w


class _Ready(msgspec.Struct):
    ready: int


@attrs.define
class ModbusPeer:
    """One battery in a process of its own. Its wire log and its port outlast a power cut.

    ``make`` is the library that it is built on.
    """

    folder: Path
    make: str = "modbus-serial"
    settings: dict[str, object] = attrs.field(factory=dict)
    port: int = attrs.field(factory=free_port)
    _node: Node = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        """Have its program at hand."""
        script = Path(__file__).with_name(MAKES[self.make])
        self._node = Node(script, self.folder)

    @property
    def wire_log(self) -> Path:
        """The file that the battery writes down everything in."""
        return self.folder / "battery.jsonl"

    def start(self) -> None:
        """Switch it on, at the port that it had before, and wait until it listens."""
        settings = {"log": str(self.wire_log), "port": self.port, **self.settings}
        self.port = msgspec.json.decode(self._node.start(settings), type=_Ready).ready

    def kill(self) -> None:
        """Cut its power: it forgets everything but its wire log."""
        self._node.kill()

    def entries(self) -> list[Entry]:
        """Return everything in its wire log."""
        lines = whole_lines(self.wire_log)
        return [msgspec.json.decode(line, type=Entry) for line in lines]

    def writes(self) -> list[Write]:
        """Return the writes of control registers that reached it, in order."""
        return [one for one in self.entries() if isinstance(one, Write) and one.is_control]

    def pairs(self) -> list[Pair]:
        """Return what it was to hold, in order."""
        return [one for one in self.entries() if isinstance(one, Pair)]

    # --- at the device itself

    def panel(self) -> Panel:
        """Look at it."""
        return self._do(do="panel")

    def fault(self, *, on: bool) -> None:
        """Make it report FAULTED and stand still, or recover."""
        self._do(do="fault", on=on)

    def refuse(self, code: int | None) -> None:
        """Make it answer every write with this exception; null: no more."""
        self._do(do="refuse", code=code)

    def deaf(
        self, seconds: float, to: Sequence[str] = ("read", "write"), *, obeys: bool = False
    ) -> None:
        """Make it answer nothing for so long; with ``obeys`` it does what it is told even so."""
        self._do(do="deaf", seconds=seconds, to=to, obeys=obeys)

    def hang_up(self) -> None:
        """Close all its connections."""
        self._do(do="hang_up")

    def _do(self, **command: object) -> Panel:
        return msgspec.json.decode(self._node.tell(command), type=Panel)


@contextmanager
def peer_site(
    folder: Path,
    keys: Sequence[str] = (),
    *,
    make: str = "modbus-serial",
    extra: str = "",
    **settings: object,
) -> Iterator[tuple[TestSite, ModbusPeer]]:
    """Give a site of simulated chargers, one per key, whose battery is the peer of that make.

    ``extra`` is text for the site file, ``settings`` are those of the battery's program.
    """
    peer = ModbusPeer(folder, make, settings)
    peer.start()
    try:
        with simulated_site(folder, keys, extra=extra) as site:
            text = site.file.read_text(encoding="utf-8")
            simulated = tomllib.loads(text)["asset"][-1]["port"]
            moved = text.replace(f"port = {simulated}\n", f"port = {peer.port}\n")
            site.file.write_text(moved, encoding="utf-8")
            yield site, peer
    finally:
        peer.kill()


def recorded_writes(site: TestSite) -> list[Recorded]:
    """Return each control write to the battery that the store says was attempted, in order."""
    started = [
        cast("Any", row["event"])
        for row in site.rows("tail", "--since", "0")
        if (row["stream"], row["topic"]) == ("ast_battery", "asset.attempt_started")
    ]
    return [
        Recorded(event["attempt_id"], frame["body"]["address"], tuple(frame["body"]["values"]))
        for event in started
        for frame in event["payload"]["frames"]
        if frame["control"]
    ]
