"""What a site file says, checked: powers in whole watts, times in seconds."""

import attrs

from engine.errors import UnknownAsset
from engine.rules import AssetRules


@attrs.frozen
class Defaults:
    """What holds for every asset that does not say otherwise.

    All are seconds but ``max_retries`` and ``retry_backoff_factor``, which count. Only
    ``departure_grace_s`` is plan time, the others device time.
    """

    dispatch_interval_seconds: float = 5.0
    command_timeout_seconds: float = 30.0
    max_retries: int = 3
    retry_backoff_factor: float = 2.0
    stale_state_seconds: float = 60.0
    failsafe_after_s: float = 900.0
    departure_grace_s: float = 60.0
    settle_s: float = 90.0
    reassert_s: float = 300.0


@attrs.frozen
class TlsFiles:
    """The files of TLS, PEM all of them: the certificate with its chain, its key, whom to trust.

    ``client_ca`` is what client certificates are signed with; null where none are asked for.
    """

    cert: str
    key: str
    client_ca: str | None = None


@attrs.frozen
class OcppListen:
    """Where and how charge points connect.

    ``port`` 0 is any free one. ``security_profile`` 0 is none, 1 Basic authentication, 2 that over
    TLS, 3 TLS with client certificates (OCPP security whitepaper); ``tls`` is null below 2.
    ``versions`` are those offered, ``id_tags`` null takes any,
    ``setpoint_id_tag`` is that of our own remote starts. ``heartbeat_seconds`` is device time.
    """

    host: str = "127.0.0.1"
    port: int = 9000
    security_profile: int = 1
    versions: tuple[str, ...] = ("1.6", "2.0.1")
    id_tags: tuple[str, ...] | None = None
    setpoint_id_tag: str = "SETPOINT"
    heartbeat_seconds: int = 30
    tls: TlsFiles | None = None


@attrs.frozen
class AssetConfig:
    """One asset: its rules, as recorded, and its adapter's options, with address and secrets."""

    rules: AssetRules
    options: object


@attrs.frozen
class Site:
    """Everything that one site file describes.

    Limits and base load are whole watts, null where the file has none; those of a phase are its
    amperes at 230 V. ``timezone`` is an IANA name, for people; ``ocpp`` null where nothing listens.
    ``store_url`` may hold a password.
    ``warnings`` are one line each.
    """

    id: str
    timezone: str
    store_url: str = attrs.field(repr=False)
    assets: tuple[AssetConfig, ...]
    defaults: Defaults = Defaults()
    ocpp: OcppListen | None = None
    control_socket: str | None = None
    import_limit_w: int | None = None
    export_limit_w: int | None = None
    base_load_w: int | None = None
    phase_limit_w: int | None = None
    phase_base_w: int | None = None
    warnings: tuple[str, ...] = ()

    @property
    def has_import_limit(self) -> bool:
        """Whether what the site draws is bounded, as a whole or by its phases."""
        return self.import_limit_w is not None or self.phase_limit_w is not None

    def asset(self, asset_id: str) -> AssetConfig:
        """Return one asset.

        Raises:
            UnknownAsset: there is none of that id.
        """
        for one in self.assets:
            if one.rules.asset_id == asset_id:
                return one
        raise UnknownAsset.among(asset_id, [one.rules.asset_id for one in self.assets])
