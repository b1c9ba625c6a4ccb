"""Who asked what, and which rows the answer showed: one row for each access, written before the answer leaves."""

from dataclasses import dataclass, fields
from typing import Any

import psycopg
from psycopg.types.json import Jsonb
from psycopg_pool import PoolClosed, PoolTimeout

from wamcp.db.session import Pool
from wamcp.errors import NotAudited


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One access. ``refs`` are the short ids that the answer showed, ``characters`` how much text it had,
    pictures in base64 included."""

    actor: str
    action: str
    target: str
    token_id: int | None
    token_label: str | None
    request_id: str | None
    client: str | None
    transport: str | None
    address: str | None
    parameters: dict[str, Any]
    outcome: str
    error: str | None
    refs: list[str] | None
    characters: int | None
    duration_ms: int | None


_COLUMNS = [field.name for field in fields(AuditEntry)]
_INSERT = f"INSERT INTO audit_log ({', '.join(_COLUMNS)}) VALUES ({', '.join(['%s'] * len(_COLUMNS))})"


def write(pool: Pool, entry: AuditEntry) -> None:
    """Keeps ``entry``, committed, through the login that can do nothing else. Raises :class:`NotAudited`."""
    values = [_kept(getattr(entry, column)) for column in _COLUMNS]
    try:
        with pool.connection() as connection:
            connection.execute(_INSERT, values)
    except (psycopg.Error, PoolTimeout, PoolClosed) as error:
        raise NotAudited from error


def _kept(value: Any) -> Any:
    return Jsonb(_clean(value)) if isinstance(value, dict) else _clean(value)


def _clean(value: Any) -> Any:
    """``value`` without what Postgres cannot keep: NUL and lone surrogates."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_clean(str(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value
