"""OCPP in the version that a charge point has agreed to; pure."""

from collections.abc import Mapping
from typing import Final, TypeAlias

from engine.adapters.base import Answer, AssetView, Observation, Payload
from engine.adapters.ocpp16 import Ocpp16Spelling
from engine.adapters.ocpp201 import Ocpp201Spelling
from engine.adapters.ocpp_options import OcppOptions, options_of
from engine.commands import Attempt, Command

__all__ = ["OcppOptions", "OcppSpelling", "options_of"]

VersionSpelling: TypeAlias = Ocpp16Spelling | Ocpp201Spelling
SPELLINGS: Final[Mapping[str, VersionSpelling]] = {
    "1.6": Ocpp16Spelling(),
    "2.0.1": Ocpp201Spelling(),
}
"""By the names that site files use, the oldest first: it is assumed where nobody has connected."""
_BY_PROTOCOL: Final = {one.protocol: one for one in SPELLINGS.values()}


class OcppSpelling:
    """The pure half of the OCPP adapter: each charger in the version that it speaks.

    Its link tells the version as the capability ``protocol`` before it tells of the connection.
    """

    options: type = OcppOptions

    def __init__(self, versions: tuple[str, ...] = ("1.6",)) -> None:
        """Offer these versions."""
        self._assumed = next(one for name, one in SPELLINGS.items() if name in versions)

    @property
    def protocol(self) -> str:
        """What is assumed of a charger that has not connected yet, as a subprotocol's name."""
        return self._assumed.protocol

    def slot_key(self, options: object) -> str:
        """Return what the connectors of one charge point have in common: its identity."""
        return options_of(options).charge_point

    def translate(self, command: Command, asset: AssetView, attempt: Attempt) -> Payload:
        """Spell a command as the CALLs of a central system.

        Raises:
            Untranslatable: a charger cannot do it, or there is no further form.
        """
        return self._of(asset).translate(command, asset, attempt)

    def interpret(self, answer: Answer, asset: AssetView) -> tuple[Observation, ...]:
        """Return what an answer says beyond yes or no."""
        return self._of(asset).interpret(answer, asset)

    def questions(self, asset: AssetView) -> tuple[Payload, ...]:
        """Return what to ask after an unknown outcome."""
        return self._of(asset).questions(asset)

    def sampling(self, asset: AssetView) -> tuple[Payload, ...]:
        """Return what to ask to be told what flows now."""
        return self._of(asset).sampling(asset)

    def defers(self, answer: Answer) -> bool:
        """Return whether a charger does later what it has accepted, in both versions: Scheduled."""
        return any(
            isinstance(value, Mapping) and value.get("status") == "Scheduled"
            for value in answer.values
        )

    def configuring(self, asset: AssetView) -> tuple[dict[str, object], ...]:
        """Return the CALLs that change a charger's configuration."""
        return self._of(asset).configuring(asset)

    def _of(self, asset: AssetView) -> VersionSpelling:
        return _BY_PROTOCOL.get(asset.capabilities.get("protocol", ""), self._assumed)
