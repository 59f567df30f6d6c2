"""The sentence: what should hold, because of what, and how far it has come."""

from collections.abc import Iterator

from engine import events
from engine.asset.desire import limited
from engine.asset.programme import part_at, values_at
from engine.asset.state import Override, Part
from engine.codec import Record
from engine.events import RELEASED, Decision
from engine.phases import NOMINAL_V, PHASES
from engine.types import Instant
from engine.why.lines import clock, external
from engine.why.overdue import overdue
from engine.why.standing import standing
from engine.why.story import Story
from engine.why.words import Words


def sentence(story: Story, now: Instant, words: Words) -> str:
    """Return in one sentence why an asset's setpoint is what it is."""
    state = story.state
    if state.rules is None:
        known = "is not in the site file any more" if state.version else "is not known yet"
        return f"{state.asset_id} {known}."
    desired = state.desired
    if desired is None:
        why = f"{_nothing(story, words)}{_trouble(story, words)}"
        return f"{state.asset_id}: nothing has been asked of it, because {why}."
    what = "it is left to its own control"
    if desired.target != RELEASED:
        what = f"{words.setpoint(desired.target)} should hold"
    why = "; ".join(_because(story, desired, words))
    stands = standing(story, now, words)
    rest = f"{overdue(state, now, words)}{_trouble(story, words)}"
    return f"{state.asset_id}: {what}, because {why}; {stands}{rest}."


def _trouble(story: Story, words: Words) -> str:
    failed = story.failure()
    if failed is not None:
        return _crash(story, failed, words)
    record = story.trouble()
    if record is None:
        return ""
    event: events.StateChanged = record.event
    code = event.detail.get("error_code")
    since = words.time(record.header.at_us)
    return f"; since {since} it is {event.target}" + (f" ({code})" if code else "")


def _crash(story: Story, failed: Record, words: Words) -> str:
    event: events.ActorCrashed = failed.event
    when = words.time(failed.header.at_us)
    if not story.state.device.failed:
        return f"; at {when} the engine failed on {event.message} ({event.error})"
    return f"; since {when} it is given up, as the engine failed on it repeatedly ({event.error})"


def _nothing(story: Story, words: Words) -> str:
    if story.plan is None:
        return "no schedule names it and nobody has set anything by hand"
    plan: events.PlanReplaced = story.plan.event
    begins = words.time(max(plan.from_us, plan.plan.due_us(0) if len(plan.plan) else plan.from_us))
    return f"schedule {plan.ref.schedule_id} plans nothing for it before {begins}"


def _because(story: Story, desired: Decision, words: Words) -> Iterator[str]:
    """Yield the reasons: the rule that wins, then what brought it about."""
    yield from _rule(story, desired, words)
    yield from _limit(story, desired, words)
    if desired.cut is not None:
        yield _cut_by(desired.cut, words)
    ended = story.prompt(events.OverrideEnded)
    if ended is not None and desired.source != "override":
        yield f"an override ended at {words.time(ended.header.at_us)} ({_end_of(ended)})"
    changed = story.led(events.DeviceChanged)
    if changed is not None and changed.event.reaction != "given_in":
        found = words.setpoint(changed.event.found)
        when = words.time(changed.header.at_us)
        yield f"the {words.device} was found to hold {found} at {when}"
    skewed = story.skew()
    if skewed is not None:
        yield f"{clock(skewed.event.ahead_s)}, since {words.time(skewed.header.at_us)}"
    for limit in story.state.device.limits:
        yield f"{external(limit, words)}, since {words.time(limit.since_us)}"
    cut = story.prompt(events.PlanCut)
    if cut is not None and cut.event.reason != "early_departure":
        yield _cut(cut.event)


def _rule(story: Story, desired: Decision, words: Words) -> Iterator[str]:
    match desired.source:
        case "schedule":
            yield from _schedule(story, desired, words)
        case "override":
            yield _override(story, words)
        case "hold":
            yield f"{_ended(story, words)}, and its last value is held for a while"
        case "release" if _handed_back(story):
            yield "the engine handed it back when it stopped"
        case "release":
            yield f"{_unplanned(story, words)}, and no fallback is set for it"
        case _:
            yield f"{_unplanned(story, words)}, and this is its fallback"


def _limit(story: Story, desired: Decision, words: Words) -> Iterator[str]:
    """Yield what was asked for, where the asset's own limit is lower than that by now."""
    rules, override, wanted = story.state.rules, story.state.override, None
    if desired.source == "override" and override is not None:
        wanted = override.target
    elif desired.source == "schedule" and (part := _part(story, desired)) is not None:
        wanted = values_at(part.plan, max(story.decided_us, part.from_us))
    if wanted is None or rules is None or limited(wanted, rules) == wanted:
        return
    yield f"{words.setpoint(wanted)} is more than its limit allows by now"


def _cut_by(cut: events.Cut, words: Words) -> str:
    """Return what was asked for and granted, and where the rest of the limit is."""
    rest = [f"{words.power(cut.others_w)} are reserved for the other assets"]
    if cut.base_w:
        rest.insert(0, f"the base load takes {words.power(cut.base_w)}")
    asked, granted = words.setpoint(cut.asked), words.power(cut.granted_w)
    limit = f"the site's {cut.direction} limit is {words.power(cut.limit_w)}"
    if cut.direction in PHASES:
        limit += f" ({cut.limit_w / NOMINAL_V:.3g} A)"
    return f"{asked} was asked and {granted} granted, because {limit} and {' and '.join(rest)}"


def _handed_back(story: Story) -> bool:
    """Return whether a fallback would rule, had the engine not let go of the device."""
    rules = story.state.rules
    if rules is None or rules.fallback_w is None:
        return False
    return rules.on_schedule_end != "release" or not story.state.programme.exhausted


def _schedule(story: Story, desired: Decision, words: Words) -> Iterator[str]:
    part = _part(story, desired)
    if part is None:
        yield "a schedule that has ended planned it"
    else:
        sid = part.ref.schedule_id
        slot = words.time(_slot_us(part, max(story.decided_us, part.from_us)))
        yield f"schedule {sid} plans it from {slot} on{_columns(part)}"
        before, plan = story.plan_before, story.prompt(events.PlanReplaced)
        if plan is not None and before is not None:
            since = words.time(plan.header.at_us)
            yield f"it took the place of schedule {before.ref.schedule_id} at {since}"
    back = story.prompt(events.DepartureEnded)
    if back is not None:
        yield f"the vehicle was plugged in again at {words.time(back.header.at_us)}"


def _part(story: Story, desired: Decision) -> Part | None:
    """Return the plan that the newest decision was made on."""
    programme = story.state.programme
    if desired.taken is not None:
        for part in programme.parts:
            if part.ref.schedule_id == desired.taken.schedule_id:
                return part
    return part_at(programme, story.told_us)


def _slot_us(part: Part, plan_us: int) -> int:
    """Return when the newest change by a moment was due."""
    count = part.plan.index_at(plan_us)
    return part.plan.due_us(count - 1) if count else part.from_us


def _columns(part: Part) -> str:
    """Return the names of the schedule's columns that say so."""
    names = tuple(name for name in part.plan.columns if name)
    if not names:
        return ""
    return f" (column {names[0]})" if len(names) == 1 else f" (columns {' and '.join(names)})"


def _override(story: Story, words: Words) -> str:
    override = story.state.override
    if override is None:
        ended = words.time(story.latest(events.OverrideEnded).header.at_us)
        return f"an override that ended at {ended} set it, and nothing has been decided since"
    verb = "paused it" if override.ends == "resume" else "set it by hand"
    loser = _loser(story, words)
    return f"{override.by} {verb} {_until(override, words)} ({override.reason}){loser}"


def _until(override: Override, words: Words) -> str:
    end = None if override.until_us is None else words.time(override.until_us)
    match override.ends:
        case "resume":
            return "until resumed"
        case "unplugged":
            return "until the vehicle is unplugged"
        case "next_change":
            return f"until the next planned change, or {end}"
        case _:
            return f"until {end}"


def _loser(story: Story, words: Words) -> str:
    decision = story.decision
    losers = () if decision is None else decision.event.decision.losers
    if not losers:
        return ""
    source, charge_w, discharge_w = losers[0]
    return f" over {words.setpoint(events.Setpoint(charge_w, discharge_w))} by {source}"


def _unplanned(story: Story, words: Words) -> str:
    """Return why no plan rules."""
    state = story.state
    if state.programme.exhausted:
        return _ended(story, words)
    if state.programme.absence is not None:
        left = words.time(story.latest(events.DepartureDetected).header.at_us)
        return f"the vehicle left early, as was clear at {left}"
    if any(one.blocked for one in state.given_up):
        return "the first half of the planned pair failed"
    return "nothing is planned for now"


def _ended(story: Story, words: Words) -> str:
    event: events.ScheduleExhausted = story.latest(events.ScheduleExhausted).event
    return f"schedule {event.schedule_id} ended at {words.time(event.horizon_us)}"


def _end_of(record: Record) -> str:
    event: events.OverrideEnded = record.event
    return event.reason if event.by is None else f"{event.reason} by {event.by}"


def _cut(event: events.PlanCut) -> str:
    count = event.last - event.first
    which = "one planned change" if count == 1 else f"{count} planned changes"
    return f"{which} before it ended {event.reason}"
