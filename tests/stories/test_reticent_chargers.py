"""Chargers that answer no question get their setpoints all the same, and soon."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

import pytest

from actors.clock import steady_s
from actors.system import ActorSystem
from actors.testing.bare_charger import BareCharger, Frame
from actors.testing.waiting import wait_until
from engine.events import AttemptEnded, CapabilitiesLearned

KEY: Final = "0123456789abcdef"
SITE: Final = """
[site]
id = "sit_test"
timezone = "UTC"
[store]
url = "memory:"
[ocpp]
listen = "127.0.0.1:0"
[[asset]]
id = "ast_a"
kind = "ev_charger"
adapter = "ocpp"
charge_point = "CP-A"
connector = 1
password = "0123456789abcdef"
max_kw = 22
min_a = 6
phases = 3
on_stop = "hold"
verify = "{verify}"
"""
SLACK_S: Final = 6.0
"""What a loaded machine may take on top; a question that is not brief takes 10 s and more."""
LEFT_ALONE_S: Final = 2.5
"""So long it hears its setpoint only, however often that is set once more."""

T = TypeVar("T")
Depot = Callable[[str], ActorSystem]


@pytest.fixture
def depot(tmp_path: Path) -> Iterator[Depot]:
    """Give what starts an engine with one charger, whose setpoint is 11 kW."""
    systems: list[ActorSystem] = []

    def started(verify: str = "ack") -> ActorSystem:
        file = tmp_path / "site.toml"
        file.write_text(SITE.format(verify=verify), encoding="utf-8")
        system = ActorSystem.open(file)
        systems.append(system)
        set_to(system, 11)
        return system

    yield started
    for system in systems:
        system.close()


def set_to(system: ActorSystem, kw: float) -> None:
    """Set the charger by hand."""
    system.send("ast_a", "SET_CHARGE_RATE", kw=kw, by="ann", reason="a test")


def come(system: ActorSystem) -> BareCharger:
    """Let the charger connect."""
    assert system.ocpp_url is not None
    return BareCharger(system.ocpp_url, "CP-A", KEY)


def actions(charger: BareCharger) -> list[str]:
    """Return the CALLs that the charger has got, in order."""
    return [frame[2] for _, frame in charger.heard]


def limit_w(call: Frame) -> float:
    """Return what a SetChargingProfile allows, in its own unit."""
    schedule = call[3]["csChargingProfiles"]["chargingSchedule"]
    return float(schedule["chargingSchedulePeriod"][0]["limit"])


def tell_unit(charger: BareCharger, question: Frame, unit: str) -> None:
    """Let the charger say what it takes limits in."""
    key = {"key": "ChargingScheduleAllowedChargingRateUnit", "readonly": True, "value": unit}
    charger.send([3, question[1], {"configurationKey": [key], "unknownKey": []}])


def of_kind(system: ActorSystem, kind: type[T]) -> list[T]:
    """Return the events of a kind so far."""
    return [one.event for one in system.events() if isinstance(one.event, kind)]


def outcomes(system: ActorSystem) -> list[str]:
    """Return how each attempt so far has ended."""
    return [one.outcome for one in of_kind(system, AttemptEnded)]


def test_a_setpoint_waits_briefly_behind_a_question_without_an_answer(depot: Depot) -> None:
    """It takes its turn then, and no attempt is burnt meanwhile."""
    system = depot("ack")
    with come(system) as charger:
        charger.boot()
        charger.accept(charger.called("SetChargingProfile"))
        came_s, _ = charger.heard[-1]
        assert actions(charger) == ["GetConfiguration", "SetChargingProfile"]
        assert came_s < 2 + SLACK_S
        wait_until(lambda: outcomes(system) == ["accepted"])


def test_one_that_comes_back_and_answered_nothing_gets_its_setpoint_first(depot: Depot) -> None:
    """However often it comes back: no question goes before."""
    system = depot("ack")
    with come(system) as charger:
        charger.boot()
        charger.called("GetConfiguration")
    for _ in range(3):
        with come(system) as charger:
            charger.boot()
            charger.accept(charger.called("SetChargingProfile"))
            assert actions(charger) == ["SetChargingProfile"]
            charger.take(LEFT_ALONE_S)
    assert len(outcomes(system)) >= 3
    assert set(outcomes(system)) == {"accepted"}


def test_what_was_not_known_to_arrive_is_asked_about_briefly(depot: Depot) -> None:
    """Then it goes again, after its backoff of 2 s: nothing else comes before."""
    system = depot("ack")
    with come(system) as charger:
        charger.boot()
        charger.called("SetChargingProfile")
    with come(system) as charger:
        charger.boot()
        charger.called("SetChargingProfile")
        came_s, _ = charger.heard[-1]
        assert actions(charger) == ["GetCompositeSchedule", "SetChargingProfile"]
        assert came_s < 2 + SLACK_S


def test_an_answer_that_comes_behind_a_setpoint_still_counts(depot: Depot) -> None:
    """Some are slow: what such a one can do is not asked for again."""
    system = depot("ack")
    with come(system) as charger:
        charger.boot()
        question = charger.called("GetConfiguration")
        charger.accept(charger.called("SetChargingProfile"))
        tell_unit(charger, question, "Current")
        wait_until(lambda: bool(of_kind(system, CapabilitiesLearned)[1:]))
        set_to(system, 6.9)
        assert limit_w(charger.called("SetChargingProfile")) == 10


def test_a_new_setpoint_waits_briefly_behind_a_question_of_evidence(depot: Depot) -> None:
    """What the old one came to is nobody's business by then."""
    system = depot("composite")
    with come(system) as charger:
        charger.boot()
        tell_unit(charger, charger.called("GetConfiguration"), "Power")
        charger.accept(charger.called("SetChargingProfile"))
        charger.called("GetCompositeSchedule")
        set_to(system, 7)
        since_s = steady_s()
        assert limit_w(charger.called("SetChargingProfile")) == 7_000
        assert steady_s() - since_s < 2 + SLACK_S
        assert "not_sent" not in outcomes(system)
