"""Tokens: made once, shown once, kept as SHA-256, checked, revoked and rotated."""

import hashlib
import secrets
import string
import threading
import time
import zlib
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import class_row

from wamcp.access.grants import Grant
from wamcp.db.session import Pool, ReadConnection
from wamcp.errors import Rejected
from wamcp.vocabulary import Actor, TokenKind, TokenScope

PREFIX = "wamcp_"
CACHE_SECONDS = 30.0
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_SECRET_LENGTH = 43
_CHECK_LENGTH = 6


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token as it is kept; ``prefix`` is the part of it that may be shown, ``last_used_at`` is for lists alone."""

    id: int
    kind: str
    label: str
    prefix: str
    sha256: bytes
    numbers: list[str] | None
    since: datetime | None
    documents: bool
    media: bool
    phones: bool
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    scopes: list[str]
    last_used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewToken:
    """What a token shall be allowed; ``numbers`` are Meta's phone number ids, None for all."""

    kind: TokenKind
    label: str
    numbers: list[str] | None = None
    since: datetime | None = None
    documents: bool = False
    media: bool = False
    phones: bool = False
    expires_at: datetime | None = None
    scopes: frozenset[TokenScope] = frozenset({TokenScope.READ})


_RIGHTS = "kind, label, numbers, since, documents, media, phones, scopes"
_COLUMNS = f"id, prefix, sha256, created_at, expires_at, revoked_at, {_RIGHTS}"


def generate() -> str:
    """A new secret: ``wamcp_``, 32 random bytes in base 62, and six characters by which a typing error shows."""
    body = _base62(int.from_bytes(secrets.token_bytes(32)), _SECRET_LENGTH)
    return PREFIX + body + _checksum(body)


def is_well_formed(token: str) -> bool:
    """Whether ``token`` has the shape and the checksum of ours; says nothing about its rights."""
    body, check = token[len(PREFIX) : -_CHECK_LENGTH], token[-_CHECK_LENGTH:]
    return token.startswith(PREFIX) and len(body) == _SECRET_LENGTH and _checksum(body) == check


def create(connection: psycopg.Connection, new: NewToken, *, token: str | None = None) -> str:
    """Keeps a new token and returns it; this is the only time it can be seen. A token given is kept as it is, once."""
    token = token or generate()
    if not is_well_formed(token):
        raise Rejected("That is not a WAMCP token; leave it out and one is made.")
    connection.execute(
        f"INSERT INTO tokens (prefix, sha256, expires_at, {_RIGHTS})"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (sha256) DO NOTHING",
        [
            *(_shown(token), _digest(token), new.expires_at, new.kind, new.label, new.numbers, new.since),
            *(new.documents, new.media, new.phones, sorted(new.scopes)),
        ],
    )
    return token


def list_all(connection: psycopg.Connection) -> list[TokenRow]:
    """Every token, newest first, revoked ones too, with when something was last asked with it (as the audit says)."""
    used = "(SELECT max(at) FROM audit_log WHERE token_id = tokens.id) AS last_used_at"
    with connection.cursor(row_factory=class_row(TokenRow)) as cursor:
        return cursor.execute(f"SELECT {_COLUMNS}, {used} FROM tokens ORDER BY id DESC").fetchall()


def revoke(connection: psycopg.Connection, token_id: int) -> bool:
    """Ends a token within :data:`CACHE_SECONDS`; False when there is no such token or it had ended."""
    done = connection.execute("UPDATE tokens SET revoked_at = now() WHERE id = %s AND revoked_at IS NULL", [token_id])
    return done.rowcount == 1


def rotate(connection: psycopg.Connection, token_id: int, *, overlap_minutes: int = 60) -> str | None:
    """A new token with the same rights for as long again; the old one works ``overlap_minutes`` longer.

    None when there is no such token or it has ended.
    """
    token = generate()
    made = connection.execute(
        f"INSERT INTO tokens (prefix, sha256, expires_at, {_RIGHTS})"
        f" SELECT %s, %s, now() + (expires_at - created_at), {_RIGHTS}"
        " FROM tokens WHERE id = %s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())",
        [_shown(token), _digest(token), token_id],
    )
    if made.rowcount == 0:
        return None
    connection.execute(
        "UPDATE tokens SET expires_at = least(expires_at, now() + make_interval(mins => %s)) WHERE id = %s",
        [overlap_minutes, token_id],
    )
    return token


def find(connection: ReadConnection, token: str, kind: TokenKind) -> Grant | None:
    """The rights of a living token of ``kind``; None for unknown, revoked and expired ones alike."""
    if not is_well_formed(token):
        return None
    with connection.cursor(row_factory=class_row(TokenRow)) as cursor:
        row = cursor.execute(
            f"SELECT {_COLUMNS} FROM tokens WHERE sha256 = %s AND kind = %s AND revoked_at IS NULL"
            " AND (expires_at IS NULL OR expires_at > now())",
            [_digest(token), kind],
        ).fetchone()
    return _grant(row) if row else None


class TokenCache:
    """Remembers for :data:`CACHE_SECONDS` what a token may do, so that not every request asks the database."""

    def __init__(self, pool: Pool, kind: TokenKind) -> None:
        self._pool = pool
        self._kind = kind
        self._lock = threading.Lock()
        self._known: dict[bytes, tuple[float, Grant | None]] = {}

    def peek(self, token: str) -> tuple[bool, Grant | None]:
        """(known, rights) without asking the database."""
        found = self._known.get(_digest(token))
        if found is None or found[0] < time.monotonic():
            return False, None
        return True, found[1]

    def was_valid(self, token: str) -> bool:
        """Whether ``token`` was valid when it was last looked for, and that is remembered."""
        found = self._known.get(_digest(token))
        return found is not None and found[1] is not None

    def grant(self, token: str) -> Grant | None:
        """The rights of ``token``, at most :data:`CACHE_SECONDS` old. Raises psycopg's errors when none can be had."""
        known, grant = self.peek(token)
        if known or not is_well_formed(token):
            return grant
        with self._pool.connection() as connection:
            grant = find(ReadConnection(connection), token, self._kind)
        with self._lock:
            if len(self._known) > 10_000:
                self._known.clear()
            self._known[_digest(token)] = (time.monotonic() + CACHE_SECONDS, grant)
        return grant


def _grant(row: TokenRow) -> Grant:
    return Grant(
        actor=Actor.MCP if row.kind == TokenKind.MCP else Actor.ADMIN_API,
        label=row.label,
        key=hashlib.sha256(b"cursor " + row.sha256).digest(),
        token_id=row.id,
        numbers=None if row.numbers is None else frozenset(row.numbers),
        since=row.since,
        documents=row.documents,
        media=row.media,
        phones=row.phones,
        scopes=frozenset(row.scopes),
    )


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def _shown(token: str) -> str:
    return token[: len(PREFIX) + 6]


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode("utf-8", "replace")), _CHECK_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, rest = divmod(number, 62)
        digits.append(_ALPHABET[rest])
    return "".join(reversed(digits))
