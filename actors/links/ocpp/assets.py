"""The assets of one charge point, and how they are told what it says."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Final, TypeAlias

from engine.adapters.base import Observation
from engine.types import US_PER_S

Report: TypeAlias = Callable[[Observation], None]

_AT_MOST_EVERY_US: Final = US_PER_S


class Assets:
    """The assets of a charge point by their connectors, or EVSEs. The loop thread."""

    def __init__(self, device_us: Callable[[], int]) -> None:
        """Begin without any."""
        self._device_us = device_us
        self._reports: dict[int, Report] = {}
        self._told_us: dict[type, int] = {}

    @property
    def connectors(self) -> AbstractSet[int]:
        """The connectors that are assets, now and later."""
        return self._reports.keys()

    def join(self, connector: int, report: Report) -> None:
        """Take on the asset of a connector."""
        self._reports[connector] = report

    def leave(self, connector: int) -> None:
        """Let an asset go."""
        self._reports.pop(connector, None)

    def tell(self, connector: int, observation: Observation) -> bool:
        """Tell the asset of a connector; return whether there is one."""
        report = self._reports.get(connector)
        if report is not None:
            report(observation)
        return report is not None

    def tell_all(self, observation: Observation) -> None:
        """Tell every asset."""
        for report in tuple(self._reports.values()):
            report(observation)

    def tell_seldom(self, observation: Observation) -> None:
        """Tell all assets, once a second and kind at most: a flood stays on the loop."""
        now_us = self._device_us()
        kind = type(observation)
        told_us = self._told_us.get(kind)
        if told_us is None or now_us - told_us >= _AT_MOST_EVERY_US:
            self._told_us[kind] = now_us
            self.tell_all(observation)
