"""What an adapter is: the pure spelling of commands and the shape of its link.

An adapter's pure half (``translate``, ``interpret``, ``questions``) runs in ``decide``; its link
runs on the asyncio loop thread and reports observations.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import attrs
from msgspec import Struct, field

from engine.commands import Attempt, Command
from engine.types import AssetId, AssetKind

Outcome: TypeAlias = Literal[
    "accepted", "rejected", "error", "timed_out", "link_lost", "not_sent", "unknown"
]


class Frame(Struct, frozen=True, gc=False):
    """One protocol message. OCPP: an action and its payload; Modbus: see ``modbus.translate``.

    ``control`` is False for a frame that only reads.
    """

    action: str
    body: dict[str, object]
    control: bool = True


class Payload(Struct, frozen=True, gc=False):
    """The ordered frames of one attempt or question.

    ``applied_kw`` is what the command's value becomes on the device, rounded towards zero to its
    step; null for commands without a power. The engine fills in the rest before a link gets the
    payload: ``attempt_id`` names it on the wire (the n-th further frame is ``<attempt_id>.n``),
    and after ``begin_by_us`` (device clock) the first byte may not leave any more: a link that
    has to wait longer raises NotSent.
    """

    frames: tuple[Frame, ...]
    applied_kw: float | None = None
    attempt_id: str | None = None
    begin_by_us: int | None = None


class Answer(Struct, frozen=True, gc=False):
    """What a device answered to a payload.

    ``raw`` is the text (or hex) as received, ``values`` one parsed body per frame. ``outcome`` is
    ``accepted``, ``rejected`` (understood and refused; ``reason`` says how) or ``error`` (the
    device could not process it).
    """

    raw: str
    outcome: Outcome = "accepted"
    values: tuple[object, ...] = ()
    reason: str | None = None


class Connected(Struct, frozen=True, gc=False):
    """The device can be reached. ``booted``: it has just started and may have forgotten limits."""

    booted: bool = False
    detail: Mapping[str, str] = field(default_factory=dict)


class Disconnected(Struct, frozen=True, gc=False):
    """The device cannot be reached, or not be used.

    ``lasts``: it was tried again and again, and ``reason`` is what was seen; a person has to look.
    """

    reason: str = ""
    lasts: bool = False


class Seen(Struct, frozen=True, gc=False):
    """The device gave a sign of life that changes nothing: a frame, a pong, a good poll."""


class StateReported(Struct, frozen=True, gc=False):
    """The device's own state. ``state`` is a name of the asset's state table, or null if unknown.

    ``whole_device``: said of the charge point as a whole (connector 0), so it overlays the asset's
    own state until the device as a whole is available again. ``detail`` holds what is worth keeping
    (``suspended_by``, ``error_code``, ``reserved``).
    """

    state: str | None
    raw: str
    reported_at: datetime | None = None
    whole_device: bool = False
    detail: Mapping[str, str] = field(default_factory=dict)


class ConnectorReported(Struct, frozen=True, gc=False):
    """The status of one connector of an EVSE: Available, Occupied, Reserved, Unavailable, Faulted.

    What state that is depends on its transaction; see `engine.asset.evse`.
    """

    status: str
    connector_id: int = 1


class ChargingReported(Struct, frozen=True, gc=False):
    """What a transaction's event says of the vehicle at its EVSE.

    ``seq_no`` counts the events of the transaction. ``charging`` is EVConnected, Charging,
    SuspendedEV, SuspendedEVSE or Idle, null where nothing was said. ``stopped``: somebody has ended
    the charging; ``left``: the vehicle has gone. With ``to_all`` it was told to every asset of the
    station, and concerns the one whose transaction it is.
    """

    transaction_id: str
    seq_no: int
    phase: Literal["started", "updated", "ended"]
    charging: str | None = None
    connector_id: int | None = None
    stopped: bool = False
    left: bool = False
    to_all: bool = False


class PowerMeasured(Struct, frozen=True, gc=False):
    """Measured power in kW, charging positive; ``measured_at`` aware, null where not told.

    ``phases`` is on how many phases current flows, null where that is not told or none does. With
    ``transaction_id`` it was told to every asset of the station, and is of the one whose
    transaction it is.
    """

    power_kw: float | None
    measured_at: datetime | None = None
    soc_pct: float | None = None
    phases: int | None = None
    transaction_id: str | None = None


class SetpointRead(Struct, frozen=True, gc=False):
    """The setpoint that the device says it holds, in kW, null per channel where not told.

    ``step_kw`` is the resolution within which a value counts as the same. ``released``: the device
    says that it is under its own control, so that it holds no setpoint at all.
    """

    charge_kw: float | None
    discharge_kw: float | None
    step_kw: float = 0.001
    raw: str = ""
    released: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether it tells everything that the device holds."""
        return self.released or (self.charge_kw is not None and self.discharge_kw is not None)


@attrs.frozen
class TransactionChanged:
    """A charging transaction began, was found running, or ended.

    ``reply``, where given, must be called once with the committed transaction id (as text) before
    the device may be answered. ``key`` makes a repeated report recognisable; ``offline`` marks a
    replayed one, which is history and never state. With ``is_assumed`` it was not said where it is:
    an asset with another transaction does not take it.
    """

    kind: Literal["started", "found", "ended"]
    transaction_id: str | None
    key: str = ""
    id_tag: str | None = None
    meter_wh: int | None = None
    changed_at: datetime | None = None
    reason: str | None = None
    offline: bool = False
    is_assumed: bool = False
    reply: Callable[[str], None] | None = attrs.field(default=None, eq=False)


class ClockRead(Struct, frozen=True, gc=False):
    """By how many seconds the device's own clock is ahead of ours; below zero it is behind."""

    ahead_s: int


class ExternalLimit(Struct, frozen=True, gc=False):
    """Somebody beside us limits the charger, or does so no more (``is_over``).

    ``source`` is EMS, SO (the grid's operator) or Other, as OCPP 2.0.1 has them. ``limit`` is in
    ``unit``, W or A, null where it is not told. ``is_critical``: the grid needs it.
    """

    source: str
    limit: float | None = None
    unit: str = "W"
    is_critical: bool = False
    is_over: bool = False


class CapabilitiesLearned(Struct, frozen=True, gc=False):
    """What the device said it can do, as plain text by name."""

    capabilities: Mapping[str, str]


class Unreadable(Struct, frozen=True, gc=False):
    """Something came that was not understood."""

    raw: str


class LateAnswer(Struct, frozen=True, gc=False):
    """An answer to an attempt that had ended already (timed out)."""

    attempt_id: str
    raw: str


Observation: TypeAlias = (
    Connected
    | Disconnected
    | Seen
    | StateReported
    | ConnectorReported
    | ChargingReported
    | PowerMeasured
    | SetpointRead
    | TransactionChanged
    | CapabilitiesLearned
    | ExternalLimit
    | ClockRead
    | Unreadable
    | LateAnswer
)


class AssetView(Struct, frozen=True, gc=False):
    """What is known of one asset; the fields of ``setpoint state``.

    Powers in kW (a battery's ``setpoint_kw`` is signed, charging positive); times aware, UTC:
    ``valid_until`` plan clock, ``last_seen_at`` and ``measured_at`` wall clock. ``options`` are
    the adapter's keys of the site file, ``capabilities`` what the device said of itself,
    ``planned_kw`` is what the plan says now, ``acknowledged_kw`` what the device has accepted and
    is known to hold, ``applied_kw`` what it was found to hold or to allow (signed as the setpoint).
    ``held_charge_kw`` and ``held_discharge_kw`` what the device is known to hold, ``held_form`` in
    which form it took that (null where not known). ``transaction_began_at`` is device clock, of
    which the device's own is ``clock_ahead_s`` seconds ahead. ``phases`` are those that a vehicle
    was measured to charge on, null where not known.
    """

    asset_id: AssetId
    kind: AssetKind
    state: str
    state_known: bool = False
    connected: bool = False
    stale: bool = True
    last_seen_at: datetime | None = None
    setpoint_kw: float | None = None
    charge_kw: float | None = None
    discharge_kw: float | None = None
    setpoint_source: str | None = None
    valid_until: datetime | None = None
    measured_kw: float | None = None
    measured_at: datetime | None = None
    soc_pct: float | None = None
    transaction_id: str | None = None
    open_commands: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()
    options: object = None
    capabilities: Mapping[str, str] = field(default_factory=dict)
    planned_kw: float | None = None
    acknowledged_kw: float | None = None
    applied_kw: float | None = None
    held_charge_kw: float | None = None
    held_discharge_kw: float | None = None
    held_form: int | None = None
    transaction_began_at: datetime | None = None
    clock_ahead_s: int = 0
    phases: int | None = None


class Link(Protocol):
    """The socket side of an adapter; every method runs on the loop thread."""

    async def open(self) -> None:
        """Start connecting; reconnects by itself, reports Connected and Disconnected."""

    async def send(self, payload: Payload, timeout_s: float) -> Answer:
        """Send the frames in order and return the device's answer.

        Raises:
            NotSent: no byte left for the device.
            OutcomeUnknown: sent, and no readable answer came in time.
        """
        ...

    async def close(self) -> None:
        """Let go of the device for good."""


@runtime_checkable
class Spelling(Protocol):
    """The pure half of an adapter."""

    def translate(self, command: Command, asset: AssetView, attempt: Attempt) -> Payload:
        """Spell a command in this protocol.

        Raises:
            Untranslatable: there is no (further) form for it.
        """
        ...

    def interpret(self, answer: Answer, asset: AssetView) -> tuple[Observation, ...]:
        """Return what an answer says of the device."""
        ...

    def questions(self, asset: AssetView) -> tuple[Payload, ...]:
        """Return what to ask the device after an unknown outcome; empty where it cannot tell."""
        ...


class AdapterPlugin(Spelling, Protocol):
    """What an entry point of the group ``setpoint.adapters`` names."""

    options: type

    def link(self, options: object, report: Callable[[Observation], None]) -> Link:
        """Return the link of one asset."""
        ...
