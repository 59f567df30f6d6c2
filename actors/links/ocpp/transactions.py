"""The charging transactions of one charge point, as its messages tell them."""

import asyncio
import zlib
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from actors.links.ocpp.framing import Call
from actors.links.ocpp.manners import Manners
from actors.links.ocpp.session import Session
from engine.adapters.base import Observation, TransactionChanged
from engine.adapters.samples import instant, is_now_somewhere, measured, moment
from engine.types import US_PER_S, to_us

OFFLINE_US: Final = 60 * US_PER_S
"""What lies further back than this before the socket opened was kept while there was none."""
_METER_LIMIT: Final = 1 << 53
_NOT_OURS: Final = 1 << 30


class Transactions:
    """Which transaction runs on which connector, beside what is committed. The loop thread."""

    def __init__(self, manners: Manners, tell: Callable[[int, Observation], bool]) -> None:
        """Begin with none; ``tell`` tells a connector's asset, and whether there is one."""
        self._manners = manners
        self._tell = tell
        self._running: dict[int, str] = {}
        self._since_us = 0
        self._opened_us = 0
        self._behind_us: int | None = None

    def connected(self) -> None:
        """Note when the socket opened: what is older is history."""
        self._since_us = self._manners.wall_us()
        self._opened_us = self._manners.device_us()

    def told_time(self, at: datetime | None) -> None:
        """Learn from a status by how much the charge point's clock is behind ours.

        Not from one that may have been kept while there was no socket. Some say when a status
        began, however long ago: the freshest that was ever told counts.
        """
        if at is None or self._manners.device_us() <= self._opened_us + OFFLINE_US:
            return
        behind_us = max(self._manners.wall_us() - to_us(at), 0)
        known_us = behind_us if self._behind_us is None else self._behind_us
        self._behind_us = min(behind_us, known_us)

    def told_clock(self, ahead_s: int) -> None:
        """Know how the charge point's clock stands: from several times, so it outranks a status."""
        self._behind_us = -ahead_s * US_PER_S

    def forget(self) -> None:
        """A boot ends whatever was running."""
        self._running.clear()

    def _is_old(self, told: object) -> bool:
        """Return whether a time lies before the socket; without an offset it may be of any zone."""
        at = moment(told)
        if at is None:
            return False
        if instant(told) is None and is_now_somewhere(self._manners.wall_us() - to_us(at)):
            return False
        return to_us(at) + (self._behind_us or 0) < self._since_us - OFFLINE_US

    def started(self, session: Session, call: Call) -> None:
        """StartTransaction [4.8]: answered once the transaction's id is committed.

        The same start said again has the same key. A tag that is not known is told so, and gets a
        transaction all the same, as the charge point has one already.
        """
        payload = call.payload
        began = moment(payload.get("timestamp"))
        is_old = self._is_old(payload.get("timestamp"))
        answer = _Answer(self, session, call, None if is_old else payload["connectorId"])
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

    def runs(self, connector: int | None, transaction_id: str) -> None:
        """Note a transaction whose id the charge point has been told."""
        if connector is not None:
            self._running[connector] = transaction_id

    def tag_info(self, tag: object) -> dict[str, object]:
        """Return what an id tag may."""
        return self._manners.tag_info(tag)

    def stopped(self, payload: dict[str, Any]) -> tuple[list[int], TransactionChanged]:
        """Return what a StopTransaction [4.10] ends, and on which connectors; none: not known."""
        transaction_id = str(payload["transactionId"])
        at = moment(payload.get("timestamp"))
        changed = TransactionChanged(
            "ended",
            transaction_id,
            meter_wh=_meter(payload["meterStop"]),
            changed_at=at,
            reason=str(payload.get("reason", "Local"))[:50],
            offline=self._is_old(payload.get("timestamp")),
        )
        connectors = [one for one, known in self._running.items() if known == transaction_id]
        for connector in connectors:
            del self._running[connector]
        return connectors, changed

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
        is_old = bool(values) and all(self._is_old(one.get("timestamp")) for one in values)
        if not isinstance(number, int) or number <= 0 or is_old:
            return
        if self._running.get(connector) != str(number):
            self._running[connector] = str(number)
            self._tell(connector, TransactionChanged("found", str(number)))


class _Answer:
    """The answer to one StartTransaction, given once and from any thread."""

    def __init__(
        self, transactions: Transactions, session: Session, call: Call, connector: int | None
    ) -> None:
        """Owe an answer; ``connector`` null where the transaction is history."""
        self._transactions = transactions
        self._session = session
        self._call = call
        self._connector = connector
        self._is_given = False
        self._loop = asyncio.get_running_loop()

    def later(self, transaction_id: str) -> None:
        """Answer on the loop thread. Any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.now, transaction_id)

    def now(self, transaction_id: str) -> None:
        """Answer. The loop thread."""
        if self._is_given:
            return
        self._is_given = True
        self._transactions.runs(self._connector, transaction_id)
        info = self._transactions.tag_info(self._call.payload["idTag"])
        conf = {"transactionId": int(transaction_id), "idTagInfo": info}
        self._session.answer(self._call.id, conf)


def _key(payload: dict[str, Any]) -> str:
    named = (str(payload[name]) for name in ("connectorId", "idTag", "timestamp", "meterStart"))
    return "|".join(named)


def taken_at(
    payload: dict[str, Any], read: Callable[[object], datetime | None] = moment
) -> datetime | None:
    """Return the newest time of a MeterValues."""
    moments = (read(value.get("timestamp")) for value in payload["meterValue"])
    return max((one for one in moments if one is not None), default=None)


def _meter(value: object) -> int | None:
    """Return a meter's reading in Wh, null for one that no meter has."""
    return value if isinstance(value, int) and abs(value) < _METER_LIMIT else None
