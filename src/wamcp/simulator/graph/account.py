"""Everything that is true of the invented account: it can be changed at run time, key by key."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from wamcp.errors import Rejected
from wamcp.simulator.graph.templates import BUILT_IN, Template

SCOPES = ("whatsapp_business_management", "whatsapp_business_messaging")
FIELDS = ("messages", "account_update", "message_template_status_update", "phone_number_quality_update")


@dataclass(frozen=True, slots=True)
class Config:
    """What a simulator is started with; all of it is invented unless said otherwise.

    ``rate`` is in messages a second (0: no limit), ``webhook_url`` the callback of the app, ``script`` the rules as in
    a script file (a list, or ``{"rules": [...], "account": {...}}``).
    """

    host: str = "127.0.0.1"
    port: int = 0
    webhook_url: str | None = None
    app_secret: str = "simulated_app_secret"  # noqa: S105 - invented, and of no use anywhere
    access_token: str = "simulated_access_token"  # noqa: S105
    verify_token: str = "simulated_verify_token"  # noqa: S105
    phone_number_id: str = "700000000000001"
    waba_id: str = "900000000000001"
    app_id: str = "800000000000001"
    display_phone_number: str = "15550100001"
    wire_log: Path | None = None
    rate: int = 80
    account: dict[str, Any] = field(default_factory=dict)
    script: Any = field(default_factory=list)


class _Facts(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    pass


class Token(_Facts):
    """The access token as ``debug_token`` describes it; times are Unix seconds, 0 for never."""

    app_id: str
    type: str = "SYSTEM_USER"
    application: str = "WAMCP simulated"
    is_valid: bool = True
    expires_at: int = 0
    data_access_expires_at: int = 0
    issued_at: int = 1_795_046_400
    user_id: str = "600000000000001"
    scopes: list[str] = msgspec.field(default_factory=lambda: list(SCOPES))
    granular_scopes: list[dict[str, Any]] = msgspec.field(default_factory=list)

    def expired(self) -> bool:
        """Whether it is past its time, or was declared invalid."""
        return not self.is_valid or 0 < self.expires_at <= time.time()


class Callback(_Facts):
    """Where webhooks go on one level, and the fields that are subscribed there (for the app)."""

    url: str | None = None
    fields: list[str] = msgspec.field(default_factory=lambda: list(FIELDS))
    active: bool = True


class Number(_Facts):
    """A business number; the facts are those of its Graph node."""

    display_phone_number: str
    verified_name: str = "Azulejo Workshop"
    quality_rating: str = "GREEN"
    code_verification_status: str = "VERIFIED"
    platform_type: str = "CLOUD_API"
    status: str = "CONNECTED"
    name_status: str = "APPROVED"
    messaging_limit_tier: str = "TIER_1K"
    account_mode: str = "LIVE"
    is_official_business_account: bool = False
    throughput: dict[str, Any] = msgspec.field(default_factory=lambda: {"level": "STANDARD"})
    override_callback_uri: str | None = None


class Waba(_Facts):
    """The WhatsApp Business Account; ``subscribed_apps`` are ids of apps."""

    id: str
    name: str = "Azulejo Workshop"
    currency: str = "EUR"
    timezone_id: str = "1"
    account_review_status: str = "APPROVED"
    business_verification_status: str = "verified"
    status: str = "ACTIVE"
    country: str = "PT"
    message_template_namespace: str = "5f0d2a3c_0000_4000_8000_000000000001"
    subscribed_apps: list[str] = msgspec.field(default_factory=list)
    override_callback_uri: str | None = None


class Statuses(_Facts):
    """Which statuses follow a message, and when: ``delay_ms`` is the range of the pause before each."""

    delay_ms: tuple[float, float] = (5, 40)
    read: bool | float = True
    out_of_order: bool = False
    twice: bool = False
    none: bool = False
    before_answer: bool = False


class Account(_Facts):
    """All facts; ``PUT /_simulator/account`` merges JSON into them, and null brings back what was at the start."""

    access_token: str
    app_secret: str
    verify_token: str
    app_id: str
    token: Token
    callback: Callback
    numbers: dict[str, Number]
    waba: Waba
    statuses: Statuses = msgspec.field(default_factory=Statuses)
    templates: list[Template] = msgspec.field(default_factory=lambda: list(BUILT_IN))
    rate: int = 80
    pair_limit: bool = True
    enforce_window: bool = True
    open_windows: str = "all"
    window_error: str = "sync"
    allowed_recipients: list[str] | None = None
    undeliverable: list[str] = msgspec.field(default_factory=list)
    failing: dict[str, int] = msgspec.field(default_factory=dict)
    locked: bool = False
    media_url_seconds: float = 300
    media_seconds: float = 30 * 86_400
    media_sha256: str = "hex"
    inbound_media_seconds: float = 7 * 86_400
    newest_version: str = "v26.0"
    min_version: str = "v20.0"
    sunset_versions: list[str] = msgspec.field(default_factory=list)
    clock_offset_s: float = 0
    webhook_retry_s: float = 60
    webhook_concurrency: int = 16


def at_start(config: Config) -> dict[str, Any]:
    """The facts with which ``config`` begins, as plain JSON."""
    facts = {
        "access_token": config.access_token,
        "app_secret": config.app_secret,
        "verify_token": config.verify_token,
        "app_id": config.app_id,
        "token": {"app_id": config.app_id, "granular_scopes": _granular(config.waba_id)},
        "callback": {"url": config.webhook_url},
        "numbers": {config.phone_number_id: {"display_phone_number": config.display_phone_number}},
        "waba": {"id": config.waba_id, "subscribed_apps": [config.app_id]},
        "rate": config.rate,
    }
    plain: dict[str, Any] = msgspec.to_builtins(msgspec.convert(facts, Account))
    return merge(plain, config.account, {})


def account_of(facts: dict[str, Any]) -> Account:
    """The account that ``facts`` describe; raises ``Rejected`` that names the key which is wrong."""
    try:
        account = msgspec.convert(facts, Account)
    except msgspec.ValidationError as error:
        raise Rejected(f"This is no fact of the account: {error}. docs/simulator.md lists them.") from None
    if account.open_windows not in ("all", "known"):
        raise Rejected("account.open_windows is `all` or `known`.")
    if account.window_error not in ("sync", "status"):
        raise Rejected("account.window_error is `sync` or `status`.")
    return account


def merge(facts: dict[str, Any], change: dict[str, Any], start: dict[str, Any]) -> dict[str, Any]:
    """``facts`` with ``change`` laid over them, object by object; null puts back what ``start`` says, or nothing."""
    merged = dict(facts)
    for key, value in change.items():
        if value is None:
            merged[key] = start.get(key)
            if merged[key] is None:
                del merged[key]
        elif isinstance(value, dict) and isinstance(merged.get(key), dict):
            inner = start.get(key)
            merged[key] = merge(merged[key], value, inner if isinstance(inner, dict) else {})
        else:
            merged[key] = value
    return merged


def _granular(waba_id: str) -> list[dict[str, Any]]:
    return [{"scope": scope, "target_ids": [waba_id]} for scope in SCOPES]
