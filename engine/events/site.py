"""What concerns more than one asset: of a schedule's stream, and of the site's."""

from msgspec import Struct

from engine.plans import Plan
from engine.types import AssetId, ScheduleId

# --- a schedule's stream


class ScheduleReceived(Struct, frozen=True, gc=False):
    """A schedule was accepted, with the plans of all assets that it names.

    ``load`` is the base load that it says, where it was asked for that.
    """

    schedule_id: ScheduleId
    sequence: int
    start_us: int
    horizon_us: int
    digest: bytes
    plans: dict[AssetId, Plan]
    ignored_columns: tuple[str, ...] = ()
    clamped: tuple[tuple[str, str, float, float], ...] = ()
    load: Plan | None = None


# --- the site's stream


class EngineStarted(Struct, frozen=True, gc=False):
    """An engine opened the store for writing."""

    epoch: int
    instance: str
    version: str


class ClockSet(Struct, frozen=True, gc=False):
    """The plan clock stands at ``plan_us`` until it is started, and will run at ``speed``."""

    plan_us: int
    speed: float


class ClockStarted(Struct, frozen=True, gc=False):
    """The plan clock began to run: at ``wall_us`` (device clock) it showed ``plan_us``."""

    wall_us: int
    plan_us: int
    speed: float


class EngineStopped(Struct, frozen=True, gc=False):
    """The engine closed the store in good order."""

    epoch: int
    reason: str


class SiteConfigured(Struct, frozen=True, gc=False):
    """The site file's site-wide part was new or had changed; limits are null where it has none.

    ``phase_limit_w`` is what each phase may carry of the import, reckoned at 230 V;
    ``phase_base_w`` is what the base load takes of it, null where it takes a third of its power.
    """

    site_id: str
    timezone: str
    assets: tuple[AssetId, ...]
    import_limit_w: int | None = None
    export_limit_w: int | None = None
    base_load_w: int | None = None
    phase_limit_w: int | None = None
    phase_base_w: int | None = None


class StoreLost(Struct, frozen=True, gc=False):
    """The store could not be written from ``lost_us`` (device clock) on."""

    lost_us: int
    reason: str


class StoreBack(Struct, frozen=True, gc=False):
    """The store can be written again."""

    lost_us: int
    back_us: int


class SiteActorCrashed(Struct, frozen=True, gc=False):
    """Handling a message failed in the ``dispatcher`` or the ``site`` actor.

    ``message`` and ``error`` are names of types. ``gave_up``: it failed so often that for a while
    it tries nothing twice and takes no new schedule.
    """

    actor: str
    message: str
    error: str
    set_aside: bool = False
    gave_up: bool = False


class LimitExceeded(Struct, frozen=True, gc=False):
    """A site limit is exceeded: by what is ``reserved``, or by what is ``measured`` for long.

    ``direction`` is import, export, or a phase of the import (L1, L2 or L3), ``power_w`` what the
    assets come to there, ``limit_w`` its limit; of an import limit the base load takes ``base_w``.
    """

    direction: str
    kind: str
    power_w: int
    limit_w: int
    base_w: int = 0


class LimitKept(Struct, frozen=True, gc=False):
    """A site limit is kept again."""

    direction: str
    kind: str


class SecurityNoticed(Struct, frozen=True, gc=False):
    """Refused peers within one window."""

    kind: str
    peer: str
    count: int
