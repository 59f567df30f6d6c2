"""How a simulated charging station answers what concerns its device model (OCPP 2.0.1, B)."""

from collections.abc import Mapping, Sequence
from typing import Any

from actors.sim.answers import status
from actors.sim.ocpp201.station import Station201
from actors.sim.ocpp201.variables import UnknownVariable, Variable
from actors.sim.ocppj import CallRefused
from actors.sim.reply import Reply


def get_variables(station: Station201, payload: Mapping[str, Any]) -> Reply:
    """Answer GetVariables [B06]."""
    wanted = _few_enough(station, payload["getVariableData"], "GetVariables")
    return Reply({"getVariableResult": [_got(station, each) for each in wanted]})


def _got(station: Station201, wanted: Mapping[str, Any]) -> dict[str, object]:
    result = dict(wanted)
    try:
        variable = station.model.find(wanted["component"], wanted["variable"])
    except UnknownVariable as unknown:
        return {**result, "attributeStatus": str(unknown)}
    value = _attribute(station, variable, wanted.get("attributeType", "Actual"))
    if value is None:
        return {**result, "attributeStatus": "NotSupportedAttributeType"}
    return {**result, "attributeStatus": "Accepted", "attributeValue": value}


def _attribute(station: Station201, variable: Variable, kind: str) -> str | None:
    if kind == "MaxSet" and variable.most is not None:
        return f"{variable.most:g}"
    return station.model.value(variable) if kind == "Actual" else None


def set_variables(station: Station201, payload: Mapping[str, Any]) -> Reply:
    """Answer SetVariables [B05]."""
    wanted = _few_enough(station, payload["setVariableData"], "SetVariables")
    return Reply({"setVariableResult": [_set(station, each) for each in wanted]})


def _set(station: Station201, wanted: Mapping[str, Any]) -> dict[str, object]:
    result = {name: value for name, value in wanted.items() if name != "attributeValue"}
    try:
        variable = station.model.find(wanted["component"], wanted["variable"])
    except UnknownVariable as unknown:
        return {**result, "attributeStatus": str(unknown)}
    if wanted.get("attributeType", "Actual") != "Actual":
        return {**result, "attributeStatus": "NotSupportedAttributeType"}
    outcome = station.model.change(variable, wanted["attributeValue"])
    return {**result, "attributeStatus": outcome}


def _few_enough(station: Station201, wanted: Sequence[Any], action: str) -> Sequence[Any]:
    if len(wanted) > station.cabinet.configuration.number(f"ItemsPer{action}"):
        raise CallRefused("OccurrenceConstraintViolation", f"too many for one {action}")
    return wanted


def base_report(station: Station201, payload: Mapping[str, Any]) -> Reply:
    """Answer GetBaseReport; NotifyReport follows [B07]. A summary is not given."""
    model = station.model
    match payload["reportBase"]:
        case "FullInventory":
            chosen = [*model.variables]
        case "ConfigurationInventory":
            chosen = [each for each in model.variables if each.key is not None]
        case _:
            return status("NotSupported")
    return status("Accepted", lambda: station.report_variables(payload["requestId"], chosen))


def report(station: Station201, payload: Mapping[str, Any]) -> Reply:
    """Answer GetReport; NotifyReport follows [B08]."""
    wanted = payload.get("componentVariable")
    if "componentCriteria" in payload:
        return status("NotSupported")
    chosen = [
        each
        for each in station.model.variables
        if wanted is None or any(each.is_meant(one) for one in wanted)
    ]
    if not chosen:
        return status("EmptyResultSet")
    return status("Accepted", lambda: station.report_variables(payload["requestId"], chosen))
