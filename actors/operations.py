"""What the control socket offers: each operation takes a request's arguments and returns JSON."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from actors.audit import moment
from actors.control import Handler
from actors.handles import CommandHandle
from engine.asset.view import view_json
from engine.errors import CommandRefused, SetpointError, UnknownAsset, UsageError
from engine.history import CommandRecord

if TYPE_CHECKING:
    from actors.system import ActorSystem


def operations(system: "ActorSystem") -> dict[str, Handler]:
    """Return the operations of a running system by name."""

    def each(act: Callable[[str, str, str], object], *, skip: bool = False) -> Handler:
        return lambda args: _each(system, act, args, skip=skip)

    def release(asset: str, by: str, reason: str) -> str:
        return system.send(asset, "RELEASE", by=by, reason=reason).id

    def pause(asset: str, by: str, reason: str) -> str:
        return system.pause(asset, by=by, reason=reason).id

    def resume(asset: str, by: str, reason: str) -> str:
        system.resume(asset, by=by, reason=reason)
        return "resumed"

    return {
        "send": lambda args: _send(system, args),
        "release": each(release),
        "pause": each(pause),
        "resume": each(resume, skip=True),
        "stop_all": each(pause),
        "override": lambda args: _override(system, args),
        "clear_override": lambda args: _clear_override(system, args),
        "call": lambda args: _call(system, args),
        "state": lambda _: [view_json(view) for view in system.state().values()],
        "probe": lambda args: _known(system, _text(args, "asset")),
        "ping": lambda _: {"site": system.site.id},
    }


def _known(system: "ActorSystem", asset: str | None) -> dict[str, object]:
    """Return what is known of one asset, with what its device said that it can do."""
    view = system.state().get(str(asset))
    if view is None:
        raise UnknownAsset.among(asset, system.state())
    return {**view_json(view), "capabilities": dict(view.capabilities)}


def _send(system: "ActorSystem", args: Mapping[str, Any]) -> dict[str, object]:
    handle = system.send(
        _text(args, "asset"),
        _text(args, "type"),
        kw=_number(args, "kw"),
        by=_text(args, "by"),
        reason=_text(args, "reason"),
        operative=args.get("operative", True) is not False,
    )
    _wait(handle, _number(args, "wait_s"))
    return {"id": handle.id, "status": str(handle.status)}


def _override(system: "ActorSystem", args: Mapping[str, Any]) -> dict[str, object]:
    kw, until = _number(args, "kw"), _text(args, "until")
    if kw is None:
        raise UsageError("kw is missing")
    handle = system.override(
        _text(args, "asset"),
        kw,
        until="unplugged" if until == "unplugged" else moment(until),
        by=_text(args, "by"),
        reason=_text(args, "reason"),
    )
    return {"id": handle.id, "status": str(handle.status)}


def _clear_override(system: "ActorSystem", args: Mapping[str, Any]) -> str:
    by, reason = _text(args, "by"), _text(args, "reason")
    system.clear_override(_text(args, "asset"), by=by, reason=reason)
    return "cleared"


def _call(system: "ActorSystem", args: Mapping[str, Any]) -> dict[str, object]:
    payload = args.get("payload")
    if not isinstance(payload, dict):
        raise UsageError("payload is an object")
    handle = system.call(
        _text(args, "asset"),
        _text(args, "action"),
        payload,
        by=_text(args, "by"),
        reason=_text(args, "reason"),
    )
    found = _wait(handle, _number(args, "wait_s"))
    attempts = () if found is None else found.attempts
    answers = [one.answer.raw for one in attempts if one.answer is not None]
    return {"id": handle.id, "status": str(handle.status), "answers": answers}


def _wait(handle: CommandHandle, wait_s: float | None) -> CommandRecord | None:
    """Wait for a command's end, if somebody wants to; return what became of it, null if open."""
    if wait_s is None:
        return None
    try:
        return handle.wait(wait_s)
    except TimeoutError:
        return None


def _number(args: Mapping[str, Any], name: str) -> float | None:
    value = args.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise UsageError(f"{name} is a number")
    return value


def _text(args: Mapping[str, Any], name: str) -> str:
    value = args.get(name)
    if not isinstance(value, str) or not value:
        raise UsageError(f"{name} is missing")
    return value


def _each(
    system: "ActorSystem",
    act: Callable[[str, str, str], object],
    args: Mapping[str, Any],
    *,
    skip: bool,
) -> list[dict[str, object]]:
    """Act on the asset that is named, or on all; what one refuses does not stop the others.

    With ``skip`` a refusal is left out where no asset was named: there was nothing to do.
    """
    by, reason = _text(args, "by"), _text(args, "reason")
    named = args.get("asset")
    if isinstance(named, str):
        return [{"asset_id": named, "done": act(named, by, reason)}]
    results: list[dict[str, object]] = []
    for asset in system.state():
        try:
            results.append({"asset_id": asset, "done": act(asset, by, reason)})
        except CommandRefused as error:
            if not skip:
                results.append({"asset_id": asset, "error": str(error)})
        except SetpointError as error:
            results.append({"asset_id": asset, "error": str(error)})
    return results
