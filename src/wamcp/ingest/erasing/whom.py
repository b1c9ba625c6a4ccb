"""Who is meant by ``p7``, a phone number or a BSUID: the participant, everybody merged with him, and who is near."""

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from wamcp.db.columns import array
from wamcp.db.merges import merges_in_force
from wamcp.db.tombstones import Alias
from wamcp.errors import NotVisible, Rejected
from wamcp.phones import international
from wamcp.vocabulary import AliasKind, participant_ref, row_id
from wamcp.whatsapp.spellings import spellings


@dataclass(frozen=True, slots=True)
class Whom:
    """Participants by their ids, with all identifiers and names. ``near`` may be the same people, or may not."""

    ids: list[int]
    aliases: list[Alias]
    names: list[str]
    near: list[int]

    @property
    def refs(self) -> str:
        """The participants as people write them."""
        return ", ".join(map(participant_ref, self.ids))

    def spelled(self) -> set[Alias]:
        """The identifiers, phone numbers in all their spellings."""
        phone = AliasKind.WA_ID.value
        found = {
            (s, kind, each)
            for s, kind, value in self.aliases
            for each in ([value] if kind != phone else spellings(value))
        }
        return found

    def values(self) -> list[str]:
        """The words of all identifiers."""
        return sorted({value for _, _, value in self.spelled()})

    def sent(self, upto: int = 2**62) -> dict[str, object]:
        """What the sends to them, as far as the one with the id ``upto``, are found by."""
        scopes = sorted({scope for scope, _, _ in self.aliases})
        return {"ids": array(self.ids), "values": array(self.values()), "scopes": array(scopes), "upto": upto}


def find(connection: psycopg.Connection, written: Sequence[str]) -> Whom:
    """Raises :class:`NotVisible` when nobody is called so, :class:`Rejected` for what names nobody."""
    merges = merges_in_force(connection)
    roots = {merges.root(each) for word in written for each in _named(connection, word)}
    ids = sorted({member for root in roots for member in merges.members(root)})
    aliases = connection.execute(
        "SELECT scope, kind, value FROM participant_aliases WHERE participant_id = ANY(%s::bigint[]) ORDER BY 1, 2, 3",
        [array(ids)],
    ).fetchall()
    names = connection.execute(
        "SELECT DISTINCT value FROM participant_names WHERE participant_id = ANY(%s::bigint[]) ORDER BY 1", [array(ids)]
    ).fetchall()
    near = connection.execute(
        "SELECT one_id FROM merge_candidates WHERE other_id = ANY(%(ids)s::bigint[])"
        " UNION SELECT other_id FROM merge_candidates WHERE one_id = ANY(%(ids)s::bigint[])",
        {"ids": array(ids)},
    ).fetchall()
    others = sorted({row[0] for row in near} - set(ids))
    return Whom(ids, [(scope, kind, value) for scope, kind, value in aliases], [row[0] for row in names], others)


def _named(connection: psycopg.Connection, word: str) -> list[int]:
    word = word.strip()
    if word[:1] in ("p", "P") and (row := row_id(word.lower(), "p")) is not None:
        query, value = "SELECT id FROM participants WHERE id = %s::bigint", str(row)
    elif any(map(str.isalpha, word)):
        query, value = "SELECT participant_id FROM participant_aliases WHERE value = %s AND kind <> 'wa_id'", word
    else:
        query = "SELECT participant_id FROM participant_aliases WHERE kind = 'wa_id' AND value = ANY(%s::text[])"
        value = array(spellings(_phone(word)))
    found = [row[0] for row in connection.execute(query, [value]).fetchall()]
    if not found:
        raise NotVisible(f"The archive knows nobody called {_shown(word)}: GET /admin/participants?q=... lists people.")
    return found


def _phone(word: str) -> str:
    try:
        return international(word)
    except ValueError as error:
        raise Rejected(f"{_shown(word)} names nobody: write p7, a BSUID, or a phone number ({error}).") from None


def _shown(word: str) -> str:
    return word if word[:1] in ("p", "P") else f"...{word[-4:]}"
