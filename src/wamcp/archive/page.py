"""Pages: limits, and cursors that only their bearer can use, and only for the question they came from."""

import base64
import binascii
import dataclasses
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

from wamcp.access.grants import Grant
from wamcp.errors import BadCursor, Rejected

MAX_LIMIT = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAC_BYTES = 16
_NOT_FILTERS = {"cursor", "limit", "offset"}


def seal(grant: Grant, query: object, position: list[int]) -> str:
    """A cursor for going on after ``position`` with the filters of ``query`` (a dataclass)."""
    body = json.dumps(position, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_mac(grant, query, body) + body).rstrip(b"=").decode()


def unseal(grant: Grant, query: object, cursor: str) -> list[int]:
    """The position in ``cursor``. Raises :class:`BadCursor` for another bearer's, another query's and broken ones."""
    try:
        raw = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
    except (UnicodeEncodeError, binascii.Error):
        raise BadCursor from None
    mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(grant, query, body)):
        raise BadCursor
    position: list[int] = json.loads(body)
    return position


def check_limit(limit: int) -> int:
    """``limit`` itself. Raises :class:`Rejected` unless it is 1 to 200."""
    if not 1 <= limit <= MAX_LIMIT:
        raise Rejected(f"limit is {limit}: ask for 1 to {MAX_LIMIT}.")
    return limit


def micros(moment: datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment(value: int) -> datetime:
    """The moment (UTC) that :func:`micros` made ``value`` of."""
    return _EPOCH + timedelta(microseconds=value)


def utc(moment: datetime | None) -> datetime | None:
    """``moment`` in UTC; one without a zone is taken to be in UTC already."""
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _mac(grant: Grant, query: object, body: bytes) -> bytes:
    filters = {
        field.name: str(getattr(query, field.name))
        for field in dataclasses.fields(query)  # type: ignore[arg-type]
        if field.name not in _NOT_FILTERS
    }
    question = json.dumps([type(query).__name__, filters], sort_keys=True).encode()
    return hmac.digest(grant.key, hashlib.sha256(question).digest() + body, "sha256")[:_MAC_BYTES]
