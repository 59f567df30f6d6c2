"""The charging transactions of one charge point, as its messages tell them."""

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

    def forget(self) -> None:
        """A boot ends whatever was running."""
        self._running.clear()

    def started(self, session: Session, call: Call) -> None:
        """StartTransaction [4.8]: answered once the transaction's id is committed.

        The same start said again has the same key. A tag that is not known is told so, and gets a
        transaction all the same, as the charge point has one already.
        """
        payload = call.payload
        began = moment(payload.get("timestamp"))
        is_old = self._freshness.is_old(payload.get("timestamp"))
        connector = None if is_old else payload["connectorId"]
        answer = OwedAnswer(session, call, partial(self._conf, connector, call))
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

    def _conf(self, connector: int | None, call: Call, transaction_id: str) -> dict[str, object]:
        """Return the answer to a start; ``connector`` null where it is history."""
        if connector is not None:
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
        if self._running.get(connector) != str(number):
            self._running[connector] = str(number)
            self._tell(connector, TransactionChanged("found", str(number)))


def _key(payload: dict[str, Any]) -> str:
    named = (str(payload[name]) for name in ("connectorId", "idTag", "timestamp", "meterStart"))
    return "|".join(named)


def _time_of(value: object) -> object:
    return value.get("timestamp") if isinstance(value, dict) else None


def _meter(value: object) -> int | None:
    """Return a meter's reading in Wh, null for one that no meter has."""
    return value if isinstance(value, int) and abs(value) < _METER_LIMIT else None
