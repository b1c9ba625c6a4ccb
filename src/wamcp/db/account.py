"""Keeping account events: what happened to accounts, numbers, templates, groups, calls and preferences."""

import contextlib
import hashlib
import json
from collections.abc import Sequence
from typing import NamedTuple

import psycopg

from wamcp.db.columns import array, columns


class AccountRow(NamedTuple):
    """An account event as it is kept; ``at`` is unix seconds, ``details`` JSON text."""

    digest: bytes
    event_id: int
    field: str
    event: str
    at: int
    waba_id: str | None
    number_id: int | None
    display_phone_number: str | None
    group_id: str | None
    participant_id: int | None
    subject_kind: str | None
    subject: str | None
    severity: str
    text: str
    details: str


def digest(*parts: object, details: bytes) -> bytes:
    """What makes an account event this one: ``parts`` and its details, in whatever order their keys are written."""
    with contextlib.suppress(ValueError, RecursionError):
        details = json.dumps(json.loads(details), sort_keys=True).encode()
    return hashlib.sha256(json.dumps(parts).encode() + details).digest()


def keep_account_events(connection: psycopg.Connection, rows: Sequence[AccountRow]) -> None:
    """Inserts account events, each once: of the webhooks that say the same it is the one applied first that says it."""
    chosen = {row.digest: row for row in reversed(rows)}
    if chosen:
        connection.execute(_INSERT, columns([chosen[key] for key in sorted(chosen)], len(AccountRow._fields)))


def forget_account_events(connection: psycopg.Connection, event_ids: Sequence[int], rows: Sequence[AccountRow]) -> None:
    """Deletes what the webhooks ``event_ids`` said when they were read before, and do not say now."""
    connection.execute(
        "DELETE FROM account_events WHERE event_id = ANY(%s::bigint[]) AND digest <> ALL(%s::bytea[])",
        [array(event_ids), array([row.digest for row in rows])],
    )


_INSERT = """
INSERT INTO account_events AS a (digest, event_id, field, event, at, waba_id, number_id, display_phone_number, group_id,
  participant_id, subject_kind, subject, severity, text, details)
SELECT u.digest, u.event_id, u.field, u.event, to_timestamp(u.at), u.waba_id, u.number_id, u.display_phone_number,
  u.group_id, u.participant_id, u.subject_kind, u.subject, u.severity, u.text, u.details::json
FROM unnest(%s::bytea[], %s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::text[], %s::int[], %s::text[],
  %s::text[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
  AS u (digest, event_id, field, event, at, waba_id, number_id, display_phone_number, group_id, participant_id,
        subject_kind, subject, severity, text, details)
ON CONFLICT (digest) DO UPDATE SET
  event_id = excluded.event_id, at = excluded.at, details = excluded.details, event = excluded.event,
  display_phone_number = excluded.display_phone_number, group_id = excluded.group_id,
  number_id = excluded.number_id, participant_id = excluded.participant_id, subject_kind = excluded.subject_kind,
  subject = excluded.subject, severity = excluded.severity, text = excluded.text
WHERE EXISTS (
    SELECT FROM applied sooner JOIN applied later ON later.event_id = a.event_id
    WHERE sooner.event_id = excluded.event_id AND sooner.seq < later.seq
  ) OR a.event_id = excluded.event_id
  AND (a.event, a.display_phone_number, a.group_id, a.number_id, a.participant_id, a.subject_kind, a.subject,
       a.severity, a.text) IS DISTINCT FROM
      (excluded.event, excluded.display_phone_number, excluded.group_id, excluded.number_id, excluded.participant_id,
       excluded.subject_kind, excluded.subject, excluded.severity, excluded.text)
"""
