"""The charging profiles that a charge point keeps, and the limit that they come to. Pure.

OCPP 1.6 edition 2: 3.13.2 (stacking), 3.13.3 (combining purposes), 5.4 (ClearChargingProfile),
5.7 (GetCompositeSchedule), 5.16 (SetChargingProfile).
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

import attrs

from actors.sim.profiles import (
    MAX_PROFILE,
    TX_DEFAULT_PROFILE,
    TX_PROFILE,
    ChargingProfile,
    Limit,
    ProfileRefused,
    TransactionId,
)


@attrs.frozen(kw_only=True)
class Situation:
    """What a limit depends on beside the profiles: where, when, and the transaction there.

    ``charge_start`` is when the transaction began, null without one: a schedule that is relative
    then counts as begun now, as it would for a charge that begins now.
    """

    connector: int
    at: datetime
    transaction_id: TransactionId | None = None
    charge_start: datetime | None = None
    phases: int = 3

    @property
    def reference(self) -> datetime:
        """Where a relative schedule begins."""
        return self.at if self.charge_start is None else self.charge_start


@attrs.frozen(kw_only=True)
class Selection:
    """The profiles that ClearChargingProfile means; what is null does not matter [5.4]."""

    id: int | None = None
    connector: int | None = None
    purpose: str | None = None
    stack_level: int | None = None

    def means(self, kept: "Kept") -> bool:
        """Tell whether a profile is meant; an id says it all."""
        profile = kept.profile
        if self.id is not None:
            return self.id == profile.id
        return (
            self.connector in {None, kept.connector}
            and self.purpose in {None, profile.purpose}
            and self.stack_level in {None, profile.stack_level}
        )


@attrs.frozen
class Kept:
    """A profile and the connector that it was set on; 0 is the charge point."""

    connector: int
    profile: ChargingProfile


@attrs.frozen
class Stretch:
    """A part of a composite schedule: from ``start_s`` on at most ``limit_w``, null is no limit."""

    start_s: int
    limit_w: float | None


class Limits:
    """The profiles of one charge point."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        self._kept: tuple[Kept, ...] = ()

    @property
    def kept(self) -> tuple[Kept, ...]:
        """All profiles, in the order in which they were set."""
        return self._kept

    def put(self, profile: ChargingProfile, situation: Situation, *, lenient: bool = False) -> None:
        """Keep a profile in place of the one with its id, or with its purpose and level there.

        ``lenient`` takes a TxProfile without a transaction too; it holds from the next one on.

        Raises:
            ProfileRefused: its purpose does not go with the connector or the transaction [5.16].
        """
        connector = situation.connector
        if profile.purpose == MAX_PROFILE and connector != 0:
            raise ProfileRefused("a ChargePointMaxProfile is for connector 0")
        if profile.purpose == TX_PROFILE and not lenient:
            _check_transaction(profile, situation)
        replaced = Selection(
            connector=connector, purpose=profile.purpose, stack_level=profile.stack_level
        )
        self._drop(replaced)
        self._drop(Selection(id=profile.id))
        self._kept = (*self._kept, Kept(connector, profile))

    def clear(self, selection: Selection) -> bool:
        """Drop the profiles that are meant; False if there were none."""
        return self._drop(selection)

    def end_transaction(self, connector: int) -> None:
        """Drop the TxProfiles of a connector: they end with their transaction [3.13.1]."""
        self._drop(Selection(connector=connector, purpose=TX_PROFILE))

    def forget(self) -> None:
        """Drop everything."""
        self._kept = ()

    def own_limit_w(self, situation: Situation) -> float | None:
        """Return what a connector's own profiles allow, in watts: TxProfile before TxDefault."""
        limit = None
        if situation.transaction_id is not None:
            limit = self._leading(TX_PROFILE, situation)
        if limit is None:
            limit = self._leading(TX_DEFAULT_PROFILE, situation)
        return None if limit is None else limit.watts(situation.phases)

    def whole_limit_w(self, situation: Situation) -> float | None:
        """Return what all connectors together may take, in watts."""
        limit = self._leading(MAX_PROFILE, attrs.evolve(situation, connector=0))
        return None if limit is None else limit.watts(situation.phases)

    def limit_w(self, situation: Situation) -> float | None:
        """Return the lower of both, null without any limit [3.13.3]."""
        own = self.own_limit_w(situation) if situation.connector else None
        limits = [each for each in (own, self.whole_limit_w(situation)) if each is not None]
        return min(limits, default=None)

    def composite(self, situation: Situation, duration_s: int) -> tuple[Stretch, ...]:
        """Return the limits from ``situation.at`` on for ``duration_s`` seconds [5.7]."""
        start = situation.at
        fixed = attrs.evolve(situation, charge_start=situation.reference)
        moments = self._changes(fixed, start + timedelta(seconds=duration_s))
        stretches: list[Stretch] = []
        for moment in (start, *moments):
            limit_w = self.limit_w(attrs.evolve(fixed, at=moment))
            if not stretches or stretches[-1].limit_w != limit_w:
                start_s = round((moment - start).total_seconds())
                stretches.append(Stretch(start_s, limit_w))
        return tuple(stretches)

    def _changes(self, situation: Situation, end: datetime) -> list[datetime]:
        found = {
            moment
            for kept in self._kept
            if kept.connector in {0, situation.connector}
            for moment in kept.profile.changes(situation.at, end, situation.reference)
        }
        return sorted(found)

    def _leading(self, purpose: str, situation: Situation) -> Limit | None:
        """Return the limit of the highest level that sets one now [3.13.2]."""
        for kept in _by_rank(self._of(purpose, situation.connector)):
            limit = kept.profile.limit_at(situation.at, situation.reference)
            if limit is not None:
                return limit
        return None

    def _of(self, purpose: str, connector: int) -> Iterable[Kept]:
        places = {0, connector}
        return (k for k in self._kept if k.profile.purpose == purpose and k.connector in places)

    def _drop(self, selection: Selection) -> bool:
        left = tuple(kept for kept in self._kept if not selection.means(kept))
        found = len(left) < len(self._kept)
        self._kept = left
        return found


def _by_rank(kept: Iterable[Kept]) -> list[Kept]:
    """Sort from the highest level down; on one level a connector's own goes before those on 0."""
    return sorted(kept, key=lambda each: (-each.profile.stack_level, each.connector == 0))


def _check_transaction(profile: ChargingProfile, situation: Situation) -> None:
    if situation.connector == 0 or situation.transaction_id is None:
        raise ProfileRefused("a TxProfile needs a transaction")
    if profile.transaction_id not in {None, situation.transaction_id}:
        raise ProfileRefused(f"transaction {profile.transaction_id} does not run here")
