"""Faults as data: what goes wrong, with whom, at which message, and how often.

A rule names a kind of fault and which messages it looks at; the nth of them is struck, or each with
a probability under the seed. Whatever was struck is on record. Without rules nothing is different.
"""

import difflib
import random
import threading
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Final, Literal, TypeAlias

import attrs

from actors.sim.battery_quirks import QUIRKS as BATTERY_QUIRKS
from actors.sim.quirks import QUIRKS as CHARGER_QUIRKS
from actors.testing.malformed import Malformer, ModbusMalformer, OcppMalformer
from engine.errors import UsageError
from engine.types import from_us

Direction: TypeAlias = Literal["in", "out"]

SAID: Final = frozenset({"malformed"})
"""Of the wire too, but only of what a device says: its own log is right about what it hears."""
WIRE: Final = frozenset(
    {"drop", "delay", "duplicate", "reorder", "garbage", "cut", "half_open", "drip", "reset"} | SAID
)
"""Between a device and the engine; ``direction`` is seen from the device, as in its wire log."""
LASTING: Final = frozenset({"latency"})
"""Of the wire too, for everything in a direction, until it is removed."""
SOCKETS: Final = frozenset({"refuse"})
"""What happens to a new connection; only `actors.testing.proxy` has these."""
DEVICE: Final = frozenset({"reject", "error", "ignore", "alter", "wrong_echo", "reboot", "skew"})
"""What a device does with one message that it gets; so are the names of its quirks."""
ACTOR: Final = frozenset({"raise", "raise_late", "hang", "die"})
"""What happens to an asset's actor with a message, before it or behind; ``action`` is its type."""
STORE: Final = frozenset({"locked", "full", "slow", "reply_lost"})
"""What happens to an append."""
CLOCK: Final = frozenset({"wall_jump"})
"""What happens to the machine's wall clock, when an append comes."""
KINDS: Final = WIRE | LASTING | SOCKETS | DEVICE | ACTOR | STORE | CLOCK
_NOT_OF_DEVICE: Final = KINDS - DEVICE


@attrs.frozen(kw_only=True)
class Fault:
    """A rule: which messages it looks at, and which of them are struck.

    Args:
        kind: one of `KINDS`, or the name of a simulated device's quirk.
        asset: whose messages; null looks at everybody's.
        direction: ``in`` to the device or ``out`` of it; null looks at both.
        action: an OCPP action's name, a Modbus function code, the type of an actor's message; null
            looks at all.
        nth: the nth of these messages from now on is struck; null leaves it to ``probability``.
        probability: how likely each is struck.
        times: how often it strikes at the most.
        seconds: how long a delay, a latency, a drip, a hang or a slow store takes; how far the wall
            clock jumps, or a device's own is skewed.
    """

    kind: str
    asset: str | None = None
    direction: Direction | None = None
    action: str | int | None = None
    nth: int | None = None
    probability: float = 1.0
    times: int = 1
    seconds: float = 1.0

    def __attrs_post_init__(self) -> None:
        """Refuse a kind that does not exist.

        Raises:
            UsageError: it names the nearest.
        """
        known = KINDS | set(CHARGER_QUIRKS) | set(BATTERY_QUIRKS)
        if self.kind in known or self.kind.startswith("exception_"):
            return
        near = difflib.get_close_matches(self.kind, sorted(known), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UsageError(f"no fault is called {self.kind!r}{hint}")

    @property
    def is_of_device(self) -> bool:
        """Whether a device does it."""
        return self.kind not in _NOT_OF_DEVICE


@attrs.frozen
class Injected:
    """A fault that struck; ``at`` is device time.

    ``message_id`` is that of the message, as in the device's wire log; null off the wire;
    ``seconds`` are those of its rule.
    """

    at: datetime
    kind: str
    asset: str | None
    direction: Direction | None
    action: str | int | None
    message_id: str | int | None = None
    seconds: float = 0.0


@attrs.define
class _Rule:
    fault: Fault
    seen: int = 0
    struck: int = 0


class Faults:
    """The rules of a run, and what they have struck. Any thread."""

    def __init__(self, device_us: Callable[[], int], seed: int | str = 0) -> None:
        """Begin without rules."""
        self._device_us = device_us
        self._random = random.Random(f"faults {seed}")
        self._rules: list[_Rule] = []
        self._lasting: list[_Rule] = []
        self._lock = threading.Lock()
        self.malformers: dict[str, Malformer] = {
            "ocpp": OcppMalformer(seed),
            "modbus": ModbusMalformer(seed),
        }
        """What makes malformed messages, by protocol."""
        self.injected: list[Injected] = []
        """What was struck, in order; a fault that lasts is in it once, from its first message."""

    def add(self, fault: Fault) -> None:
        """Let a rule count from now on."""
        with self._lock:
            (self._lasting if fault.kind in LASTING else self._rules).append(_Rule(fault))

    def remove(self, fault: Fault) -> None:
        """Take a rule away; one that is used up is none any more."""
        with self._lock:
            self._rules[:] = [rule for rule in self._rules if rule.fault is not fault]
            self._lasting[:] = [rule for rule in self._lasting if rule.fault is not fault]

    def clear(self) -> None:
        """Take all rules away; what they have struck stays on record."""
        with self._lock:
            self._rules.clear()
            self._lasting.clear()

    def strike(
        self,
        kinds: Callable[[Fault], bool],
        assets: Collection[str] = (),
        direction: Direction | None = None,
        action: str | int | None = None,
        message_id: str | int | None = None,
    ) -> Fault | None:
        """Return the fault that strikes a message, null where none does.

        Args:
            kinds: which faults can.
            assets: whose message it is; several where a charge point's connectors share it.
            direction: where it goes, seen from the device.
            action: what it is.
            message_id: which, as in the device's wire log.
        """
        if not self._rules:  # most of the time: not even a lock is taken
            return None
        with self._lock:
            for rule in tuple(self._rules):
                fault = rule.fault
                if kinds(fault) and _fits(fault, assets, direction, action) and self._strikes(rule):
                    self._note(fault, assets, direction, action, message_id)
                    return fault
        return None

    def latency_s(self, assets: Collection[str], direction: Direction) -> float:
        """Return how many seconds later than otherwise anything in a direction arrives now."""
        if not self._lasting:
            return 0.0
        with self._lock:
            found = [rule for rule in self._lasting if _fits(rule.fault, assets, direction, None)]
            for rule in found:
                if not rule.struck:
                    rule.struck = 1
                    self._note(rule.fault, assets, direction, None)
            return sum(rule.fault.seconds for rule in found)

    def _note(
        self,
        fault: Fault,
        assets: Collection[str],
        direction: Direction | None,
        action: str | int | None,
        message_id: str | int | None = None,
    ) -> None:
        asset = fault.asset or next(iter(assets), None)
        at = from_us(self._device_us())
        struck = Injected(at, fault.kind, asset, direction, action, message_id, fault.seconds)
        self.injected.append(struck)

    def _strikes(self, rule: _Rule) -> bool:
        """Count a message; return whether it is one to strike."""
        rule.seen += 1
        fault = rule.fault
        if fault.nth is not None:
            strikes = rule.seen >= fault.nth
        else:
            strikes = self._random.random() < fault.probability
        if strikes:
            rule.struck += 1
            if rule.struck >= fault.times:
                self._rules.remove(rule)
        return strikes


def _fits(
    fault: Fault,
    assets: Collection[str],
    direction: Direction | None,
    action: str | int | None,
) -> bool:
    return (
        (fault.asset is None or fault.asset in assets)
        and (fault.direction is None or fault.direction == direction)
        and (fault.action is None or fault.action == action)
    )
