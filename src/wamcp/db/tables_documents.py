"""The third page of the schema: documents, which are files of messages read by a machine, and their pages."""

from sqlalchemy import (
    JSON,
    REAL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR

from wamcp.db.tables_ground import metadata, moment, now, row_id

documents = Table(
    "documents",
    metadata,
    row_id(),
    Column("number_id", Integer, nullable=False),
    Column("wamid", Text, nullable=False),
    Column("media_row_id", BigInteger, ForeignKey("media.id"), nullable=False),
    Column("conversation_id", BigInteger, nullable=False),
    Column("sent_at", moment, nullable=False),
    Column("day", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("error_code", Text),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column("deaths", SmallInteger, nullable=False, server_default="0"),
    Column("cut_off", SmallInteger, nullable=False, server_default="0"),
    Column("afresh", Boolean, nullable=False, server_default=text("false")),
    Column("lease_until", moment),
    Column("next_attempt_at", moment),
    Column("sha256", LargeBinary),
    Column("mime_detected", Text),
    Column("doc_type", Text),
    Column("pages_total", Integer),
    Column("pages_done", Integer, nullable=False, server_default="0"),
    Column("truncated", Boolean, nullable=False, server_default=text("false")),
    Column("reader", Text),
    Column("extractor", Text),
    Column("extractor_version", Text),
    Column("ocr_engine", Text),
    Column("ocr_languages", Text),
    Column("confidence", REAL),
    Column("language", Text),
    Column("duration_ms", Integer),
    Column("extracted_fields_json", JSON),
    Column("created_at", moment, nullable=False, server_default=now),
    Column("read_at", moment),
    UniqueConstraint("number_id", "wamid", "media_row_id"),
)
_of = documents.c
Index("documents_conversation", _of.conversation_id, _of.sent_at.desc(), _of.id.desc())
Index("documents_number", _of.number_id, _of.sent_at.desc(), _of.id.desc())
Index("documents_of_media", _of.media_row_id)
Index("documents_content", _of.sha256, postgresql_where=_of.sha256.isnot(None))
Index("documents_due", _of.next_attempt_at, postgresql_where=text("state IN ('pending', 'downloading', 'extracting')"))

_WORDS_AND_TYPE = """
to_tsvector('public.wa', coalesce(search_text, text)) || array_to_tsvector(ARRAY['/' || left(type, 100)])
"""
document_pages = Table(
    "document_pages",
    metadata,
    Column("id", BigInteger, Computed("document_id * 1024 + (1023 - page)", persisted=True), primary_key=True),
    Column("document_id", BigInteger, ForeignKey("documents.id", ondelete="CASCADE"), nullable=False),
    Column("page", Integer, nullable=False),
    Column("number_id", Integer, nullable=False),
    Column("conversation_id", BigInteger, nullable=False),
    Column("sent_at", moment, nullable=False),
    Column("day", Integer, nullable=False),
    Column("direction", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("engine", Text),
    Column("confidence", REAL),
    Column("text", Text, nullable=False),
    Column("search_text", Text),
    Column("tsv", TSVECTOR, Computed(_WORDS_AND_TYPE, persisted=True)),
    CheckConstraint("page BETWEEN 1 AND 1023"),
)
_page = document_pages.c
Index("document_pages_document", _page.document_id)
Index("document_pages_conversation", _page.conversation_id, _page.sent_at.desc(), _page.id.desc())
Index("document_pages_number", _page.number_id, _page.sent_at.desc(), _page.id.desc())
Index(
    "document_pages_words",
    _page.number_id,
    _page.conversation_id,
    _page.day,
    _page.tsv,
    postgresql_using="gin",
    postgresql_with={"fastupdate": "on"},
)
