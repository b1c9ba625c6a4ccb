"""The schema for people and for Alembic's comparison; the migrations are what makes it."""

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR

from wamcp.db import tables_documents, tables_erasing, tables_seeing, tables_sending
from wamcp.db.tables_ground import metadata, moment, now, row_id

__all__ = ["metadata", "tables_documents", "tables_erasing", "tables_seeing", "tables_sending"]


# Receipt: what came, what waits, what was learned in which order.

webhook_events = Table(
    "webhook_events",
    metadata,
    row_id(),
    Column("sha256", LargeBinary, nullable=False, unique=True),
    Column("received_at", moment, nullable=False, server_default=now),
    Column("body", LargeBinary, nullable=False),
)

webhook_queue = Table(
    "webhook_queue",
    metadata,
    Column("event_id", BigInteger, primary_key=True, autoincrement=False),
    Column("size", Integer, nullable=False),
    Column("queued_at", moment, nullable=False, server_default=now),
)

applied = Table(
    "applied",
    metadata,
    Column("seq", BigInteger, Identity(), primary_key=True),
    Column("event_id", BigInteger, nullable=False),
)

started = Table(
    "started",
    metadata,
    Column("event_id", BigInteger, primary_key=True, autoincrement=False),
    Column("attempts", SmallInteger, nullable=False),
)

parked = Table(
    "parked",
    metadata,
    row_id(),
    Column("event_id", BigInteger, nullable=False),
    Column("item", Text, nullable=False, server_default=""),
    Column("kind", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("fragment", LargeBinary),
    Column("parked_at", moment, nullable=False, server_default=now),
    UniqueConstraint("event_id", "item"),
)

# People and threads.

numbers = Table(
    "numbers",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("phone_number_id", Text, nullable=False, unique=True),
    Column("display_phone_number", Text),
    Column("waba_id", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("first_seen_at", moment, nullable=False, server_default=now),
)

participants = Table(
    "participants",
    metadata,
    row_id(),
    Column("name", Text),
    Column("username", Text),
    Column("created_at", moment, nullable=False, server_default=now),
)

participant_aliases = Table(
    "participant_aliases",
    metadata,
    Column("scope", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("participant_id", BigInteger, ForeignKey("participants.id"), nullable=False, index=True),
    Column("first_seen_at", moment, nullable=False, server_default=now),
    PrimaryKeyConstraint("scope", "kind", "value"),
)

participant_names = Table(
    "participant_names",
    metadata,
    Column("participant_id", BigInteger, ForeignKey("participants.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("first_seen_at", moment, nullable=False),
    Column("last_seen_day", Integer, nullable=False),
    PrimaryKeyConstraint("participant_id", "kind", "value"),
)

merge_candidates = Table(
    "merge_candidates",
    metadata,
    Column("one_id", BigInteger, ForeignKey("participants.id"), nullable=False),
    Column("other_id", BigInteger, ForeignKey("participants.id"), nullable=False),
    Column("reason", Text, nullable=False),
    Column("first_seen_at", moment, nullable=False),
    PrimaryKeyConstraint("one_id", "other_id", "reason"),
)

merges = Table(
    "merges",
    metadata,
    row_id(),
    Column("from_id", BigInteger, nullable=False),
    Column("into_id", BigInteger, nullable=False),
    Column("from_scope", Text, nullable=False),
    Column("from_kind", Text, nullable=False),
    Column("from_value", Text, nullable=False),
    Column("into_scope", Text, nullable=False),
    Column("into_kind", Text, nullable=False),
    Column("into_value", Text, nullable=False),
    Column("made_at", moment, nullable=False, server_default=now),
    Column("made_by", Text, nullable=False),
    Column("undone_at", moment),
    Column("undone_by", Text),
)
Index("merges_in_force", merges.c.from_id, unique=True, postgresql_where=merges.c.undone_at.is_(None))

conversations = Table(
    "conversations",
    metadata,
    row_id(),
    Column("number_id", Integer, ForeignKey("numbers.id"), nullable=False),
    Column("participant_id", BigInteger, ForeignKey("participants.id")),
    Column("group_id", Text),
    Column("message_count", Integer, nullable=False, server_default="0"),
    Column("last_message_at", moment),
    Column("last_inbound_at", moment),
    Column("last_outbound_at", moment),
    UniqueConstraint("number_id", "participant_id"),
    UniqueConstraint("number_id", "group_id"),
    CheckConstraint("(participant_id IS NULL) <> (group_id IS NULL)", name="conversations_one_partner"),
)
Index("conversations_recent", conversations.c.last_message_at.desc().nulls_last(), conversations.c.id.desc())

# Messages and what became of them.

_WORDS_AND_TYPE = """
CASE WHEN type = 'text' THEN to_tsvector('public.wa', coalesce(search_text, text))
ELSE to_tsvector('public.wa', coalesce(search_text, text)) || array_to_tsvector(ARRAY['/' || left(type, 100)]) END
"""
messages = Table(
    "messages",
    metadata,
    row_id(),
    Column("number_id", Integer, nullable=False),
    Column("wamid", Text, nullable=False),
    Column("conversation_id", BigInteger, nullable=False),
    Column("sender_id", BigInteger),
    Column("event_id", BigInteger, nullable=False),
    Column("direction", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("sent_at", moment, nullable=False),
    Column("day", Integer, nullable=False),
    Column("standing", SmallInteger, nullable=False, server_default="2"),
    Column("reply_to", Text),
    Column("refers_to", Text),
    Column("party_wa_id", Text),
    Column("party_bsuid", Text),
    Column("text", Text, nullable=False),
    Column("search_text", Text),
    Column("content", JSON),
    Column("tsv", TSVECTOR, Computed(_WORDS_AND_TYPE, persisted=True)),
    UniqueConstraint("number_id", "wamid"),
    postgresql_with={"fillfactor": 90},
)
Index("messages_conversation", messages.c.conversation_id, messages.c.sent_at.desc(), messages.c.id.desc())
Index("messages_number", messages.c.number_id, messages.c.sent_at.desc(), messages.c.id.desc())
Index(
    "messages_referring",
    messages.c.number_id,
    messages.c.refers_to,
    postgresql_where=messages.c.refers_to.isnot(None),
)
Index(
    "messages_words",
    messages.c.number_id,
    messages.c.conversation_id,
    messages.c.day,
    messages.c.tsv,
    postgresql_using="gin",
    postgresql_with={"fastupdate": "on"},
)

daily_counts = Table(
    "daily_counts",
    metadata,
    Column("number_id", Integer, nullable=False),
    Column("day", Integer, nullable=False),
    Column("inbound", Integer, nullable=False),
    Column("outbound", Integer, nullable=False),
    PrimaryKeyConstraint("number_id", "day"),
)

statuses = Table(
    "statuses",
    metadata,
    Column("number_id", Integer, nullable=False),
    Column("wamid", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("participant", Text, nullable=False, server_default=""),
    Column("at", moment, nullable=False),
    Column("recipient_id", BigInteger),
    Column("event_id", BigInteger, nullable=False),
    Column("errors", JSON),
    Column("pricing", JSON),
    Column("kind", Text, nullable=False, server_default=""),
    Column("callback_data", Text),
    Column("extra", JSON),
    PrimaryKeyConstraint("number_id", "wamid", "status", "participant", "at"),
)
Index("statuses_at", statuses.c.at, postgresql_using="brin")
Index(
    "statuses_of_sends",
    statuses.c.callback_data,
    postgresql_where=statuses.c.callback_data.like("wamcp-%"),
)

message_state = Table(
    "message_state",
    metadata,
    Column("number_id", Integer, nullable=False),
    Column("wamid", Text, nullable=False),
    Column("rank", SmallInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("at", moment, nullable=False),
    PrimaryKeyConstraint("number_id", "wamid"),
    postgresql_with={"fillfactor": 90},
)

# What else Meta told, and what nobody has a word for yet.

account_events = Table(
    "account_events",
    metadata,
    row_id(),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("event_id", BigInteger, nullable=False),
    Column("field", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("at", moment, nullable=False),
    Column("waba_id", Text),
    Column("number_id", Integer),
    Column("display_phone_number", Text),
    Column("group_id", Text),
    Column("participant_id", BigInteger),
    Column("subject_kind", Text),
    Column("subject", Text),
    Column("severity", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("details", JSON, nullable=False),
)
_of = account_events.c
Index("account_events_event", _of.event_id)
Index("account_events_at", _of.at.desc(), _of.id.desc())
Index("account_events_field", _of.field, _of.at.desc(), _of.id.desc())
Index("account_events_group", _of.group_id, _of.at, postgresql_where=_of.group_id.isnot(None))
Index("account_events_participant", _of.participant_id, _of.at, postgresql_where=_of.participant_id.isnot(None))
Index("account_events_subject", _of.subject, postgresql_where=_of.subject.isnot(None))

unknowns = Table(
    "unknowns",
    metadata,
    Column("kind", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("first_seen_at", moment, nullable=False),
    Column("last_seen_at", moment, nullable=False),
    Column("first_event_id", BigInteger, nullable=False),
    Column("last_event_id", BigInteger, nullable=False),
    PrimaryKeyConstraint("kind", "path"),
)

# Who may ask, and who asked.

tokens = Table(
    "tokens",
    metadata,
    row_id(),
    Column("kind", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("sha256", LargeBinary, nullable=False, unique=True),
    Column("numbers", ARRAY(Text)),
    Column("since", moment),
    Column("documents", Boolean, nullable=False),
    Column("media", Boolean, nullable=False),
    Column("phones", Boolean, nullable=False),
    Column("created_at", moment, nullable=False, server_default=now),
    Column("expires_at", moment),
    Column("revoked_at", moment),
    Column("scopes", ARRAY(Text), nullable=False, server_default="{read}"),
)

audit_log = Table(
    "audit_log",
    metadata,
    row_id(),
    Column("at", moment, nullable=False, server_default=text("clock_timestamp()")),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("token_id", BigInteger),
    Column("token_label", Text),
    Column("request_id", Text),
    Column("client", Text),
    Column("transport", Text),
    Column("address", Text),
    Column("parameters", JSONB, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("error", Text),
    Column("refs", ARRAY(Text)),
    Column("characters", Integer),
    Column("duration_ms", Integer),
)
Index("audit_log_at", audit_log.c.at)
Index("audit_log_token", audit_log.c.token_id, audit_log.c.at, postgresql_where=audit_log.c.token_id.isnot(None))
