"""The first message after a moment: what tells somebody who sets WAMCP up that messages arrive."""

from datetime import datetime

from wamcp.access.grants import Grant
from wamcp.archive.messages import by_row_ids
from wamcp.archive.scope import scope_of
from wamcp.archive.views import MessageView
from wamcp.db.session import ReadConnection
from wamcp.vocabulary import NOT_SHOWN, Source

_NEWEST = 200


def time_here(connection: ReadConnection, ago_s: float = 0.0) -> datetime:
    """The database's time, or that of so many seconds ago: receipts are stamped with it."""
    row = connection.execute("SELECT clock_timestamp() - make_interval(secs => %s)", [ago_s]).fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment


def first_since(connection: ReadConnection, grant: Grant, since: datetime) -> MessageView | None:
    """The first message to us whose webhook was received at ``since`` or later, among the newest 200 of all."""
    scope = scope_of(connection, grant)
    row = connection.execute(
        "SELECT m.id FROM messages m JOIN webhook_events e ON e.id = m.event_id"
        f" WHERE m.id IN (SELECT id FROM messages ORDER BY id DESC LIMIT {_NEWEST})"
        " AND m.direction = 'inbound' AND m.source = ANY(%(sources)s::text[])"
        " AND m.type <> ALL(%(not_shown)s::text[]) AND e.received_at >= %(since)s::timestamptz"
        f" AND {scope.messages()} ORDER BY m.id LIMIT 1",
        {
            **scope.parameters(),
            "sources": [Source.WEBHOOK.value, Source.STANDBY.value],
            "not_shown": list(NOT_SHOWN),
            "since": since,
        },
    ).fetchone()
    return None if row is None else next(iter(by_row_ids(connection, scope, [row[0]])), None)
