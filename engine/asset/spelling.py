"""From what an asset decides to what its adapter spells: the public shapes, in kilowatts."""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from engine.adapters.base import Answer, AssetView, Frame, Observation, Payload
from engine.asset.ids import serial_of
from engine.asset.state import AssetState, Order
from engine.asset.view import reading_of
from engine.commands import Attempt, Cause, CauseKind, Command, CommandType
from engine.errors import Untranslatable
from engine.events import RELEASED, Step
from engine.types import US_PER_S, CommandId, Instant, from_us, to_kw

_CAUSE: Final = Cause(CauseKind.SCHEDULE)


class Along(Struct, frozen=True, gc=False):
    """What goes along with a setpoint; see `Attempt` for each.

    ``ahead`` are planned changes: plan clock, watts.
    """

    ahead: tuple[tuple[int, int], ...] = ()
    nudge: int = 0
    beneath_form: int | None = None


ALONE: Final = Along()


class Spelled:
    """An asset's adapter together with the view that it is given."""

    __slots__ = ("now", "state", "view")

    def __init__(self, state: AssetState, now: Instant) -> None:
        """Take the view once; translate, interpret and questions all see the same."""
        self.state = state
        self.now = now
        self.view: AssetView = reading_of(state, now)

    def translate(self, command: Command, attempt: Attempt) -> Payload:
        """Spell a command.

        Raises:
            Untranslatable: the adapter has no (further) form, or there is no adapter.
        """
        adapter = self.state.outside.adapter
        if adapter is None:
            message = "no adapter"
            raise Untranslatable(message)
        return _checked(adapter.translate(command, self.view, attempt))

    def interpret(self, answer: Answer) -> tuple[Observation, ...]:
        """Return what an answer says."""
        adapter = self.state.outside.adapter
        return () if adapter is None else adapter.interpret(answer, self.view)

    def configuring(self) -> tuple[dict[str, object], ...]:
        """Return the CALLs that have a device tell what is needed; adapters need not have any."""
        made = getattr(self.state.outside.adapter, "configuring", None)
        found: tuple[dict[str, object], ...] = () if made is None else made(self.view)
        return found

    def defers(self, answer: Answer) -> bool:
        """Return whether the device will do later what it has accepted; not every adapter knows."""
        tells = getattr(self.state.outside.adapter, "defers", None)
        return False if tells is None else bool(tells(answer))

    def questions(self) -> tuple[Payload, ...]:
        """Return what to ask after an unknown outcome."""
        adapter = self.state.outside.adapter
        questions = () if adapter is None else adapter.questions(self.view)
        return tuple(map(_checked, questions))

    def sampling(self) -> tuple[Payload, ...]:
        """Return what to ask to be told what flows now; not every adapter knows how."""
        asks = getattr(self.state.outside.adapter, "sampling", None)
        return () if asks is None else tuple(map(_checked, asks(self.view)))


def spell_step(
    spelled: Spelled,
    step: Step,
    numbers: tuple[str, int, int, float | None],
    along: Along = ALONE,
) -> Payload:
    """Return the payload of one step; ``numbers``: attempt id, number, form, lease in seconds.

    Raises:
        Untranslatable: the adapter has no (further) form for it.
    """
    own_id, number, form, lease_s = numbers
    rules = spelled.state.rules
    fallback_w = None if rules is None else rules.fallback_w
    setpoint = step.setpoint
    is_release = setpoint == RELEASED
    attempt = Attempt(
        own_id,
        number,
        form,
        from_us(spelled.now.device_us),
        lease_s,
        None if fallback_w is None else to_kw(fallback_w),
        None if is_release else to_kw(setpoint.charge_w or 0),
        None if is_release else to_kw(setpoint.discharge_w or 0),
        ahead=_after(along.ahead, spelled.now) if along.ahead else (),
        nudge=along.nudge,
        beneath_form=along.beneath_form,
    )
    value_kw = None if step.value_w is None else to_kw(step.value_w)
    command = _command(spelled, step.command_ids[0], step.type, value_kw, {})
    return spelled.translate(command, attempt)


def _after(ahead: tuple[tuple[int, int], ...], now: Instant) -> tuple[tuple[float, float], ...]:
    return tuple(((due_us - now.plan_us) / US_PER_S, to_kw(watts)) for due_us, watts in ahead)


def spell_order(spelled: Spelled, order: Order, own_id: str) -> Payload:
    """Return the payload of a command that sets no setpoint.

    Raises:
        Untranslatable: the adapter has no (further) form for it.
    """
    at = from_us(spelled.now.device_us)
    number, serial = order.tries + 1, serial_of(own_id)
    attempt = Attempt(own_id, number, order.form, at, None, None, None, None, serial)
    command = _command(spelled, order.command_id, order.type, None, dict(order.arguments))
    return spelled.translate(command, attempt)


def _checked(made: object) -> Payload:
    """Return a payload that can be recorded and read again.

    Raises:
        TypeError: an adapter made it of something else.
    """
    if not isinstance(made, Payload) or not _are_sound(made.frames):
        message = f"an adapter spelled a command as a {type(made).__name__} that makes no sense"
        raise TypeError(message)
    return made


def _are_sound(frames: Iterable[object]) -> bool:
    for frame in frames:
        if not isinstance(frame, Frame) or not isinstance(frame.action, str):
            return False
        for word in frame.body:
            if not isinstance(word, str):
                return False
    return True


def _command(
    spelled: Spelled,
    command_id: CommandId,
    command_type: CommandType,
    value_kw: float | None,
    arguments: dict[str, object],
) -> Command:
    return Command(
        command_id,
        spelled.state.asset_id,
        command_type,
        value_kw,
        from_us(spelled.now.plan_us),
        _CAUSE,
        arguments=arguments,
    )
