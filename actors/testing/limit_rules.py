"""The promise of a site limit, held against a log: no setpoint goes out for which there is no room.

It is worked out from what was sent, and not by the functions that granted it. What others set, or
a device does by itself, is not counted: that is no attempt of ours.
"""

from collections.abc import Iterator
from typing import Final, TypeAlias

import attrs

from engine import events
from engine.codec import Record
from engine.commands import CommandStatus
from engine.events import RELEASED, Setpoint
from engine.rules import AssetRules
from engine.types import US_PER_S, AssetKind

Pair: TypeAlias = tuple[int, int]

_UNSENT: Final = "not_sent"
_UNSEEN: Final = frozenset({"overtaken", "no evidence: its link was lost"})
_EARLIER: Final = "an earlier entry"
_MARGIN_US: Final = 60 * US_PER_S


@attrs.define
class _Set:
    """One setpoint that a device may hold: its powers, and until when (device clock)."""

    pair: Pair
    until_us: int | None
    frames: int


@attrs.define
class _Asset:
    """What one asset may hold by the attempts so far, each by its id."""

    rules: AssetRules | None = None
    may: dict[str, _Set] = attrs.field(factory=dict)
    open: str | None = None
    accepted: str | None = None
    found: Pair = (0, 0)
    """What somebody else has set: to bring that down is no increase."""

    def pair(self, now_us: int) -> Pair:
        """Return the most of each direction."""
        if self.rules is None:
            return 0, 0
        lasting = (
            one.pair
            for one in self.may.values()
            if one.until_us is None or now_us < one.until_us + _MARGIN_US
        )
        pairs = [_fallback(self.rules), *lasting]
        return max(one[0] for one in pairs), max(one[1] for one in pairs)

    def tells_all(self, found: Setpoint) -> bool:
        """Return whether a reading leaves nothing open; a charger has no discharge."""
        is_charger = self.rules is not None and self.rules.kind is AssetKind.EV_CHARGER
        return found.charge_w is not None and (is_charger or found.discharge_w is not None)

    def configured(self, rules: AssetRules | None) -> None:
        """Take another entry of the site file; what was set by the one before may still hold.

        So may its fallback be what the device goes to, if it was ever set.
        """
        if self.rules is not None and self.may:
            self.may[_EARLIER] = _Set(_fallback(self.rules), None, 0)
        self.rules = rules

    def only(self, attempt_id: str | None) -> None:
        """Know that the device holds what one attempt set, or none of them."""
        self.may = {name: one for name, one in self.may.items() if name == attempt_id}
        self.found = (0, 0)


@attrs.define
class LimitRules:
    """Follows a whole log."""

    increases: int = 0
    """How many setpoints that raise a reservation were looked at."""
    _assets: dict[str, _Asset] = attrs.field(factory=dict)
    _limits: tuple[int | None, int | None] = (None, None)
    _base_w: int = 0

    def feed(self, record: Record) -> Iterator[str]:
        """Take the next record; yield what it breaks."""
        header, event = record.header, record.event
        match event:
            case events.SiteConfigured():
                self._limits = (event.import_limit_w, event.export_limit_w)
                self._base_w = event.base_load_w or 0
            case events.ScheduleReceived(load=load) if load is not None:
                # A grant may be of the slot before: of all that is planned the least counts.
                self._base_w = min([self._base_w, *(one.watts for one in load.changes())])
            case events.AssetConfigured(rules=rules):
                self._asset(header.stream).configured(rules)
            case events.AssetRetired():
                self._asset(header.stream).configured(None)
            case events.AttemptStarted(setpoint=setpoint) if setpoint is not None:
                yield from self._started(header.stream, event, setpoint, header.wall_us)
            case _:
                self._learn(self._asset(header.stream), event)

    def _asset(self, stream: str) -> _Asset:
        return self._assets.setdefault(stream, _Asset())

    def _started(
        self, stream: str, event: events.AttemptStarted, setpoint: Setpoint, now_us: int
    ) -> Iterator[str]:
        asset = self._asset(stream)
        before = tuple(map(max, asset.pair(now_us), asset.found))
        asset.may[event.attempt_id] = _Set(
            _pair(setpoint, asset.rules), event.lease_until_us, len(event.payload.frames)
        )
        asset.open = event.attempt_id
        after = asset.pair(now_us)
        for direction, limit_w in enumerate(self._limits):
            if limit_w is None or after[direction] <= before[direction]:
                continue
            self.increases += 1
            total_w = sum(one.pair(now_us)[direction] for one in self._assets.values())
            most_w = limit_w - (0 if direction else self._base_w)
            if total_w > most_w:
                yield (
                    f"limit: {event.attempt_id} brings what may hold to {total_w} W, "
                    f"and the limit leaves {most_w} W"
                )

    def _learn(self, asset: _Asset, event: object) -> None:
        match event:
            case events.AttemptEnded(attempt_id=attempt_id) if attempt_id == asset.open:
                self._ended(asset, event)
            case events.AttemptReconciled(attempt_id=attempt_id, status=CommandStatus.COMPLETED):
                asset.only(attempt_id)
            case events.CommandVerified(status=CommandStatus.COMPLETED, reason=reason):
                if reason not in _UNSEEN and asset.accepted is not None:
                    asset.only(asset.accepted)
            case events.CommandVerified(found=found) | events.DeviceChanged(found=found):
                if found is not None and asset.tells_all(found):
                    asset.only(None)
                    asset.found = _pair(found, asset.rules)
            case _:
                return

    def _ended(self, asset: _Asset, event: events.AttemptEnded) -> None:
        own = asset.may[event.attempt_id]
        asset.open = None
        refused = event.outcome == "rejected" and own.frames == 1
        if event.outcome == _UNSENT or refused:
            del asset.may[event.attempt_id]
        elif event.outcome == "accepted":
            asset.accepted = event.attempt_id
            if event.status is CommandStatus.COMPLETED:
                asset.only(event.attempt_id)


def _fallback(rules: AssetRules) -> Pair:
    power_w = rules.fallback_w
    if power_w is None:
        return rules.max_charge_w, rules.max_discharge_w
    if rules.kind is AssetKind.BATTERY and power_w < 0:
        return 0, -power_w
    return power_w, 0


def _pair(setpoint: Setpoint, rules: AssetRules | None) -> Pair:
    if setpoint == RELEASED and rules is not None:
        return rules.max_charge_w, rules.max_discharge_w
    return setpoint.charge_w or 0, setpoint.discharge_w or 0
