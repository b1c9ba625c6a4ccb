"""Every environment variable once, aliases included; docs/configuration.md is checked against this list."""

import os
import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Literal

from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, ValidationInfo, field_validator

from wamcp.errors import Misconfigured

SENTENCES = {
    "WHATSAPP_VERIFY_TOKEN": "set WHATSAPP_VERIFY_TOKEN to a random word of your own, and the same in Meta's dashboard",
    "ADMIN_API_KEY": "set ADMIN_API_KEY to a long random value, e.g. the output of: openssl rand -hex 32",
    "WHATSAPP_APP_SECRET": "set WHATSAPP_APP_SECRET to the app secret from Meta's App Dashboard > Settings > Basic",
}

REPEATED_DAYS = 7
"""So long Meta repeats a webhook; until then its raw event has to be known."""
_LANGUAGES = re.compile(r"[A-Za-z_]{2,20}(\+[A-Za-z_]{2,20}){0,19}")
_RANGES = {
    "sends_per_second": (1, 1000),
    "ocr_max_pages": (0, 500),
    "extractors": (0, 64),
    "max_connections": (10, 60_000),
    "admin_rate": (0, 1_000_000),
    "mcp_rate": (0, 1_000_000),
}


def networks(written: str) -> list[IPv4Network | IPv6Network]:
    """The networks in a list with commas; an address is one of its own. Raises ValueError."""
    return [ip_network(part.strip(), strict=False) for part in written.split(",") if part.strip()]


def setting(default: Any, *names: str, text: str, secret: bool = False) -> Any:
    """A field read from ``names`` (the first is canonical and wins); ``NAME_FILE`` is read when ``secret``."""
    return Field(default=default, description=text, json_schema_extra={"env": list(names), "secret": secret})


class Settings(BaseModel):
    """What WAMCP was told by its environment. Build it with :func:`load`."""

    model_config = ConfigDict(frozen=True, validate_default=False)

    env: Literal["production", "development"] = setting(
        "production",
        "WAMCP_ENV",
        text="`production` refuses placeholders and unsafe switches; `development` allows them.",
    )
    # Meta
    verify_token: SecretStr | None = setting(
        None,
        "WHATSAPP_VERIFY_TOKEN",
        "WHATSAPP_WEBHOOK_VERIFY_TOKEN",
        "WHATSAPP_VERIFY",
        text="The word that Meta repeats when it verifies the callback URL.",
        secret=True,
    )
    access_token: SecretStr | None = setting(
        None,
        "WHATSAPP_ACCESS_TOKEN",
        "WHATSAPP_API_TOKEN",
        "WHATSAPP_API_KEY",
        "WHATSAPP_TOKEN",
        text="The token for Meta's Graph API (sending, media).",
        secret=True,
    )
    app_secret: SecretStr | None = setting(
        None,
        "WHATSAPP_APP_SECRET",
        "WHATSAPP_SECRET",
        "APP_SECRET",
        text="The app secret that signs every webhook; several, comma separated, while rotating.",
        secret=True,
    )
    verify_webhook_signature: bool = setting(
        True,
        "VERIFY_WEBHOOK_SIGNATURE",
        "VERIFY_WEBHOOK",
        "VERIFY_SIGNATURE",
        text="Check `X-Hub-Signature-256` on every webhook. `false` is refused in production.",
    )
    phone_number_id: str | None = setting(
        None, "WHATSAPP_PHONE_NUMBER_ID", "PHONE_NUMBER_ID", text="Meta's id of the number to send from."
    )
    waba_id: str | None = setting(
        None,
        "WHATSAPP_WABA_ID",
        "WHATSAPP_BUSINESS_ACCOUNT_ID",
        "WABA_ID",
        text="Meta's id of the WhatsApp Business Account.",
    )
    api_version: str = setting("v25.0", "WHATSAPP_API_VERSION", text="Version of Meta's Graph API.")
    base_url: str = setting(
        "https://graph.facebook.com", "WHATSAPP_BASE_URL", text="Address of Meta's Graph API, or of a simulator."
    )
    # Debug echo
    debug_echo_mode: bool = setting(
        False, "DEBUG_ECHO_MODE", text="Answer incoming messages with `Received: ...`. Refused in production."
    )
    debug_echo_allowlist: str = setting(
        "", "DEBUG_ECHO_ALLOWLIST_E164", text="Who may be echoed, comma separated. Empty means nobody."
    )
    debug_echo_rate_limit_seconds: int = setting(
        60, "DEBUG_ECHO_RATE_LIMIT_SECONDS", text="Seconds between two echoes to one person."
    )
    debug_echo_group_fallback: bool = setting(False, "DEBUG_ECHO_GROUP_FALLBACK", text="Echo in groups too.")
    sends_per_second: int = setting(
        60,
        "WAMCP_SENDS_PER_SECOND",
        text="Messages a second from one number. Meta allows 80, both ways together; 20 to numbers shared with an app.",
    )
    # Core services
    database_url: SecretStr | None = setting(
        None, "DATABASE_URL", text="Postgres 16 or newer, as the owner of the tables.", secret=True
    )
    database_direct_url: SecretStr | None = setting(
        None,
        "DATABASE_DIRECT_URL",
        text="The same database past any transaction pooler (LISTEN, locks, migrations). Default: `DATABASE_URL`.",
        secret=True,
    )
    database_reader_url: SecretStr | None = setting(
        None,
        "DATABASE_READER_URL",
        text="The login that can only read. Default: derived from `DATABASE_URL`, created by `wamcp migrate`.",
        secret=True,
    )
    database_audit_url: SecretStr | None = setting(
        None,
        "DATABASE_AUDIT_URL",
        text="The login that can only insert audit rows. Default: derived likewise.",
        secret=True,
    )
    redis_url: SecretStr | None = setting(None, "REDIS_URL", text="Redis or Valkey, the doorbell of jobs.", secret=True)
    minio_endpoint: str | None = setting(
        None,
        "MINIO_ENDPOINT",
        text="An S3 server, host:port or URL; then the objects go there in place of a directory.",
    )
    minio_access_key: SecretStr | None = setting(None, "MINIO_ACCESS_KEY", text="Its access key.", secret=True)
    minio_secret_key: SecretStr | None = setting(None, "MINIO_SECRET_KEY", text="Its secret key.", secret=True)
    minio_bucket: str = setting("wamcp", "MINIO_BUCKET", "MINIO_BUCKET_DOCUMENTS", text="The bucket for media.")
    object_dir: str = setting(
        "objects", "WAMCP_OBJECT_DIR", text="Directory for the bytes of media, when no S3 server is named."
    )
    max_document_bytes: int = setting(
        10_000_000, "MAX_DOCUMENT_BYTES", text="Larger documents are kept but not read by the machine (bytes)."
    )
    ocr_languages: str = setting(
        "eng+por+spa", "OCR_LANGUAGES", text="Languages of text in pictures, as Tesseract calls them, joined by `+`."
    )
    ocr_engine: Literal["auto", "tesseract", "rapidocr", "none"] = setting(
        "auto",
        "OCR_ENGINE",
        text="What reads text in pictures; `auto` picks by picture and language, `none` leaves pictures alone.",
    )
    ocr_max_pages: int = setting(
        10, "OCR_MAX_PAGES", text="So many pages of a document that are pictures are read, the first ones."
    )
    whisper_model_dir: str | None = setting(
        None,
        "WHISPER_MODEL_DIR",
        text="Directory of a Whisper model (CTranslate2) that writes down voice notes; unset: they are kept, not read.",
    )
    extractors: int = setting(
        os.cpu_count() or 1,
        "WAMCP_EXTRACTORS",
        text="So many documents are read at the same time by each worker; 0: none. Default: one for each core.",
    )
    admin_api_key: SecretStr | None = setting(
        None, "ADMIN_API_KEY", text="The key of the admin API (`X-Admin-Api-Key`).", secret=True
    )
    # Addresses
    public_base_url: str | None = setting(
        None, "PUBLIC_BASE_URL", text="How the internet reaches WAMCP, e.g. `https://wamcp.example.com`."
    )
    host: str = setting("127.0.0.1", "WAMCP_HOST", text="Address of the full port.")
    port: int = setting(8000, "WAMCP_PORT", text="The full port: webhook, admin API, `/mcp`.")
    public_host: str = setting("127.0.0.1", "WAMCP_PUBLIC_HOST", text="Address of the public port.")
    public_port: int | None = setting(
        None, "WAMCP_PUBLIC_PORT", text="A second port for tunnels and proxies: only the webhook and `/healthz`."
    )
    public_paths: str = setting(
        "", "WAMCP_PUBLIC_PATHS", text="More paths for the public port, comma separated; only `/mcp` is allowed."
    )
    max_connections: int = setting(
        2000, "WAMCP_MAX_CONNECTIONS", text="Connections of each port; beyond, the one that was quiet the longest goes."
    )
    trusted_proxies: str = setting(
        "",
        "WAMCP_TRUSTED_PROXIES",
        text="Addresses or networks (CIDR), comma separated, whose `X-Forwarded-For` is believed.",
    )
    admin_rate: int = setting(
        6000, "WAMCP_ADMIN_RATE", text="Requests a minute of each key of the admin API; 0 for no limit."
    )
    mcp_rate: int = setting(3000, "WAMCP_MCP_RATE", text="Requests a minute of each token of Claude's door; likewise.")
    # Search
    substring_index: bool = setting(
        False,
        "WAMCP_SUBSTRING_INDEX",
        text="Keep trigram indexes, so that searching inside words covers every message and document"
        " (costs disk and writes).",
    )
    # Keeping
    keep_raw_days: int | None = setting(
        None,
        "WAMCP_KEEP_RAW_DAYS",
        text="Raw events go after so many days, 8 or more. Default: they are kept for ever.",
    )
    keep_media_days: int | None = setting(
        None, "WAMCP_KEEP_MEDIA_DAYS", text="The bytes of files go after so many days. Default: never."
    )
    keep_messages_days: int | None = setting(
        None,
        "WAMCP_KEEP_MESSAGES_DAYS",
        text="Messages go after so many days, once their raw events have (`WAMCP_KEEP_RAW_DAYS`). Default: never.",
    )
    keep_audit_days: int | None = setting(
        None, "WAMCP_KEEP_AUDIT_DAYS", text="Audit rows go after so many days. Default: never."
    )
    # Running
    log_level: Literal["debug", "info", "warning", "error"] = setting(
        "info", "WAMCP_LOG_LEVEL", text="How much is logged."
    )
    worker_metrics_port: int | None = setting(
        None,
        "WAMCP_WORKER_METRICS_PORT",
        text="A port on which the Celery process tells Prometheus what it counted, on `WAMCP_HOST`; unset: none.",
    )
    otel_endpoint: str | None = setting(
        None,
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        text="Where traces go, by OTLP over HTTP, e.g. `http://127.0.0.1:4318` (extra `otel`); unset: nowhere.",
    )
    sentry_dsn: SecretStr | None = setting(
        None, "SENTRY_DSN", text="Where errors go (extra `sentry`); unset: nowhere.", secret=True
    )
    runtime_file: str | None = setting(
        None, "WAMCP_RUNTIME_FILE", text="Where `runtime.json` is (the stdio bridge reads it). `wamcp up` sets it."
    )
    migrate_on_start: bool = setting(
        True,
        "WAMCP_MIGRATE_ON_START",
        text="Let `wamcp api` and `wamcp worker` migrate the database before they serve.",
    )
    pg_bin: str | None = setting(
        None, "WAMCP_PG_BIN", text="Directory with another Postgres's programs for `wamcp up` (default: the wheel's)."
    )
    git_version: str | None = setting(
        None, "WAMCP_GIT_VERSION", text="The commit that runs, for `/admin/health` (default: what git says, if it can)."
    )
    run_as: str | None = setting(
        None,
        "WAMCP_RUN_AS",
        text="The user that Postgres runs as when `wamcp up` is started by root (default: nobody).",
    )

    @field_validator("database_url", "database_direct_url", "database_reader_url", "database_audit_url")
    @classmethod
    def _database_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and "=" in value.get_secret_value() and "://" not in value.get_secret_value():
            raise ValueError(
                "must be written as postgresql://user:password@host:5432/database; several hosts as "
                "postgresql://user:password@one:5432,other:5432/database?target_session_attrs=read-write"
            )
        return value

    @field_validator("public_base_url")
    @classmethod
    def _no_trailing_slash(cls, value: str | None) -> str | None:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with https:// (or http://)")
        return value.rstrip("/") if value else value

    @field_validator(*_RANGES)
    @classmethod
    def _in_range(cls, value: int, about: ValidationInfo) -> int:
        least, most = _RANGES[about.field_name or ""]
        if not least <= value <= most:
            raise ValueError(f"must be between {least} and {most}")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: str) -> str:
        try:
            networks(value)
        except ValueError:
            raise ValueError("must be addresses or networks like 127.0.0.1,10.0.0.0/8") from None
        return value

    @field_validator("keep_raw_days", "keep_media_days", "keep_messages_days", "keep_audit_days")
    @classmethod
    def _days(cls, value: int | None, info: ValidationInfo) -> int | None:
        least = REPEATED_DAYS + 1 if info.field_name == "keep_raw_days" else 1
        if value is not None and not least <= value <= 36_500:
            raise ValueError(f"must be between {least} and 36500 (unset: for ever)")
        if info.field_name == "keep_messages_days" and value is not None:
            raw = info.data.get("keep_raw_days")
            if raw is None or raw > value:
                raise ValueError(
                    "needs WAMCP_KEEP_RAW_DAYS of at most as many days: reprocessing would bring them back"
                )
        return value

    @field_validator("ocr_languages")
    @classmethod
    def _languages(cls, value: str) -> str:
        if not _LANGUAGES.fullmatch(value):
            raise ValueError("must be like eng+por+spa")
        return value

    def require(self, name: str) -> str:
        """The value of the secret field ``name``, or :class:`Misconfigured` naming the variable to set."""
        value = getattr(self, name)
        if value is None:
            variable = env_names(name)[0]
            raise Misconfigured(f"{variable} is not set: {SENTENCES.get(variable, f'set {variable}')}.")
        return value.get_secret_value() if isinstance(value, SecretStr) else str(value)

    def app_secrets(self) -> tuple[bytes, ...]:
        """The webhook secrets that are accepted, in bytes; empty when there is none."""
        if self.app_secret is None:
            return ()
        return tuple(part.strip().encode() for part in self.app_secret.get_secret_value().split(",") if part.strip())

    def local_url(self) -> str:
        """The address of the api from this machine: of one that listens everywhere, the loopback's."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 - compared only
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def direct_url(self) -> str:
        """The database address for LISTEN, session locks, the door and migrations."""
        return self.require("database_direct_url") if self.database_direct_url else self.require("database_url")

    def is_pooled(self) -> bool:
        """Whether ``DATABASE_URL`` may lead to a pooler of transactions, since there is a way past it."""
        return self.database_direct_url is not None


def env_names(field: str) -> list[str]:
    """The variables of a settings field, canonical first."""
    extra = Settings.model_fields[field].json_schema_extra
    names: list[str] = extra["env"] if isinstance(extra, dict) else []  # type: ignore[assignment]
    return names


def is_secret(field: str) -> bool:
    """Whether a settings field may also be given as ``NAME_FILE``."""
    extra = Settings.model_fields[field].json_schema_extra
    return bool(isinstance(extra, dict) and extra["secret"])


def _read(field: str, environ: Mapping[str, str]) -> str | None:
    for name in env_names(field):
        if environ.get(name, "").strip():
            return environ[name].strip()
        path = environ.get(f"{name}_FILE", "").strip() if is_secret(field) else ""
        if path:
            try:
                content = Path(path).read_text().strip()
            except OSError as error:
                raise Misconfigured(f"{name}_FILE points to {path}, which cannot be read: {error.strerror}.") from error
            if content:
                return content
    return None


def load(environ: Mapping[str, str] | None = None, *, dotenv: Path | None = None) -> Settings:
    """Settings from ``environ`` (default: the process's), with ``dotenv`` below it when that file exists.

    Empty values count as unset. Raises :class:`Misconfigured` naming the variable and what it allows.
    """
    merged: dict[str, str] = {}
    if dotenv is not None and dotenv.is_file():
        merged.update({key: value for key, value in dotenv_values(dotenv).items() if value is not None})
    merged.update(os.environ if environ is None else environ)
    values = {field: found for field in Settings.model_fields if (found := _read(field, merged)) is not None}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = env_names(str(first["loc"][0]))[0]
        raise Misconfigured(f"{name} is not valid: {first['msg']}.") from None
