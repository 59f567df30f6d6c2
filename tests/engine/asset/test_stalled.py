"""What cannot be set for some time leaves its room to others, and asks again before it is tried."""

from msgspec.structs import replace

from actors.testing.rig import FakeSpelling, Rig, battery_rules, charger_rules, names_of, plan_of
from engine.adapters import base
from engine.asset import effects as effect
from engine.asset import messages as message
from engine.asset.granting import awaits_grant, is_stalled
from engine.commands import Attempt, Command, CommandType
from engine.events import Setpoint
from engine.grants import UNBOUNDED_W, Bound, Grant, Share
from engine.types import Channel

CHARGE = Channel.CHARGE
FREE = Bound(UNBOUNDED_W, 0)
DAY_S = 86_400


def granted(rig: Rig, most_w: int, answers_w: int) -> None:
    """Let the site grant; the number goes up."""
    own = rig.state.outside.grant
    assert own is not None
    bound = Bound(most_w, answers_w, 30_000)
    rig.tell(message.Granted(Grant(bound, FREE, own.number + 1)))


def share(rig: Rig) -> Share:
    """Return what was claimed last for charging."""
    return [one.claim for one in rig.effects if isinstance(one, effect.Claimed)][-1].charge


def powers(rig: Rig) -> list[object]:
    """Return what was sent, in kilowatts."""
    return [body["charge_kw"] for body in rig.sent]


def refused(most_w: int = 20_000) -> Rig:
    """Return a charger that holds 11 kW and refuses 20, of which so much was granted."""
    rules = charger_rules(failsafe_after_s=100_000.0, stale_s=100_000.0)
    rig = Rig(rules, grant=Grant(Bound(11_000, 11_000, 30_000), FREE))
    rig.connect("CHARGING")
    if rig.state.attempt is not None:
        rig.answer()
    rig.offer(plan_of((0, CHARGE, 11_000), (60, CHARGE, 20_000), (900, CHARGE, 18_000)), 90_000)
    rig.answer()
    rig.advance(60)
    granted(rig, most_w, 20_000)
    rig.answer(outcome="rejected")
    return rig


def test_what_a_charger_has_refused_is_not_kept_for_it() -> None:
    """It holds what it held; a sweep does not ask for more, and nothing is sent."""
    rig = refused()
    assert rig.state.given_up
    assert share(rig) == Share(11_000, 11_000, 4_200)
    granted(rig, 11_000, 11_000)
    sent = len(rig.sent)
    claims = len([one for one in rig.effects if isinstance(one, effect.Claimed)])
    assert rig.advance(200) == []
    assert len(rig.sent) == sent
    assert len([one for one in rig.effects if isinstance(one, effect.Claimed)]) == claims


def test_it_is_tried_again_with_what_is_free_then() -> None:
    """Not with what was granted before."""
    rig = refused()
    granted(rig, 11_000, 11_000)
    assert rig.advance(300) == []
    assert share(rig).wish_w == 20_000
    assert awaits_grant(rig.state, rig.now)
    granted(rig, 15_000, 20_000)
    assert powers(rig)[-1] == 15


def test_a_cut_that_was_refused_is_not_kept_either() -> None:
    """It was less than was asked for, and more than it holds."""
    rig = refused(15_000)
    assert powers(rig)[-1] == 15
    assert share(rig) == Share(11_000, 11_000, 4_200)


def test_the_next_planned_change_asks_for_its_own() -> None:
    """It is above what is granted, and waits."""
    rig = refused()
    granted(rig, 11_000, 11_000)
    sent = len(rig.sent)
    rig.advance(200)
    rig.advance(640)
    granted(rig, 11_000, 20_000)
    assert powers(rig)[sent:] == []
    assert share(rig).wish_w == 18_000
    granted(rig, 18_000, 18_000)
    assert powers(rig)[sent:] == [18]


def test_a_person_is_heard_meanwhile() -> None:
    """What is asked for anew is tried anew."""
    rig = refused()
    granted(rig, 11_000, 11_000)
    rig.tell(
        message.OverrideRequested(
            Setpoint(20_000, 0),
            CommandType.SET_CHARGE_RATE,
            "unplugged",
            None,
            "ann",
            "why",
            "override",
            rig.replies.append,
        )
    )
    assert share(rig).wish_w == 20_000
    granted(rig, 20_000, 20_000)
    assert powers(rig)[-1] == 20


def test_a_lower_grant_reaches_it_all_the_same() -> None:
    """The base load takes the room that it holds."""
    rig = refused()
    granted(rig, 11_000, 11_000)
    granted(rig, 6_000, 11_000)
    assert not is_stalled(rig.state, rig.now)
    assert powers(rig)[-1] == 6


def test_who_refuses_to_go_down_keeps_what_it_may_hold() -> None:
    """That is no increase."""
    rig = refused()
    granted(rig, 11_000, 11_000)
    rig.offer(plan_of((0, CHARGE, 5_000)), 90_000, sequence=2)
    rig.answer(outcome="rejected")
    assert share(rig) == Share(5_000, 11_000, 4_200)
    assert not is_stalled(rig.state, rig.now)


def test_of_whom_it_is_not_known_what_it_holds_all_is_kept() -> None:
    """It may take more than anybody knows."""
    rules = charger_rules(failsafe_after_s=100_000.0, stale_s=100_000.0)
    rig = Rig(rules, grant=Grant(Bound(20_000, 20_000, 30_000), FREE))
    rig.connect("CHARGING")
    rig.offer(plan_of((0, CHARGE, 20_000)), 90_000)
    rig.answer(outcome="rejected")
    assert rig.state.given_up
    assert share(rig).wish_w == 20_000


def test_a_stopping_engine_hands_back_what_has_failed() -> None:
    """Nothing is kept waiting."""
    rig = refused()
    granted(rig, 11_000, 11_000)
    rig.tell(message.Stopping())
    granted(rig, 11_000, 22_000)
    assert powers(rig)[-1] == 4.2


# --- flash


class Flash(FakeSpelling):
    """Spells the charge power as a write to a register that may be written three times a day."""

    def translate(self, command: Command, asset: base.AssetView, attempt: Attempt) -> base.Payload:
        """Say what its register is."""
        spelled = super().translate(command, asset, attempt)
        watts = round((attempt.charge_kw or 0.0) * 1_000)
        flash = {"role": "power", "values": [watts], "persistent": [0.0, 3]}
        return base.Payload(
            (base.Frame("write", {**spelled.frames[0].body, **flash}),), spelled.applied_kw
        )


def worn(expires_s: float = DAY_S) -> Rig:
    """Return a battery that holds 2 kW, and is to hold 9 but that its register is worn today."""
    rules = battery_rules(failsafe_after_s=1e6, stale_s=1e6, shared_register=True)
    rig = Rig(rules, Flash(), grant=Grant(Bound(9_000, 9_000, 30_000), FREE))
    rig.connect()
    steps = [(0, CHARGE, 1_000), (60, CHARGE, 3_000), (120, CHARGE, 2_000), (180, CHARGE, 9_000)]
    rig.offer(plan_of(*steps, (expires_s, CHARGE, 8_000), columns=("c",)), 3 * DAY_S)
    while rig.state.attempt is not None:
        rig.read_back()
    for _ in range(3):
        rig.advance(60)
        while rig.state.attempt is not None:
            rig.read_back()
    return rig


def test_what_waits_for_flash_until_tomorrow_is_not_kept_for_it() -> None:
    """Then it asks anew."""
    rig = worn(2 * DAY_S)
    assert rig.story()[3] == "1.0.3 PENDING held:write_budget"
    assert share(rig) == Share(2_000, 2_000, 0)
    granted(rig, 2_000, 2_000)
    assert rig.advance(3_600) == []
    sent = len(rig.sent)
    rig.advance(DAY_S)
    assert rig.sent[sent:] == []
    assert share(rig).wish_w == 9_000
    granted(rig, 6_000, 9_000)
    assert powers(rig)[-1] == 6
    assert "1.0.3 DISPATCHED" in rig.story()


def test_a_change_that_falls_due_meanwhile_asks_for_its_own() -> None:
    """And then waits for flash itself."""
    rig = worn(600)
    granted(rig, 2_000, 2_000)
    rig.advance(420)
    assert share(rig).wish_w == 8_000
    granted(rig, 8_000, 8_000)
    assert "CommandHeld" in names_of(rig.events[-1:])
    assert share(rig) == Share(2_000, 2_000, 0)


def test_what_has_expired_waits_for_flash_no_more() -> None:
    """It is to be decided anew, under a grant for that."""
    rig = worn()
    work = rig.state.work
    assert work is not None
    assert is_stalled(rig.state, rig.now)
    over = replace(work.decision, expires_us=rig.now.plan_us)
    state = replace(rig.state, work=replace(work, decision=over))
    assert not is_stalled(state, rig.now)
