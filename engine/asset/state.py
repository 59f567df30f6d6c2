"""What is known of one asset: small frozen values, folded from its stream.

Only ``AssetState.outside`` is not folded: it holds what needs no record (the last sign of life,
the last measurement, the horizon as offered) and is lost in a restart without harm.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct, field

from engine.adapters.base import Payload, SetpointRead, Spelling
from engine.adapters.device_clock import Reading
from engine.asset.beneath import Beneath
from engine.asset.earlier import Earlier
from engine.asset.external import Limit
from engine.asset.samples import Sample, Tally
from engine.asset.worn import Worn
from engine.commands import CommandType
from engine.events import RELEASED, Decision, Evse, Setpoint, Step
from engine.grants import Claim, Grant
from engine.plans import Plan, PlanRef
from engine.rules import AssetRules
from engine.types import AssetId, CommandId, ScheduleId


class Transaction(Struct, frozen=True, gc=False):
    """A charging transaction that runs now; ``key`` makes a repeated start recognisable.

    ``began_us`` is when it was first heard of (device clock), null for one that was replayed.
    """

    transaction_id: str
    key: str
    id_tag: str | None = None
    ended: bool = False
    began_us: int | None = None


class Device(Struct, frozen=True, gc=False):
    """What the device said of itself.

    ``own_state`` is the asset's own, ``overlay`` the charge point's as a whole, which wins.
    ``connected_at_us`` and ``left_at_us`` (when the vehicle left) are plan clock. ``start_tried``:
    the engine has asked this vehicle to start already. ``odd_status`` is the last status that no
    table knows, until one is reported that is known. ``failed``: the engine itself has given the
    asset up, whatever the device says. ``evse`` is what an OCPP 2.0.1 EVSE said beside its state.
    ``clock_ahead_s``: by how many seconds its own clock is wrong. ``configured`` are the CALLs that
    were made since its boot to have it tell what is needed, ``phases`` what the vehicle charges on.
    ``limits`` are what others than we limit it to.
    """

    own_state: str
    state_known: bool = False
    overlay: str | None = None
    detail: Mapping[str, str] = field(default_factory=dict)
    connected: bool = False
    connected_at_us: int | None = None
    left_at_us: int | None = None
    transaction: Transaction | None = None
    last_transaction: Transaction | None = None
    capabilities: Mapping[str, str] = field(default_factory=dict)
    unread_at_us: int | None = None
    start_tried: bool = False
    odd_status: str | None = None
    failed: bool = False
    evse: Evse = Evse()
    clock_ahead_s: int = 0
    configured: tuple[Mapping[str, object], ...] = ()
    phases: int | None = None
    limits: tuple[Limit, ...] = ()

    @property
    def state(self) -> str:
        """The state that counts: the overlay's where there is one; FAULTED for what is given up."""
        if self.failed:
            return "FAULTED"
        return self.own_state if self.overlay is None else self.overlay


class Part(Struct, frozen=True, gc=False):
    """One plan in force from ``from_us`` up to but not including ``until_us`` (null: no end)."""

    ref: PlanRef
    plan: Plan
    from_us: int
    until_us: int | None = None
    skipped: tuple[int, ...] = ()


class Absence(Struct, frozen=True, gc=False):
    """The vehicle left early: changes before ``until`` are cut; ``back`` once it is plugged in."""

    schedule_id: ScheduleId
    until: int
    back: bool = False


class Programme(Struct, frozen=True, gc=False):
    """What is planned: the parts in order of time, and how far the first has been taken up."""

    parts: tuple[Part, ...] = ()
    taken: int = 0
    sequence: int = 0
    horizon_us: int | None = None
    exhausted: bool = False
    absence: Absence | None = None


class Override(Struct, frozen=True, gc=False):
    """A person's setpoint that outranks the plan; ``until_us`` is plan clock."""

    override_id: str
    target: Setpoint
    ends: str
    until_us: int | None
    by: str
    reason: str
    command_id: CommandId
    command_type: CommandType
    cause_kind: str
    used: bool = False


class OpenAttempt(Struct, frozen=True, gc=False):
    """An attempt that is on the wire: recorded, without outcome. Times are device clock.

    ``forgotten``: since it began the device may have lost what it held. ``applied_w`` is the power
    as it was spelled, null where that says nothing of it. ``lowers_default``: what lies beneath is
    lowered too.
    """

    attempt_id: str
    number: int
    form: int
    command_ids: tuple[CommandId, ...]
    type: CommandType
    setpoint: Setpoint | None
    payload: Payload
    started_us: int
    lease_until_us: int | None
    forgotten: bool = False
    ahead: tuple[tuple[int, int], ...] = ()
    applied_w: int | None = None
    lowers_default: bool = False


class Verifying(Struct, frozen=True, gc=False):
    """A setpoint that the device accepted at ``since_us`` (device clock): does it take effect?

    ``target_w`` is the power that was set, as it was spelled, charging positive; ``lowers``: it is
    less than what was held before, or than may have been.
    """

    attempt_id: str
    since_us: int
    target_w: int
    lowers: bool = False


class Work(Struct, frozen=True, gc=False):
    """The setpoint that is being brought about: the steps that are left, the first one's tries.

    ``retry_at_us`` is device clock. ``doubt`` is an attempt at the first step of which nobody knows
    what became of it, also once the device was asked in vain. ``verifying``: accepted, evidence
    is still being gathered.
    """

    decision: Decision
    steps: tuple[Step, ...]
    tries: int = 0
    form: int = 0
    retry_at_us: int | None = None
    unsent: int = 0
    held: str | None = None
    doubt: OpenAttempt | None = None
    verifying: Verifying | None = None

    @property
    def open_ids(self) -> tuple[CommandId, ...]:
        """The commands that are not yet over."""
        return tuple(i for step in self.steps for i in step.command_ids)


class Order(Struct, frozen=True, gc=False):
    """A command that sets no setpoint; ``due_us`` and ``expires_us`` are device clock.

    ``waits_since_us``: the device has accepted it and does it later, since when it might have.
    """

    command_id: CommandId
    type: CommandType
    due_us: int
    expires_us: int | None
    priority: int = 1
    arguments: Mapping[str, object] = field(default_factory=dict)
    tries: int = 0
    form: int = 0
    retry_at_us: int | None = None
    unsent: int = 0
    held: str | None = None
    waits_since_us: int | None = None


class Holding(Struct, frozen=True, gc=False):
    """What the device is known to hold, per channel; ``lease_until_us`` is device clock.

    A channel is null where its value is not known; ``released`` where the device is on its own.
    ``form`` is the spelling in which it took that, null where it was found and not set.
    ``left_until_us`` is the end of a lease that nobody renews any more, since a restart. ``ahead``
    are the planned changes that it was given too (plan clock, watts), ``applied_w`` is its power as
    it was spelled, null where that says nothing of it.
    """

    charge_w: int | None
    discharge_w: int | None
    released: bool = False
    lease_until_us: int | None = None
    form: int | None = None
    left_until_us: int | None = None
    ahead: tuple[tuple[int, int], ...] = ()
    applied_w: int | None = None

    @property
    def ends_us(self) -> int | None:
        """When the device lets go of it by itself, null where that is not known."""
        return self.left_until_us if self.lease_until_us is None else self.lease_until_us


UNKNOWN_HOLDING: Final = Holding(None, None)


class Resumed(Struct, frozen=True, gc=False):
    """The device took a power above 0 after it had held 0, at ``since_us`` last (device clock).

    ``nudges`` are the times that it took one again since, without the vehicle charging.
    """

    since_us: int
    nudges: int = 0


class Remains(Struct, frozen=True, gc=False):
    """The most that a device may still hold of setpoints that it was not seen to let go of.

    ``until_us`` is when their leases are over (device clock), null where they have no end.
    """

    charge_w: int
    discharge_w: int
    until_us: int | None


class GivenUp(Struct, frozen=True, gc=False):
    """A setpoint that failed: not tried again before ``again_at_us`` (device clock).

    Without such a time it is not tried again until something happens to the asset.
    """

    target: Setpoint
    again_at_us: int | None
    blocked: bool = False


class Interference(Struct, frozen=True, gc=False):
    """What has come of another controller that sets the device too. Times are device clock.

    ``set_again_us``: when what should hold was last set again against it, the newest last.
    ``answering``: that has just been decided, and is under way. ``left``: the device is left alone,
    up to ``again_at_us`` where that is not null. ``noted_us``: when it was last found changed.
    """

    set_again_us: tuple[int, ...] = ()
    answering: bool = False
    left: bool = False
    again_at_us: int | None = None
    noted_us: int = 0


NO_INTERFERENCE: Final = Interference()


# Seen by the collector: what an adapter refers to may lead back to whom this state belongs.
class Outside(Struct, frozen=True, omit_defaults=True):
    """What is known beside the fold. Times are device clock.

    ``offered``: the newest schedule that names the asset has been offered since the start.
    ``fresh``: nothing has been decided since the start, so what ran out did so while down.
    ``slot`` is idle, waiting or granted; an asset that shares its link with no other keeps it until
    it is ``slot_wanted`` by the link itself.
    ``asking`` names the attempt that the device is being asked about, and for how long at most.
    ``asked_us`` is when it was asked last, ``unheard`` how often in a row it went meanwhile.
    ``read`` is what the device last said that it holds, on both channels, on this connection.
    ``sample`` is its newest power, timed by its ``clock``; ``tally`` sums up what is measured of
    the running slot.
    ``phases_seen`` are those measured last, and how often in a row.
    ``unreadable`` names the row of the stream that cannot be read: nothing is decided then.
    ``closing``: the link is about to close, and nothing more is sent or asked.
    ``grant`` is what the asset may be set to, null where the site has no limit; ``claimed`` is what
    the site was told last; ``above_since_us`` is since when what is measured is above the grant.
    ``ended_us`` is when a transaction ended last.
    """

    adapter: Spelling | None = None
    options: object = None
    horizon_us: int | None = None
    sequence: int = 0
    offered: bool = False
    fresh: bool = True
    shared_slot: bool = False
    slot: str = "granted"
    slot_wanted: bool = False
    asking: str | None = None
    asking_until_us: int | None = None
    asked_us: int | None = None
    unheard: int = 0
    last_seen_us: int | None = None
    sample: Sample | None = None
    phases_seen: tuple[int, int] = (0, 0)
    clock: Reading = Reading()
    tally: Tally | None = None
    soc_pct: float | None = None
    read: SetpointRead | None = None
    stopping: bool = False
    stopped: bool = False
    closing: bool = False
    epoch: int = 0
    unreadable: str | None = None
    grant: Grant | None = None
    claimed: Claim | None = None
    above_since_us: int | None = None
    ended_us: int | None = None

    @property
    def measured_w(self) -> int | None:
        """The newest power that was measured, charging positive."""
        return None if self.sample is None else self.sample.power_w

    @property
    def measured_at_us(self) -> int | None:
        """When that was."""
        return None if self.sample is None else self.sample.taken_us


# Seen by the collector, as `Outside` is.
class AssetState(Struct, frozen=True, omit_defaults=True):
    """One asset, as rebuilt from its stream up to ``version``.

    ``form`` is the spelling in which a rate begins: the one that the device took last. ``refused``
    are those that it took not, since it may have changed its mind. ``worn`` are its registers that
    are kept in flash, as far as they were written. ``remains`` is what the device may hold beside
    what it is known to hold, ``applied`` what it was last found to hold or to allow. ``beneath`` is
    what it falls back to when its transaction is over, null where that is not known. ``earlier`` is
    what it may still do by an entry of the site file before.
    """

    asset_id: AssetId
    version: int = 0
    rules: AssetRules | None = None
    device: Device = Device("AVAILABLE")
    programme: Programme = Programme()
    desired: Decision | None = None
    override: Override | None = None
    work: Work | None = None
    orders: tuple[Order, ...] = ()
    attempt: OpenAttempt | None = None
    unknown: OpenAttempt | None = None
    holding: Holding = UNKNOWN_HOLDING
    remains: Remains | None = None
    beneath: Beneath | None = None
    earlier: Earlier | None = None
    applied: Setpoint | None = None
    given_up: tuple[GivenUp, ...] = ()
    alarms: tuple[str, ...] = ()
    interference: Interference = NO_INTERFERENCE
    worn: tuple[Worn, ...] = ()
    form: int = 0
    refused: tuple[int, ...] = ()
    resumed: Resumed | None = None
    crashes: int = 0
    outside: Outside = Outside()

    def first_form(self, setpoint: Setpoint) -> int:
        """Return the form to begin with: that of the last rate; a release begins with its own."""
        return 0 if setpoint == RELEASED else self.form

    @property
    def in_doubt(self) -> OpenAttempt | None:
        """The last attempt that may or may not have been carried out."""
        if self.unknown is not None or self.work is None:
            return self.unknown
        return self.work.doubt
