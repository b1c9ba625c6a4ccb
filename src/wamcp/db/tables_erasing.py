"""The fourth page of the schema: who was erased, as hashes that nobody can read back, what may go, and whom not."""

from sqlalchemy import BigInteger, Boolean, Column, LargeBinary, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from wamcp.db.tables_ground import metadata, moment, now, row_id

erasures = Table(
    "erasures",
    metadata,
    row_id(),
    Column("asked_by", Text, nullable=False),
    Column("began_at", moment, nullable=False, server_default=now),
    Column("before", BigInteger, nullable=False),
    Column("work", JSONB),
    Column("counts", JSONB, nullable=False),
    Column("ended_at", moment),
)

erasure_key = Table("erasure_key", metadata, Column("key", LargeBinary, primary_key=True))

erased_people = Table(
    "erased_people",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("before", BigInteger, nullable=False),
    Column("identified", Boolean, nullable=False),
)

erased_messages = Table("erased_messages", metadata, Column("digest", LargeBinary, primary_key=True))

objects_to_delete = Table("objects_to_delete", metadata, Column("storage_key", Text, primary_key=True))

holds = Table(
    "holds",
    metadata,
    Column("participant_id", BigInteger, primary_key=True, autoincrement=False),
    Column("since", moment, nullable=False, server_default=now),
    Column("set_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
)
