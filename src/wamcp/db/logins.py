"""The three logins: the owner, the reader that can only SELECT, the auditor that can only INSERT audit rows."""

import hashlib
import hmac
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from wamcp.settings import Settings

READER_STATEMENT_TIMEOUT_MS = 3000

# Columns, not tables: raw bodies, audit rows and what later tables hold stay out of the reader's sight.
READER_COLUMNS: dict[str, tuple[str, ...]] = {
    "webhook_events": ("id", "received_at"),
    "webhook_queue": ("event_id", "size", "queued_at"),
    "applied": ("seq", "event_id"),
    "parked": ("id", "event_id", "item", "kind", "reason", "parked_at"),
    "numbers": ("id", "phone_number_id", "display_phone_number", "waba_id", "scope", "first_seen_at"),
    "participants": ("id", "name", "username", "created_at"),
    "participant_aliases": ("scope", "kind", "value", "participant_id", "first_seen_at"),
    "participant_names": ("participant_id", "kind", "value", "first_seen_at", "last_seen_day"),
    "conversations": (
        "id", "number_id", "participant_id", "group_id", "message_count",
        "last_message_at", "last_inbound_at", "last_outbound_at",
    ),
    "messages": (
        "id", "number_id", "wamid", "conversation_id", "sender_id", "event_id", "direction", "source", "type",
        "sent_at", "day", "standing", "reply_to", "refers_to", "party_wa_id", "party_bsuid", "text", "search_text",
        "content", "tsv",
    ),
    "daily_counts": ("number_id", "day", "inbound", "outbound"),
    "statuses": (
        "number_id", "wamid", "status", "participant", "at", "recipient_id", "event_id", "errors", "pricing", "kind",
        "callback_data", "extra",
    ),
    "message_state": ("number_id", "wamid", "rank", "status", "at"),
    "merge_candidates": ("one_id", "other_id", "reason", "first_seen_at"),
    "merges": (
        "id", "from_id", "into_id", "from_scope", "from_kind", "from_value", "into_scope", "into_kind", "into_value",
        "made_at", "made_by", "undone_at", "undone_by",
    ),
    "account_events": (
        "id", "event_id", "field", "event", "at", "waba_id", "number_id", "display_phone_number", "group_id",
        "participant_id", "subject_kind", "subject", "severity", "text", "details",
    ),
    "media": (
        "id", "phone_number_id", "direction", "state", "media_id", "media_id_until", "mime_type", "filename", "size",
        "stated_sha256", "sha256", "storage_key_raw", "event_id", "attempts", "lease_until", "next_attempt_at",
        "reason", "created_at", "stored_at",
    ),
    "message_media": ("number_id", "wamid", "media_row_id"),
    "documents": (
        "id", "number_id", "wamid", "media_row_id", "conversation_id", "sent_at", "day", "state", "error_code",
        "attempts", "deaths", "cut_off", "lease_until", "next_attempt_at", "sha256", "mime_detected", "doc_type",
        "pages_total", "pages_done", "truncated", "reader", "extractor", "extractor_version", "ocr_engine",
        "ocr_languages", "confidence", "language", "duration_ms", "extracted_fields_json", "created_at", "read_at",
    ),
    "document_pages": (
        "id", "document_id", "page", "number_id", "conversation_id", "sent_at", "day", "direction", "type", "source",
        "engine", "confidence", "text", "search_text", "tsv",
    ),
    "sends": ("id", "origin", "asked_at", "phone_number_id", "type", "state", "lease_until", "next_attempt_at"),
    "send_stops": ("code", "reason", "since", "probe_at"),
    "heartbeats": ("role", "host", "pid", "version", "git_version", "started_at", "beat_at", "worked_at"),
    "event_lags": ("upto", "events", "seconds"),
    "unknowns": ("kind", "path", "count", "first_seen_at", "last_seen_at", "first_event_id", "last_event_id"),
    "tokens": (
        "id", "kind", "label", "prefix", "sha256", "numbers", "since", "documents", "media", "phones",
        "created_at", "expires_at", "revoked_at", "scopes",
    ),
    "alembic_version": ("version_num",),
}  # fmt: skip

_LARGE_OBJECT_FUNCTIONS = (
    "lo_creat(integer)",
    "lo_create(oid)",
    "lo_from_bytea(oid, bytea)",
    "lo_open(oid, integer)",
    "lo_put(oid, bigint, bytea)",
    "lo_unlink(oid)",
    "lowrite(integer, bytea)",
    "lo_truncate(integer, integer)",
    "lo_truncate64(integer, bigint)",
    "lo_import(text)",
    "lo_import(text, oid)",
    "lo_export(oid, text)",
    "pg_notify(text, text)",
)


def reader_url(settings: Settings) -> str:
    """The reader's address: as configured, else derived from the owner's."""
    if settings.database_reader_url is not None:
        return settings.database_reader_url.get_secret_value()
    return derived_url(settings.require("database_url"), "reader")


def audit_url(settings: Settings) -> str:
    """The auditor's address: as configured, else derived from the owner's."""
    if settings.database_audit_url is not None:
        return settings.database_audit_url.get_secret_value()
    return derived_url(settings.require("database_url"), "audit")


def derived_url(owner_url: str, role: str) -> str:
    """``owner_url`` with the login ``<database>_<role>`` and a password that only the owner's password can yield."""
    parts = urlsplit(owner_url)
    login = f"{parts.path.lstrip('/')}_{role}"
    password = ""
    if parts.password:
        key = unquote(parts.password).encode()
        password = ":" + hmac.new(key, f"wamcp {login}".encode(), hashlib.sha256).hexdigest()
    host = parts.netloc.rpartition("@")[2]
    # A session of the reader is read-only on the primary too, so libpq would find no server for it.
    query = parts.query.replace("target_session_attrs=read-write", "target_session_attrs=primary")
    return urlunsplit((parts.scheme, f"{quote(login)}{password}@{host}", parts.path, query, parts.fragment))


def create_logins(connection: psycopg.Connection, settings: Settings) -> list[str]:
    """Creates both logins, their limits and their grants; returns the SQL that this owner was not allowed to run."""
    reader, reader_password = _login(reader_url(settings))
    auditor, audit_password = _login(audit_url(settings))
    refused: list[str] = []
    for login, password in ((reader, reader_password), (auditor, audit_password)):
        _try(connection, _create_role(connection, login, password), refused)
    for statement in [*_limits(connection, reader), *_grants(reader, auditor)]:
        _try(connection, statement, refused)
    return refused


def _login(url: str) -> tuple[str, str | None]:
    parts = urlsplit(url)
    return unquote(parts.username or ""), unquote(parts.password) if parts.password else None


def _create_role(connection: psycopg.Connection, login: str, password: str | None) -> sql.Composed:
    exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [login]).fetchone()
    verb = sql.SQL("ALTER ROLE") if exists else sql.SQL("CREATE ROLE")
    options = sql.SQL(" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE INHERIT NOREPLICATION")
    secret = sql.SQL(" PASSWORD {}").format(sql.Literal(password)) if password else sql.SQL("")
    return sql.Composed([verb, sql.SQL(" "), sql.Identifier(login), options, secret])


def _limits(connection: psycopg.Connection, reader: str) -> list[sql.Composed]:
    database = sql.Identifier(connection.info.dbname)
    name = sql.Identifier(reader)
    values = {
        "default_transaction_read_only": "on",
        "default_transaction_isolation": "repeatable read",
        "statement_timeout": f"{READER_STATEMENT_TIMEOUT_MS}ms",
        "idle_in_transaction_session_timeout": "10s",
        "plan_cache_mode": "force_custom_plan",
        "jit": "off",
    }
    limits = [
        sql.SQL("ALTER ROLE {} IN DATABASE {} SET {} = {}").format(name, database, sql.Identifier(k), sql.Literal(v))
        for k, v in values.items()
    ]
    revokes = [sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC").format(database)]
    revokes.append(sql.SQL("REVOKE CREATE ON SCHEMA public FROM PUBLIC").format())
    for function in _LARGE_OBJECT_FUNCTIONS:
        revokes.append(sql.SQL("REVOKE EXECUTE ON FUNCTION pg_catalog.{} FROM PUBLIC").format(sql.SQL(function)))
    return [*limits, *revokes]


def _grants(reader: str, auditor: str) -> list[sql.Composed]:
    grants = [sql.SQL("GRANT USAGE ON SCHEMA public TO {}, {}").format(sql.Identifier(reader), sql.Identifier(auditor))]
    for table, columns in READER_COLUMNS.items():
        grants.append(
            sql.SQL("GRANT SELECT ({}) ON {} TO {}").format(
                sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(table), sql.Identifier(reader)
            )
        )
    grants.append(sql.SQL("GRANT INSERT ON audit_log TO {}").format(sql.Identifier(auditor)))
    return grants


def _try(connection: psycopg.Connection, statement: sql.Composed, refused: list[str]) -> None:
    try:
        with connection.transaction():
            connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        refused.append(statement.as_string(connection) + ";")
