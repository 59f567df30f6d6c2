"""A device is had to tell what is needed, by commands of a rule, once for each boot."""

from typing import Any

from actors.testing.rig import FakeSpelling, Rig, charger_rules, names_of
from engine.adapters import base
from engine.commands import CommandStatus

CALL: dict[str, object] = {"action": "ChangeConfiguration", "payload": {"key": "a", "value": "1"}}


class Configuring(FakeSpelling):
    """An adapter that changes a key while it is not told to be as it should."""

    def configuring(self, asset: base.AssetView) -> tuple[dict[str, object], ...]:
        """Return the change."""
        return () if asset.capabilities.get("a") == "1" else (CALL,)


def learned(rig: Rig, **told: str) -> list[Any]:
    """Let the device say what it can do; return what happened."""
    return rig.observe(base.CapabilitiesLearned(told))


def test_what_has_to_be_changed_is_a_command_of_the_rule() -> None:
    """On record with its answer like any other."""
    rig = Rig(charger_rules(), Configuring())
    rig.connect("CHARGING")
    happened = learned(rig, a="0")
    assert names_of(happened) == ["CapabilitiesLearned", "CommandCreated", "AttemptStarted"]
    rig.answer()
    (record,) = rig.history().values()
    assert (record.cause.kind, record.status) == ("rule:configure", CommandStatus.COMPLETED)
    assert record.attempts[0].number == 1


def test_it_is_tried_once_for_each_boot() -> None:
    """Also where it was refused: a charger that reconnects has not changed its mind."""
    rig = Rig(charger_rules(), Configuring())
    rig.connect("CHARGING")
    learned(rig, a="0")
    rig.answer(outcome="rejected")
    rig.observe(base.Disconnected(), base.Connected())
    assert learned(rig, a="0") == []
    rig.observe(base.Connected(booted=True))
    assert names_of(learned(rig, a="0")) == ["CommandCreated", "AttemptStarted"]


def test_what_is_as_it_should_be_is_left_alone() -> None:
    """An adapter may have nothing to change at all."""
    rig = Rig(charger_rules(), Configuring())
    rig.connect("CHARGING")
    assert names_of(learned(rig, a="1")) == ["CapabilitiesLearned"]
    plain = Rig(charger_rules())
    plain.connect("CHARGING")
    assert names_of(learned(plain, a="0")) == ["CapabilitiesLearned"]
