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
    AMPS_UNSAID = "amps_unsaid"
    AVAILABILITY_SCHEDULED = "availability_scheduled"
    BOOTS_ON_RECONNECT = "boots_on_reconnect"
    CALLERROR = "callerror"
    CLOCK_BEHIND = "clock_behind"
    DEEP_SLEEPER = "deep_sleeper"
    DRIFTS = "drifts"
    EVSE_NEVER = "evse_never"
    EVSE_ONCE = "evse_once"
    EXCEEDS_LIMIT = "exceeds_limit"
    EXTRA_FIELD = "extra_field"
    FEW_STATES = "few_states"
    FORGETS_LIMIT = "forgets_limit"
    LAGS = "lags"
    LATE_ANSWER = "late_answer"
    LATE_VEHICLE = "late_vehicle"
    LEVEL_ZERO_ONLY = "level_zero_only"
    LOCAL_TIME = "local_time"
    LOOSE_MESSAGES = "loose_messages"
    MIN_6A = "min_6a"
    NO_COMPOSITE = "no_composite"
    NO_SMART_CHARGING = "no_smart_charging"
    NO_STATUS_AFTER_BOOT = "no_status_after_boot"
    NO_TRIGGER = "no_trigger"
    NO_TX_PROFILE = "no_tx_profile"
    OFFLINE = "offline"
    ONE_AT_A_TIME = "one_at_a_time"
    ONE_PERIOD = "one_period"
    QUEUED_METER = "queued_meter"
    REJECT_PROFILE = "reject_profile"
    RELATIVE_FROM_RECEIPT = "relative_from_receipt"
    RELATIVE_ONLY = "relative_only"
    REPEATS_START = "repeats_start"
    REPLAYS = "replays"
    RESUMES_TRANSACTION = "resumes_transaction"
    SAYS_NOTHING = "says_nothing"
    SILENT = "silent"
    SLEEPY_VEHICLE = "sleepy_vehicle"
    SLOW_ANSWERS = "slow_answers"
    SLOW_VEHICLE = "slow_vehicle"
    TWO_SOCKETS = "two_sockets"
    TXPROFILE_WITHOUT_TX_ACCEPTED = "txprofile_without_tx_accepted"
    TX_MINUS_ONE = "tx_minus_one"
    UNANSWERED = "unanswered"
    UNKNOWN_STATUS = "unknown_status"
    WATTS_ONLY = "watts_only"


QUIRKS: Final[Mapping[str, str]] = MappingProxyType(
    {
        Quirk.ACCEPT_IGNORE: "accepts a charging profile and does not apply it",
        Quirk.AMPS_ONLY: "takes charging profiles in amperes only",
        Quirk.AMPS_UNSAID: "takes charging profiles in amperes only, and does not say so",
        Quirk.AVAILABILITY_SCHEDULED: "answers Scheduled to ChangeAvailability, and does it later",
        Quirk.BOOTS_ON_RECONNECT: "sends a BootNotification on every connection",
        Quirk.CALLERROR: "answers control frames with CALLERROR InternalError",
        Quirk.CLOCK_BEHIND: "has a clock that is 50 seconds slow",
        Quirk.DEEP_SLEEPER: "has vehicles that sleep at 0, until they are offered power anew twice",
        Quirk.DRIFTS: "lets its power drift above its limit, by 1 kW a minute, 3 kW at most",
        Quirk.EVSE_NEVER: "names no EVSE in what it says of a transaction (2.0.1)",
        Quirk.EVSE_ONCE: "names the EVSE of a transaction only when it begins (2.0.1)",
        Quirk.EXCEEDS_LIMIT: "keeps a limit, says so when asked, and gives full power",
        Quirk.EXTRA_FIELD: "puts a vendor's field into every answer",
        Quirk.FEW_STATES: "knows only Available, Charging, Unavailable and Faulted",
        Quirk.FORGETS_LIMIT: "forgets its charging profiles on a boot and on StartTransaction",
        Quirk.LAGS: "takes 20 seconds to lower its power",
        Quirk.LATE_ANSWER: "obeys control frames and answers them after the time-out",
        Quirk.LATE_VEHICLE: "has vehicles that come a minute later than they should",
        Quirk.LEVEL_ZERO_ONLY: "refuses charging profiles above stack level 0",
        Quirk.LOCAL_TIME: "tells the time of its zone, five hours behind, without an offset",
        Quirk.LOOSE_MESSAGES: "sends null for nothing, numbers as text, a status in lower case",
        Quirk.MIN_6A: "takes a limit below 6 A per phase as 6 A",
        Quirk.NO_COMPOSITE: "answers GetCompositeSchedule with CALLERROR NotImplemented",
        Quirk.NO_SMART_CHARGING: "answers whatever concerns profiles with NotImplemented",
        Quirk.NO_STATUS_AFTER_BOOT: "sends no StatusNotification after a boot",
        Quirk.NO_TRIGGER: "knows no TriggerMessage",
        Quirk.NO_TX_PROFILE: "refuses every TxProfile",
        Quirk.OFFLINE: "drops the connection and stays away",
        Quirk.ONE_AT_A_TIME: "answers slowly, and hangs up on a CALL before its answer",
        Quirk.ONE_PERIOD: "takes charging profiles of one period only",
        Quirk.QUEUED_METER: "keeps what its meter shows, and tells it six times at once",
        Quirk.REJECT_PROFILE: "rejects every charging profile",
        Quirk.RELATIVE_FROM_RECEIPT: "counts a relative schedule from when it was received",
        Quirk.RELATIVE_ONLY: "takes relative charging profiles only",
        Quirk.REPEATS_START: "says twice that a transaction has begun",
        Quirk.REPLAYS: "says again on each connection that yesterday's transaction began and ended",
        Quirk.RESUMES_TRANSACTION: "goes on with its transactions after a boot",
        Quirk.SAYS_NOTHING: "says nothing of itself when it connects again",
        Quirk.SILENT: "neither obeys nor answers control frames",
        Quirk.SLEEPY_VEHICLE: "has vehicles that sleep at 0, until a limit was set twice",
        Quirk.SLOW_ANSWERS: "answers everything some seconds late",
        Quirk.SLOW_VEHICLE: "has vehicles that take 7.4 kW at most, 80 seconds from nothing",
        Quirk.TWO_SOCKETS: "opens a second socket, and closes the first a while later",
        Quirk.TXPROFILE_WITHOUT_TX_ACCEPTED: "accepts a TxProfile without a transaction",
        Quirk.TX_MINUS_ONE: "tells its meter's values under transaction -1",
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
