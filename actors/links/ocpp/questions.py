"""What a charge point is asked of itself, in the words of its version."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol, TypeAlias

from actors.links.ocpp.session import Reply
from engine.adapters.ocpp16_configuration import KEYS, SAMPLED, configuration
from engine.adapters.ocpp201_configuration import READ_ONLY, VARIABLES, Place

Ask: TypeAlias = Callable[[str, dict[str, object]], Awaitable[Reply | None]]
"""Sends one CALL, an action and its body, and returns the reply, null where there was none."""

VALUE_LIMIT: Final = 500


class Questions(Protocol):
    """The bodies of TriggerMessage, and how the charge point is asked what it can do."""

    def boot(self) -> dict[str, object]:
        """Return how it is asked who it is."""
        ...

    def status(self, connector: int) -> dict[str, object]:
        """Return how it is asked how a connector is."""
        ...

    def transaction(self, connector: int) -> dict[str, object] | None:
        """Return how it is asked what charges at a connector, null where it cannot be."""
        ...

    def measurement(self, connector: int) -> dict[str, object]:
        """Return how it is asked what it measures now at a connector."""
        ...

    async def learn(self, ask: Ask) -> Mapping[str, str] | None:
        """Return what it says that it can do, by name; null where there was no answer."""


class Questions16:
    """See `Questions`: OCPP 1.6, TriggerMessage [5.17] and GetConfiguration [5.8, 9]."""

    def boot(self) -> dict[str, object]:
        """Return how it is asked who it is."""
        return {"requestedMessage": "BootNotification"}

    def status(self, connector: int) -> dict[str, object]:
        """Return how it is asked how a connector is."""
        return {"requestedMessage": "StatusNotification", "connectorId": connector}

    def transaction(self, connector: int) -> dict[str, object] | None:
        """Return nothing: 1.6 has no such message; its MeterValues tell in time."""
        del connector
        return None

    def measurement(self, connector: int) -> dict[str, object]:
        """Return how it is asked what it measures now at a connector."""
        return {"requestedMessage": "MeterValues", "connectorId": connector}

    async def learn(self, ask: Ask) -> Mapping[str, str] | None:
        """Return its configuration, as far as it matters.

        Some refuse a list of keys, or one so long, and tell all of them.
        """
        reply = await ask("GetConfiguration", {"key": list(KEYS)})
        if reply is None:
            return None
        learned = configuration(reply.payload)
        if not learned:
            reply = await ask("GetConfiguration", {})
            learned = {} if reply is None else configuration(reply.payload)
        return None if reply is None else learned


class Questions201:
    """See `Questions`: OCPP 2.0.1, TriggerMessage [F06] and GetVariables [B06].

    What it can do goes by the names of 1.6, so that nobody has to know which version it speaks.
    """

    def boot(self) -> dict[str, object]:
        """Return how it is asked who it is."""
        return {"requestedMessage": "BootNotification"}

    def status(self, connector: int) -> dict[str, object]:
        """Return how it is asked how an EVSE's connector is."""
        evse: dict[str, object] = {"id": connector, "connectorId": 1}
        return {"requestedMessage": "StatusNotification", "evse": evse}

    def transaction(self, connector: int) -> dict[str, object] | None:
        """Return how it is asked what charges at an EVSE."""
        return {"requestedMessage": "TransactionEvent", "evse": {"id": connector}}

    def measurement(self, connector: int) -> dict[str, object]:
        """Return how it is asked what it measures now at an EVSE."""
        return {"requestedMessage": "MeterValues", "evse": {"id": connector}}

    async def learn(self, ask: Ask) -> Mapping[str, str] | None:
        """Return its variables, as far as they matter.

        One that tells none of them is asked for a report, which comes by itself [B07].
        """
        learned = await self._variables(ask)
        if learned is not None and not learned:
            base: dict[str, object] = {"requestId": 1, "reportBase": "FullInventory"}
            await ask("GetBaseReport", base)
        return learned

    async def _variables(self, ask: Ask) -> Mapping[str, str] | None:
        """Ask for them together; stations may take fewer in one message than there are."""
        together = await ask("GetVariables", _getting(*VARIABLES))
        if together is None or together.error in {None, "NotImplemented", "NotSupported"}:
            return None if together is None else variables(together.payload)
        learned: dict[str, str] = {}
        for place in VARIABLES:
            reply = await ask("GetVariables", _getting(place))
            if reply is None:
                return None
            learned |= variables(reply.payload)
        return learned


def _getting(*places: Place) -> dict[str, object]:
    return {"getVariableData": [_asked(*place) for place in places]}


def _asked(component: str, variable: str, instance: str | None) -> dict[str, object]:
    named = {"name": variable} | ({} if instance is None else {"instance": instance})
    return {"component": {"name": component}, "variable": named}


def variables(payload: object) -> dict[str, str]:
    """Return what the results of a GetVariables tell, by the names of 1.6."""
    learned: dict[str, str] = {}
    for entry in entries(payload, "getVariableResult"):
        _keep(learned, entry, entry.get("attributeValue"))
    return learned


def report(payload: object) -> dict[str, str]:
    """Return what a NotifyReport tells, by the names of 1.6."""
    learned: dict[str, str] = {}
    for entry in entries(payload, "reportData"):
        for attribute in entries(entry, "variableAttribute"):
            if attribute.get("type", "Actual") == "Actual":
                name = _keep(learned, entry, attribute.get("value"))
                if name is not None and attribute.get("mutability") == "ReadOnly":
                    learned[READ_ONLY + name] = "yes"
    return learned


def _keep(learned: dict[str, str], entry: Mapping[str, Any], value: object) -> str | None:
    """Keep the value of a variable that matters; return its name, null for any other."""
    component, variable = entry.get("component"), entry.get("variable")
    if not isinstance(component, Mapping) or not isinstance(variable, Mapping):
        return None
    place = (component.get("name"), variable.get("name"), variable.get("instance"))
    if not isinstance(value, str) or not all(isinstance(one, str | None) for one in place):
        return None
    name = VARIABLES.get(place)  # type: ignore[arg-type]  # texts, looked at above
    if name is not None and (value or name == SAMPLED):
        learned[name] = value[:VALUE_LIMIT]
    return name


def entries(payload: object, name: str) -> list[Mapping[str, Any]]:
    """Return the entries of a list in a payload, as far as they are objects."""
    listed = payload.get(name) if isinstance(payload, Mapping) else None
    return [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []
