"""A station of OCPP 2.0.1, written by hand on a bare websocket, and a whole engine."""

import base64
import json
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from ocpp.messages import get_validator
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from actors.clock import wall_now
from actors.control import NotReachable, request
from actors.sim.depot import Depot
from actors.testing.site import KEY_VARIABLE, TestSite, free_port
from actors.testing.waiting import wait_until

if TYPE_CHECKING:
    import subprocess

KEY = "0123456789abcdef0123"
SITE = """
[site]
id = "sit_test"
[defaults]
max_retries = 0
[ocpp]
listen = "127.0.0.1:{port}"
{ocpp}
[[asset]]
id = "ast_a"
kind = "ev_charger"
schedule_key = "a"
adapter = "ocpp"
charge_point = "CP-A"
connector = 2
password_env = "SETPOINT_TEST_KEY"
max_kw = 11
fallback_kw = 4.2
"""
WAIT_S = 40.0
BOOT = {"reason": "PowerUp", "chargingStation": {"vendorName": "v", "model": "m"}}
OLD_BOOT = {"chargePointVendor": "v", "chargePointModel": "m"}
EVSE = {"evse": {"id": 2, "connectorId": 1}}
ANSWERS: dict[str, dict[str, Any]] = {
    "ClearChargingProfile": {"status": "Unknown"},
    "GetVariables": {
        "getVariableResult": [
            {
                "attributeStatus": "Accepted",
                "attributeValue": "A",
                "component": {"name": "SmartChargingCtrlr"},
                "variable": {"name": "RateUnit"},
            }
        ]
    },
}


@attrs.define
class Station:
    """A station: what it was asked, and what it answers: accepted, unless told otherwise."""

    socket: ClientConnection
    unread: list[list[Any]] = attrs.field(factory=list)
    answers: dict[str, dict[str, Any]] = attrs.field(factory=lambda: dict(ANSWERS))
    asked: int = 0

    def say(self, action: str, payload: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """Ask the central system, and return its answer; its own CALLs are answered meanwhile."""
        self.asked += 1
        own_id = f"own-{self.asked}"
        self.socket.send(json.dumps([2, own_id, action, payload]))
        return self.until(lambda frame: frame[:2] == [3, own_id])[2]

    def until(self, wanted: Callable[[list[Any]], bool]) -> list[Any]:
        """Return the first frame that is wanted; what is asked for is answered."""
        while True:
            frame: list[Any] = json.loads(self.socket.recv(WAIT_S))
            if frame[0] == 2:
                self.unread.append(frame)
                get_validator(2, frame[2], "2.0.1").validate(frame[3])
                answer = self.answers.get(frame[2], {"status": "Accepted"})
                self.socket.send(json.dumps([3, frame[1], answer]))
            if wanted(frame):
                return frame

    def called(self, action: str) -> Any:  # noqa: ANN401 - JSON
        """Return the payload of the next CALL of an action that was not looked at yet."""
        while not any(frame[2] == action for frame in self.unread):
            self.until(lambda frame: frame[0] == 2)
        frame = next(frame for frame in self.unread if frame[2] == action)
        self.unread.remove(frame)
        return frame[3]

    def event(
        self,
        kind: str,
        seq_no: int,
        charging: str | None,
        **more: Any,  # noqa: ANN401 - JSON
    ) -> Any:  # noqa: ANN401 - JSON
        """Say what happens in transaction tx-1."""
        info = {"transactionId": "tx-1"} | ({"chargingState": charging} if charging else {})
        event = {
            "eventType": kind,
            "timestamp": now(),
            "triggerReason": "ChargingStateChanged",
            "seqNo": seq_no,
            "transactionInfo": info,
        }
        return self.say("TransactionEvent", {**event, **more})

    def status(self, status: str) -> None:
        """Say how the connector of EVSE 2 is."""
        told = {"timestamp": now(), "connectorStatus": status, "evseId": 2, "connectorId": 1}
        assert self.say("StatusNotification", told) == {}


def now() -> str:
    """Return the time as a station says it."""
    return wall_now().strftime("%Y-%m-%dT%H:%M:%S.000Z")


class House:
    """A site whose engine may be started, killed and asked."""

    def __init__(self, site: TestSite, ocpp: str) -> None:
        """Write the site file."""
        self.site = site
        self.ocpp = ocpp
        text = SITE.format(port=site.ocpp_port, ocpp=ocpp)
        site.file.write_text(text, encoding="utf-8")
        self.engine: subprocess.Popen[str] | None = None
        self.sockets: list[ClientConnection] = []

    def start(self) -> None:
        """Start the engine and wait until it listens."""
        self.engine = self.site.started("run", str(self.site.file))
        self.until(lambda: self.ask("state", {}) is not None)

    def kill(self) -> None:
        """End it at once."""
        assert self.engine is not None
        self.engine.send_signal(signal.SIGKILL)
        self.engine.wait(10)

    def ask(self, op: str, args: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """Ask the running engine, null while there is none."""
        try:
            return request(str(self.site.folder / ".sit_test.sock"), op, args, WAIT_S)
        except NotReachable:
            return None

    def send(self, kind: str, **more: Any) -> None:  # noqa: ANN401 - JSON
        """Have something done by hand."""
        args = {"asset": "ast_a", "type": kind, "by": "ann", "reason": "a test", **more}
        assert self.ask("send", args) is not None

    def call(self, action: str, **payload: Any) -> None:  # noqa: ANN401 - JSON
        """Have a message sent by hand."""
        args = {"asset": "ast_a", "action": action, "payload": payload}
        assert self.ask("call", {**args, "by": "ann", "reason": "a test"}) is not None

    @property
    def state(self) -> dict[str, Any]:
        """What is known of the asset."""
        (state,) = self.ask("state", {})
        assert isinstance(state, dict)
        return state

    def is_now(self, **wanted: object) -> None:
        """Wait until the asset is as wanted."""
        self.until(lambda: all(self.state[name] == value for name, value in wanted.items()))

    def until(self, wanted: Callable[[], bool]) -> None:
        """Wait until something is so."""
        try:
            wait_until(wanted, WAIT_S)
        except TimeoutError as error:
            raise TimeoutError((self.site.folder / "err.txt").read_text()) from error

    def let_go(self) -> None:
        """Close what stations have left open."""
        for socket in self.sockets:
            socket.close()

    def connect(self, *protocols: str) -> Station:
        """Connect a station that offers versions."""
        token = base64.b64encode(f"CP-A:{KEY}".encode()).decode()
        socket = connect(
            f"ws://127.0.0.1:{self.site.ocpp_port}/ocpp/CP-A",
            subprotocols=[Subprotocol(one) for one in protocols or ("ocpp2.0.1",)],
            additional_headers={"Authorization": f"Basic {token}"},
            legacy=True,
        )
        self.sockets.append(socket)
        return Station(socket)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], House]]:
    """Give what makes a site; its engine does not outlive the test."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    site = TestSite(tmp_path, (), Depot(), free_port())
    houses: list[House] = []

    def built(ocpp: str) -> House:
        houses.append(House(site, ocpp))
        return houses[-1]

    site.depot.start()
    try:
        yield built
    finally:
        site.killed()
        for one in houses:
            one.let_go()
        site.depot.stop()


def boot(house: House) -> Station:
    """Return a station that has booted and is free."""
    station = house.connect("ocpp1.6", "ocpp2.0.1")
    assert station.socket.subprotocol == "ocpp2.0.1"
    assert station.say("BootNotification", BOOT)["status"] == "Accepted"
    station.status("Available")
    station.called("GetVariables")
    for _ in range(2):  # frames are read in order: by then it is known what it can do
        station.say("Heartbeat", {})
    return station


def charge(house: House, station: Station) -> None:
    """Have a vehicle charge by a start of ours, under a setpoint of 6 kW."""
    house.send("SET_CHARGE_RATE", kw=6)
    default = station.called("SetChargingProfile")
    assert (default["evseId"], default["chargingProfile"]["id"]) == (2, 2_000)
    assert default["chargingProfile"]["chargingSchedule"][0]["chargingRateUnit"] == "A"
    house.send("START_CHARGING")
    start = station.called("RequestStartTransaction")
    assert start["evseId"] == 2
    station.status("Occupied")
    told = {**EVSE, "idToken": start["idToken"]}
    info = station.event("Started", 0, "EVConnected", **told)
    assert info == {"idTokenInfo": {"status": "Accepted"}}
    own = station.called("SetChargingProfile")["chargingProfile"]
    assert (own["transactionId"], own["id"]) == ("tx-1", 2_010)
    meter = {"value": 5.9, "measurand": "Power.Active.Import", "unitOfMeasure": {"unit": "kW"}}
    value = [{"timestamp": now(), "sampledValue": [meter]}]
    station.event("Updated", 1, "Charging", meterValue=value)
    house.is_now(state="CHARGING", transaction_id="tx-1", measured_kw=5.9)


def statuses(house: House, kind: str) -> list[tuple[object, object]]:
    """Return how the commands of a type ended, and why."""
    return [(one["status"], one["reason"]) for one in house.site.history() if one["type"] == kind]


@pytest.mark.timeout(120)
def test_a_station_charges_through_a_kill_of_the_engine(house: Callable[[str], House]) -> None:
    """Boot, start, profile, meter values, kill and restart, stop, availability, reset."""
    site = house("")
    site.start()
    station = boot(site)
    charge(site, station)

    site.kill()
    site.start()
    station = site.connect()
    station.event("Updated", 2, "SuspendedEV", offline=True)
    asked = station.called("TriggerMessage")
    assert asked["requestedMessage"] == "BootNotification"
    station.status("Occupied")
    station.event("Updated", 3, "Charging")
    site.is_now(state="CHARGING", state_known=True, transaction_id="tx-1", setpoint_kw=6)
    profile = station.called("SetChargingProfile")["chargingProfile"]
    assert profile["transactionId"] == "tx-1"

    site.send("STOP_CHARGING")
    assert station.called("RequestStopTransaction") == {"transactionId": "tx-1"}
    station.event("Ended", 4, "EVConnected", triggerReason="RemoteStop")
    site.is_now(state="FINISHING", transaction_id=None)
    station.status("Available")
    site.is_now(state="AVAILABLE")

    site.send("CHANGE_AVAILABILITY", operative=False)
    changed = station.called("ChangeAvailability")
    assert changed == {"operationalStatus": "Inoperative", "evse": {"id": 2}}
    station.status("Unavailable")
    site.is_now(state="UNAVAILABLE")
    site.send("CHANGE_AVAILABILITY", operative=True)
    station.called("ChangeAvailability")
    station.status("Available")
    site.is_now(state="AVAILABLE")

    station.answers["Reset"] = {"status": "Scheduled"}
    site.call("Reset", type="OnIdle")
    assert station.called("Reset") == {"type": "OnIdle"}
    station.socket.close()
    site.is_now(connected=False)
    station = boot(site)
    again = station.called("SetChargingProfile")["chargingProfile"]
    assert again["chargingProfilePurpose"] == "TxDefaultProfile"
    site.until(lambda: bool(station.say("Heartbeat", {})) and not site.state["open_commands"])

    for kind in ("START_CHARGING", "STOP_CHARGING", "CHANGE_AVAILABILITY", "CALL"):
        assert {("COMPLETED", None)} == {*statuses(site, kind)}, kind
    assert statuses(site, "SET_CHARGE_RATE")[0][0] == "COMPLETED"
    assert site.site.setpoint("verify", str(site.site.file)).returncode == 0
    why = site.site.setpoint("why", str(site.site.file), "ast_a").stdout
    assert "ann" in why


@pytest.mark.timeout(120)
def test_a_station_that_others_limit_and_that_goes_out_of_service_later(
    house: Callable[[str], House],
) -> None:
    """What the grid's operator does is told; what is scheduled is done when the status says so."""
    site = house("")
    site.start()
    station = boot(site)
    charge(site, station)
    period = {"startPeriod": 0, "limit": 6.0}
    schedule = {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [period]}
    limit = {"chargingLimitSource": "SO", "isGridCritical": True}
    told = {"evseId": 0, "chargingLimit": limit, "chargingSchedule": [schedule]}
    assert station.say("NotifyChargingLimit", told) == {}
    site.is_now(alarms=["external_limit"])
    why = site.site.setpoint("why", str(site.site.file), "ast_a").stdout
    assert "the grid's operator limits the charger to 6 A, since" in why

    site.kill()
    site.start()
    station = site.connect()
    station.status("Occupied")
    station.event("Updated", 2, "Charging")
    site.is_now(connected=True, alarms=["external_limit"])
    assert station.say("ClearedChargingLimit", {"chargingLimitSource": "SO"}) == {}
    site.is_now(alarms=[])

    station.answers["ChangeAvailability"] = {"status": "Scheduled"}
    site.send("CHANGE_AVAILABILITY", operative=False)
    station.called("ChangeAvailability")
    site.until(lambda: statuses(site, "CHANGE_AVAILABILITY") == [("ACKNOWLEDGED", "scheduled")])
    station.event("Ended", 3, "EVConnected", triggerReason="EVDeparted")
    station.status("Unavailable")
    site.until(lambda: statuses(site, "CHANGE_AVAILABILITY") == [("COMPLETED", None)])
    assert site.site.setpoint("verify", str(site.site.file)).returncode == 0


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("ocpp", "offered", "chosen"),
    [
        ("", ("ocpp1.6", "ocpp2.0.1"), "ocpp2.0.1"),
        ("", ("ocpp1.6",), "ocpp1.6"),
        ('versions = ["1.6"]', ("ocpp2.0.1", "ocpp1.6"), "ocpp1.6"),
        ('versions = ["2.0.1"]', ("ocpp2.0.1", "ocpp1.6"), "ocpp2.0.1"),
        ('versions = ["2.0.1"]', ("ocpp1.6",), None),
        ("", ("ocpp2.1", "ocpp1.5"), None),
    ],
)
def test_the_newest_version_that_both_speak_is_chosen(
    house: Callable[[str], House], ocpp: str, offered: tuple[str, ...], chosen: str | None
) -> None:
    """Without a common one nobody comes in."""
    site = house(ocpp)
    site.start()
    if chosen is None:
        with pytest.raises(InvalidStatus, match="400"):
            site.connect(*offered)
        return
    station = site.connect(*offered)
    assert station.socket.subprotocol == chosen


@pytest.mark.timeout(120)
def test_a_station_may_come_back_in_the_other_version(house: Callable[[str], House]) -> None:
    """Its commands are spelled in the one that it speaks now."""
    site = house("")
    site.start()
    station = boot(site)
    site.send("SET_CHARGE_RATE", kw=6)
    station.called("SetChargingProfile")
    station.socket.close()
    site.is_now(connected=False)
    station = site.connect("ocpp1.6")
    station.socket.send(json.dumps([2, "b", "BootNotification", OLD_BOOT]))
    frame: list[Any] = []
    while frame[2:3] != ["SetChargingProfile"]:
        frame = json.loads(station.socket.recv(WAIT_S))
        if frame[0] == 2:
            station.socket.send(json.dumps([3, frame[1], {"status": "Accepted"}]))
    assert frame[3]["connectorId"] == 2
    station.socket.close()
