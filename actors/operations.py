"""What the control socket offers: each operation takes a request's arguments and returns JSON."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from actors.control import Handler
from engine.asset.view import view_json
from engine.errors import CommandRefused, SetpointError, UsageError

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
        "state": lambda _: [view_json(view) for view in system.state().values()],
        "ping": lambda _: {"site": system.site.id},
    }


def _send(system: "ActorSystem", args: Mapping[str, Any]) -> dict[str, object]:
    kw = args.get("kw")
    if kw is not None and not isinstance(kw, int | float):
        raise UsageError("kw is a number")
    handle = system.send(
        _text(args, "asset"),
        _text(args, "type"),
        kw=kw,
        by=_text(args, "by"),
        reason=_text(args, "reason"),
        operative=args.get("operative", True) is not False,
    )
    wait_s = args.get("wait_s")
    if isinstance(wait_s, int | float):
        try:
            handle.wait(wait_s)
        except TimeoutError:
            return {"id": handle.id, "status": str(handle.status)}
    return {"id": handle.id, "status": str(handle.status)}


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
