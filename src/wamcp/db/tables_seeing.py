"""The page of the schema by which the house is watched: heartbeats of its workers, and how long events waited."""

from sqlalchemy import BigInteger, Column, Double, Index, Integer, PrimaryKeyConstraint, Table, Text, text

from wamcp.db.tables_documents import documents
from wamcp.db.tables_ground import metadata, moment, now
from wamcp.db.tables_sending import media, sends

heartbeats = Table(
    "heartbeats",
    metadata,
    Column("role", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("version", Text, nullable=False),
    Column("git_version", Text),
    Column("started_at", moment, nullable=False, server_default=now),
    Column("beat_at", moment, nullable=False),
    Column("worked_at", moment),
    PrimaryKeyConstraint("role", "host", "pid"),
    postgresql_with={"fillfactor": 50},
)

event_lags = Table(
    "event_lags",
    metadata,
    Column("upto", Double, primary_key=True),
    Column("events", BigInteger, nullable=False),
    Column("seconds", Double, nullable=False),
    postgresql_with={"fillfactor": 50},
)

Index("sends_failed", sends.c.state, postgresql_where=text("state = 'failed'"))
Index("media_not_had", media.c.state, postgresql_where=text("state IN ('expired', 'failed')"))
Index(
    "documents_not_read",
    documents.c.state,
    postgresql_where=text("state IN ('failed', 'too_large', 'unsupported', 'encrypted', 'timeout', 'quarantined')"),
)
