"""What is configured in a simulated charge point, by key."""

from collections.abc import Iterable, Mapping

import attrs

from actors.sim.quirks import Quirk, Quirks


@attrs.frozen
class Keys:
    """The usual values by key, and what a quirk makes of one: the key and its value."""

    writable: Mapping[str, str]
    read_only: Mapping[str, str]
    bent: Mapping[Quirk, tuple[str, str]]


@attrs.frozen
class Setting:
    """The value of a key, as text, and whether it can be changed from outside."""

    key: str
    value: str
    read_only: bool


class Configuration:
    """All keys; what a quirk says of itself goes before what is set."""

    def __init__(self, keys: Keys, quirks: Quirks, given: Mapping[str, str]) -> None:
        """Begin with the usual values and those given; other keys than the usual are writable."""
        self._keys = keys
        self._quirks = quirks
        self._values = {**keys.writable, **keys.read_only, **given}

    def number(self, key: str) -> float:
        """Return the value of a key as a number."""
        return float(self[key])

    def note(self, key: str, value: str) -> None:
        """Set a key from inside, as BootNotification.conf sets HeartbeatInterval."""
        self._values[key] = value

    def __getitem__(self, key: str) -> str:
        for quirk, (bent, value) in self._keys.bent.items():
            if bent == key and quirk in self._quirks:
                return value
        return self._values[key]

    def is_read_only(self, key: str) -> bool:
        """Tell whether a key cannot be changed from outside."""
        return key in self._keys.read_only

    def settings(self, keys: Iterable[str]) -> tuple[tuple[Setting, ...], tuple[str, ...]]:
        """Return the settings of these keys, all without any, and the unknown ones."""
        wanted = tuple(keys) or tuple(sorted(self._values))
        known = tuple(
            Setting(k, self[k], self.is_read_only(k)) for k in wanted if k in self._values
        )
        return known, tuple(key for key in wanted if key not in self._values)

    def change(self, key: str, value: str) -> str:
        """Set a key; return the status of ChangeConfiguration.conf."""
        if key not in self._values:
            return "NotSupported"
        if self.is_read_only(key):
            return "Rejected"
        if self._keys.writable.get(key, "").isdigit() and not (value.isascii() and value.isdigit()):
            return "Rejected"
        self._values[key] = value
        return "Accepted"
