"""States as bytes and back."""

import msgspec
import pytest
from msgspec.structs import replace

from actors.testing.rig import Rig, battery_rules, charger_rules, plan_of
from engine.adapters import base
from engine.asset import AssetState, Outside, snapshot
from engine.asset import messages as message
from engine.commands import CommandType
from engine.events import Setpoint
from engine.types import Channel

HOUR = plan_of(
    (0, Channel.CHARGE, 11_000), (900, Channel.CHARGE, 0), (1_800, Channel.CHARGE, 7_000)
)


def busy() -> Rig:
    """Return a charger with something in most of its fields."""
    rig = Rig(charger_rules(fallback_w=1_400, options={"a": [1, {"b": None}]}))
    rig.connect("CHARGING")
    rig.observe(base.TransactionChanged("started", "7", "key", "TAG"))
    rig.observe(base.CapabilitiesLearned({"ChargeProfileMaxStackLevel": "3"}))
    rig.offer(HOUR, 2_700)
    rig.answer("rejected")
    for wanted in (CommandType.STOP_CHARGING, CommandType.CALL):
        rig.tell(message.CommandRequested(wanted, "anna", "test", {"action": "Reset"}, print))
    rig.tell(
        message.OverrideRequested(
            Setpoint(3_000, 0),
            CommandType.SET_CHARGE_RATE,
            "unplugged",
            None,
            "anna",
            "t",
            "operator",
            print,
        )
    )
    return rig


@pytest.mark.parametrize("rig", [busy(), Rig(battery_rules())], ids=["busy", "new"])
def test_a_snapshot_gives_the_state_back(rig: Rig) -> None:
    """But for what is beside the fold."""
    assert snapshot.decode(snapshot.encode(rig.state)) == replace(rig.state, outside=Outside())


def test_the_same_state_gives_the_same_bytes() -> None:
    """Whatever is beside the fold; another state gives others."""
    state = busy().state
    later = replace(state, outside=replace(state.outside, last_seen_us=1))
    assert snapshot.digest(state) == snapshot.digest(later)
    assert snapshot.digest(state) != snapshot.digest(replace(state, crashes=1))


@pytest.mark.parametrize("place", [0, 1])
def test_a_snapshot_of_other_versions_is_ignored(place: int) -> None:
    """Of the state's fields or of evolve: it would not be the fold's state."""
    parts = msgspec.msgpack.decode(snapshot.encode(AssetState(busy().state.asset_id)))
    parts[place] += 1
    assert snapshot.decode(msgspec.msgpack.encode(parts)) is None


@pytest.mark.parametrize("body", [b"", b"\x00", b"\x93\x01\x01\x00"])
def test_what_is_no_snapshot_is_ignored(body: bytes) -> None:
    """Bytes that are damaged, or something else."""
    assert snapshot.decode(body) is None


def test_the_bytes_of_this_version_are_known() -> None:
    """If they change, the fields or evolve changed: raise FIELDS or EVOLVE and put these anew."""
    known = "22a563cb751fb9ada9e0f050727b1ac92ceb78bea273056faeb35dc36fb4b354"
    assert (snapshot.FIELDS, snapshot.EVOLVE) == (19, 18)
    assert snapshot.digest(busy().state).hex() == known
