"""What an adapter makes is looked at before it goes on record."""

from typing import Any

import pytest

from actors.testing.rig import FakeSpelling, Rig, charger_rules, plan_of
from engine.adapters import base
from engine.types import Channel


class Careless(FakeSpelling):
    """Spells a command, or a question, as whatever it is given."""

    def __init__(self, made: Any, asked: Any = ()) -> None:  # noqa: ANN401 - what adapters get wrong
        super().__init__()
        self.made, self.asked = made, asked

    def translate(self, *_: Any) -> base.Payload:  # noqa: ANN401 - as it is
        """Return what was given."""
        made: base.Payload = self.made
        return made

    def questions(self, asset: base.AssetView) -> tuple[base.Payload, ...]:
        """Return what was given."""
        del asset
        asked: tuple[base.Payload, ...] = self.asked
        return asked


WRONG: tuple[Any, ...] = (
    None,
    {"kw": 5.0},
    base.Payload(("Set",)),  # type: ignore[arg-type]  # that is wrong
    base.Payload((base.Frame(5, {}),)),  # type: ignore[arg-type]  # likewise
    base.Payload((base.Frame("Set", {1: 2}),)),  # type: ignore[dict-item]  # likewise
)


@pytest.mark.parametrize("made", WRONG)
def test_what_is_no_payload_is_not_recorded(made: object) -> None:
    """It could not be read again."""
    rig = Rig(charger_rules(), Careless(made))
    rig.connect("CHARGING")
    with pytest.raises(TypeError, match="makes no sense"):
        rig.offer(plan_of((0, Channel.CHARGE, 5_000)), 900)
    assert rig.sent == []


@pytest.mark.parametrize("asked", WRONG)
def test_what_is_no_question_is_not_asked(asked: object) -> None:
    """Nor is the attempt in doubt repeated."""
    sound = base.Payload((base.Frame("Set", {}),))
    rig = Rig(charger_rules(), Careless(sound, (asked,)))
    rig.connect("CHARGING")
    rig.offer(plan_of((0, Channel.CHARGE, 5_000)), 900)
    with pytest.raises(TypeError, match="makes no sense"):
        rig.answer(outcome="unknown")
    assert len(rig.sent) == 1
