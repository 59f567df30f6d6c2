"""The read model, compared with one that is made from the same part of the log."""

from collections.abc import Iterable, Iterator

import msgspec
from msgspec.structs import replace

from actors.kept import Fold, Mark
from actors.read_model import ReadModel
from actors.store import Store
from actors.store.tables import open_tables, temporary_tables
from engine.asset import AssetState
from engine.codec import Codec, Record
from engine.discrepancy import Discrepancy
from engine.errors import StoreError
from engine.history import Filters
from engine.history.rows import plan_of


class ReadModelComparison:
    """Makes the read model anew beside the one that is there, once the log has been read."""

    def __init__(self, url: str, store: Store, codec: Codec) -> None:
        """Compare the model in a place, if there is one, with this log."""
        self._url = url
        self._store = store
        self._codec = codec

    def recorded(self, record: Record, state: AssetState | None) -> Iterable[Discrepancy]:
        """See `Comparison`."""
        del record, state
        return ()

    def finished(self) -> Iterator[Discrepancy]:
        """See `Comparison`."""
        try:
            tables = open_tables(self._url, read_only=True)
            if tables is None:
                return
            model = ReadModel(tables)
            try:
                with model.at_one_moment() as mark:
                    yield from self._compared(model, mark)
            finally:
                model.close()
        except (StoreError, msgspec.MsgspecError) as error:
            yield _wrong(None, f"the read model cannot be read: {error}")

    def _compared(self, model: ReadModel, mark: Mark) -> Iterator[Discrepancy]:
        if not mark.position:
            return  # empty, or of another version: nobody reads it, and it is made anew
        last = self._store.last_position()
        if mark.position > last:
            behind = f"up to position {mark.position}, and the log ends at {last}"
            yield _wrong(None, f"the read model knows the log {behind}: its end was cut off")
            return
        if not model.fits(mark, self._store):
            yield _wrong(None, f"the read model is of a log with another row {mark.position}")
            return
        own = ReadModel(temporary_tables())
        try:
            fold = Fold()
            while own.follow(self._store, self._codec, fold, until=mark.position):
                pass
            for asset_id in sorted({*own.assets(), *model.assets()}):
                yield from _of_an_asset(asset_id, own, model)
        finally:
            own.close()


def _of_an_asset(asset_id: str, own: ReadModel, model: ReadModel) -> Iterator[Discrepancy]:
    """Yield the first thing in which an asset's history is not what the log says."""
    model.check(asset_id)
    lives = {row[0]: row for row in own.command_rows(asset_id)}
    other = {row[0]: row for row in model.command_rows(asset_id)}
    if lives != other:
        wrong = [one for one in (lives | other) if lives.get(one) != other.get(one)]
        more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        yield _wrong(asset_id, f"the read model disagrees about {min(map(str, wrong))}{more}")
        return
    plans, others = dict(own.plan_rows(asset_id)), dict(model.plan_rows(asset_id))
    if plans == others:
        return
    # A horizon is settled when the asset is looked at: what counts is what comes of it.
    masked, as_masked = (
        {one: replace(plan_of(data), horizon_us=0) for one, data in rows.items()}
        for rows in (plans, others)
    )
    filters = Filters(asset=asset_id)
    if masked != as_masked or list(own.commands(filters, ())) != list(model.commands(filters, ())):
        yield _wrong(asset_id, "the read model disagrees about the plans")


def _wrong(asset_id: str | None, what: str) -> Discrepancy:
    return Discrepancy(0, None, asset_id, None, what)
