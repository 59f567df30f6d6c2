"""The tests that every adapter has to pass: what `AdapterPlugin` and `Link` promise the engine."""

from actors.testing.adapter_hooks import AdapterHooks, DeviceUnderTest, Manner
from actors.testing.adapter_link import LinkChecks
from actors.testing.adapter_spelling import SpellingChecks

__all__ = ["AdapterConformance", "AdapterHooks", "DeviceUnderTest", "Manner"]


class AdapterConformance(SpellingChecks, LinkChecks):
    """The conformance tests of an adapter, collected by pytest from a subclass.

    A test file has a class ``TestMyAdapter(AdapterConformance)``. It gives `adapter` and ``toml``,
    the adapter's keys in a site file; with `device` the link is tried as well, over real sockets.
    See `AdapterHooks` for what else can be said. A failure says what the adapter has to do.
    """
