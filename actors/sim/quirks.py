"""What a simulated charge point can do wrong, by name; each was seen in the field."""

import contextlib
import difflib
import enum
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from engine.errors import UsageError


class Quirk(enum.StrEnum):
    """A way to misbehave; the value is its name on the command line."""

    ACCEPT_IGNORE = "accept_ignore"
    AMPS_ONLY = "amps_only"
    BOOTS_ON_RECONNECT = "boots_on_reconnect"
    CALLERROR = "callerror"
    CLOCK_BEHIND = "clock_behind"
    EXTRA_FIELD = "extra_field"
    FEW_STATES = "few_states"
    FORGETS_LIMIT = "forgets_limit"
    LATE_ANSWER = "late_answer"
    NO_COMPOSITE = "no_composite"
    NO_SMART_CHARGING = "no_smart_charging"
    NO_STATUS_AFTER_BOOT = "no_status_after_boot"
    OFFLINE = "offline"
    ONE_PERIOD = "one_period"
    REJECT_PROFILE = "reject_profile"
    RELATIVE_FROM_RECEIPT = "relative_from_receipt"
    RELATIVE_ONLY = "relative_only"
    RESUMES_TRANSACTION = "resumes_transaction"
    SILENT = "silent"
    SLOW_ANSWERS = "slow_answers"
    TXPROFILE_WITHOUT_TX_ACCEPTED = "txprofile_without_tx_accepted"
    UNANSWERED = "unanswered"
    UNKNOWN_STATUS = "unknown_status"
    WATTS_ONLY = "watts_only"


QUIRKS: Final[Mapping[str, str]] = MappingProxyType(
    {
        Quirk.ACCEPT_IGNORE: "accepts a charging profile and does not apply it",
        Quirk.AMPS_ONLY: "takes charging profiles in amperes only",
        Quirk.BOOTS_ON_RECONNECT: "sends a BootNotification on every connection",
        Quirk.CALLERROR: "answers control frames with CALLERROR InternalError",
        Quirk.CLOCK_BEHIND: "has a clock that is 50 seconds slow",
        Quirk.EXTRA_FIELD: "puts a vendor's field into every answer",
        Quirk.FEW_STATES: "knows only Available, Charging, Unavailable and Faulted",
        Quirk.FORGETS_LIMIT: "forgets its charging profiles on a boot and on StartTransaction",
        Quirk.LATE_ANSWER: "obeys control frames and answers them after the time-out",
        Quirk.NO_COMPOSITE: "answers GetCompositeSchedule with CALLERROR NotImplemented",
        Quirk.NO_SMART_CHARGING: "answers whatever concerns profiles with NotImplemented",
        Quirk.NO_STATUS_AFTER_BOOT: "sends no StatusNotification after a boot",
        Quirk.OFFLINE: "drops the connection and stays away",
        Quirk.ONE_PERIOD: "takes charging profiles of one period only",
        Quirk.REJECT_PROFILE: "rejects every charging profile",
        Quirk.RELATIVE_FROM_RECEIPT: "counts a relative schedule from when it was received",
        Quirk.RELATIVE_ONLY: "takes relative charging profiles only",
        Quirk.RESUMES_TRANSACTION: "goes on with its transactions after a boot",
        Quirk.SILENT: "neither obeys nor answers control frames",
        Quirk.SLOW_ANSWERS: "answers everything some seconds late",
        Quirk.TXPROFILE_WITHOUT_TX_ACCEPTED: "accepts a TxProfile without a transaction",
        Quirk.UNANSWERED: "obeys control frames and never answers them",
        Quirk.UNKNOWN_STATUS: "reports a suspended charge by a status that OCPP does not know",
        Quirk.WATTS_ONLY: "takes charging profiles in watts only",
    }
)


def quirk_named(name: str) -> Quirk:
    """Return a quirk by its name.

    Raises:
        UsageError: there is none of that name; the message has the nearest.
    """
    try:
        return Quirk(name)
    except ValueError:
        near = difflib.get_close_matches(name, QUIRKS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UsageError(f"a charger has no quirk {name!r}{hint}") from None


class Quirks:
    """The quirks that a charge point has just now."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        """Begin with these."""
        self._active = {quirk_named(name) for name in names}

    def __contains__(self, quirk: Quirk) -> bool:
        return quirk in self._active

    @contextlib.contextmanager
    def for_now(self, names: Iterable[str]) -> Iterator[None]:
        """Misbehave in further ways for a while."""
        more = {quirk_named(name) for name in names} - self._active
        self._active |= more
        try:
            yield
        finally:
            self._active -= more

    def add(self, name: str) -> Quirk:
        """Begin to misbehave."""
        quirk = quirk_named(name)
        self._active.add(quirk)
        return quirk

    def discard(self, name: str) -> Quirk:
        """Stop misbehaving; one that it did not have is none the less gone."""
        quirk = quirk_named(name)
        self._active.discard(quirk)
        return quirk
