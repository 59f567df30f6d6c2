"""The versions of OCPP that a simulated charge point speaks, by name."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from actors.sim.ocpp16.answers import OCPP16
from actors.sim.ocpp201.answers import OCPP201
from actors.sim.version import Version

VERSIONS: Final[Mapping[str, Version]] = MappingProxyType(
    {version.name: version for version in (OCPP16, OCPP201)}
)
