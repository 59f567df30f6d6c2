"""The promise of a site limit, held against a log: no setpoint goes out for which there is no room.

It is worked out from what was sent, and not by the functions that granted it. What others set, or
a device does by itself, is not counted: that is no attempt of ours.
"""

from collections.abc import Iterator
from typing import Final, TypeAlias

import attrs

from actors.testing.phase_loads import PHASES, Loads, alone_on, most_of, sent_on
from engine import events
from engine.codec import Record
from engine.commands import CommandStatus
from engine.events import RELEASED, Setpoint
from engine.rules import AssetRules
from engine.types import US_PER_S, AssetKind

Pair: TypeAlias = tuple[int, int]

_UNSENT: Final = "not_sent"
_UNSEEN: Final = frozenset({"overtaken", "no evidence: its link was lost"})
_ROUNDED_W: Final = 1.0
"""Amperes have one decimal, and the powers of several assets are rounded."""
_EARLIER: Final = "an earlier entry"
_MARGIN_US: Final = 60 * US_PER_S


@attrs.define
class _Set:
    """One setpoint that a device may hold: its powers, and until when (device clock)."""

    pair: Pair
    until_us: int | None
    frames: int
    loads: Loads


@attrs.define
class _Asset:
    """What one asset may hold by the attempts so far, each by its id."""

    rules: AssetRules | None = None
    may: dict[str, _Set] = attrs.field(factory=dict)
    open: str | None = None
    accepted: str | None = None
    found: Pair = (0, 0)
    """What somebody else has set: to bring that down is no increase."""
    found_on: Loads = attrs.field(factory=dict)
    """What that takes of each phase."""

    def pair(self, now_us: int) -> Pair:
        """Return the most of each direction."""
        if self.rules is None:
            return 0, 0
        pairs = [_fallback(self.rules), *(one.pair for one in self._lasting(now_us))]
        return max(one[0] for one in pairs), max(one[1] for one in pairs)

    def loads(self, now_us: int) -> dict[str, float]:
        """Return the most of each phase."""
        if self.rules is None:
            return dict.fromkeys(PHASES, 0.0)
        floor = alone_on(self.rules, _fallback(self.rules)[0])
        return most_of([floor, *(one.loads for one in self._lasting(now_us))])

    def _lasting(self, now_us: int) -> Iterator[_Set]:
        for one in self.may.values():
            if one.until_us is None or now_us < one.until_us + _MARGIN_US:
                yield one

    def tells_all(self, found: Setpoint) -> bool:
        """Return whether a reading leaves nothing open; a charger has no discharge."""
        is_charger = self.rules is not None and self.rules.kind is AssetKind.EV_CHARGER
        return found.charge_w is not None and (is_charger or found.discharge_w is not None)

    def configured(self, rules: AssetRules | None) -> None:
        """Take another entry of the site file; what was set by the one before may still hold.

        So may its fallback be what the device goes to, if it was ever set.
        """
        if self.rules is not None and self.may:
            pair = _fallback(self.rules)
            self.may[_EARLIER] = _Set(pair, None, 0, alone_on(self.rules, pair[0]))
        self.rules = rules

    def only(self, attempt_id: str | None) -> None:
        """Know that the device holds what one attempt set, or none of them."""
        self.may = {name: one for name, one in self.may.items() if name == attempt_id}
        self.found, self.found_on = (0, 0), {}


@attrs.define
class LimitRules:
    """Follows a whole log."""

    increases: int = 0
    """How many setpoints that raise a reservation were looked at."""
    _assets: dict[str, _Asset] = attrs.field(factory=dict)
    _limits: tuple[int | None, int | None] = (None, None)
    _base_w: int = 0
    _phase_w: int | None = None
    _phase_base_w: int | None = None

    def feed(self, record: Record) -> Iterator[str]:
        """Take the next record; yield what it breaks."""
        header, event = record.header, record.event
        match event:
            case events.SiteConfigured():
                self._limits = (event.import_limit_w, event.export_limit_w)
                self._base_w = event.base_load_w or 0
                self._phase_w, self._phase_base_w = event.phase_limit_w, event.phase_base_w
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
        loads_before = most_of((asset.loads(now_us), asset.found_on))
        asset.may[event.attempt_id] = _Set(
            _pair(setpoint, asset.rules),
            event.lease_until_us,
            len(event.payload.frames),
            {} if asset.rules is None else sent_on(event.payload.frames, setpoint, asset.rules),
        )
        asset.open = event.attempt_id
        if self._phase_w is not None:
            yield from self._judge_phases(event.attempt_id, asset, loads_before, now_us)
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

    def _judge_phases(
        self, attempt_id: str, asset: _Asset, before: Loads, now_us: int
    ) -> Iterator[str]:
        base_w = self._base_w // len(PHASES) if self._phase_base_w is None else self._phase_base_w
        most_w = (self._phase_w or 0) - base_w
        after = asset.loads(now_us)
        for phase in PHASES:
            if after[phase] <= before[phase]:
                continue
            self.increases += 1
            total_w = sum(one.loads(now_us)[phase] for one in self._assets.values())
            if total_w > most_w + _ROUNDED_W:
                yield (
                    f"limit: {attempt_id} brings what may be drawn of {phase} to {total_w:.0f} W, "
                    f"and the limit leaves {most_w} W"
                )

    def _learn(self, asset: _Asset, event: object) -> None:
        match event:
            case events.AttemptEnded(attempt_id=attempt_id) if attempt_id == asset.open:
                self._ended(asset, event)
            case events.AttemptReconciled(attempt_id=attempt_id, status=CommandStatus.COMPLETED):
                asset.only(attempt_id)
            case events.CommandVerified(status=CommandStatus.COMPLETED):
                if _is_seen(event) and asset.accepted is not None:
                    asset.only(asset.accepted)
            case events.CommandVerified(found=found) | events.DeviceChanged(found=found):
                if found is not None and asset.tells_all(found):
                    asset.only(None)
                    asset.found = _pair(found, asset.rules)
                    if asset.rules is not None:
                        asset.found_on = alone_on(asset.rules, asset.found[0])
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


def _is_seen(event: events.CommandVerified) -> bool:
    """Return whether a setpoint was seen to hold; a status is of a change of availability."""
    return event.evidence != "status" and event.reason not in _UNSEEN


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
