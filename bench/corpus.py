"""A made-up archive: six languages, a few loud conversations, and planted words whose frequency is known."""

import random
import time
from bisect import bisect
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate

import psycopg

from wamcp.words import fold

BEGIN = datetime(2024, 10, 1, tzinfo=UTC)
SPAN = timedelta(days=745)
VOCABULARY = 40_000
BATCH = 20_000
RARE_TYPE = 25_000
"""One message in 100,000, the one after so many, is of type contacts, and says ok."""

_ALPHABETS = {
    "en": ("bcdfghklmnprstvw", "aeiou"),
    "pt": ("bcdfglmnprstvç", "aeioãéó"),
    "es": ("bcdfglmnprstñ", "aeiouáí"),
    "id": ("bdgjklmnprst", "aeiu"),
    "hi": ("कखगचजटडतदनपबमयरलवसह", ["ा", "ि", "ी", "ु", "े", "ो"]),
    "ar": ("بتثجحدرسشصطعفقكلمنه", "اوي"),
}
SHARES = {"en": 40, "pt": 15, "es": 15, "id": 10, "hi": 10, "ar": 10}
_INDEXES = ("messages_words", "messages_conversation", "messages_number")


class Corpus:
    """The vocabulary and the conversations of an archive of ``rows`` messages."""

    def __init__(self, rows: int) -> None:
        self.chance = random.Random(20261123)
        self.rows = rows
        self.conversations = max(50, rows // 100)
        self.words = {language: self._vocabulary(language) for language in _ALPHABETS}
        self._zipf = list(accumulate(1 / rank**1.02 for rank in range(1, VOCABULARY + 1)))
        self._loudness = list(accumulate(1 / rank**0.85 for rank in range(1, self.conversations + 1)))

    def word(self, language: str) -> str:
        """A word as often as it is used."""
        return self.words[language][bisect(self._zipf, self.chance.random() * self._zipf[-1])]

    def conversation(self) -> int:
        """A conversation (1 is the loudest) as often as it speaks."""
        return bisect(self._loudness, self.chance.random() * self._loudness[-1]) + 1

    def messages(self) -> Iterator[tuple[object, ...]]:
        """(conversation, outbound, type, sent_at, text, search_text), oldest first, more of them every month."""
        chance = self.chance
        languages = chance.choices(list(SHARES), list(SHARES.values()), k=self.conversations)
        for number in range(self.rows):
            share = ((number + chance.random()) / self.rows) ** 0.6
            conversation = self.conversation()
            text = self._text(languages[conversation - 1], number)
            kind = chance.choices(("text", "image", "document"), (92, 5, 3))[0]
            kind = "contacts" if number % 100_000 == RARE_TYPE else kind
            yield conversation, chance.random() < 0.4, kind, BEGIN + SPAN * share, text, fold(text)

    def _text(self, language: str, number: int) -> str:
        chance = self.chance
        count = max(1, int(chance.expovariate(1 / 9)))
        words = [self.word(language) for _ in range(min(count, 60))]
        for planted, share in (("ok", 0.2), ("thx", 0.1), ("invoice", 0.01), ("refund", 0.01)):
            if chance.random() < share:
                words.insert(chance.randrange(len(words) + 1), planted)
        if chance.random() < 0.005:
            words.append("purchase order")
        if number % 100_000 == 50_000:
            words.append("zebracorn")
        if number % 100_000 == RARE_TYPE:
            words.append("ok")
        if chance.random() < 0.02:
            words.append(f"INV-2026-{number:07d}")
        if number < self.rows * 0.15 and chance.random() < 0.2:
            words.append("blackfriday")
        return " ".join(words)

    def _vocabulary(self, language: str) -> list[str]:
        consonants, vowels = _ALPHABETS[language]
        made: dict[str, None] = {}
        while len(made) < VOCABULARY:
            syllables = 1 + min(4, len(made).bit_length() // 4)
            made["".join(self.chance.choice(consonants) + self.chance.choice(vowels) for _ in range(syllables))] = None
            if self.chance.random() < 0.2:
                made[next(reversed(made)) + self.chance.choice(consonants)] = None
        return list(made)[:VOCABULARY]


def load(url: str, corpus: Corpus) -> None:
    """Fills the migrated database at ``url``; its indexes are built last, and are then as the migration made them."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET maintenance_work_mem = '256MB'")
        _people(connection, corpus.conversations)
        found = connection.execute("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'").fetchall()
        definitions = {name: definition for name, definition in found if name in _INDEXES}
        connection.execute(f"DROP INDEX {', '.join(definitions)}")
        began = time.perf_counter()
        batch: list[tuple[object, ...]] = []
        for message in corpus.messages():
            batch.append(message)
            if len(batch) == BATCH:
                _insert(connection, batch)
                batch = []
        _insert(connection, batch)
        print(f"loaded {corpus.rows:,} messages in {time.perf_counter() - began:.0f} s", flush=True)
        for name, definition in definitions.items():
            began = time.perf_counter()
            connection.execute(definition)
            print(f"built {name} in {time.perf_counter() - began:.0f} s", flush=True)
        _counters(connection)
        connection.execute("VACUUM ANALYZE")


def _people(connection: psycopg.Connection, count: int) -> None:
    connection.execute(
        "INSERT INTO numbers (phone_number_id, display_phone_number, waba_id, scope)"
        " VALUES ('111', '+1 555 0111', 'waba', 'waba'), ('222', '+1 555 0122', 'waba', 'waba')"
    )
    connection.execute(
        "INSERT INTO participants (name) SELECT 'Customer ' || md5(n::text) FROM generate_series(1, %s) AS n", [count]
    )
    connection.execute(
        "INSERT INTO participant_aliases SELECT 'waba', 'wa_id', (15550000000 + id)::text, id FROM participants"
    )
    connection.execute(
        "INSERT INTO conversations (number_id, participant_id) SELECT CASE WHEN id %% 5 = 0 THEN 2 ELSE 1 END, id"
        " FROM participants ORDER BY id",
        [],
    )


def _insert(connection: psycopg.Connection, batch: list[tuple[object, ...]]) -> None:
    if batch:
        connection.execute(
            "INSERT INTO messages (number_id, wamid, conversation_id, sender_id, event_id, direction, source, type,"
            " sent_at, day, text, search_text)"
            " SELECT CASE WHEN c %% 5 = 0 THEN 2 ELSE 1 END, 'wamid.' || gen_random_uuid(), c,"
            " CASE WHEN NOT o THEN c END, 1, CASE WHEN o THEN 'outbound' ELSE 'inbound' END, 'webhook', k, s,"
            " floor(extract(epoch FROM s) / 86400)::int, t, f"
            " FROM unnest(%s::bigint[], %s::bool[], %s::text[], %s::timestamptz[], %s::text[], %s::text[])"
            " AS u (c, o, k, s, t, f)",
            [list(column) for column in zip(*batch, strict=True)],
        )


def _counters(connection: psycopg.Connection) -> None:
    connection.execute(
        "UPDATE conversations c SET message_count = n, last_message_at = a, last_inbound_at = i, last_outbound_at = o"
        " FROM (SELECT conversation_id, count(*) n, max(sent_at) a,"
        " max(sent_at) FILTER (WHERE direction = 'inbound') i, max(sent_at) FILTER (WHERE direction = 'outbound') o"
        " FROM messages GROUP BY 1) m WHERE m.conversation_id = c.id"
    )
    connection.execute(
        "INSERT INTO daily_counts SELECT number_id, day, count(*) FILTER (WHERE direction = 'inbound'),"
        " count(*) FILTER (WHERE direction = 'outbound') FROM messages GROUP BY 1, 2"
    )
