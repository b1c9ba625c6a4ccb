"""The documents of the made-up archive: every document and some images of it have pages, with planted words."""

import random
import time
from collections.abc import Iterator
from itertools import accumulate

import psycopg

from bench.corpus import SHARES, VOCABULARY, Corpus
from wamcp.words import fold

WORDS_PER_PAGE = 220
"""About 1.5 KB of text."""
_BATCH = 4_000
_PLANTED = (("total", 0.4), ("invoice", 0.2), ("refund", 0.01), ("warranty", 0.01))
_INDEXES = ("document_pages_words", "document_pages_conversation", "document_pages_number")


def load_pages(url: str, corpus: Corpus, pages: int) -> None:
    """Gives the archive at ``url`` documents with so many ``pages``; indexes are built last."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET maintenance_work_mem = '256MB'")
        began = time.perf_counter()
        sizes = _documents(connection, pages)
        found = connection.execute("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'").fetchall()
        definitions = {name: definition for name, definition in found if name in _INDEXES}
        connection.execute(f"DROP INDEX {', '.join(definitions)}")
        batch: list[tuple[object, ...]] = []
        for page in _pages(corpus, sizes):
            batch.append(page)
            if len(batch) == _BATCH:
                _insert(connection, batch)
                batch = []
        _insert(connection, batch)
        print(f"loaded {sum(sizes.values()):,} pages in {time.perf_counter() - began:.0f} s", flush=True)
        for name, definition in definitions.items():
            began = time.perf_counter()
            connection.execute(definition)
            print(f"built {name} in {time.perf_counter() - began:.0f} s", flush=True)
        connection.execute("VACUUM ANALYZE documents, document_pages")


def _documents(connection: psycopg.Connection, pages: int) -> dict[int, int]:
    """How many pages each document has, oldest first: one for images, up to 20 for documents."""
    connection.execute(
        "INSERT INTO media (phone_number_id, direction, state, mime_type, filename)"
        " SELECT '111', m.direction, 'stored', CASE WHEN type = 'image' THEN 'image/jpeg' ELSE 'application/pdf' END,"
        " 'scan ' || m.id || CASE WHEN type = 'image' THEN '.jpg' ELSE '.pdf' END"
        " FROM messages m WHERE type = 'document' OR type = 'image' AND m.id % 2 = 0 ORDER BY sent_at, m.id"
    )
    connection.execute(
        "INSERT INTO documents (number_id, wamid, media_row_id, conversation_id, sent_at, day, state, mime_detected)"
        " SELECT m.number_id, m.wamid, f.id, m.conversation_id, m.sent_at, m.day, 'done', f.mime_type"
        " FROM messages m JOIN media f"
        " ON f.filename LIKE 'scan %' AND m.id = substring(f.filename FROM '[0-9]+')::bigint"
        " ORDER BY f.id"
    )
    rows = connection.execute("SELECT id, mime_detected = 'image/jpeg' FROM documents ORDER BY id").fetchall()
    images = sum(is_image for _, is_image in rows)
    mean = max(1.0, (pages - images) / max(1, len(rows) - images))
    chance = random.Random(5)
    return {row: 1 if is_image else 1 + min(19, int(chance.expovariate(1 / (mean - 0.4)))) for row, is_image in rows}


def _pages(corpus: Corpus, sizes: dict[int, int]) -> Iterator[tuple[object, ...]]:
    chance = corpus.chance
    zipf = list(accumulate(1 / rank**1.02 for rank in range(1, VOCABULARY + 1)))
    total, made = sum(sizes.values()), 0
    for document, size in sizes.items():
        words = corpus.words[chance.choices(list(SHARES), list(SHARES.values()))[0]]
        for page in range(1, size + 1):
            made += 1
            count = max(10, int(chance.gauss(WORDS_PER_PAGE, 60)))
            text = chance.choices(words, cum_weights=zipf, k=count)
            text += [word for word, share in _PLANTED if chance.random() < share]
            text += ["purchase", "order"] if chance.random() < 0.005 else []
            text += [f"INV-2026-{made:07d}"] if page == 1 else []
            text += ["quokka"] if made % 10_000 == 5_000 else []
            text += ["millennium"] if made < total * 0.15 and chance.random() < 0.2 else []
            line = " ".join(text)
            yield document, page, "ocr" if size == 1 else "text", 0.8 if size == 1 else None, line, fold(line)


def _insert(connection: psycopg.Connection, batch: list[tuple[object, ...]]) -> None:
    if batch:
        connection.execute(
            "INSERT INTO document_pages (document_id, page, number_id, conversation_id, sent_at, day, direction, type,"
            " source, confidence, text, search_text)"
            " SELECT d.id, u.page, d.number_id, d.conversation_id, d.sent_at, d.day, m.direction, m.type, u.source,"
            " u.confidence, u.text, u.search_text FROM"
            " unnest(%s::bigint[], %s::int[], %s::text[], %s::real[], %s::text[], %s::text[])"
            " AS u (document, page, source, confidence, text, search_text)"
            " JOIN documents d ON d.id = u.document"
            " JOIN messages m ON m.number_id = d.number_id AND m.wamid = d.wamid",
            [list(column) for column in zip(*batch, strict=True)],
        )
