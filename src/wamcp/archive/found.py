"""Documents in which a search found something: the pages that match, and the words around the first match."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from psycopg.rows import dict_row

from wamcp.archive.marking import around
from wamcp.archive.messages import by_row_ids
from wamcp.archive.scope import Scope
from wamcp.archive.views import DocumentHit, MessageView
from wamcp.db.session import ReadConnection

MAX_PAGES = 10
"""So many page numbers of one document are told, and how many pages match in all."""
MAX_CHARACTERS = 100_000
"""Of one page; what stands beyond is not among its words either."""


# OFFSET keeps the planner from looking for the words in every document first.
_PAGES_OF_D = "(SELECT x.page, x.tsv, x.text FROM document_pages x WHERE x.document_id = d.id OFFSET 0) AS p"


@dataclass(frozen=True, slots=True)
class Match:
    """The predicate on a page ``p`` that matches, with its parameters; ``words``: words match, else letters."""

    predicate: str
    values: dict[str, Any]
    text: str
    words: bool


def told_by_documents(connection: ReadConnection, messages: Sequence[int], match: Match) -> set[int]:
    """Those of ``messages`` that carry a document which matches by itself, and so tells of its message as well."""
    if not messages:
        return set()
    rows = connection.execute(
        "SELECT DISTINCT m.id FROM messages m JOIN documents d ON d.number_id = m.number_id AND d.wamid = m.wamid"
        " WHERE m.id = ANY(%(messages)s::bigint[])"
        f" AND EXISTS (SELECT FROM {_PAGES_OF_D} WHERE {match.predicate})",
        {**match.values, "messages": list(messages)},
    )
    return {row[0] for row in rows}


def views_of(
    connection: ReadConnection, scope: Scope, found: Sequence[tuple[bool, int]], match: Match
) -> list[MessageView]:
    """The messages and, where the first of a pair is true, the documents ``found``, each as its message."""
    hits = _documents(connection, scope, [row_id for is_document, row_id in found if is_document], match)
    carriers = [hits[row_id][0] if is_document else row_id for is_document, row_id in found]
    views = {view.id: view for view in by_row_ids(connection, scope, list(dict.fromkeys(carriers)))}
    return [
        replace(views[carrier], document=hits[row_id][1]) if is_document else views[carrier]
        for (is_document, row_id), carrier in zip(found, carriers, strict=True)
    ]


def _documents(
    connection: ReadConnection, scope: Scope, ids: list[int], match: Match
) -> dict[int, tuple[int, DocumentHit]]:
    """The message of each document, and what was found in it."""
    if not ids:
        return {}
    statement = f"""
      WITH d AS MATERIALIZED (
        SELECT d.id, d.number_id, d.wamid, d.media_row_id, d.mime_detected FROM documents d
        WHERE d.id = ANY(%(documents)s::bigint[]) AND {scope.messages("d")}),
      matching AS (
        SELECT d.id, array_agg(p.page ORDER BY p.page) AS pages FROM d CROSS JOIN LATERAL {_PAGES_OF_D}
        WHERE {match.predicate} GROUP BY d.id)
      SELECT d.id, m.id AS message_id, f.filename, coalesce(d.mime_detected, f.mime_type) AS mime,
        pages[:{MAX_PAGES}] AS pages, cardinality(pages) AS count, p.confidence,
        left(p.text, {MAX_CHARACTERS}) AS text
      FROM d JOIN matching USING (id) JOIN media f ON f.id = d.media_row_id
      JOIN messages m ON m.number_id = d.number_id AND m.wamid = d.wamid
      JOIN document_pages p ON p.document_id = d.id AND p.page = pages[1]"""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(statement, {**scope.parameters(), **match.values, "documents": ids}).fetchall()
    return {row["id"]: (row["message_id"], _hit(row, match)) for row in rows}


def _hit(row: dict[str, Any], match: Match) -> DocumentHit:
    return DocumentHit(
        id=row["id"],
        file_name=row["filename"],
        mime_type=row["mime"],
        pages=tuple(row["pages"]),
        page_count=row["count"],
        snippet=around(row["text"], match.text, words=match.words),
        confidence=row["confidence"],
    )
