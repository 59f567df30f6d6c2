"""What simulated charge points do wrong, by name; see the measured quirks in the documentation."""

from typing import Final

import attrs


@attrs.frozen
class Quirk:
    """One way to misbehave; ``delay_s`` is for those that are late."""

    what: str
    delay_s: float = 0.0


QUIRKS: Final = {
    "silent": Quirk("gives no answer to control frames, and does not obey them"),
    "reject_profile": Quirk("refuses every charging profile"),
    "callerror": Quirk("answers control frames with a CALLERROR"),
    "slow_answers": Quirk("answers control frames after five seconds", 5.0),
    "extra_field": Quirk("adds a field of its own to its answers"),
    "accept_ignore": Quirk("accepts charging profiles and ignores them"),
    "forgets_limit": Quirk("forgets its profiles at boot and at StartTransaction"),
    "no_status_after_boot": Quirk("does not report its connectors after booting"),
    "amps_only": Quirk("takes charging profiles in amperes only"),
    "one_period": Quirk("refuses a profile with more than one period"),
    "txprofile_without_tx": Quirk("takes a TxProfile without a transaction"),
}
