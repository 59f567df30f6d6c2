"""The charging transactions of one charge point, as its messages tell them."""

import asyncio
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from actors.links.ocpp.framing import Call
from actors.links.ocpp.freshness import Freshness
from actors.links.ocpp.manners import Manners
from actors.links.ocpp.owed import OwedAnswer
from actors.links.ocpp.session import Session
from engine.adapters.base import Observation, TransactionChanged
from engine.adapters.samples import measured, moment

_METER_LIMIT: Final = 1 << 53
_NOT_OURS: Final = 1 << 30


class Transactions16:
    """Which transaction runs on which connector, beside what is committed. The loop thread."""

    def __init__(
        self,
        manners: Manners,
        freshness: Freshness,
        tell: Callable[[int, Observation], bool],
    ) -> None:
        """Begin with none; ``tell`` tells a connector's asset, and whether there is one."""
        self._manners = manners
        self._tell = tell
        self._running: dict[int, str] = {}
        self._freshness = freshness
        self._doubtful: dict[int, tuple[str, object]] = {}
        """By connector: the last start that looked old, its transaction and its time."""
        freshness.whenever_known(self._judge_again)

    def forget(self) -> None:
        """A boot ends whatever was running."""
        self._running.clear()
        self._doubtful.clear()

    def _judge_again(self) -> None:
        """More is known of the clock: a transaction may have begun by a slow one, and run now."""
        for connector, (transaction_id, began) in tuple(self._doubtful.items()):
            if not self._freshness.is_old(began):
                del self._doubtful[connector]
                self._find(connector, transaction_id)

    def started(self, session: Session, call: Call) -> None:
        """StartTransaction [4.8]: answered once the transaction's id is committed.

        The same start said again has the same key. A tag that is not known is told so, and gets a
        transaction all the same, as the charge point has one already.
        """
        payload = call.payload
        began = moment(payload.get("timestamp"))
        is_old = self._freshness.is_old(payload.get("timestamp"))
        answer = OwedAnswer(session, call, partial(self._conf, call, is_old=is_old))
        key = _key(payload)
        observed = self._tell(
            payload["connectorId"],
            TransactionChanged(
                "started",
                None,
                key,
                str(payload["idTag"]),
                _meter(payload["meterStart"]),
                began,
                offline=is_old,
                reply=answer.later,
            ),
        )
        if not observed:  # a connector that is no asset may charge too; its id has no meaning
            answer.now(str(zlib.crc32(key.encode()) % _NOT_OURS | _NOT_OURS))
            self._doubtful.pop(payload["connectorId"], None)

    def _conf(self, call: Call, transaction_id: str, *, is_old: bool) -> dict[str, object]:
        """Return the answer to a start; one that looks old is history, for now."""
        connector = call.payload["connectorId"]
        if is_old:
            self._doubtful[connector] = (transaction_id, call.payload.get("timestamp"))
            # More may be known of the clock by the time that the start is committed.
            asyncio.get_running_loop().call_soon(self._judge_again)
        else:
            self._doubtful.pop(connector, None)
            self._running[connector] = transaction_id
        info = self._manners.tag_info(call.payload["idTag"])
        return {"transactionId": int(transaction_id), "idTagInfo": info}

    def stopped(self, payload: dict[str, Any]) -> tuple[list[int], TransactionChanged]:
        """Return what a StopTransaction [4.10] ends, and on which connectors; none: not known."""
        at, is_old = (
            moment(payload.get("timestamp")),
            self._freshness.is_old(payload.get("timestamp")),
        )
        transaction_id = self._meant(payload["transactionId"], is_old=is_old)
        changed = TransactionChanged(
            "ended",
            transaction_id,
            meter_wh=_meter(payload["meterStop"]),
            changed_at=at,
            reason=str(payload.get("reason", "Local"))[:50],
            offline=is_old,
        )
        connectors = [one for one, known in self._running.items() if known == transaction_id]
        for connector in connectors:
            del self._running[connector]
        for connector, (doubtful_id, _) in tuple(self._doubtful.items()):
            if doubtful_id == transaction_id:
                del self._doubtful[connector]
        return connectors, changed

    def _meant(self, number: int, *, is_old: bool) -> str:
        """Return the id that is meant: one that is none, -1 or 0, is of the only one that runs."""
        if number > 0 or is_old or len(self._running) != 1:
            return str(number)
        return next(iter(self._running.values()))

    def running(self, connector: int) -> str | None:
        """Return the transaction that runs on a connector, as far as is known."""
        return self._running.get(connector)

    def metered(self, payload: dict[str, Any]) -> None:
        """MeterValues [4.7]: a connector's power, and a transaction that nobody knew of.

        Connector 0 is the meter of the whole charge point, which is no asset's own power. Values
        from before the socket opened say nothing of what runs now.
        """
        connector = payload["connectorId"]
        if connector == 0:
            return
        found = measured(payload)
        if found is not None:
            self._tell(connector, found)
        number = payload.get("transactionId")
        values = payload["meterValue"]
        is_old = bool(values) and all(map(self._freshness.is_old, map(_time_of, values)))
        if not isinstance(number, int) or number <= 0 or is_old:
            return
        self._doubtful.pop(connector, None)
        self._find(connector, str(number))

    def _find(self, connector: int, transaction_id: str) -> None:
        """Tell of a transaction that runs, if that is news."""
        if self._running.get(connector) != transaction_id:
            self._running[connector] = transaction_id
            self._tell(connector, TransactionChanged("found", transaction_id))


def _key(payload: dict[str, Any]) -> str:
    named = (str(payload[name]) for name in ("connectorId", "idTag", "timestamp", "meterStart"))
    return "|".join(named)


def _time_of(value: object) -> object:
    return value.get("timestamp") if isinstance(value, dict) else None


def _meter(value: object) -> int | None:
    """Return a meter's reading in Wh, null for one that no meter has."""
    return value if isinstance(value, int) and abs(value) < _METER_LIMIT else None
