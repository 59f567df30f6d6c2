"""The schedules accepted so far: what each offers its assets, and the snapshot of them."""

from collections.abc import Iterable, Mapping
from typing import Final

import attrs
import msgspec
from msgspec import Struct

from engine import events
from engine.asset import messages as message
from engine.codec import Row
from engine.plans import PlanRef, same_over
from engine.site.load import Load, Loads
from engine.types import AssetId, ScheduleId

SCHEDULES: Final = "schedules"
"""The name of the snapshot of all schedules."""
TOPIC: Final = "snapshot.schedules"
FIELDS: Final = 1
"""The version of the snapshot's fields: raised when one is added, dropped or changed."""


@attrs.frozen
class Accepted:
    """The schedules accepted so far: their digests by id, and each asset's newest offer.

    ``wanted`` names schedules that are in force, and whose plans have not been read yet. What
    they say of the base load are ``loads``.
    """

    sequence: int = 0
    digests: Mapping[str, bytes] = attrs.field(factory=dict)
    offers: Mapping[AssetId, message.PlanOffered] = attrs.field(factory=dict)
    wanted: frozenset[str] = frozenset()
    loads: Loads = attrs.field(factory=Loads)

    def lacks(self, schedule_id: ScheduleId) -> bool:
        """Return whether a schedule's event has to be read."""
        return schedule_id in self.wanted or schedule_id not in self.digests

    def after(self, received: Iterable[events.ScheduleReceived]) -> "Accepted":
        """Return what is accepted with these schedules too, in whatever order they come."""
        sequence = self.sequence
        digests = dict(self.digests)
        offers = dict(self.offers)
        loads = self.loads
        for event in sorted(received, key=lambda one: one.sequence):
            sequence = max(sequence, event.sequence)
            digests[event.schedule_id] = event.digest
            offers.update(offers_of(event))
            load = load_of(event)
            loads = loads if load is None else loads.replaced(load)
        return Accepted(sequence, digests, offers, loads=loads)


class _Kept(Struct, frozen=True, gc=False, array_like=True):
    fields: int
    sequence: int
    digests: dict[str, bytes]
    in_force: list[str]


class _Version(Struct, frozen=True, gc=False, array_like=True):
    fields: int


def is_other_version(body: bytes) -> bool:
    """Return whether a snapshot was made with other fields."""
    try:
        return msgspec.msgpack.decode(body, type=_Version).fields != FIELDS
    except msgspec.MsgspecError:
        return False


def encode_accepted(
    sequence: int,
    digests: Mapping[str, bytes],
    offers: Mapping[AssetId, message.PlanOffered],
    loads: Loads = Loads(),  # noqa: B008 - frozen
) -> Row:
    """Return a snapshot of what is accepted; the plans stay in their schedules' streams."""
    named = {offer.ref.schedule_id for offer in offers.values()}
    in_force = sorted(named | {load.schedule_id for load in loads.in_order})
    kept = _Kept(FIELDS, sequence, dict(digests), list(in_force))
    return Row(SCHEDULES, sequence, TOPIC, msgspec.msgpack.encode(kept, order="deterministic"))


def decode_accepted(body: bytes) -> Accepted:
    """Return what a snapshot holds, nothing if it is of no use."""
    if is_other_version(body):
        return Accepted()
    try:
        kept = msgspec.msgpack.decode(body, type=_Kept)
    except msgspec.MsgspecError:
        return Accepted()
    return Accepted(kept.sequence, kept.digests, wanted=frozenset(kept.in_force))


def load_of(event: events.ScheduleReceived) -> Load | None:
    """Return the base load that a schedule says, null where it says none."""
    if event.load is None:
        return None
    return Load(event.load, event.start_us, event.horizon_us, event.schedule_id)


def same_load(loads: Loads, event: events.ScheduleReceived) -> bool:
    """Return whether a schedule says of the base load what is known, or nothing at all."""
    if event.load is None:
        return True
    newest = loads.in_order[-1] if loads.in_order else None
    if newest is None or newest.start_us > event.start_us:
        return False
    return newest.horizon_us == event.horizon_us and same_over(
        newest.plan, event.load, event.start_us, event.horizon_us
    )


def offers_of(event: events.ScheduleReceived) -> dict[AssetId, message.PlanOffered]:
    """Return what an accepted schedule offers each asset that it names.

    Ids of planned commands have the asset's place among all: by name, as the store keeps them.
    """
    return {
        asset_id: message.PlanOffered(
            PlanRef(event.schedule_id, event.sequence, ordinal),
            plan,
            event.start_us,
            event.horizon_us,
        )
        for ordinal, (asset_id, plan) in enumerate(sorted(event.plans.items()))
    }
