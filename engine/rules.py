"""What ``decide`` needs to know of an asset's entry in the site file, and nothing more."""

import attrs

from engine.types import AssetId, AssetKind


@attrs.frozen
class AssetRules:
    """The rules of one asset, as recorded: no address and no secret.

    Powers are whole watts, ``fallback_w`` signed with charging positive and null where the device
    is handed back to its own control. Fields ending in ``_s`` are seconds; ``departure_grace_s``
    and ``hold_max_s`` are plan time, all others device time. ``step_w`` is the device's step,
    ``least_w`` the least power above 0 that it can hold: less is off or that, by ``below_min``.
    ``phase_rotation`` are the phases of the site's connection (L1, L2, L3) that its own are on, in
    the order of its own; none where the site file does not say.
    """

    asset_id: AssetId
    kind: AssetKind
    adapter: str
    schedule_key: str
    max_charge_w: int
    max_discharge_w: int = 0
    fallback_w: int | None = None
    on_schedule_end: str = "fallback"
    on_stop: str = "release"
    on_interference: str = "reassert"
    hold_max_s: float | None = None
    start: str = "charger"
    below_min: str = "off"
    priority: int = 1
    verify: str = "ack"
    idle_w: int = 100
    step_w: int = 1
    least_w: int = 0
    shared_register: bool = False
    periods_ahead: int = 0
    id_tag: str = "SETPOINT"
    dispatch_interval_s: float = 5.0
    command_timeout_s: float = 30.0
    max_retries: int = 3
    retry_backoff_factor: float = 2.0
    stale_s: float = 60.0
    failsafe_after_s: float = 900.0
    departure_grace_s: float = 60.0
    settle_s: float = 90.0
    reassert_s: float = 300.0
    phase_rotation: tuple[str, ...] = ()
    options: dict[str, object] = attrs.field(factory=dict)
