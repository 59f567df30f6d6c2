"""The Node charge points as objects, and a site whose chargers are all such."""

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec

from actors.sim.depot import Depot
from actors.testing.promises import CONTROL_ACTIONS
from actors.testing.site import KEY_VARIABLE, TestSite, free_port
from tests.peers.node import Node, whole_lines

_SCRIPTS: Final = {"1.6": "charge_point.js", "2.0.1": "charging_station.js"}


class Frame(msgspec.Struct, frozen=True):
    """A frame as the charge point saw it; ``kind``: call, result or error."""

    direction: str
    kind: str
    id: str
    action: str | None
    payload: Any

    @property
    def is_control(self) -> bool:
        """Whether it came to change what the charge point does."""
        return self.direction == "in" and self.action in CONTROL_ACTIONS


class Connector(msgspec.Struct, frozen=True):
    """What a connector shows: its status, what it may draw and what it draws, in watts."""

    id: int
    status: str
    limit_w: float
    power_w: float
    transaction_id: str | None
    operative: bool


class Panel(msgspec.Struct, frozen=True):
    """What the charge point shows."""

    online: bool
    connectors: tuple[Connector, ...]


def _script(version: str) -> Path:
    return Path(__file__).with_name(_SCRIPTS[version])


@attrs.define
class OcppPeer:
    """One charge point in a process of its own; ``version`` is that of OCPP."""

    folder: Path
    version: str
    settings: dict[str, object]
    _node: Node = attrs.field(
        init=False,
        default=attrs.Factory(lambda own: Node(_script(own.version), own.folder), takes_self=True),
    )

    @property
    def wire_log(self) -> Path:
        """The file that the charge point writes down every frame in."""
        return self.folder / f"{self.settings['identity']}.jsonl"

    def start(self) -> None:
        """Switch it on; it connects by itself, again and again."""
        self.folder.mkdir(exist_ok=True)
        self._node.start({"log": str(self.wire_log), **self.settings})

    def kill(self) -> None:
        """Cut its power."""
        self._node.kill()

    def frames(self) -> list[Frame]:
        """Return everything in its wire log."""
        lines = whole_lines(self.wire_log)
        return [msgspec.json.decode(line, type=Frame) for line in lines]

    def complaints(self) -> list[str]:
        """Return what did not fit the standard's schemas."""
        text = self._node.errors.read_text(encoding="utf-8")
        return [line for line in text.splitlines() if line.startswith("schema:")]

    # --- at the charge point itself

    def connector(self, number: int = 1) -> Connector:
        """Look at a connector."""
        return self._do(do="panel").connectors[number - 1]

    def plug(self, number: int = 1) -> None:
        """Plug a vehicle in."""
        self._do(do="plug", connector=number)

    def swipe(self, number: int = 1) -> None:
        """Hold a card to it: a transaction begins."""
        self._do(do="swipe", connector=number)

    def unplug(self, number: int = 1) -> None:
        """Drive away."""
        self._do(do="unplug", connector=number)

    def fault(self, number: int = 1, *, on: bool) -> None:
        """Make a connector report Faulted, or be well again."""
        self._do(do="fault", connector=number, on=on)

    def hang_up(self) -> None:
        """Break the connection as a mobile network does; it comes back by itself."""
        self._do(do="hang_up")

    def _do(self, **command: object) -> Panel:
        return msgspec.json.decode(self._node.tell(command), type=Panel)


@contextmanager
def charge_points(
    folder: Path,
    points: Mapping[str, tuple[str, ...]],
    *,
    version: str = "1.6",
    manners: Sequence[str] = (),
    more: str = "",
) -> Iterator[tuple[TestSite, dict[str, OcppPeer]]]:
    """Give a site of charge points by identity, each with a connector per schedule key.

    A vehicle is plugged in everywhere. ``manners`` are what the charge points do in their own way,
    as their scripts say. ``more`` is more text for the site file.
    """
    os.environ[KEY_VARIABLE] = secrets.token_hex(16)
    keys = tuple(key for own in points.values() for key in own)
    depot = Depot()
    site = TestSite(folder, keys, depot, free_port())
    offered = "" if version == "1.6" else f'versions = ["{version}"]\n'
    listen = f'[ocpp]\nlisten = "127.0.0.1:{site.ocpp_port}"\n{offered}'
    text = ['[site]\nid = "sit_test"\n', listen]
    peers: dict[str, OcppPeer] = {}
    with ExitStack() as stack:
        stack.callback(depot.stop)
        for identity, own in points.items():
            text += [_asset(identity, number, key) for number, key in enumerate(own, 1)]
            settings: dict[str, object] = {
                "url": f"ws://127.0.0.1:{site.ocpp_port}",
                "identity": identity,
                "password": os.environ[KEY_VARIABLE],
                "connectors": len(own),
                "plugged": list(range(1, len(own) + 1)),
                "manners": list(manners),
            }
            peers[identity] = OcppPeer(folder / identity, version, settings)
            peers[identity].start()
            stack.callback(peers[identity].kill)
        site.file.write_text("".join([*text, more]), encoding="utf-8")
        yield site, peers


def _asset(identity: str, number: int, key: str) -> str:
    return f"""
[[asset]]
id = "ast_{key}"
kind = "ev_charger"
schedule_key = "{key}"
adapter = "ocpp"
charge_point = "{identity}"
connector = {number}
password_env = "{KEY_VARIABLE}"
max_kw = 22
min_a = 0
fallback_kw = 1.4
"""
