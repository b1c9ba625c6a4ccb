"""A small archive written in SQL, and the logins to read it with; stories with invented people."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import psycopg

from wamcp.access.grants import Grant, admin_grant
from wamcp.db import documents, logins
from wamcp.db.session import Pool, open_pool
from wamcp.settings import Settings, load
from wamcp.vocabulary import STATUS_RANK, Actor, DocumentState
from wamcp.words import fold

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ADMIN_KEY = "a-long-enough-admin-key"


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def grant(**rights: object) -> Grant:
    """Claude's rights, with everything unless said otherwise."""
    return Grant(**{"actor": Actor.MCP, "label": "test", "key": b"k" * 32, **rights})  # type: ignore[arg-type]


ADMIN = admin_grant(ADMIN_KEY)


@dataclass
class Archive:
    """Writes rows as the normalizer would: counters, daily counts and folded words included."""

    connection: psycopg.Connection
    url: str
    _messages: int = field(default=0)

    def number(self, phone_number_id: str = "100200300400", display: str | None = "+1 555 0100") -> int:
        return self._id(
            "INSERT INTO numbers (phone_number_id, display_phone_number, waba_id, scope)"
            " VALUES (%s, %s, 'waba', 'waba')"
            " ON CONFLICT (phone_number_id) DO UPDATE SET waba_id = 'waba' RETURNING id",
            phone_number_id,
            display,
        )

    def person(self, name: str | None = "Ana Souza", wa_id: str | None = None, username: str | None = None) -> int:
        person = self._id("INSERT INTO participants (name, username) VALUES (%s, %s) RETURNING id", name, username)
        if wa_id:
            self.connection.execute("INSERT INTO participant_aliases VALUES ('waba', 'wa_id', %s, %s)", [wa_id, person])
        return person

    def conversation(self, number: int | None = None, person: int | None = None, group: str | None = None) -> int:
        number = number if number is not None else self.number()
        if group is None and person is None:
            person = self.person()
        return self._id(
            "INSERT INTO conversations (number_id, participant_id, group_id) VALUES (%s, %s, %s) RETURNING id",
            number,
            person,
            group,
        )

    def message(
        self,
        conversation: int,
        text: str = "hello",
        at: datetime = NOON,
        *,
        outbound: bool = False,
        kind: str = "text",
        reply_to: str | None = None,
        status: str | None = None,
    ) -> int:
        self._messages += 1
        wamid = f"wamid.{self._messages}"
        direction = "outbound" if outbound else "inbound"
        number, person = self.connection.execute(
            f"UPDATE conversations SET message_count = message_count + 1,"
            f" last_message_at = greatest(last_message_at, %(at)s),"
            f" last_{direction}_at = greatest(last_{direction}_at, %(at)s)"
            " WHERE id = %(id)s RETURNING number_id, participant_id",
            {"at": at, "id": conversation},
        ).fetchone()
        day = int(at.timestamp() // 86400)
        self.connection.execute(
            "INSERT INTO daily_counts AS d VALUES (%(number)s, %(day)s, %(inbound)s, %(outbound)s)"
            " ON CONFLICT (number_id, day) DO UPDATE"
            " SET inbound = d.inbound + excluded.inbound, outbound = d.outbound + excluded.outbound",
            {"number": number, "day": day, "inbound": int(not outbound), "outbound": int(outbound)},
        )
        if status:
            self.connection.execute(
                "INSERT INTO message_state VALUES (%s, %s, %s, %s, %s)",
                [number, wamid, STATUS_RANK[status], status, at],
            )
        return self._id(
            "INSERT INTO messages (number_id, wamid, conversation_id, sender_id, event_id, direction, source, type,"
            " sent_at, day, reply_to, text, search_text)"
            " VALUES (%s, %s, %s, %s, 1, %s, 'webhook', %s, %s, %s, %s, %s, %s) RETURNING id",
            *(number, wamid, conversation, None if outbound else person, direction, kind, at, day, reply_to),
            *(text, fold(text)),
        )

    def document(
        self,
        message: int,
        pages: Sequence[str],
        *,
        file_name: str | None = "scan.pdf",
        mime_type: str = "application/pdf",
        confidence: float | None = None,
    ) -> int:
        """A document of a message that was read; empty pages have no rows, as when a worker reads."""
        file = self._id(
            "INSERT INTO media (phone_number_id, direction, state, mime_type, filename)"
            " SELECT n.phone_number_id, m.direction, 'stored', %s, %s"
            " FROM messages m JOIN numbers n ON n.id = m.number_id WHERE m.id = %s RETURNING id",
            *(mime_type, file_name, message),
        )
        row_id = self._id(
            "INSERT INTO documents (number_id, wamid, media_row_id, conversation_id, sent_at, day, state)"
            " SELECT number_id, wamid, %s, conversation_id, sent_at, day, 'extracting' FROM messages WHERE id = %s"
            " RETURNING id",
            *(file, message),
        )
        source = "text" if confidence is None else "ocr"
        documents.note_read(
            self.connection,
            documents.WantedDocument(row_id, "", None, None, 0, 0, 0, False, None),
            documents.ReadDocument(
                *(DocumentState.DONE, None, mime_type, None, len(pages), False, "test", None, None, None, None),
                *(confidence, None, 1, {}),
            ),
            [documents.ReadPage(n, source, None, confidence, text) for n, text in enumerate(pages, start=1)],
        )
        return row_id

    def _id(self, statement: str, *values: object) -> int:
        row = self.connection.execute(statement, values).fetchone()
        assert row is not None
        return int(row[0])


def settings_for(url: str, **more: str) -> Settings:
    return load({"DATABASE_URL": url, "ADMIN_API_KEY": ADMIN_KEY, "WAMCP_ENV": "development", **more})


@contextmanager
def writing(url: str) -> Iterator[Archive]:
    """An archive at ``url`` (migrated) to write into, with its reader and auditor made."""
    with psycopg.connect(url, autocommit=True) as connection:
        logins.create_logins(connection, settings_for(url))
        yield Archive(connection, url)


@contextmanager
def reader_pool(url: str) -> Iterator[Pool]:
    """A pool of the reader's login."""
    with open_pool(logins.reader_url(settings_for(url)), "test-reader", size=2) as pool:
        yield pool


@contextmanager
def audit_pool(url: str) -> Iterator[Pool]:
    """A pool of the auditor's login."""
    with open_pool(logins.audit_url(settings_for(url)), "test-audit", size=2) as pool:
        yield pool
