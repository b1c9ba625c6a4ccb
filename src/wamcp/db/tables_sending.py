"""The second page of the schema: what is sent, how fast it may be, and media, whose bytes are kept outside."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)

from wamcp.db.tables_ground import metadata, moment, now, row_id

media = Table(
    "media",
    metadata,
    row_id(),
    Column("phone_number_id", Text, nullable=False),
    Column("direction", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("media_id", Text),
    Column("media_id_until", moment),
    Column("url", Text),
    Column("mime_type", Text),
    Column("filename", Text),
    Column("size", BigInteger),
    Column("stated_sha256", LargeBinary),
    Column("sha256", LargeBinary),
    Column("storage_key_raw", Text),
    Column("event_id", BigInteger),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column("lease_until", moment),
    Column("next_attempt_at", moment),
    Column("reason", Text),
    Column("created_at", moment, nullable=False, server_default=now),
    Column("stored_at", moment),
)
Index(
    "media_of_meta",
    media.c.phone_number_id,
    media.c.media_id,
    unique=True,
    postgresql_where=media.c.media_id.isnot(None),
)
Index("media_content", media.c.sha256, postgresql_where=media.c.sha256.isnot(None))
Index("media_pending", media.c.next_attempt_at, postgresql_where=text("state = 'pending'"))

message_media = Table(
    "message_media",
    metadata,
    Column("number_id", Integer, nullable=False),
    Column("wamid", Text, nullable=False),
    Column("media_row_id", BigInteger, ForeignKey("media.id"), nullable=False),
    PrimaryKeyConstraint("number_id", "wamid", "media_row_id"),
)
Index("message_media_of_media", message_media.c.media_row_id)

sends = Table(
    "sends",
    metadata,
    row_id(),
    Column("callback", Text, nullable=False, unique=True),
    Column("origin", Text, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("asked_at", moment, nullable=False, server_default=now),
    Column("idempotency_key", Text, unique=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("retry_of", BigInteger, ForeignKey("sends.id")),
    Column("phone_number_id", Text, nullable=False),
    Column("recipient_kind", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("body", JSON, nullable=False),
    Column("media_row_id", BigInteger, ForeignKey("media.id")),
    Column("state", Text, nullable=False),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column("lease_until", moment),
    Column("next_attempt_at", moment, nullable=False, server_default=now),
    Column("called_at", moment),
    Column("settled_at", moment),
    Column("wamid", Text),
    Column("error_code", Integer),
    Column("error", JSON),
    Column("reason", Text),
    Column("window_open_until", moment),
    Column("outside_window", Boolean, nullable=False, server_default=text("false")),
    postgresql_with={"fillfactor": 80},
)
_of = sends.c
Index("sends_due", _of.next_attempt_at, postgresql_where=text("state = 'queued'"))
Index("sends_unsettled", _of.id, postgresql_where=text("state IN ('sending', 'unknown')"))
Index(
    "sends_of_pair", _of.phone_number_id, _of.recipient, _of.id, postgresql_where=text("state IN ('queued', 'sending')")
)
Index("sends_wamid", _of.phone_number_id, _of.wamid, postgresql_where=_of.wamid.isnot(None))

send_pace = Table(
    "send_pace",
    metadata,
    Column("phone_number_id", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("ready_at", moment, nullable=False),
    Column("refusals", SmallInteger, nullable=False, server_default="0"),
    PrimaryKeyConstraint("phone_number_id", "recipient"),
    postgresql_with={"fillfactor": 50},
)

send_stops = Table(
    "send_stops",
    metadata,
    Column("token_digest", Text, primary_key=True),
    Column("code", Integer),
    Column("reason", Text, nullable=False),
    Column("since", moment, nullable=False, server_default=now),
    Column("probe_at", moment, nullable=False),
)

echoes = Table(
    "echoes",
    metadata,
    Column("number_id", Integer, nullable=False),
    Column("wamid", Text, nullable=False),
    Column("participant_id", BigInteger),
    Column("outcome", Text, nullable=False),
    Column("send_id", BigInteger, ForeignKey("sends.id")),
    Column("decided_at", moment, nullable=False, server_default=now),
    PrimaryKeyConstraint("number_id", "wamid"),
)
Index("echoes_participant", echoes.c.participant_id, echoes.c.decided_at)
