"""A decision in the making: the events and effects so far, and the state that they lead to."""

from engine import events
from engine.asset.effects import Effect, Hasten, ReleaseSlot, RequestSlot
from engine.asset.evolve import evolve
from engine.asset.state import AssetState
from engine.rules import AssetRules
from engine.types import AssetKind, Instant


class Draft:
    """What ``decide`` collects: later rules see the state as the earlier ones leave it."""

    __slots__ = ("asking", "before", "effects", "events", "now", "slot", "state")

    def __init__(self, state: AssetState, now: Instant) -> None:
        """Begin with what is known, at one instant."""
        self.before = state
        self.state = state
        """The state after the events so far."""
        self.now = now
        self.events: list[events.AssetEvent] = []
        self.effects: list[Effect] = []
        self.slot = state.outside.slot
        """The link's slot as the effects so far leave it."""
        self.asking = state.outside.asking
        """The attempt that the device is being asked about."""

    @property
    def rules(self) -> AssetRules:
        """The asset's rules.

        Raises:
            LookupError: the asset is not configured; ``decide`` never comes so far.
        """
        rules = self.state.rules
        if rules is None:
            message = f"{self.state.asset_id} is not configured"
            raise LookupError(message)
        return rules

    @property
    def has_turn(self) -> bool:
        """Whether a frame may go now: the slot is ours, and no question is out.

        A charge point takes one CALL at a time: behind a question an attempt would miss the time
        within which it has to be sent. A battery's link takes what it is given in turn.
        """
        if self.slot != "granted":
            return False
        return self.asking is None or self.rules.kind is AssetKind.BATTERY

    @property
    def next_version(self) -> int:
        """The stream version that the next event gets."""
        return self.state.version + 1

    def note(self, *happened: events.AssetEvent) -> None:
        """Add events."""
        self.events.extend(happened)
        for event in happened:
            self.state = evolve(self.state, event, self.now)

    def queue(self) -> None:
        """Queue for the link's slot, once; a question of our own that is out is to be brief."""
        if self.slot == "idle":
            self.slot = "waiting"
            self.want(RequestSlot())
        elif self.slot == "granted":
            self.want(Hasten())

    def decline_turn(self) -> None:
        """Give a turn back that is not waited for any more: it was asked for before a crash."""
        if self.slot == "idle":
            self.want(ReleaseSlot())

    def end_turn(self) -> None:
        """Give the link's slot back if it is shared, so that the others in the queue come first."""
        outside = self.state.outside
        if self.slot == "granted" and (outside.shared_slot or outside.slot_wanted):
            self.slot = "idle"
            self.want(ReleaseSlot())

    def want(self, effect: Effect) -> None:
        """Add an effect, to be carried out once the events are committed."""
        self.effects.append(effect)
