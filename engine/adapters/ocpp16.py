"""OCPP 1.6: commands as messages of the central system, and what their answers mean; pure.

Sources: OCPP 1.6 edition 2 (sections in brackets) and the JSON schemas that come with it.
"""

from collections.abc import Mapping
from typing import Final

from engine.adapters.base import Answer, AssetView, Frame, Observation, Payload
from engine.adapters.charging_profiles import unit_of
from engine.adapters.composite import QUESTION_S, present_limit
from engine.adapters.ocpp16_calls import judge, reads
from engine.adapters.ocpp16_configuration import changes
from engine.adapters.ocpp16_profiles import clear_profiles, set_profile, transaction_number
from engine.adapters.ocpp_options import OcppOptions, options_of
from engine.commands import Attempt, Command, CommandType
from engine.errors import Untranslatable

__all__ = ["PROTOCOL", "Ocpp16Spelling", "OcppOptions", "judge", "options_of"]

PROTOCOL: Final = "ocpp1.6"
"""The websocket's subprotocol."""


class Ocpp16Spelling:
    """The pure half of the OCPP 1.6 adapter."""

    options: type = OcppOptions
    protocol = PROTOCOL

    def slot_key(self, options: object) -> str:
        """Return what the connectors of one charge point have in common: its identity."""
        return options_of(options).charge_point

    def translate(self, command: Command, asset: AssetView, attempt: Attempt) -> Payload:
        """Spell a command as the CALLs of a central system.

        Raises:
            Untranslatable: a charger cannot do it, or there is no further form.
        """
        own = options_of(asset.options)
        match command.type:
            case CommandType.SET_CHARGE_RATE:
                return set_profile(own, asset, attempt)
            case CommandType.SET_DISCHARGE_RATE:
                raise Untranslatable("a charger cannot discharge")
            case _ if attempt.form:
                raise Untranslatable(f"there is no other form of {command.type}")
            case CommandType.RELEASE:
                return clear_profiles(own)
            case _:
                return Payload((_frame(command, own, asset),))

    def interpret(self, answer: Answer, asset: AssetView) -> tuple[Observation, ...]:
        """Return what an answer says beyond yes or no: a composite schedule's present limit."""
        own = options_of(asset.options)
        for value in answer.values:
            if isinstance(value, Mapping) and "chargingSchedule" in value:
                read = present_limit(value["chargingSchedule"], own, answer.raw, asset.phases)
                return () if read is None else (read,)
        return ()

    def configuring(self, asset: AssetView) -> tuple[dict[str, object], ...]:
        """Return the CALLs that change a charger's configuration [5.3]: action and payload."""
        found = changes(options_of(asset.options), asset.capabilities)
        return tuple(
            {"action": "ChangeConfiguration", "payload": {"key": key, "value": value}}
            for key, value in found
        )

    def questions(self, asset: AssetView) -> tuple[Payload, ...]:
        """Return GetCompositeSchedule [5.7]: which limit holds now."""
        own = options_of(asset.options)
        body: dict[str, object] = {
            "connectorId": own.connector,
            "duration": QUESTION_S,
            "chargingRateUnit": unit_of(own, asset.capabilities),
        }
        return (Payload((Frame("GetCompositeSchedule", body, control=False),)),)

    def sampling(self, asset: AssetView) -> tuple[Payload, ...]:
        """Return TriggerMessage [5.17] for MeterValues: what flows now."""
        own = options_of(asset.options)
        body: dict[str, object] = {"requestedMessage": "MeterValues", "connectorId": own.connector}
        return (Payload((Frame("TriggerMessage", body, control=False),)),)


def _frame(command: Command, own: OcppOptions, asset: AssetView) -> Frame:
    """Return the one frame of START, STOP, CHANGE_AVAILABILITY and CALL [5.11, 5.12, 5.2]."""
    if command.type is CommandType.START_CHARGING:
        tag = str(command.arguments.get("id_tag", "SETPOINT"))
        return Frame("RemoteStartTransaction", {"connectorId": own.connector, "idTag": tag})
    if command.type is CommandType.STOP_CHARGING:
        if asset.transaction_id is None:
            raise Untranslatable("there is no transaction to stop")
        number = transaction_number(asset.transaction_id)
        return Frame("RemoteStopTransaction", {"transactionId": number})
    if command.type is CommandType.CHANGE_AVAILABILITY:
        kind = "Operative" if command.arguments.get("operative", True) else "Inoperative"
        return Frame("ChangeAvailability", {"connectorId": own.connector, "type": kind})
    action, payload = command.arguments.get("action"), command.arguments.get("payload")
    if not isinstance(action, str) or not isinstance(payload, dict):
        raise Untranslatable("a CALL needs an action and a payload")
    return Frame(action, payload, control=not reads(action))
