"""What the author of an adapter says of it, so that `AdapterConformance` can try it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, Literal, Protocol, TypeAlias

from engine.adapters.base import AdapterPlugin, AssetView
from engine.commands import Attempt, Cause, CauseKind, Command, CommandType
from engine.config import parse
from engine.types import AssetId, AssetKind, CommandId

Manner: TypeAlias = Literal["answer", "refuse", "silence", "hang_up"]

NAME: Final = "under_test"
"""The adapter's name in the site file that is read here."""
_ASSET: Final = AssetId("ast_under_test")
_AT: Final = datetime(2026, 3, 2, 6, tzinfo=UTC)
_LEASE_S: Final = 900.0
_SITE: Final = """
[site]
id = "sit_under_test"
[[asset]]
id = "{asset}"
kind = "{kind}"
schedule_key = "it"
adapter = "{adapter}"
fallback_kw = 0
{limits}
{keys}
"""
_LIMITS: Final = {
    AssetKind.EV_CHARGER: "max_kw = 22",
    AssetKind.BATTERY: "max_charge_kw = 20\nmax_discharge_kw = 20",
}
_AT_REST: Final = {AssetKind.EV_CHARGER: "CHARGING", AssetKind.BATTERY: "IDLE"}


class DeviceUnderTest(Protocol):
    """A device, real or simulated, that behaves as it is told. One per test, on its loop."""

    async def start(self) -> object:
        """Begin, and return the adapter's options by which a link reaches it.

        Started again after `stop`, it is reached by the same options.
        """
        ...

    def behave(self, manner: Manner) -> None:
        """Treat control frames in a manner from now on; at first they are answered.

        ``refuse`` says no; ``silence`` says nothing; ``hang_up`` ends the connection in place of an
        answer, and lets it be made anew.
        """

    def received(self) -> int:
        """Return how many control frames have reached it."""
        ...

    async def stop(self) -> None:
        """Be gone, with all connections."""


class AdapterHooks:
    """What there is to say of an adapter; only `adapter` and mostly `toml` have to be given."""

    toml: str = ""
    """The adapter's own keys of an ``[[asset]]``, as the site file has them."""
    kind: AssetKind = AssetKind.EV_CHARGER
    """Which kind of asset it is tried on."""
    call: tuple[str, dict[str, object]] = ("Anything", {})
    """The action and payload of a CALL; an adapter may refuse it."""
    kw: float = 7.0
    """A power that the device can do."""
    waits_to_send: bool = True
    """Whether the link may have to wait before the first byte, and so heeds ``begin_by_us``."""
    patience_s: float = 10.0
    """How long a link may take to notice that a device has come or gone."""

    def adapter(self) -> AdapterPlugin:
        """Return the adapter, made anew."""
        raise NotImplementedError("adapter() has to return your adapter")

    def device(self, adapter: AdapterPlugin) -> DeviceUnderTest | None:
        """Return a device for the tests of the link; without one they are skipped."""
        del adapter
        return None

    def view(self, options: object) -> AssetView:
        """Return an asset as the engine sees it, with these options."""
        return AssetView(
            _ASSET,
            self.kind,
            _AT_REST[self.kind],
            state_known=True,
            connected=True,
            stale=False,
            transaction_id="1",
            options=options,
            held_charge_kw=0.0,
            held_discharge_kw=0.0,
        )

    # --- what follows from it

    def read_options(self, adapter: AdapterPlugin, keys: str | None = None) -> object:
        """Return the options as the engine reads them from a site file.

        Raises:
            SiteRefused: they are not what the options class takes.
        """
        text = _SITE.format(
            asset=_ASSET,
            kind=self.kind,
            adapter=NAME,
            limits=_LIMITS[self.kind],
            keys=self.toml if keys is None else keys,
        )
        site = parse(text, "site.toml", option_types={NAME: adapter.options})
        return site.assets[0].options

    def commands(self) -> Iterator[tuple[Command, Attempt]]:
        """Yield a command of each type, each with its first attempt.

        Rates come with several values, which are whole watts, as all of the engine's are.
        """
        rates = {CommandType.SET_CHARGE_RATE, CommandType.SET_DISCHARGE_RATE}
        for kind in CommandType:
            if kind in rates:
                for kw in (self.kw, 0.0, round(self.kw / 3, 3), self.kw - 0.001):
                    yield self.rate(kw, kind)
            else:
                yield self._command(kind, None), self._attempt(None, None)

    def rate(
        self, kw: float, kind: CommandType = CommandType.SET_CHARGE_RATE
    ) -> tuple[Command, Attempt]:
        """Return the command of a power, and its first attempt."""
        if kind is CommandType.SET_DISCHARGE_RATE:
            return self._command(kind, kw), self._attempt(0.0, kw)
        discharge_kw = 0.0 if self.kind is AssetKind.BATTERY else None
        return self._command(kind, kw), self._attempt(kw, discharge_kw)

    def _command(self, kind: CommandType, kw: float | None) -> Command:
        action, payload = self.call
        arguments: dict[CommandType, dict[str, object]] = {
            CommandType.CHANGE_AVAILABILITY: {"operative": True},
            CommandType.START_CHARGING: {"id_tag": "SETPOINT"},
            CommandType.CALL: {"action": action, "payload": payload},
        }
        return Command(
            CommandId("cmd_1"),
            _ASSET,
            kind,
            kw,
            _AT,
            Cause(CauseKind.SCHEDULE),
            arguments=arguments.get(kind, {}),
        )

    def _attempt(self, charge_kw: float | None, discharge_kw: float | None) -> Attempt:
        return Attempt("att_1", 1, 0, _AT, _LEASE_S, 0.0, charge_kw, discharge_kw)


def require(condition: object, message: str) -> None:
    """Fail with words that name what the adapter has to do.

    Raises:
        AssertionError: the condition does not hold.
    """
    if not condition:
        raise AssertionError(message)
