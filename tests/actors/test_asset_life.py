"""What an asset keeps while its events are being committed, and what it lets go."""

import pytest

from actors import asset_life
from actors.asset_life import AssetLife
from engine.adapters import base
from engine.asset import AssetState
from engine.asset import messages as message
from engine.types import AssetId


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (message.Woke(), False),
        (message.Observed(base.Seen()), False),
        (message.Observed(base.StateReported("IDLE", "0")), False),
        (message.Observed(base.ConnectorReported("Occupied")), False),
        (message.Observed(base.ChargingReported("tx", 1, "updated")), False),
        (message.Observed(base.Disconnected()), False),
        (message.Observed(base.Unreadable("?")), False),
        (message.Observed(base.LateAnswer("att_1", "{}")), True),
        (message.Observed(base.CapabilitiesLearned({})), True),
        (message.Observed(base.TransactionChanged("ended", "7")), True),
        (message.SlotGranted(), True),
    ],
)
def test_what_nobody_says_again_is_kept(
    monkeypatch: pytest.MonkeyPatch, told: message.Message, *, kept: bool
) -> None:
    """However much waits; of the rest it is known that some was missed."""
    monkeypatch.setattr(asset_life, "STASH_LIMIT", 0)
    life = AssetLife(AssetState(AssetId("ast_1")))
    life.keep(told)
    assert (list(life.stash) == [told], life.missed) == (kept, not kept)
