"""The judge of site limits: what it takes for a promise that was broken."""

import attrs

from actors.testing.limit_rules import LimitRules
from engine import events
from engine.adapters.base import Frame, Outcome, Payload
from engine.codec import Header, Record
from engine.commands import CommandStatus, CommandType
from engine.events import RELEASED, Setpoint
from engine.rules import AssetRules
from engine.types import US_PER_S, AssetId, AssetKind, CommandId

LEASE_US = 900 * US_PER_S


def rules(asset_id: str, kind: AssetKind = AssetKind.EV_CHARGER, **own: int | None) -> AssetRules:
    """Return the rules of a device of 22 kW, with a fallback of 4 kW."""
    more = {"fallback_w": 4_000, "max_discharge_w": 0, **own}
    return AssetRules(AssetId(asset_id), kind, "fake", asset_id, 22_000, **more)  # type: ignore[arg-type] # the fields of AssetRules


class Log:
    """A log in the making, and what the judge says of it."""

    def __init__(self, *assets: AssetRules, export_w: int | None = None) -> None:
        """Begin with a site of 30 kW of which the base load takes 2 kW."""
        self.rules = LimitRules()
        self.said: list[str] = []
        self.at_s = 0
        self._attempts = 0
        self.add("site", events.SiteConfigured("sit", "UTC", (), 30_000, export_w, 2_000))
        for one in assets:
            self.add(one.asset_id, events.AssetConfigured(one))

    def add(self, stream: str, event: events.Event) -> None:
        """Add an event."""
        header = Header(1, stream, 1, 0, self.at_s * US_PER_S)
        self.said += self.rules.feed(Record(header, "a.topic", event))

    def set(
        self,
        asset_id: str,
        setpoint: Setpoint,
        frames: int = 1,
        body: dict[str, object] | None = None,
    ) -> str:
        """Let an attempt begin; return its id."""
        self._attempts += 1
        own_id = f"att_{self._attempts}"
        payload = Payload((Frame("set", body or {}),) * frames)
        kind, ids = CommandType.SET_CHARGE_RATE, (CommandId("cmd"),)
        until_us = self.at_s * US_PER_S + LEASE_US
        self.add(
            asset_id,
            events.AttemptStarted(own_id, 1, 0, ids, kind, None, None, setpoint, payload, until_us),
        )
        return own_id

    def end(
        self,
        asset_id: str,
        attempt_id: str,
        outcome: Outcome = "accepted",
        status: CommandStatus = CommandStatus.COMPLETED,
    ) -> None:
        """Let an attempt end."""
        self.add(asset_id, events.AttemptEnded(attempt_id, outcome, status))

    def hold(
        self,
        asset_id: str,
        charge_w: int,
        discharge_w: int = 0,
        *,
        unit: str = "",
        limit: float = 0,
    ) -> None:
        """Let a device take a setpoint, in the unit of a charging profile if it has one."""
        schedule = {"chargingRateUnit": unit, "chargingSchedulePeriod": [{"limit": limit}]}
        body: dict[str, object] = {"csChargingProfiles": {"chargingSchedule": [schedule]}}
        setpoint = Setpoint(charge_w, discharge_w)
        self.end(asset_id, self.set(asset_id, setpoint, body=body if unit else None))


def test_an_increase_for_which_there_is_no_room_breaks_the_promise() -> None:
    """Fallbacks and base load count."""
    log = Log(rules("ast_a"), rules("ast_b"))
    log.hold("ast_a", 22_000)
    log.hold("ast_b", 6_000)
    assert log.said == []
    log.hold("ast_b", 6_001)
    (said,) = log.said
    assert said == ("limit: att_3 brings what may hold to 28001 W, and the limit leaves 28000 W")
    assert log.rules.increases == 3


def test_a_decrease_makes_room_when_it_is_done() -> None:
    """Not when it is sent, and not when it is refused or nobody answers."""
    log = Log(rules("ast_a"), rules("ast_b"))
    log.hold("ast_a", 22_000)
    lower = log.set("ast_a", Setpoint(5_000, 0))
    log.end("ast_a", lower, "timed_out", CommandStatus.PENDING)
    again = log.set("ast_a", Setpoint(5_000, 0))
    log.end("ast_a", again, "rejected", CommandStatus.PENDING)
    log.set("ast_b", Setpoint(7_000, 0))
    assert len(log.said) == 1
    log.add("ast_a", events.AttemptReconciled(lower, (), "holds", CommandStatus.COMPLETED))
    log.hold("ast_b", 20_000)
    assert len(log.said) == 1


def test_what_is_only_accepted_makes_no_room_until_it_is_shown() -> None:
    """By whatever evidence completes the command, if it is not overtaken."""
    log = Log(rules("ast_a"), rules("ast_b"))
    log.hold("ast_a", 22_000)
    lower = log.set("ast_a", Setpoint(5_000, 0))
    log.end("ast_a", lower, "accepted", CommandStatus.ACKNOWLEDGED)
    done = CommandStatus.COMPLETED
    log.add("ast_a", events.CommandVerified((), done, "ack", "overtaken"))
    log.hold("ast_b", 7_000)
    assert len(log.said) == 1
    log.add("ast_a", events.CommandVerified((), done, "measured"))
    log.hold("ast_b", 20_000)
    assert len(log.said) == 1


def test_what_was_not_sent_was_never_held_and_a_half_taken_one_may_be() -> None:
    """A refusal of the second frame says nothing of the first."""
    log = Log(rules("ast_a"), rules("ast_b"))
    log.end("ast_a", log.set("ast_a", Setpoint(22_000, 0)), "not_sent", CommandStatus.PENDING)
    log.hold("ast_b", 22_000)
    assert log.said == []
    log.add("ast_b", events.DeviceChanged(Setpoint(6_000, None)))
    partly = log.set("ast_a", Setpoint(10_000, 0), frames=2)
    log.end("ast_a", partly, "rejected", CommandStatus.FAILED)
    log.hold("ast_b", 20_000)
    assert len(log.said) == 1


def test_a_lease_that_is_over_leaves_the_fallback() -> None:
    """A minute later, as the device's clock may be slow; without a fallback it is on its own."""
    log = Log(rules("ast_a"), rules("ast_b", fallback_w=0))
    log.hold("ast_a", 22_000)
    log.at_s = 959
    log.hold("ast_b", 7_000)
    assert len(log.said) == 1
    log.at_s = 960
    log.hold("ast_b", 20_000)
    assert len(log.said) == 1
    log.add("ast_a", events.AssetRetired())
    log.add("ast_c", events.AssetConfigured(rules("ast_c", fallback_w=None)))
    log.hold("ast_b", 21_000)
    assert len(log.said) == 2


def test_a_device_on_its_own_may_hold_all_that_it_can_and_discharge_has_its_own_limit() -> None:
    """The base load says nothing of exports."""
    kind, own = AssetKind.BATTERY, {"fallback_w": -1_000, "max_discharge_w": 20_000}
    log = Log(rules("ast_a", kind, **own), rules("ast_b"), export_w=12_000)
    log.hold("ast_a", 0, 12_000)
    assert log.said == []
    log.hold("ast_a", 0, 12_001)
    assert len(log.said) == 1
    log.set("ast_b", RELEASED)
    log.add("ast_a", events.DeviceChanged(Setpoint(3_000, None)))
    log.set("ast_a", Setpoint(9_000, 0))
    assert len(log.said) == 2


def test_to_bring_down_what_somebody_else_has_set_is_no_increase() -> None:
    """Whatever it was set to before; the next step up is one again."""
    log = Log(rules("ast_a"), rules("ast_b"))
    log.hold("ast_a", 20_000)
    log.hold("ast_b", 5_000)
    log.add("ast_b", events.DeviceChanged(Setpoint(22_000, None)))
    log.hold("ast_b", 9_000)
    assert log.said == []
    log.hold("ast_b", 9_001)
    assert len(log.said) == 1


def test_what_nobody_knows_of_is_not_judged() -> None:
    """An asset without rules, an attempt that began unseen."""
    log = Log()
    log.hold("ast_a", 50_000)
    log.end("ast_a", "att_9")
    assert log.said == []


def test_what_an_earlier_entry_has_set_counts_until_the_device_is_set_anew() -> None:
    """So does the fallback that it was given; what was never set was given none."""
    log = Log(rules("ast_a", fallback_w=10_000), rules("ast_b"))
    log.hold("ast_a", 12_000)
    log.add("ast_a", events.AssetConfigured(rules("ast_a")))
    log.at_s = 960
    log.hold("ast_b", 18_001)
    assert len(log.said) == 1
    log.hold("ast_a", 4_000)
    log.hold("ast_b", 22_000)
    assert len(log.said) == 1


def test_an_asset_that_is_back_may_hold_what_it_held() -> None:
    """While it is out of the site file it is not the site's."""
    log = Log(rules("ast_a"), rules("ast_b"))
    log.hold("ast_a", 20_000)
    log.add("ast_a", events.AssetRetired())
    log.hold("ast_b", 10_000)
    assert log.said == []
    log.add("ast_a", events.AssetConfigured(rules("ast_a")))
    log.hold("ast_b", 10_001)
    assert len(log.said) == 1


# --- phases


def phased(limit_w: int, *assets: AssetRules) -> Log:
    """Return the log of a site whose phases carry so much, without a limit of the whole."""
    log = Log(*assets)
    log.add("site", events.SiteConfigured("sit", "UTC", (), None, None, 3_000, limit_w))
    return log


def test_each_phase_is_judged_by_what_was_sent() -> None:
    """Amperes are of each phase, watts may all be drawn from one; a third is the base load's."""
    log = phased(8_000, rules("ast_a", fallback_w=0), rules("ast_b", fallback_w=0))
    log.hold("ast_a", 12_000, unit="A", limit=17.4)
    log.hold("ast_b", 2_998, unit="W", limit=2_998.0)
    assert log.said == []
    log.hold("ast_b", 3_001, unit="W", limit=3_001.0)
    assert len(log.said) == 3
    assert "brings what may be drawn of L1 to 7003 W, and the limit leaves 7000 W" in log.said[0]


def test_who_is_on_other_phases_takes_nothing_of_this_one() -> None:
    """A battery's power is divided among its own; what it may do on its own too."""
    own = {"phase_rotation": ("L3",), "fallback_w": 0}
    log = phased(
        8_000,
        attrs.evolve(rules("ast_a", AssetKind.BATTERY), **own),  # type: ignore[arg-type] # as above
        attrs.evolve(rules("ast_b"), phase_rotation=("L1",), fallback_w=0),
    )
    log.hold("ast_a", 7_000)
    log.hold("ast_b", 7_000)
    assert log.said == []
    log.set("ast_a", RELEASED)
    (said,) = log.said
    assert "of L3 to 22000 W" in said
    log.add("ast_b", events.DeviceChanged(Setpoint(9_000, None)))
    log.hold("ast_b", 8_900)
    assert len(log.said) == 1


def test_a_charger_told_by_its_site_file_to_be_limited_in_amperes_has_a_fallback_on_each() -> None:
    """A share of it, where its phases are known."""
    even = attrs.evolve(rules("ast_a"), options={"phases": 3, "rate_unit": "A"})
    alone = attrs.evolve(
        rules("ast_b"), options={"rate_unit": "A"}, phase_rotation=("L1",), fallback_w=0
    )
    log = phased(8_000, even, alone)
    log.hold("ast_b", 5_600)
    assert log.said == []
    log.hold("ast_b", 5_700)
    assert len(log.said) == 1
