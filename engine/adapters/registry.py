"""Which adapter speaks for which asset."""

import difflib
from collections.abc import Iterator, Mapping

from engine.adapters.base import AdapterPlugin
from engine.errors import UsageError


class AdapterRegistry(Mapping[str, AdapterPlugin]):
    """Adapters by the name that a site file's ``adapter`` gives."""

    def __init__(self, adapters: Mapping[str, AdapterPlugin] | None = None) -> None:
        """Begin with these adapters."""
        self._adapters: dict[str, AdapterPlugin] = dict(adapters or {})

    def register(self, name: str, adapter: AdapterPlugin) -> None:
        """Add an adapter, or put it in the place of the one that had the name."""
        self._adapters[name] = adapter

    def adapter_of(self, name: str) -> AdapterPlugin:
        """Return the adapter of a name.

        Raises:
            UsageError: there is none; names the nearest.
        """
        adapter = self._adapters.get(name)
        if adapter is None:
            near = difflib.get_close_matches(name, self._adapters, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            message = f"no adapter is called {name!r}{hint}"
            raise UsageError(message)
        return adapter

    def __getitem__(self, name: str) -> AdapterPlugin:
        """Return the adapter of a name, or raise KeyError."""
        return self._adapters[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names in the order of registration."""
        return iter(self._adapters)

    def __len__(self) -> int:
        """Return how many adapters there are."""
        return len(self._adapters)
