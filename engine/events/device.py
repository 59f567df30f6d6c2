"""What an asset's device said: of the asset's stream."""

from typing import Literal, TypeAlias

from msgspec import Struct, field

from engine.events.decisions import Setpoint


class StateChanged(Struct, frozen=True, gc=False):
    """The asset's state changed by a trigger of its table, or by ``sync`` outside of it.

    ``whole_device`` is the overlay of connector 0, null where it has none.
    """

    source: str
    target: str
    trigger: str
    raw: str
    detail: dict[str, str] = field(default_factory=dict)
    overlay: str | None = None


class Evse(Struct, frozen=True, gc=False):
    """What an EVSE said last, as far as the meaning of what it says next depends on it.

    ``connectors`` are its connectors' ids and statuses, ``session`` the state that its vehicle's
    transaction gives it, null without a vehicle. ``seq_no`` is that of the newest event of
    ``transaction_id``; ``was_connected``: a vehicle was connected in it, ``has_vehicle``: it still
    is; ``stopped``: the charging was ended, the transaction not yet.
    """

    connectors: tuple[tuple[int, str], ...] = ()
    session: str | None = None
    suspended_by: str | None = None
    transaction_id: str | None = None
    seq_no: int = -1
    was_connected: bool = False
    has_vehicle: bool = False
    stopped: bool = False


class EvseChanged(Struct, frozen=True, gc=False):
    """What an EVSE said changes what is known of it beside its state."""

    evse: Evse


class StatusNotUnderstood(Struct, frozen=True, gc=False):
    """The device reported a status that is not in any table; the state stays."""

    raw: str


class ConnectionChanged(Struct, frozen=True, gc=False):
    """The device can be reached, or not any more. ``booted``: it may have forgotten everything.

    ``kept``: it was read at once and still holds what was confirmed.
    """

    connected: bool
    booted: bool = False
    kept: bool = False
    reason: str = ""
    detail: dict[str, str] = field(default_factory=dict)


class TransactionStarted(Struct, frozen=True, gc=False):
    """A charging transaction; ``adopted`` when it was found running."""

    transaction_id: str
    key: str
    id_tag: str | None = None
    meter_wh: int | None = None
    adopted: bool = False
    offline: bool = False


class TransactionEnded(Struct, frozen=True, gc=False):
    """A charging transaction is over."""

    transaction_id: str
    meter_wh: int | None = None
    reason: str | None = None
    offline: bool = False


class CapabilitiesLearned(Struct, frozen=True, gc=False):
    """The device said what it can do."""

    capabilities: dict[str, str]


Reaction: TypeAlias = Literal["recorded", "set_again", "left_alone", "given_in"]


class ClockSkewed(Struct, frozen=True, gc=False):
    """The device's own clock is so many seconds ahead of ours, behind below zero; 0: right again.

    What it was told to do at a time of ours begins or ends at another one.
    """

    ahead_s: int


class ExternalLimitTold(Struct, frozen=True, gc=False):
    """Somebody beside us limits the charger, or does so no more (``is_over``).

    ``source`` is EMS, SO (the grid's operator) or Other. ``limit`` is in ``unit``, W or A, null
    where it is not told. ``is_critical``: the grid needs it.
    """

    source: str
    limit: float | None = None
    unit: str = "W"
    is_critical: bool = False
    is_over: bool = False


class PhasesMeasured(Struct, frozen=True, gc=False):
    """The vehicle charges on so many phases; what was reckoned with others is set again."""

    phases: int


class DeviceChanged(Struct, frozen=True, gc=False):
    """The device holds another setpoint than the one that was confirmed.

    ``reaction``: what should hold is set again, or the device is left alone, to ``again_at_us``
    (device clock) or, where that is null, to the next planned change or a person's word;
    ``given_in``: it was left alone and holds what it should. ``alarm``: people are told now.
    """

    found: Setpoint
    reaction: Reaction = "recorded"
    again_at_us: int | None = None
    alarm: bool = False


class MessageNotUnderstood(Struct, frozen=True, gc=False):
    """The device said something that could not be read; at most one a minute is recorded."""

    raw: str
