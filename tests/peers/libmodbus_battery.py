"""A battery inverter with Modbus TCP, on libmodbus, the library in C.

    python libmodbus_battery.py '{"log": "wire.jsonl", "port": 0}'

Registers, wire log and commands on stdin are those of `battery.js` with `modbus_serial_battery.js`
on it; nothing in it is Setpoint's. The library answers for every unit, from a mapping in which what
lies between the registers is zero; what the battery does not take the program refuses before. It
serves one client at a time, as the library's simplest server does: another one waits.
"""

import ctypes
import json
import select
import socket
import sys
import time
from ctypes.util import find_library
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TextIO

TICK_S: Final = 0.05
MODEL, SOC, STATE, POWER, CHARGE, DISCHARGE, SIGNED, HEARTBEAT = 0, 10, 11, 12, 20, 21, 22, 30
SIZE: Final = HEARTBEAT + 1
WRITABLE: Final = frozenset({CHARGE, DISCHARGE, SIGNED, SIGNED + 1, HEARTBEAT})
STATES: Final = {"IDLE": 0, "CHARGING": 1, "DISCHARGING": 2, "FAULTED": 3}
RATED_W: Final = 60_000
CAPACITY_WS: Final = 100 * 3_600_000
READ, WRITE_ONE, WRITE_MORE = 3, 6, 16
ILLEGAL_ADDRESS, ILLEGAL_VALUE = 2, 3


class Mapping(ctypes.Structure):
    """The library's ``modbus_mapping_t``."""

    _fields_ = (
        ("nb_bits", ctypes.c_int),
        ("start_bits", ctypes.c_int),
        ("nb_input_bits", ctypes.c_int),
        ("start_input_bits", ctypes.c_int),
        ("nb_input_registers", ctypes.c_int),
        ("start_input_registers", ctypes.c_int),
        ("nb_registers", ctypes.c_int),
        ("start_registers", ctypes.c_int),
        ("tab_bits", ctypes.POINTER(ctypes.c_uint8)),
        ("tab_input_bits", ctypes.POINTER(ctypes.c_uint8)),
        ("tab_input_registers", ctypes.POINTER(ctypes.c_uint16)),
        ("tab_registers", ctypes.POINTER(ctypes.c_uint16)),
    )


class Server:
    """The library's server for one client, and the registers that it answers from."""

    def __init__(self, port: int) -> None:
        """Listen; port 0 is any that is free."""
        self._library = ctypes.CDLL(find_library("modbus"), use_errno=True)
        self._library.modbus_new_tcp.restype = ctypes.c_void_p
        self._library.modbus_strerror.restype = ctypes.c_char_p
        self._library.modbus_mapping_new.restype = ctypes.POINTER(Mapping)
        self._context = ctypes.c_void_p(self._library.modbus_new_tcp(b"127.0.0.1", port))
        self._mapping = self._library.modbus_mapping_new(0, 0, SIZE, 0)
        self._query = ctypes.create_string_buffer(260)  # MODBUS_TCP_MAX_ADU_LENGTH
        self._length = 0
        self._header = self._library.modbus_get_header_length(self._context)
        self._listener = ctypes.c_int(self._library.modbus_tcp_listen(self._context, 1))
        if self._listener.value < 0:
            raise OSError(self._library.modbus_strerror(ctypes.get_errno()).decode())
        self._client: int | None = None
        self.registers = self._mapping.contents.tab_registers

    @property
    def port(self) -> int:
        """The port that it listens on."""
        with socket.socket(fileno=socket.dup(self._listener.value)) as listener:
            return int(listener.getsockname()[1])

    @property
    def waits_for(self) -> int:
        """The socket on which something may come: its client's, or a client."""
        return self._listener.value if self._client is None else self._client

    def receive(self) -> bytes | None:
        """Take what has come: the request without its header; null for a client or its end."""
        if self._client is None:
            client = self._library.modbus_tcp_accept(self._context, ctypes.byref(self._listener))
            self._client = None if client < 0 else client
            return None
        self._length = self._library.modbus_receive(self._context, self._query)
        if self._length < 0:
            self.hang_up()
        return self._query.raw[self._header : self._length] if self._length > 0 else None

    def answer(self) -> None:
        """Have the library do what was received, and answer it."""
        self._library.modbus_reply(self._context, self._query, self._length, self._mapping)

    def refuse(self, code: int) -> None:
        """Answer with an exception."""
        self._library.modbus_reply_exception(self._context, self._query, code)

    def hang_up(self) -> None:
        """Close the connection, if there is one."""
        if self._client is not None:
            self._library.modbus_close(self._context)
            self._client = None


@dataclass
class Battery:
    """What the registers say and do. Its power follows at once."""

    log: TextIO
    watchdog_s: float
    fallback_w: int
    charge_w: int = 0
    discharge_w: int = 0
    signed: list[int] = field(default_factory=lambda: [0, 0])  # which nothing in here obeys
    soc_pct: float = 50.0
    heartbeat: int = 0
    faulted: bool = False
    held: bool = False  # whether somebody else's pair is in force, so that the watchdog runs
    alive_at: float = 0.0
    now: float = 0.0

    def switch_on(self, now: float) -> None:
        """Begin with the fallback."""
        self.now = self.alive_at = now
        self._fall_back("power_on")

    def pass_time(self, now: float) -> None:
        """Fill or empty the cells, and mind the watchdog."""
        self.soc_pct += 100 * self.power_w * (now - self.now) / CAPACITY_WS
        self.soc_pct = min(max(self.soc_pct, 0.0), 100.0)
        self.now = now
        if self.held and now - self.alive_at > self.watchdog_s:
            self.held = False
            self._fall_back("watchdog")

    @property
    def power_w(self) -> int:
        """Charging positive."""
        if self.faulted or (self.charge_w and self.discharge_w):
            return 0
        power_w = self.charge_w - self.discharge_w
        if (power_w > 0 and self.soc_pct >= 100) or (power_w < 0 and self.soc_pct <= 0):
            return 0
        return power_w

    @property
    def state(self) -> str:
        """By what it does."""
        if self.faulted:
            return "FAULTED"
        if not self.power_w:
            return "IDLE"
        return "CHARGING" if self.power_w > 0 else "DISCHARGING"

    @property
    def words(self) -> dict[int, int]:
        """What its registers hold."""
        flow = self.power_w & 0xFFFF_FFFF
        return {
            MODEL: 802,
            SOC: round(10 * self.soc_pct),
            STATE: STATES[self.state],
            POWER: flow >> 16,
            POWER + 1: flow & 0xFFFF,
            CHARGE: self.charge_w,
            DISCHARGE: self.discharge_w,
            SIGNED: self.signed[0],
            SIGNED + 1: self.signed[1],
            HEARTBEAT: self.heartbeat,
        }

    def write(self, address: int, word: int) -> None:
        """Obey; the first pair starts the watchdog, a heartbeat that differs keeps it off."""
        if address == CHARGE:
            self._hold(word, self.discharge_w)
        elif address == DISCHARGE:
            self._hold(self.charge_w, word)
        elif address == HEARTBEAT:
            self.alive_at = self.alive_at if word == self.heartbeat else self.now
            self.heartbeat = word
        else:
            self.signed[address - SIGNED] = word

    def say(self, **entry: Any) -> None:  # noqa: ANN401 - JSON
        """Write it down."""
        self.log.write(json.dumps(entry) + "\n")
        self.log.flush()

    def panel(self) -> dict[str, object]:
        """Return what it shows on its front."""
        names = ("charge_w", "discharge_w", "power_w", "soc_pct", "heartbeat", "state")
        return {name: getattr(self, name) for name in names}

    def _hold(self, charge_w: int, discharge_w: int) -> None:
        self.alive_at = self.alive_at if self.held else self.now
        self.held = True
        self._set(charge_w, discharge_w, "write")

    def _fall_back(self, by: str) -> None:
        self._set(max(0, self.fallback_w), max(0, -self.fallback_w), by)

    def _set(self, charge_w: int, discharge_w: int, by: str) -> None:
        self.charge_w, self.discharge_w = charge_w, discharge_w
        self.say(kind="pair", charge_w=charge_w, discharge_w=discharge_w, by=by)


@dataclass
class Program:
    """The battery behind its server, and what the service port makes of both."""

    server: Server
    battery: Battery
    refused: int | None = None  # the exception that every write gets
    deaf_until: float = 0.0
    deaf_to: tuple[str, ...] = ()
    obeys: bool = False  # deaf, it does what it is told even so

    def run(self) -> None:
        """Serve until stdin ends."""
        self.battery.switch_on(_now_s())
        while True:
            come, _, _ = select.select([sys.stdin, self.server.waits_for], [], [], TICK_S)
            self.battery.pass_time(_now_s())
            if self.server.waits_for in come:
                query = self.server.receive()
                if query is not None:
                    self._serve(query)
            if sys.stdin in come:
                line = sys.stdin.readline()
                if not line:
                    return
                self._do(json.loads(line))
                _say(self.battery.panel())

    def _serve(self, query: bytes) -> None:
        """Do one request; the library itself refuses what is none for holding registers."""
        function, address = query[0], int.from_bytes(query[1:3], "big")
        if function == READ:
            self._read(address, int.from_bytes(query[3:5], "big"))
        elif function == WRITE_ONE:
            self._write(function, address, _words(query[3:5]))
        elif function == WRITE_MORE:
            self._write(function, address, _words(query[6 : 6 + query[5]]))
        else:
            self.server.answer()

    def _read(self, address: int, count: int) -> None:
        deaf = self._is_deaf_to("read")
        for place, word in self.battery.words.items():
            self.server.registers[place] = word
        values = self.server.registers[address : address + count] if address + count <= SIZE else []
        known: dict[str, object] = {"values": values} if values else {"exception": ILLEGAL_ADDRESS}
        entry = {"kind": "read", "function": READ, "address": address, "count": count}
        self.battery.say(**entry, **known, answered=not deaf)
        if not deaf:
            self.server.answer()

    def _write(self, function: int, address: int, values: list[int]) -> None:
        """Have the battery obey, write it down, and then answer."""
        deaf = self._is_deaf_to("write")
        entry = {"kind": "write", "function": function, "address": address, "values": values}
        if deaf and not self.obeys:
            self.battery.say(**entry, answered=False)
            return
        code = self._refusal(address, values)
        for place, word in enumerate(values if code is None else []):
            self.battery.write(address + place, word)
        self.battery.say(**entry, exception=code, answered=not deaf)
        if deaf:
            return
        if code is None:
            self.server.answer()
        else:
            self.server.refuse(code)

    def _refusal(self, address: int, values: list[int]) -> int | None:
        """Return the exception that a write gets, null where the battery takes it."""
        if self.refused is not None:
            return self.refused
        words = {address + place: word for place, word in enumerate(values)}
        if not words.keys() <= WRITABLE:
            return ILLEGAL_ADDRESS
        powers = [word for place, word in words.items() if place in {CHARGE, DISCHARGE}]
        return ILLEGAL_VALUE if max(powers, default=0) > RATED_W else None

    def _is_deaf_to(self, kind: str) -> bool:
        return self.battery.now < self.deaf_until and kind in self.deaf_to

    def _do(self, command: dict[str, Any]) -> None:
        """Do what it is told at the service port."""
        match command:
            case {"do": "fault", "on": on}:
                self.battery.faulted = on
            case {"do": "refuse", "code": code}:
                self.refused = code
            case {"do": "deaf", "seconds": seconds, "to": to, "obeys": obeys}:
                self.deaf_until, self.deaf_to = self.battery.now + seconds, tuple(to)
                self.obeys = obeys
            case {"do": "hang_up"}:
                self.server.hang_up()
            case _:  # the panel is the answer to everything
                pass


def _words(octets: bytes) -> list[int]:
    return [int.from_bytes(octets[place : place + 2], "big") for place in range(0, len(octets), 2)]


def _now_s() -> float:
    return time.monotonic()  # noqa: TID251 - a device has a clock of its own


def _say(line: dict[str, object]) -> None:
    print(json.dumps(line), flush=True)  # noqa: T201 - to whoever started it


def main() -> None:
    """Serve until stdin ends."""
    settings = {"port": 0, "watchdogS": 60, "fallbackW": 0, **json.loads(sys.argv[1])}
    server = Server(settings["port"])
    with Path(settings["log"]).open("a", encoding="utf-8") as log:
        battery = Battery(log, settings["watchdogS"], settings["fallbackW"])
        _say({"ready": server.port})
        Program(server, battery).run()


if __name__ == "__main__":
    main()
