"""A charger that does otherwise than it was set is asked what it allows: others may have a hand in.

More than what we set is another controller's doing, and treated as such. Less is a limit beside
ours, which is left as it is: its own load management, say, of which OCPP 1.6 tells nothing.
"""

from typing import Final

from engine.adapters.base import SetpointRead
from engine.asset.clearing import ask
from engine.asset.contradiction import held_w, is_kept_off, is_over, look_us
from engine.asset.draft import Draft
from engine.asset.external import FOUND
from engine.asset.gathering import ANSWER_S
from engine.asset.reports import note_limit, observe
from engine.events import ExternalLimitTold
from engine.types import to_w

ABOUT: Final = "contradiction"
"""What a question is about that follows no attempt."""


def look(draft: Draft) -> None:
    """Ask the charger what it allows, where what it does speaks against what it was set."""
    state = draft.state
    if state.attempt is not None or draft.asking is not None or not state.device.connected:
        return
    if state.device.limits and is_over(state):
        draft.note(ExternalLimitTold(FOUND, is_over=True))
    due_us = look_us(state)
    if due_us is not None and draft.now.device_us >= due_us:
        ask(draft, ABOUT, min(draft.rules.command_timeout_s, ANSWER_S))


def take_look(draft: Draft, read: SetpointRead) -> None:
    """Take what a charger says that it allows, if that still is the question."""
    state = draft.state
    if look_us(state) is None or read.charge_kw is None:
        return
    found_w, near_w = read.charge_kw * 1_000, read.step_kw * 1_000 + 0.5
    if found_w > held_w(state) + near_w:
        observe(draft, read)
    elif is_kept_off(state, draft.rules):
        is_less = found_w < held_w(state) - near_w
        limit = float(to_w(read.charge_kw)) if is_less else None
        note_limit(draft, ExternalLimitTold(FOUND, limit, is_over=not is_less))
