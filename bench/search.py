"""How long a search takes, beside the naive ILIKE that it replaces: ``python -m bench.search --rows 1000000``."""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import psycopg

from bench.corpus import BEGIN, SPAN, Corpus, load
from bench.corpus_documents import load_pages
from bench.measure import cpu_ms, percentile, print_table
from wamcp.access.grants import admin_grant
from wamcp.archive import conversations, messages
from wamcp.archive.asking import asking
from wamcp.archive.conversations import ConversationsQuery
from wamcp.archive.messages import MessagesQuery
from wamcp.archive.search import SearchQuery, search
from wamcp.archive.status import status
from wamcp.db import logins
from wamcp.db.migrate import migrate
from wamcp.db.session import Pool, ReadConnection, open_pool
from wamcp.embedded.scratch import temporary_directory, temporary_postgres
from wamcp.errors import TooSlow
from wamcp.settings import load as load_settings

GRANT = admin_grant("bench")
REPETITIONS = 20
NAIVE_TIMEOUT_MS = 10_000
SERVER = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "256MB"}
LATE = BEGIN + SPAN - timedelta(days=30)
YEAR_AGO = BEGIN + SPAN - timedelta(days=395)


@dataclass
class Case:
    """One kind of question: what is asked each time, and within how many ms 95 of 100 answers must be there."""

    name: str
    goal_ms: float | None
    texts: list[str]
    filters: list[dict[str, Any]] = field(default_factory=lambda: [{}])
    ours: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    naive: list[float] = field(default_factory=list)
    hits: int = 0
    matched_by: str = ""
    timeouts: int = 0

    def query(self, repetition: int) -> SearchQuery:
        """The question of this repetition."""
        filters = self.filters[repetition % len(self.filters)]
        return SearchQuery(self.texts[repetition % len(self.texts)], **filters)


def main() -> None:
    """Fills a temporary Postgres, asks every case, prints one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--pages", type=int, default=200_000)
    parser.add_argument("--url", help="a database that an earlier run filled (see --keep-open)")
    parser.add_argument("--naive", type=int, default=2, help="how often each case is asked the naive way")
    parser.add_argument("--keep-open", type=int, default=0, metavar="SECONDS", help="leave the database up afterwards")
    options = parser.parse_args()
    corpus = Corpus(options.rows)
    with _filled(options.url, corpus, options.pages) as url:
        settings = load_settings({"DATABASE_URL": url})
        with open_pool(logins.reader_url(settings), "bench", size=1) as pool:
            with psycopg.connect(url, autocommit=True) as owner:
                owner.execute(f"SET statement_timeout = {NAIVE_TIMEOUT_MS}")
                cases = list(_cases(corpus, _order_number(owner)))
                for case in cases:
                    _run(case, pool, owner, options.naive)
                _print_cases(cases)
            _print_reads(corpus, pool)
        if options.keep_open:
            print(url, flush=True)
            time.sleep(options.keep_open)


@contextmanager
def _filled(url: str | None, corpus: Corpus, pages: int) -> Iterator[str]:
    if url is not None:
        yield url
        return
    with temporary_directory() as directory, temporary_postgres(directory, SERVER) as server:
        url = server.create()
        migrate(load_settings({"DATABASE_URL": url}))
        load(url, corpus)
        load_pages(url, corpus, pages)
        yield url


def _cases(corpus: Corpus, order_number: str) -> Iterator[Case]:
    big = {"conversation_id": 1}
    typical = [{"conversation_id": corpus.conversation()} for _ in range(REPETITIONS)]
    yield Case("common 20% ok", 50, ["ok"])
    yield Case("common 10% thx", 50, ["thx"])
    yield Case("mid 1% invoice", 50, ["invoice"])
    yield Case("rare 1e-5 zebracorn", 50, ["zebracorn"])
    yield Case("order number", 50, [order_number])
    yield Case("absent (letters follow)", 250, ["qqqqq"])
    yield Case("two ok invoice", 50, ["ok invoice"])
    yield Case("two invoice refund 1e-4", 50, ["invoice refund"])
    yield Case("two ok thx 2%", 50, ["ok thx"])
    yield Case('phrase "purchase order"', 50, ['"purchase order"'])
    yield Case("prefix invo*", 150, ["invo*"])
    yield Case("prefix inv-2026-01*", 150, ["inv-2026-01*"])
    yield Case("prefix ze*", 150, ["ze*"])
    yield Case("old-only blackfriday", 150, ["blackfriday"])
    yield Case("old-only and mid", 150, ["blackfriday invoice"])
    for language in ("en", "pt", "hi", "ar"):
        yield Case(f"words as used, {language}", 50, [corpus.word(language) for _ in range(40)])
    yield Case("common + big conversation", 50, ["ok"], [big])
    yield Case("mid + big conversation", 50, ["invoice"], [big])
    yield Case("rare + big conversation (letters follow)", 250, ["zebracorn"], [big])
    yield Case("common + conversations", 50, ["ok"], typical)
    yield Case("mid + conversations", 50, ["invoice"], typical)
    yield Case("common + number", 50, ["ok"], [{"number": "222"}])
    yield Case("mid + number", 50, ["invoice"], [{"number": "222"}])
    yield Case("rare + number", 150, ["zebracorn"], [{"number": "222"}])
    yield Case("common + 30 days", 50, ["ok"], [{"after": LATE}])
    yield Case("mid + 30 days", 50, ["invoice"], [{"after": LATE}])
    month = {"after": YEAR_AGO, "before": YEAR_AGO + timedelta(days=30)}
    yield Case("common + month a year ago", 50, ["ok"], [month])
    yield Case("mid + month a year ago", 50, ["invoice"], [month])
    yield Case("common + outbound", 50, ["ok"], [{"direction": "outbound"}])
    yield Case("mid + type document 3%", 50, ["invoice"], [{"type": "document"}])
    yield Case("common + type document 3%", 50, ["ok"], [{"type": "document"}])
    yield Case("prefix + type document 3%", 150, ["invo*"], [{"type": "document"}])
    yield Case("common + type 1e-5", 50, ["ok"], [{"type": "contacts"}])
    yield Case("common + type never seen (letters follow)", 250, ["ok"], [{"type": "sticker"}])
    yield from _document_cases(big)
    yield Case("letters voic (fallback)", 250, ["voic"])
    yield Case("letters ebraco (fallback)", 250, ["ebraco"])
    yield Case("letters voic + big conversation", 250, ["voic"], [big])


def _document_cases(big: dict[str, Any]) -> Iterator[Case]:
    """Questions whose answer is in documents, or that look into documents alone."""
    only: dict[str, Any] = {"search_in": "documents"}
    yield Case("documents: total, in 40 % of pages", 50, ["total"])
    yield Case("documents: warranty, 1 %", 50, ["warranty"])
    yield Case("documents: quokka, 1e-4", 50, ["quokka"])
    yield Case("documents: millennium, old only", 150, ["millennium"])
    yield Case('documents: phrase "purchase order"', 50, ['"purchase order"'], [only])
    yield Case("documents: total invoice", 50, ["total invoice"], [only])
    yield Case("documents: prefix warr*, mil*", 150, ["warr*", "mil*"], [only])
    yield Case("documents: prefix inv-2026-01*", 150, ["inv-2026-01*"], [only])
    yield Case("documents: total, warranty, quokka + number", 50, ["total", "warranty", "quokka"], [{"number": "222"}])
    yield Case("documents: total, warranty + big conversation", 50, ["total", "warranty"], [big])
    yield Case("documents: total + type image", 50, ["total"], [{"type": "image"}])
    yield Case("documents: total + type contacts (letters follow)", 250, ["total"], [{"type": "contacts"}])
    yield Case("documents: letters arrant", 250, ["arrant"], [only])


def _order_number(owner: psycopg.Connection) -> str:
    row = owner.execute(
        "SELECT substring(text FROM 'INV-2026-[0-9]+') FROM messages WHERE text LIKE '%INV-2026-%' LIMIT 1"
    )
    return str(row.fetchall()[0][0])


def _run(case: Case, pool: Pool, owner: psycopg.Connection, naive_repetitions: int) -> None:
    for repetition in range(max(REPETITIONS, len(case.texts))):
        query = case.query(repetition)
        began, used = time.perf_counter(), time.process_time() * 1000
        try:
            with asking(pool) as connection:
                server = connection.info.backend_pid
                used += cpu_ms(server)
                page = search(connection, GRANT, query)
            case.cpu.append(time.process_time() * 1000 + cpu_ms(server) - used)
            case.hits, case.matched_by = len(page.items), page.matched_by
        except TooSlow:
            case.timeouts += 1
        if repetition > 0:  # the first call of a case pays for cold pages
            case.ours.append((time.perf_counter() - began) * 1000)
        if repetition < naive_repetitions:
            began = time.perf_counter()
            with suppress(psycopg.errors.QueryCanceled):
                _naively(owner, query)
            case.naive.append((time.perf_counter() - began) * 1000)


def _naively(owner: psycopg.Connection, query: SearchQuery) -> None:
    """What one writes first, of messages alone: every word as ILIKE, newest first."""
    words = query.text.strip('"').split() if '"' not in query.text else [query.text.strip('"')]
    where = ["text ILIKE %s"] * len(words)
    values: list[object] = [f"%{word.rstrip('*')}%" for word in words]
    for column, value in (
        ("conversation_id =", query.conversation_id),
        ("direction =", query.direction),
        ("type =", query.type),
        ("sent_at >=", query.after),
        ("sent_at <", query.before),
        ("number_id =", {"111": 1, "222": 2}.get(query.number or "")),
    ):
        if value is not None:
            where.append(f"{column} %s")
            values.append(value)
    order = "ORDER BY sent_at DESC, id DESC LIMIT 50"
    owner.execute(f"SELECT id, sent_at, text FROM messages WHERE {' AND '.join(where)} {order}", values).fetchall()


def _print_cases(cases: list[Case]) -> None:
    rows = []
    for case in cases:
        late = percentile(case.ours, 0.95)
        rows.append(
            [
                case.name,
                f"{percentile(case.ours, 0.5):.1f}",
                f"{late:.1f}",
                _verdict(case.goal_ms, late),
                f"{percentile(case.cpu[1:], 0.5):.1f}",
                f"{min(case.naive):.1f}" if case.naive else "-",
                f"{case.hits} {case.matched_by}" + (f" ({case.timeouts} too slow)" if case.timeouts else ""),
            ]
        )
    print_table(["search", "p50 ms", "p95 ms", "goal", "CPU ms", "naive (messages alone) ms", "hits"], rows)


def _verdict(goal: float | None, late: float) -> str:
    return "-" if goal is None else f"{goal:.0f}{'' if late < goal else ' MISSED'}"


def _print_reads(corpus: Corpus, pool: Pool) -> None:
    def recent(connection: ReadConnection) -> None:
        messages.of_conversation(connection, GRANT, MessagesQuery(corpus.conversation()))

    def deep(connection: ReadConnection) -> None:
        query = MessagesQuery(1, before=BEGIN + SPAN * corpus.chance.random())
        messages.of_conversation(connection, GRANT, query)

    def listed(connection: ReadConnection) -> None:
        conversations.list_newest(connection, GRANT, ConversationsQuery())

    def named(connection: ReadConnection) -> None:
        conversations.list_newest(connection, GRANT, ConversationsQuery(text="b7e1"))

    def completed(connection: ReadConnection) -> None:
        conversations.complete(connection, GRANT, "zzz")

    questions: dict[str, tuple[Callable[[ReadConnection], object], int]] = {
        "recent 50 of a conversation": (recent, 200),
        "50 before a moment, big conversation": (deep, 200),
        "conversation list, newest 50": (listed, 200),
        "conversations by name": (named, 20),
        "completion, no match": (completed, 20),
        "status": (lambda connection: status(connection, GRANT), 20),
    }
    rows = []
    for name, (ask, count) in questions.items():
        taken = []
        for _ in range(count):
            began = time.perf_counter()
            with asking(pool) as connection:
                ask(connection)
            taken.append((time.perf_counter() - began) * 1000)
        rows.append([name, f"{percentile(taken, 0.5):.2f}", f"{percentile(taken, 0.95):.2f}"])
    print_table(["read", "p50 ms", "p95 ms"], rows)


if __name__ == "__main__":
    main()
