"""A hybrid inverter with forcible charge and discharge, on pyModbusTCP's server.

    python inverter.py '{"log": "wire.jsonl", "port": 0}'

Its registers are those of a SUN2000 with a LUNA2000, as far as a battery is controlled by them.
Prints ``{"ready": PORT}`` and ends with its stdin. ``log`` gets a line for each write, and one for
each power that it is to hold, null for its own control. It has nothing of Setpoint's in it.
"""

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

from pyModbusTCP.server import DataBank, ModbusServer

POWER, SOC = 37_001, 37_004
PERIOD, COMMAND, SETTING_MODE, CHARGE, DISCHARGE = 47_083, 47_100, 47_246, 47_247, 47_249
STOP, FORCE_CHARGE, FORCE_DISCHARGE = 0, 1, 2
RATED_W = 30_000


class Inverter(DataBank):  # type: ignore[misc]  # without type information
    """The registers; what is not there is refused."""

    def __init__(self, log: Path, minute_s: float) -> None:
        """Begin under its own control."""
        super().__init__(virtual_mode=True)
        self._log = log.open("a", encoding="utf-8")
        self._minute_s = minute_s
        self._lock = threading.Lock()
        self._ends_at: float | None = None
        wide = (POWER, CHARGE, DISCHARGE)
        places = [SOC, PERIOD, COMMAND, SETTING_MODE, *wide, *(place + 1 for place in wide)]
        self._words = dict.fromkeys(places, 0)
        self._words[SOC] = 512

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
            if not all(place in self._words and place > SOC for place in places):
                return None
            self._words.update(zip(places, word_list, strict=True))
            if COMMAND in places:
                self._obey(self._words[COMMAND])
            return True

    def _obey(self, command: int) -> None:
        if command == STOP or self._words[SETTING_MODE] or not self._words[PERIOD]:
            self._stop("command")
            return
        self._ends_at = _now_s() + self._words[PERIOD] * self._minute_s
        register = CHARGE if command == FORCE_CHARGE else DISCHARGE
        power_w = min(self._words[register] << 16 | self._words[register + 1], RATED_W)
        self._hold(power_w if command == FORCE_CHARGE else -power_w, "command")

    def _lapse(self) -> None:
        if self._ends_at is not None and _now_s() >= self._ends_at:
            self._stop("period")

    def _stop(self, by: str) -> None:
        self._ends_at = None
        self._words[COMMAND] = STOP
        self._hold(None, by)

    def _hold(self, power_w: int | None, by: str) -> None:
        """Do it at once; charging is positive."""
        flow = (power_w or 0) & 0xFFFF_FFFF
        self._words[POWER], self._words[POWER + 1] = flow >> 16, flow & 0xFFFF
        self._say(kind="power", power_w=power_w, by=by)

    def _say(self, **entry: Any) -> None:  # noqa: ANN401 - JSON
        self._log.write(json.dumps(entry) + "\n")
        self._log.flush()


def _now_s() -> float:
    return time.monotonic()  # noqa: TID251 - a device has a clock of its own


def main() -> None:
    """Serve until stdin ends."""
    settings = {"port": 0, "minute_s": 60.0, **json.loads(sys.argv[1])}
    bank = Inverter(Path(settings["log"]), settings["minute_s"])
    server = ModbusServer(host="127.0.0.1", port=settings["port"], no_block=True, data_bank=bank)
    server.start()
    port = server._service.server_address[1]  # noqa: SLF001 - it is told nowhere else
    print(json.dumps({"ready": port}), flush=True)  # noqa: T201 - to whoever started it
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main()
