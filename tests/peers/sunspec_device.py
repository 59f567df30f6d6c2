"""A battery with a SunSpec map, made by SunSpec's own library and served by pyModbusTCP.

    python sunspec_device.py '{"log": "wire.jsonl", "port": 0, "control": 124, "base": 40000}'

Prints ``{"ready": PORT}`` and ends with its stdin. ``log`` gets a line for each write, and one for
each power that it is to hold (charging positive), null for its own control. ``second_s`` is how
long one of its seconds lasts. It has nothing of Setpoint's in it.
"""

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

from pyModbusTCP.server import DataBank, ModbusServer
from sunspec2 import device

RATED_W: Final = 5_000
CHAINS: Final[dict[int, tuple[int, ...]]] = {124: (1, 103, 124), 704: (1, 701, 702, 704, 713)}
VALUES: Final[dict[int, dict[str, object]]] = {
    1: {"Mn": "Acme", "Md": "Battery", "SN": "7"},
    103: {"W": 0, "W_SF": 0},
    124: {
        "WChaMax": RATED_W,
        "WChaMax_SF": 0,
        "StorCtl_Mod": 0,
        "InWRte": 10_000,
        "OutWRte": 10_000,
        "InOutWRte_RvrtTms": 0,
        "InOutWRte_SF": -2,
        "ChaState": 505,
        "ChaState_SF": -1,
        "ChaSt": 6,
    },
    701: {"W": 0, "W_SF": 0},
    702: {"WChaRteMaxRtg": RATED_W, "WDisChaRteMaxRtg": RATED_W, "W_SF": 0},
    704: {
        "WSetEna": 0,
        "WSetMod": 0,
        "WSet": 0,
        "WSetRvrt": 0,
        "WSetEnaRvrt": 0,
        "WSetRvrtTms": 0,
        "WSet_SF": 0,
    },
    713: {"SoC": 505, "Pct_SF": -1},
}


class Battery(DataBank):  # type: ignore[misc]  # without type information
    """The map; what is not in it is refused."""

    def __init__(self, log: Path, control: int, base: int, second_s: float) -> None:
        """Begin under its own control."""
        super().__init__(virtual_mode=True)
        self._log = log.open("a", encoding="utf-8")
        self._second_s = second_s
        self._control = control
        self._lock = threading.Lock()
        self._ends_at: float | None = None
        self._words: dict[int, int] = {}
        self._places: dict[tuple[int, str], int] = {}
        address = self._put(base, b"SunS")
        for model_id in CHAINS[control]:
            model = device.Model(model_id)
            for name, value in VALUES[model_id].items():
                model.points[name].value = value
            for name, point in model.points.items():
                self._places[model_id, name] = address + point.offset
            address = self._put(address, model.get_mb())
        self._put(address, b"\xff\xff\x00\x00")

    def _put(self, address: int, octets: bytes) -> int:
        for place in range(0, len(octets), 2):
            self._words[address + place // 2] = int.from_bytes(octets[place : place + 2], "big")
        return address + len(octets) // 2

    # --- requests

    def get_holding_registers(
        self, address: int, number: int = 1, srv_info: object = None
    ) -> list[int] | None:
        """Return the words, null for an exception."""
        del srv_info
        with self._lock:
            self._lapse()
            places = range(address, address + number)
            if not all(place in self._words for place in places):
                return None
            return [self._words[place] for place in places]

    def set_holding_registers(
        self, address: int, word_list: list[int], srv_info: object = None
    ) -> bool | None:
        """Take the words; null for an exception."""
        del srv_info
        with self._lock:
            self._lapse()
            self._say(kind="write", address=address, values=word_list)
            places = range(address, address + len(word_list))
            if not all(place in self._words for place in places):
                return None
            self._words.update(zip(places, word_list, strict=True))
            self._obey()
            return True

    # --- what it does

    def _value(self, name: str, words: int = 1, *, signed: bool = False) -> int:
        place = self._places[self._control, name]
        octets = b"".join(self._words[place + n].to_bytes(2, "big") for n in range(words))
        return int.from_bytes(octets, "big", signed=signed)

    def _obey(self) -> None:
        power_w, timer = self._bounds() if self._control == 124 else self._power()
        self._ends_at = _now_s() + timer * self._second_s if timer and power_w is not None else None
        self._hold(power_w, "write")

    def _bounds(self) -> tuple[int | None, int]:
        """Return what both bounds force, null while they leave a choice."""
        most = self._value("InWRte", signed=True) * RATED_W // 10_000
        least = -self._value("OutWRte", signed=True) * RATED_W // 10_000
        forced = self._value("StorCtl_Mod") == 3 and most == least
        return (most if forced else None), self._value("InOutWRte_RvrtTms")

    def _power(self) -> tuple[int | None, int]:
        enabled = self._value("WSetEna") == 1 and self._value("WSetMod") == 1
        power_w = -self._value("WSet", 2, signed=True) if enabled else None
        return power_w, self._value("WSetRvrtTms", 2)

    def _lapse(self) -> None:
        if self._ends_at is None or _now_s() < self._ends_at:
            return
        self._ends_at = None
        if self._control == 124:
            self._words[self._places[124, "StorCtl_Mod"]] = 0
            self._hold(None, "timer")
            return
        place, reverted = (self._places[704, name] for name in ("WSet", "WSetRvrt"))
        self._words[place], self._words[place + 1] = (
            self._words[reverted],
            self._words[reverted + 1],
        )
        self._words[self._places[704, "WSetEna"]] = self._value("WSetEnaRvrt")
        self._hold(self._power()[0], "timer")

    def _hold(self, power_w: int | None, by: str) -> None:
        self._say(kind="power", power_w=power_w, by=by)

    def _say(self, **entry: Any) -> None:  # noqa: ANN401 - JSON
        self._log.write(json.dumps(entry) + "\n")
        self._log.flush()


def _now_s() -> float:
    return time.monotonic()  # noqa: TID251 - a device has a clock of its own


def main() -> None:
    """Serve until stdin ends."""
    settings: dict[str, Any] = {"port": 0, "control": 124, "base": 40_000, "second_s": 1.0}
    settings |= json.loads(sys.argv[1])
    bank = Battery(
        Path(settings["log"]), settings["control"], settings["base"], settings["second_s"]
    )
    server = ModbusServer(host="127.0.0.1", port=settings["port"], no_block=True, data_bank=bank)
    server.start()
    port = server._service.server_address[1]  # noqa: SLF001 - it is told nowhere else
    print(json.dumps({"ready": port}), flush=True)  # noqa: T201 - to whoever started it
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main()
