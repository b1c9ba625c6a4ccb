"""What follows a message, written in SQL as the normalizer would: reactions, edits, statuses, account events."""

import json
from datetime import datetime
from typing import Any

from tests.factories import NOON, Archive

EVENT = 1


def wamid_of(archive: Archive, message: int) -> str:
    row = archive.connection.execute("SELECT wamid FROM messages WHERE id = %s", [message]).fetchone()
    return str(row[0])


def rewrite(archive: Archive, message: int, **columns: Any) -> None:
    """Changes columns of a message; dicts become JSON."""
    for column, value in columns.items():
        kept = json.dumps(value) if isinstance(value, dict) else value
        archive.connection.execute(f"UPDATE messages SET {column} = %s WHERE id = %s", [kept, message])


def refer(
    archive: Archive,
    conversation: int,
    kind: str,
    to: str,
    at: datetime = NOON,
    *,
    text: str = "",
    outbound: bool = False,
    emoji: str | None = None,
) -> int:
    """A reaction (taken back without ``emoji``), an edit or a revocation of the wamid ``to``."""
    message = archive.message(conversation, text or f"[{kind}]", at, outbound=outbound, kind=kind)
    content: dict[str, Any] = {kind: {"original_message_id": to}}
    if kind == "reaction":
        content = {kind: {"message_id": to, "removed": emoji is None} | ({"emoji": emoji} if emoji else {})}
    rewrite(archive, message, refers_to=to, content=content)
    return message


def status(archive: Archive, number: int, wamid: str, word: str, at: datetime = NOON, **columns: Any) -> None:
    values = {"number_id": number, "wamid": wamid, "status": word, "at": at, "event_id": EVENT, **columns}
    _insert(archive, "statuses", values)


def happening(archive: Archive, field: str, event: str, at: datetime = NOON, **columns: Any) -> int:
    """An account event; ``details`` is a dict."""
    made = archive.connection.execute("SELECT coalesce(max(id), 0) + 1 FROM account_events").fetchone()[0]
    values = {
        **{"digest": str(made).encode(), "event_id": EVENT, "field": field, "event": event, "at": at},
        **{"severity": "info", "text": f"{field}: {event}", "details": {}, **columns},
    }
    _insert(archive, "account_events", values)
    return int(made)


def alias(archive: Archive, person: int, kind: str, value: str, since: datetime = NOON, scope: str = "waba") -> None:
    values = {"scope": scope, "kind": kind, "value": value, "participant_id": person, "first_seen_at": since}
    _insert(archive, "participant_aliases", values)


def _insert(archive: Archive, table: str, values: dict[str, Any]) -> None:
    kept = [json.dumps(value) if isinstance(value, dict | list) else value for value in values.values()]
    places = ", ".join(["%s"] * len(kept))
    archive.connection.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})", kept)
