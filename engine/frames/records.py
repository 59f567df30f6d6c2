"""Records as a frame."""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd


def to_frame(
    rows: Iterable[Mapping[str, object]], columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Return records as a frame: one row per record, numbered from 0.

    The columns are those named, in that order, else the records' keys; what a record does not
    have is missing. Without records the frame has the named columns and no rows.
    """
    records = [dict(row) for row in rows]
    return pd.DataFrame(records, columns=None if columns is None else list(columns))
