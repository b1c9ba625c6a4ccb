"""What reactions were to: their line ends with the words they are about, whichever of the two came first."""

from collections.abc import Iterable, Sequence

import psycopg

from wamcp.db.columns import columns
from wamcp.db.searchable import search_text

REACTION = "reaction"
SNIPPET_CHARACTERS = 80
_ABOUT = " to: "


def line_about(line: str, target: str) -> str:
    """The line of a reaction, ``[reaction] 👍``, with the beginning of the text it was to."""
    words = " ".join(target[: SNIPPET_CHARACTERS * 4].split())[:SNIPPET_CHARACTERS].rstrip()
    return line.split(_ABOUT, 1)[0] + _ABOUT + words if words else line.split(_ABOUT, 1)[0]


def targets(connection: psycopg.Connection, referred: Iterable[tuple[int, str]]) -> dict[tuple[int, str], str]:
    """The texts of those messages (number, wamid) that are there already."""
    wanted = sorted(set(referred))
    if not wanted:
        return {}
    rows = connection.execute(
        "SELECT m.number_id, m.wamid, left(m.text, %s) FROM unnest(%s::int[], %s::text[]) AS u (n, w)"
        " JOIN messages m ON m.number_id = u.n AND m.wamid = u.w",
        [SNIPPET_CHARACTERS * 4, *columns(wanted, 2)],
    ).fetchall()
    return {(number, wamid): text for number, wamid, text in rows}


def tell_waiting(connection: psycopg.Connection, written: Sequence[tuple[int, str]]) -> None:
    """Completes the lines of reactions whose targets, the messages ``written`` (number, wamid), came after them."""
    rows = connection.execute(
        "SELECT r.id, r.text, left(t.text, %s) FROM unnest(%s::int[], %s::text[]) AS u (n, w)"
        " JOIN messages r ON r.number_id = u.n AND r.refers_to = u.w AND r.type = %s"
        " JOIN messages t ON t.number_id = u.n AND t.wamid = u.w",
        [SNIPPET_CHARACTERS * 4, *columns(sorted(written), 2), REACTION],
    ).fetchall()
    lines = sorted((row_id, line_about(text, target)) for row_id, text, target in rows)
    if lines:
        connection.execute(
            "UPDATE messages m SET text = u.text, search_text = u.search_text"
            " FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS u (id, text, search_text)"
            " WHERE m.id = u.id AND m.text <> u.text",
            columns([(row_id, line, search_text(line)) for row_id, line in lines], 3),
        )
