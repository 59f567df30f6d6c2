"""One asset as a state machine over its own history: decide, evolve, next_wake."""

from engine.asset.deadlines import Wake, next_wake
from engine.asset.decide import decide, decided
from engine.asset.evolve import evolve
from engine.asset.outside import noted, performed, settled
from engine.asset.state import AssetState, Outside

__all__ = [
    "AssetState",
    "Outside",
    "Wake",
    "decide",
    "decided",
    "evolve",
    "next_wake",
    "noted",
    "performed",
    "settled",
]
