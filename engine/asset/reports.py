"""What a device reports becomes events where it changes something; the report is the truth."""

from typing import assert_never

from msgspec.structs import replace

from engine import events
from engine.adapters import base
from engine.adapters.device_clock import wrong_by_s
from engine.asset.clearing import still_open
from engine.asset.draft import Draft
from engine.asset.effects import Respond
from engine.asset.evse import (
    Meaning,
    charging_reported,
    connector_reported,
    ended_unseen,
    is_elsewhere,
    is_here,
)
from engine.asset.external import is_news
from engine.asset.holding import found_setpoint, holds, matches
from engine.asset.ids import transaction_id
from engine.asset.keeping import keep_alive, keep_no_more
from engine.asset.orders import configure
from engine.asset.reaction import change_of, is_limited
from engine.asset.reported import PROTOCOL
from engine.asset.state import AssetState, Device, OpenAttempt, Transaction
from engine.commands import CommandStatus
from engine.events import RELEASED, Setpoint
from engine.machines import table_of
from engine.rules import AssetRules
from engine.types import US_PER_S, AssetKind, to_w

_OVERLAYS = frozenset({"FAULTED", "UNAVAILABLE"})
_RAW_LIMIT = 500
_UNREAD_EVERY_US = 60 * US_PER_S
_NEAR_S = 10
_MOST_PHASES = 3
_TIMES = 3


def observe_all(draft: Draft, seen: tuple[base.Observation, ...]) -> None:
    """Record several observations in their order."""
    for observation in seen:
        observe(draft, observation)


def observe(draft: Draft, seen: base.Observation) -> None:  # noqa: C901, PLR0912 - one case per kind of report
    """Record one observation, if it changes anything that is recorded."""
    match seen:
        case base.Seen():
            return
        case base.PowerMeasured():
            _phases(draft, seen)
        case base.Connected():
            _connected(draft, seen)
        case base.Disconnected():
            _disconnected(draft, seen)
        case base.StateReported():
            _state(draft, seen)
        case base.ConnectorReported():
            _evse(draft, connector_reported(draft.state.device, seen), seen.status)
        case base.ChargingReported():
            _charging(draft, seen)
        case base.SetpointRead():
            _setpoint(draft, seen)
        case base.TransactionChanged():
            _transaction(draft, seen)
        case base.CapabilitiesLearned():
            _capabilities(draft, seen)
        case base.ClockRead():
            _clock(draft, seen)
        case base.ExternalLimit():
            _external_limit(draft, seen)
        case base.Unreadable():
            _unreadable(draft, seen)
        case base.LateAnswer():
            draft.note(events.LateAnswered(seen.attempt_id, seen.raw))
        case _:
            assert_never(seen)


def _connected(draft: Draft, seen: base.Connected) -> None:
    device = draft.state.device
    if device.connected and not seen.booted:
        return
    read = draft.state.outside.read
    found = None if read is None else found_setpoint(read)
    kept = not seen.booted and found is not None and holds(draft.state.holding, found)
    done = None if read is None or seen.booted else _shown(draft.state, read)
    draft.note(
        events.ConnectionChanged(True, seen.booted, kept, detail=dict(seen.detail))  # noqa: FBT003 - the event's own word
    )
    if done is not None:
        done_after_all(draft, done)
    elif found is not None and not kept:
        _changed(draft, found, just_back=True)


def _shown(state: AssetState, read: base.SetpointRead) -> OpenAttempt | None:
    """Return the attempt in doubt, if a reading shows that it was carried out."""
    attempt = state.in_doubt
    if state.attempt is not None or attempt is None or attempt.setpoint in {None, RELEASED}:
        return None
    return attempt if matches(read, attempt.setpoint) else None


def done_after_all(draft: Draft, attempt: OpenAttempt) -> None:
    """Record that a device holds what an attempt of unknown outcome has set."""
    is_battery = draft.rules.kind is AssetKind.BATTERY
    draft.note(
        events.AttemptReconciled(
            attempt.attempt_id,
            still_open(draft, attempt),
            "holds",
            CommandStatus.COMPLETED,
            evidence="readback" if is_battery else "composite",
        )
    )
    keep_alive(draft, attempt)


def _changed(draft: Draft, found: Setpoint, *, just_back: bool = False) -> None:
    """Somebody else has set the device: what we set is not repeated against it."""
    change = change_of(draft.state, found, draft.now, just_back=just_back)
    if change is not None and not is_limited(draft.state, found):
        keep_no_more(draft)
        draft.note(change)


def _disconnected(draft: Draft, seen: base.Disconnected) -> None:
    if draft.state.device.connected:
        draft.note(events.ConnectionChanged(False, reason=seen.reason))  # noqa: FBT003 - the event's own word
    if seen.lasts:
        draft.note(events.LinkFailed(seen.reason))


def _state(draft: Draft, seen: base.StateReported) -> None:
    known = table_of(draft.rules.kind).states
    if seen.state is None or seen.state not in known:
        _not_understood(draft, seen.raw)
    elif seen.whole_device:
        _whole_device(draft, seen, seen.state)
    else:
        _own_state(draft, seen.state, seen.raw, dict(seen.detail))


def _not_understood(draft: Draft, raw: str) -> None:
    if draft.state.device.odd_status != raw[:_RAW_LIMIT]:
        draft.note(events.StatusNotUnderstood(raw[:_RAW_LIMIT]))


def _own_state(draft: Draft, state: str, raw: str, detail: dict[str, str]) -> None:
    """The state of the asset itself, beside that of the charge point as a whole."""
    device = draft.state.device
    if device.state_known and device.own_state == state and device.detail == detail:
        return
    trigger = _trigger(draft, device.own_state, state)
    draft.note(events.StateChanged(device.own_state, state, trigger, raw, detail, device.overlay))


def _charging(draft: Draft, seen: base.ChargingReported) -> None:
    device = draft.state.device
    if not seen.to_all or is_here(device, seen.transaction_id):
        raw = seen.charging if seen.charging is not None and seen.phase != "ended" else seen.phase
        _evse(draft, charging_reported(device, seen), raw)


def _evse(draft: Draft, meaning: Meaning, raw: str) -> None:
    """What is known of the EVSE is recorded where it means anything for what it says next."""
    before, after = draft.state.device.evse, meaning.evse
    if replace(after, seq_no=before.seq_no) != before:
        draft.note(events.EvseChanged(after))
    if not meaning.understood:
        _not_understood(draft, raw)
    elif meaning.state is not None:
        _own_state(draft, meaning.state, raw, meaning.detail)


def _whole_device(draft: Draft, seen: base.StateReported, state: str) -> None:
    """Connector 0 overlays all connectors while it is faulted or unavailable."""
    device = draft.state.device
    overlay = state if state in _OVERLAYS else None
    if overlay != device.overlay:
        trigger = _trigger(draft, device.state, overlay or device.own_state)
        detail = dict(seen.detail)
        draft.note(
            events.StateChanged(device.state, device.own_state, trigger, seen.raw, detail, overlay)
        )


def _trigger(draft: Draft, source: str, target: str) -> str:
    return table_of(draft.rules.kind).trigger_for(source, target) or "sync"


def _setpoint(draft: Draft, seen: base.SetpointRead) -> None:
    """A read-back newer than our confirmation; while an attempt is open it says nothing new."""
    state = draft.state
    if state.attempt is not None or state.unknown is not None or not state.device.connected:
        return
    holding = state.holding
    if seen.released:
        if not holding.released and (holding.charge_w, holding.discharge_w) != (None, None):
            _changed(draft, RELEASED)
        return
    pairs = ((seen.charge_kw, holding.charge_w), (seen.discharge_kw, holding.discharge_w))
    told = [(found_kw, held_w) for found_kw, held_w in pairs if found_kw is not None]
    near = seen.step_kw * 1_000 + 0.5
    if holding.released or not told:
        return
    done = _shown(state, seen)
    if done is not None:
        done_after_all(draft, done)
        return
    if all(held_w is not None and abs(kw * 1_000 - held_w) <= near for kw, held_w in told):
        return
    charge_w = holding.charge_w if seen.charge_kw is None else to_w(seen.charge_kw)
    discharge_w = holding.discharge_w if seen.discharge_kw is None else to_w(seen.discharge_kw)
    target = None if state.desired is None else state.desired.target
    if target is not None and target != RELEASED and matches(seen, target):
        charge_w, discharge_w = target.charge_w, target.discharge_w
    _changed(draft, Setpoint(charge_w, discharge_w))


def _transaction(draft: Draft, seen: base.TransactionChanged) -> None:
    if seen.kind == "started":
        _transaction_started(draft, seen)
    elif seen.transaction_id is None:
        _tell(draft, seen, "")
    elif seen.kind == "found":
        _transaction_found(draft, seen, seen.transaction_id)
    else:
        _transaction_ended(draft, seen, seen.transaction_id)


def _transaction_started(draft: Draft, seen: base.TransactionChanged) -> None:
    """A repeated start gets the same id; the id is committed before the device hears of it."""
    known = _known(draft.state.device, seen)
    if known is not None:
        _tell(draft, seen, known.transaction_id)
        return
    own_id = seen.transaction_id
    if seen.is_assumed and draft.state.device.transaction is not None:
        _tell(draft, seen, own_id or "")
        return
    if own_id is None:
        connector = draft.rules.options.get("connector", 1)
        number = connector if isinstance(connector, int) else 1
        own_id = str(transaction_id(draft.next_version, number))
    draft.note(
        events.TransactionStarted(
            own_id, seen.key, seen.id_tag, seen.meter_wh, offline=seen.offline
        )
    )
    _tell(draft, seen, own_id)


def _known(device: Device, seen: base.TransactionChanged) -> Transaction | None:
    """Return the transaction that a start tells of again, or too late."""
    running, last = device.transaction, device.last_transaction
    if running is not None and running.transaction_id == seen.transaction_id:
        return running
    if last is not None and seen.offline and last.transaction_id == seen.transaction_id:
        return last
    both = (one for one in (running, last) if one is not None)
    return next((one for one in both if seen.key and one.key == seen.key), None)


def _transaction_found(draft: Draft, seen: base.TransactionChanged, found_id: str) -> None:
    """Adopt a transaction that runs, unless it is known, or to be over: then the report is late."""
    device = draft.state.device
    running, last = device.transaction, device.last_transaction
    is_known = running is not None and running.transaction_id == found_id
    is_over = last is not None and last.ended and last.transaction_id == found_id
    is_elsewhere_too = seen.is_assumed and running is not None
    if not (is_known or is_over or seen.offline or is_elsewhere_too):
        draft.note(
            events.TransactionStarted(found_id, seen.key, seen.id_tag, seen.meter_wh, adopted=True)
        )
    _tell(draft, seen, found_id)


def _transaction_ended(draft: Draft, seen: base.TransactionChanged, ended_id: str) -> None:
    running, last = draft.state.device.transaction, draft.state.device.last_transaction
    if last is None or not last.ended or last.transaction_id != ended_id:
        draft.note(events.TransactionEnded(ended_id, seen.meter_wh, seen.reason, seen.offline))
    was_running = running is not None and running.transaction_id == ended_id
    if seen.offline and was_running and draft.state.device.evse.transaction_id == ended_id:
        _evse(draft, ended_unseen(draft.state.device), seen.kind)
    _tell(draft, seen, ended_id)


def _tell(draft: Draft, seen: base.TransactionChanged, own_id: str) -> None:
    reply = seen.reply
    if reply is not None:
        draft.want(Respond(lambda value: reply(str(value)), own_id))


def _capabilities(draft: Draft, seen: base.CapabilitiesLearned) -> None:
    """What was not told again still holds, unless the device speaks another protocol now."""
    known, learned = dict(draft.state.device.capabilities), dict(seen.capabilities)
    before = known.get(PROTOCOL)
    if before is None or learned.get(PROTOCOL, before) == before:
        learned = known | learned
    if learned != known:
        draft.note(events.CapabilitiesLearned(learned))
    configure(draft)


def _phases(draft: Draft, seen: base.PowerMeasured) -> None:
    """Learn the phases of a vehicle in a transaction, where the site file does not say any.

    Fewer only when they are measured again and again: some vehicles begin on one and go on to
    three, and what was reckoned with one allows them three times as much.
    """
    device = draft.state.device
    known = device.phases or _MOST_PHASES
    if (
        seen.phases in {None, known}
        or device.transaction is None
        or is_elsewhere(device, seen)
        or not _learns_phases(draft.rules)
    ):
        return
    count, times = draft.state.outside.phases_seen
    if count > known or times >= _TIMES:
        draft.note(events.PhasesMeasured(count))


def _learns_phases(rules: AssetRules) -> bool:
    return rules.kind is AssetKind.EV_CHARGER and rules.options.get("phases") is None


def _clock(draft: Draft, seen: base.ClockRead) -> None:
    """A clock that is wrong is told of, and again only when it is wrong by another amount."""
    wrong_s, known_s = wrong_by_s(seen.ahead_s), draft.state.device.clock_ahead_s
    if abs(wrong_s - known_s) > _NEAR_S:
        draft.note(events.ClockSkewed(wrong_s))


def _external_limit(draft: Draft, seen: base.ExternalLimit) -> None:
    note_limit(
        draft,
        events.ExternalLimitTold(
            seen.source, seen.limit, seen.unit, seen.is_critical, seen.is_over
        ),
    )


def note_limit(draft: Draft, told: events.ExternalLimitTold) -> None:
    """Record what others limit the device to, if that is not known yet."""
    if is_news(draft.state.device.limits, told):
        draft.note(told)


def _unreadable(draft: Draft, seen: base.Unreadable) -> None:
    last_us = draft.state.device.unread_at_us
    if last_us is None or draft.now.device_us - last_us >= _UNREAD_EVERY_US:
        draft.note(events.MessageNotUnderstood(seen.raw[:_RAW_LIMIT]))
