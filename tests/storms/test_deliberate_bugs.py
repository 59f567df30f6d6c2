"""The test of the test: bugs, each put into the engine, and each found by storms.

For each a window of seeds runs that holds a find; the same window without the bug is clean, as the
storms themselves show. ``SETPOINT_BUG_SEEDS=200`` looks through more, and tells where.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from msgspec.structs import replace

from actors import asset as asset_actor
from actors import grants, recovery
from actors.appends import Append
from actors.journal import Journal
from actors.links import modbus
from actors.store import VersionConflict
from actors.testing.storm import LIMITED, Size, Storm
from engine.asset import (
    clearing,
    deadlines,
    decided,
    effects,
    granting,
    noted,
    sending,
)
from engine.asset.draft import Draft
from engine.asset.earlier import floor_of
from engine.asset.holding import known_holding
from engine.asset.ids import attempt_id
from engine.asset.reach import drawn
from engine.asset.steps import StepMaker
from engine.commands import CommandStatus
from engine.events import AttemptReconciled, LateAnswered
from engine.phases import PHASES, Use
from engine.site.accounts import Account
from engine.types import AssetId

SEEDS: Final = int(os.environ.get("SETPOINT_BUG_SEEDS", "0"))

Patch = Callable[[pytest.MonkeyPatch], None]


def send_before_commit(patch: pytest.MonkeyPatch) -> None:
    """A frame leaves while its attempt is still being committed."""

    def handle(self: Any, life: Any, told: Any) -> None:  # noqa: ANN401 - as in the actor
        services = self._services
        now = services.clocks.now()
        state = noted(life.state, told, now)
        draft = decided(state, told, now)
        life.state, life.current = state, told
        if not draft.events:
            self._perform(life, draft.effects, now)
            return
        early = [one for one in draft.effects if isinstance(one, effects.Send)]
        for one in early:
            self._carry_out(life, one, now)
            draft.effects.remove(one)
        life.draft, life.about = draft, told
        asset_id, version = state.asset_id, state.version
        services.journal.append(
            Append(asset_id, version, draft.events, now, self.hurry_first, writer=life)
        )

    patch.setattr(asset_actor.AssetActor, "_handle", handle)


def newest_does_not_win(patch: pytest.MonkeyPatch) -> None:
    """What is being brought about goes on, whatever the plan wants by now."""
    pursue = sending._pursue_setpoint  # noqa: SLF001 - the bug is in there

    def stubborn(draft: Draft) -> None:
        work = draft.state.work
        if work is not None and work.verifying is None and not draft.state.outside.stopping:
            sending._pursue_step(draft, work)  # noqa: SLF001 - likewise
        else:
            pursue(draft)

    patch.setattr(sending, "_pursue_setpoint", stubborn)


def start_again(patch: pytest.MonkeyPatch) -> None:
    """A START whose outcome is not known is sent once more."""

    def blindly(draft: Draft, attempt: Any) -> None:  # noqa: ANN401 - an open attempt
        ids = clearing.still_open(draft, attempt)
        pending = CommandStatus.PENDING
        clearing.settle(draft, AttemptReconciled(attempt.attempt_id, ids, "no_answer", pending))

    patch.setattr(clearing, "_clear_up_order", blindly)


def any_echo_will_do(patch: pytest.MonkeyPatch) -> None:
    """A battery's reply is not compared with what was written."""
    patch.setattr(modbus, "reply_fault", lambda _sent, _got: None)


def attempts_share_an_id(patch: pytest.MonkeyPatch) -> None:
    """The id of an attempt is used again."""

    def coarse(asset_id: AssetId, epoch: int, version: int) -> str:
        return attempt_id(asset_id, epoch, version // 8)

    patch.setattr(sending, "attempt_id", coarse)


def nothing_expires(patch: pytest.MonkeyPatch) -> None:
    """Nobody looks whether a command's time is over."""
    patch.setattr(sending, "_has_expired", lambda _work, _draft: False)
    patch.setattr(deadlines, "_end_override", lambda _draft, _override: None)


def a_hold_is_lost(patch: pytest.MonkeyPatch) -> None:
    """What was waiting for its device is forgotten when the engine starts again."""
    folded = recovery._folded  # noqa: SLF001 - the bug is in there

    def forgetful(reader: Any, state: Any, version: int | None) -> Any:  # noqa: ANN401 - as it is
        found = folded(reader, state, version)
        held = found.work is not None and found.work.held is not None
        return replace(found, work=None) if held else found

    patch.setattr(recovery, "_folded", forgetful)


def rise_before_zero(patch: pytest.MonkeyPatch) -> None:
    """A battery's second half goes first."""
    steps = StepMaker._battery_steps  # noqa: SLF001 - the bug is in there

    def reversed_(self: Any, planned: Any, *, known: bool) -> Any:  # noqa: ANN401 - as it is
        made = steps(self, planned, known=known)
        if len(made) < 2:
            return made
        first, second = made
        held = known_holding(self._draft.state, self._draft.now)
        charges = bool(second.setpoint.charge_w)
        both = replace(
            second.setpoint,
            **({"discharge_w": held.discharge_w} if charges else {"charge_w": held.charge_w}),
        )
        return (replace(second, setpoint=both), replace(first, setpoint=second.setpoint))

    patch.setattr(StepMaker, "_battery_steps", reversed_)


def a_conflict_is_nothing(patch: pytest.MonkeyPatch) -> None:
    """That another engine wrote to the store is taken for a success, and the fence is asleep."""

    def careless(self: Any, batch: Any, **_: bool) -> Any:  # noqa: ANN401 - as it is
        try:
            return self._store.append(batch.rows)
        except VersionConflict:
            last = self._store.last_position()
            return range(last, last + len(batch.rows))

    patch.setattr(Journal, "_attempt", careless)
    patch.setattr(Journal, "taken_over", lambda _self, _who: None)


def late_answers_are_dropped(patch: pytest.MonkeyPatch) -> None:
    """An answer that comes after the time-out leaves no trace."""
    note = Draft.note

    def selective(self: Draft, *happened: Any) -> None:  # noqa: ANN401 - as it is
        note(self, *(one for one in happened if not isinstance(one, LateAnswered)))

    patch.setattr(Draft, "note", selective)


def room_is_free_before_it_is_left(patch: pytest.MonkeyPatch) -> None:
    """A decrease counts when it is decided, and not when the device has taken it."""

    def hopeful(state: Any, rules: Any, now: Any) -> Any:  # noqa: ANN401 - as it is
        del now
        desired = state.desired
        own = (0, 0) if desired is None else drawn(desired.target, rules)
        floor = floor_of(rules)
        return max(own[0], floor[0]), max(own[1], floor[1])

    patch.setattr(granting, "reach", hopeful)


def a_grant_is_forgotten_until_it_is_used(patch: pytest.MonkeyPatch) -> None:
    """What was granted, and is not held yet, is granted to somebody else too."""
    patch.setattr(Account, "reserved_w", property(lambda self: self.share.holds_w))


def nothing_is_cut(patch: pytest.MonkeyPatch) -> None:
    """An asset that was granted less takes what it wishes."""
    patch.setattr(granting, "_cut", lambda want, _rules, _grant: want)


def all_load_is_thought_even(patch: pytest.MonkeyPatch) -> None:
    """Who is on one phase counts with a third on each."""
    even = tuple(Use(one, 1, len(PHASES)) for one in PHASES)
    patch.setattr(grants, "uses_of", lambda _rules: even)


OF_LIMITS: Final = frozenset(
    {
        room_is_free_before_it_is_left,
        a_grant_is_forgotten_until_it_is_used,
        nothing_is_cut,
        all_load_is_thought_even,
    }
)
"""Those that show in storms under site limits."""

WINDOW: Final = 20
BUGS: Final[dict[Patch, int]] = {
    send_before_commit: 2,
    newest_does_not_win: 0,
    start_again: 5,
    any_echo_will_do: 2,
    attempts_share_an_id: 0,
    nothing_expires: 0,
    a_hold_is_lost: 1,
    rise_before_zero: 0,
    a_conflict_is_nothing: 1,
    late_answers_are_dropped: 0,
    room_is_free_before_it_is_left: 0,
    a_grant_is_forgotten_until_it_is_used: 0,
    nothing_is_cut: 0,
    all_load_is_thought_even: 0,
}
"""The bugs, each with the first seed of a window that holds a find."""


def finds(folder: Path, seeds: range, size: Size) -> Iterator[str]:
    """Yield what is found, storm by storm."""
    for seed in seeds:
        try:
            Storm(folder, seed, size).run()
        except AssertionError as broken:
            yield f"seed {seed}: {str(broken).splitlines()[0]}"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_a_bug_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bug: Patch) -> None:
    """In its window; the storms are clean in the same one without it."""
    seeds = range(SEEDS) if SEEDS else range(BUGS[bug], BUGS[bug] + WINDOW)
    bug(monkeypatch)
    found = next(finds(tmp_path, seeds, LIMITED if bug in OF_LIMITS else Size()), None)
    assert found is not None
    print(f"{bug.__name__}: {found}")  # noqa: T201 - what was found is part of the report
