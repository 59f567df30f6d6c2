"""How the parts of a system are put together: assets, links, dispatcher and site, on a runtime."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING

import attrs
from msgspec.structs import replace

from actors.accepted import Accepted
from actors.asset import AssetActor, Services
from actors.clock import Clocks
from actors.dispatcher import Assets, Closing, DispatcherActor, Office, Taken
from actors.journal import Journal
from actors.journalled import Supervised
from actors.links.host import LinkHost, made_link
from actors.links.turns import Place
from actors.recovery import Recovery
from actors.runtime import Runtime
from actors.snapshots import Snapshots
from actors.supervisor import CrashLedger
from engine import events
from engine.adapters.base import AdapterPlugin
from engine.adapters.registry import AdapterRegistry
from engine.asset import AssetState, Outside
from engine.asset import effects as effect
from engine.asset import messages as message
from engine.config import AssetConfig, Site
from engine.grants import Claim, Grant
from engine.rules import AssetRules
from engine.site.load import Loads
from engine.types import AssetId

if TYPE_CHECKING:
    from actors.offering import Passed

logger = logging.getLogger("setpoint")

Tell = Callable[[object], None]


@attrs.frozen
class Parts:
    """What the actors of one system are made of.

    ``grants`` is what each asset starts with under the site's limits, nothing without them.
    """

    site: Site
    clocks: Clocks
    runtime: Runtime
    journal: Journal
    adapters: AdapterRegistry
    rebuild: Callable[[AssetId], AssetState]
    snapshots: Snapshots
    may_send: Callable[[], bool]
    ledger: CrashLedger
    accepted: Callable[[], Accepted]
    note: Callable[[events.SiteEvent], None]
    grants: Mapping[AssetId, Grant]
    claim: Callable[[AssetId, Claim], None]
    loaded: Callable[[Loads], None]


class Assembly:
    """The running actors and links of one system."""

    def __init__(self, parts: Parts) -> None:
        """Put nothing together yet."""
        self._parts = parts
        self.board: dict[AssetId, AssetState] = {}
        self.links = LinkHost(parts.runtime.loop, parts.clocks, parts.may_send)
        self.tell: dict[AssetId, Tell] = {}
        self._dispatcher: Tell | None = None
        self.passed: Passed = {}
        self._stopped: set[AssetId] = set()
        self._stopping = threading.Lock()
        self._handed_back: Future[None] = Future()

    def start(self, recovery: Recovery) -> None:
        """Start every actor with what the store says of it, and attach the links.

        The states are taken out of ``recovery``: nobody else needs them as they were.
        """
        parts, states = self._parts, recovery.assets
        services = self._services()
        where = places(parts.site, parts.adapters)
        for config in parts.site.assets:
            self._start_asset(config, recovery, (services, where.get(config.rules.asset_id)))
        for asset_id, state in states.items():
            if asset_id not in self.tell and state.rules is not None:
                self._retire(state, services)
        supervised = Supervised(parts.clocks, parts.journal, parts.runtime.wakeups, parts.ledger)
        office = Office(
            supervised,
            parts.snapshots,
            self.board,
            self.passed,
            parts.accepted,
            parts.note,
            parts.loaded,
        )
        actor = DispatcherActor.start(parts.runtime.pool, recovery.accepted, office)
        self._dispatcher = actor.tell
        actor.tell(Assets(dict(self.tell)))

    @property
    def dispatcher(self) -> Tell:
        """Tell the dispatcher."""
        if self._dispatcher is None:
            raise LookupError("the system has not been started")
        return self._dispatcher

    def close_intake(self) -> None:
        """Let no schedule in any more; there may be no dispatcher yet."""
        if self._dispatcher is not None:
            self._dispatcher(Closing())

    def _services(self) -> Services:
        parts = self._parts
        return Services(
            parts.clocks,
            parts.journal,
            parts.runtime.wakeups,
            self.links,
            self.board,
            parts.ledger,
            parts.rebuild,
            parts.snapshots,
            self._offer_taken,
            self._asset_stopped,
            self.passed,
            parts.claim,
        )

    def _offer_taken(self, asset_id: AssetId, answer: effect.OfferTaken) -> None:
        self.dispatcher(Taken(asset_id, answer))

    def _start_asset(
        self,
        config: AssetConfig,
        recovery: Recovery,
        shared: tuple[Services, Place | None],
    ) -> None:
        parts = self._parts
        services, place = shared
        is_shared = place is not None and place.is_shared
        asset_id = config.rules.asset_id
        plugin = parts.adapters.adapter_of(config.rules.adapter)
        outside = Outside(
            adapter=plugin,
            options=config.options,
            shared_slot=is_shared,
            slot="idle" if is_shared else "granted",
            epoch=parts.journal.epoch,
            unreadable=recovery.unreadable.get(asset_id),
            grant=parts.grants.get(asset_id),
        )
        if outside.unreadable is None:
            state = recovery.assets.pop(asset_id, AssetState(asset_id))
        else:
            logger.error("%s is stopped: %s", asset_id, outside.unreadable)
            state = AssetState(asset_id, rules=config.rules)
        rules = rules_of(plugin, config)
        if state.rules == rules:  # as ever: then the two need not be in memory
            state = replace(state, rules=rules)
        state = replace(state, outside=outside)
        actor = AssetActor.begin(parts.runtime.pool, state, services)
        actor.lane = actor.home_lane = config.rules.adapter
        tell = actor.actor_ref.tell
        self.tell[asset_id] = tell
        link = made_link(plugin, config.options, self.links.reporter(asset_id, actor.hurry))
        self.links.attach(asset_id, parts.runtime.seams.link(link), actor, place)
        if state.rules is not None:
            tell(message.Recovered(parts.journal.epoch))
        tell(message.Configured(rules))

    def _retire(self, state: AssetState, services: Services) -> None:
        """An asset that is not in the site file any more: on record, and without a link."""
        actor = AssetActor.start(self._parts.runtime.pool, state, services)
        actor.tell(message.Configured(None))

    # --- stopping

    def _asset_stopped(self, asset_id: AssetId) -> None:
        """Take note that a device was handed back. A pool thread."""
        with self._stopping:
            self._stopped.add(asset_id)
            if self._stopped >= self.tell.keys() and not self._handed_back.done():
                self._handed_back.set_result(None)

    def hand_back(self) -> "Future[None]":
        """Begin to hand every device back as its ``on_stop`` says; return what is done then."""
        if not self.tell:
            self._handed_back.set_result(None)
        for tell in self.tell.values():
            tell(message.Stopping())
        return self._handed_back

    def quieten(self) -> "Future[None]":
        """Have every asset decide on nothing more that would go out; return what is done then.

        What was decided before is on record by then.
        """
        quiet: Future[None] = Future()
        waiting = set(self.tell)
        if not waiting:
            quiet.set_result(None)

        def replied(asset_id: AssetId) -> None:
            with self._stopping:
                waiting.discard(asset_id)
                if not waiting and not quiet.done():
                    quiet.set_result(None)

        for asset_id, tell in self.tell.items():
            tell(message.LinkClosing(lambda _, own=asset_id: replied(own)))  # type: ignore[misc]  # a default
        return quiet


def rules_of(plugin: AdapterPlugin, config: AssetConfig) -> AssetRules:
    """Return an asset's rules with what only its adapter knows: its step, its registers."""
    rules = config.rules
    shared = getattr(plugin, "shared_register", None)
    if callable(shared):
        rules = attrs.evolve(rules, shared_register=bool(shared(config.options)))
    step = getattr(plugin, "step_w", None)
    if callable(step):
        rules = attrs.evolve(rules, step_w=int(step(config.options)))
    least_w = getattr(config.options, "least_w", None)
    return attrs.evolve(rules, least_w=least_w) if isinstance(least_w, int) else rules


def places(site: Site, adapters: AdapterRegistry) -> dict[AssetId, Place]:
    """Return where each asset's attempts go, as far as its adapter names the link's slot."""
    slots: dict[AssetId, str] = {}
    for config in site.assets:
        key = getattr(adapters.adapter_of(config.rules.adapter), "slot_key", None)
        if callable(key):
            slots[config.rules.asset_id] = f"{config.rules.adapter}:{key(config.options)}"
    count = Counter(slots.values())
    return {asset_id: Place(slot, count[slot] > 1) for asset_id, slot in slots.items()}
