"""OCPP 2.0.1: commands as messages of the central system, and what their answers mean; pure.

Source: OCPP 2.0.1 edition 2, part 2 (use cases in brackets), and the JSON schemas of part 3. An
asset's connector is an EVSE here.
"""

from collections.abc import Mapping
from typing import Final

from engine.adapters.base import Answer, AssetView, Frame, Observation, Payload
from engine.adapters.charging_profiles import unit_of
from engine.adapters.composite import QUESTION_S, present_limit
from engine.adapters.ocpp201_calls import judge, reads
from engine.adapters.ocpp201_configuration import changes
from engine.adapters.ocpp201_profiles import clear_profiles, set_profile
from engine.adapters.ocpp_options import OcppOptions, options_of
from engine.commands import Attempt, Command, CommandType
from engine.errors import Untranslatable

__all__ = ["PROTOCOL", "Ocpp201Spelling", "judge"]

PROTOCOL: Final = "ocpp2.0.1"
"""The websocket's subprotocol."""

_EVSE_BITS: Final = 6
_NUMBERS: Final = 1 << 31


class Ocpp201Spelling:
    """The pure half of the OCPP 2.0.1 adapter."""

    options: type = OcppOptions
    protocol = PROTOCOL

    def slot_key(self, options: object) -> str:
        """Return what the EVSEs of one charging station have in common: its identity."""
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
            case CommandType.START_CHARGING:
                return Payload((_start(command, own, attempt),))
            case CommandType.STOP_CHARGING:
                return Payload((_stop(asset),))
            case CommandType.CHANGE_AVAILABILITY:
                return Payload((_availability(command, own),))
            case _:
                return Payload((_call(command),))

    def interpret(self, answer: Answer, asset: AssetView) -> tuple[Observation, ...]:
        """Return what an answer says beyond yes or no: a composite schedule's present limit."""
        own = options_of(asset.options)
        for value in answer.values:
            if isinstance(value, Mapping) and "schedule" in value:
                read = present_limit(value["schedule"], own, answer.raw, asset.phases)
                return () if read is None else (read,)
        return ()

    def configuring(self, asset: AssetView) -> tuple[dict[str, object], ...]:
        """Return the CALLs that change a station's variables [B05]: action and payload."""
        found = changes(options_of(asset.options), asset.capabilities)
        return tuple({"action": "SetVariables", "payload": payload} for payload in found)

    def questions(self, asset: AssetView) -> tuple[Payload, ...]:
        """Return GetCompositeSchedule [K08]: which limit holds now."""
        own = options_of(asset.options)
        body: dict[str, object] = {
            "evseId": own.connector,
            "duration": QUESTION_S,
            "chargingRateUnit": unit_of(own, asset.capabilities),
        }
        return (Payload((Frame("GetCompositeSchedule", body, control=False),)),)

    def sampling(self, asset: AssetView) -> tuple[Payload, ...]:
        """Return TriggerMessage [F06] for a TransactionEvent, which tells what flows now."""
        own = options_of(asset.options)
        body: dict[str, object] = {
            "requestedMessage": "TransactionEvent",
            "evse": {"id": own.connector},
        }
        return (Payload((Frame("TriggerMessage", body, control=False),)),)


def _start(command: Command, own: OcppOptions, attempt: Attempt) -> Frame:
    """Return RequestStartTransaction [F01, F02].

    Its remoteStartId is on record with the attempt, and no other of this station's.
    """
    tag = str(command.arguments.get("id_tag", "SETPOINT"))
    serial = attempt.serial << _EVSE_BITS | own.connector % (1 << _EVSE_BITS)
    body: dict[str, object] = {
        "evseId": own.connector,
        "remoteStartId": serial % _NUMBERS,
        "idToken": {"idToken": tag, "type": "Central"},
    }
    return Frame("RequestStartTransaction", body)


def _stop(asset: AssetView) -> Frame:
    """Return RequestStopTransaction [F03].

    Raises:
        Untranslatable: there is no transaction.
    """
    if asset.transaction_id is None:
        raise Untranslatable("there is no transaction to stop")
    return Frame("RequestStopTransaction", {"transactionId": asset.transaction_id})


def _availability(command: Command, own: OcppOptions) -> Frame:
    """Return ChangeAvailability [G03] of the EVSE."""
    kind = "Operative" if command.arguments.get("operative", True) else "Inoperative"
    body: dict[str, object] = {"operationalStatus": kind, "evse": {"id": own.connector}}
    return Frame("ChangeAvailability", body)


def _call(command: Command) -> Frame:
    action, payload = command.arguments.get("action"), command.arguments.get("payload")
    if not isinstance(action, str) or not isinstance(payload, dict):
        raise Untranslatable("a CALL needs an action and a payload")
    return Frame(action, payload, control=not reads(action))
