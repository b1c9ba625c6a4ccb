"""The audit tells who saw what; of somebody erased it keeps that he was seen, under a pseudonym."""

import re
from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from wamcp.db.columns import array
from wamcp.db.tombstones import Named, key_of, pseudonym
from wamcp.ingest.erasing.rows import theirs
from wamcp.ingest.erasing.work import Work, count
from wamcp.vocabulary import conversation_ref, document_ref, media_ref, message_ref, participant_ref, send_ref

BATCH = 2000
_SHORTEST_NAME = 3
_PLAIN = frozenset(
    (
        "type",
        "direction",
        "number",
        "numbers",
        "field",
        "event",
        "severity",
        "state",
        "origin",
        "after",
        "before",
        "since",
    )
)
"""Parameters that say nothing of anybody."""
_TOKEN = re.compile(r"[^\s?&#\"']+")


class Names:
    """All words by which the audit may name them."""

    def __init__(self, key: bytes, words: Iterable[str], names: Iterable[str], wamids: Iterable[str]) -> None:
        self.key = key
        self._wamids = frozenset(wamids)
        parts = [re.escape(word) for word in sorted(words, key=len, reverse=True)]
        parts += [rf"\b{re.escape(name)}\b" for name in names if len(name) >= _SHORTEST_NAME]
        self._pattern = re.compile("|".join(parts), re.IGNORECASE) if parts else None

    def hide(self, text: str) -> str:
        """``text`` with pseudonyms in place of whatever names them."""
        if self._pattern is not None:
            text = self._pattern.sub(lambda match: pseudonym(self.key, match.group().lower()), text)
        return _TOKEN.sub(self._hide_wamid, text) if self._wamids else text

    def _hide_wamid(self, match: re.Match[str]) -> str:
        """A wamid may have slashes of its own, and stand behind those of a path."""
        parts = match.group().split("/")
        spans = ((i, j) for i in range(len(parts)) for j in range(len(parts), i, -1))
        found = next((each for i, j in spans if (each := "/".join(parts[i:j])) in self._wamids), None)
        return match.group() if found is None else match.group().replace(found, pseudonym(self.key, found))


def names_of(connection: psycopg.Connection, work: Work, named: Named) -> Names:
    """The words to look for."""
    return Names(key_of(connection), work.whom.values(), work.whom.names, (wamid for _, wamid in named.messages))


def refs_of(connection: psycopg.Connection, work: Work) -> set[str]:
    """The short ids of everything that is theirs; to be asked while the rows are there."""
    ids = array(work.whom.ids)
    messages = theirs(connection, work.whom.ids)
    found = {message_ref(each) for each in messages} | {participant_ref(each) for each in work.whom.ids}
    for ref, query, values in (
        (conversation_ref, "SELECT id FROM conversations WHERE participant_id = ANY(%s::bigint[])", [ids]),
        (document_ref, _OF_MESSAGES.format("documents x", "x.id"), [array(messages)]),
        (media_ref, _OF_MESSAGES.format("message_media x", "x.media_row_id"), [array(messages)]),
        (send_ref, "SELECT id FROM sends WHERE recipient = ANY(%s::text[])", [array(work.whom.values())]),
    ):
        found |= {ref(row[0]) for row in connection.execute(query, values).fetchall()}
    return found


_OF_MESSAGES = (
    "SELECT DISTINCT {1} FROM messages m JOIN {0} ON x.number_id = m.number_id AND x.wamid = m.wamid"
    " WHERE m.id = ANY(%s::bigint[])"
)


def pseudonymise(connection: psycopg.Connection, work: Work, named: Named) -> None:
    """Goes through the whole audit. Short ids stay: once the rows are gone, they lead nowhere."""
    names, refs, after = names_of(connection, work, named), refs_of(connection, work), 0
    while rows := connection.execute(
        "SELECT id, target, parameters, error, refs FROM audit_log WHERE id > %s ORDER BY id LIMIT %s", [after, BATCH]
    ).fetchall():
        after = rows[-1][0]
        with connection.transaction():
            for row_id, target, parameters, error, shown in rows:
                showed = not refs.isdisjoint(shown or ())
                hidden = (names.hide(target), _hide(parameters, names, whole=showed), _hide(error, names, whole=showed))
                if hidden != (target, parameters, error):
                    count(work, "audit rows", 1)
                    connection.execute(
                        "UPDATE audit_log SET target = %s, parameters = %s, error = %s WHERE id = %s",
                        [hidden[0], Jsonb(hidden[1]), hidden[2], row_id],
                    )


def _hide(value: Any, names: Names, *, whole: bool) -> Any:
    """Words in ``value`` that name them, or with ``whole`` all words: what somebody asked for before he saw them."""
    if isinstance(value, str):
        return pseudonym(names.key, value) if whole and not value.startswith("erased:") else names.hide(value)
    if isinstance(value, dict):
        return {names.hide(key): _hide(part, names, whole=whole and key not in _PLAIN) for key, part in value.items()}
    if isinstance(value, list):
        return [_hide(part, names, whole=whole) for part in value]
    hidden = names.hide(str(value)) if isinstance(value, int) and not isinstance(value, bool) else ""
    return hidden if hidden and hidden != str(value) else value
