"""What became of messages after they were sent: who reacted, what was edited, when something was revoked."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from psycopg.rows import dict_row

from wamcp.archive.parts import shown_text
from wamcp.archive.scope import Scope
from wamcp.archive.shapes import PARTICIPANT_COLUMNS, participant_view
from wamcp.archive.views import ReactionView, RevisionView
from wamcp.db.session import ReadConnection
from wamcp.vocabulary import Direction

REACTION, EDIT, REVOKE = "reaction", "edit", "revoke"
MAX_REFERRING = 2_000
"""So many reactions, edits and revocations are read for one answer, the newest."""

Key = tuple[int, str]
"""Our number's row id and the wamid of the message that was reacted to, edited or revoked."""


@dataclass(frozen=True, slots=True)
class Afterwards:
    """``text`` is that of the last edit, ``reactions`` are those that stand; ``refs`` are the rows that said all that.

    ``events`` are the webhook events that told it.
    """

    text: str | None = None
    revoked_at: datetime | None = None
    reactions: tuple[ReactionView, ...] = ()
    revisions: tuple[RevisionView, ...] = ()
    events: tuple[int, ...] = ()


NOTHING = Afterwards()


def afterwards(
    connection: ReadConnection, scope: Scope, targets: Iterable[Key], directions: Mapping[Key, str]
) -> dict[Key, Afterwards]:
    """What became of ``targets``, as far as anything did. ``directions`` tells which way they went, where known.

    An edit counts only when it went the way of its message: nobody edits what the other side wrote.
    """
    wanted = sorted(set(targets))
    if not wanted:
        return {}
    stories: dict[Key, _Story] = {}
    for row in _referring(connection, scope, wanted):
        key = (row["number_id"], row["refers_to"])
        stories.setdefault(key, _Story()).add(row, scope, directions.get(key))
    return {key: story.told() for key, story in stories.items()}


def emoji_of(content: object) -> str | None:
    """The emoji of a reaction's content; None for one that takes a reaction back."""
    reaction = content.get(REACTION) if isinstance(content, dict) else None
    if not isinstance(reaction, dict) or reaction.get("removed") is True:
        return None
    emoji = reaction.get("emoji")
    return emoji.encode("utf-8", "replace").decode() if isinstance(emoji, str) and emoji else None


@dataclass(slots=True)
class _Story:
    """One message's aftermath, while its rows are read in the order in which they were sent."""

    text: str | None = None
    revoked_at: datetime | None = None
    reactions: dict[object, ReactionView] = field(default_factory=dict)
    revisions: list[RevisionView] = field(default_factory=list)
    events: list[int] = field(default_factory=list)

    def add(self, row: dict[str, Any], scope: Scope, direction: str | None) -> None:
        self.events.append(row["event_id"])
        if row["type"] == REACTION:
            self._react(row, scope)
        else:
            self._revise(row, scope, direction)

    def told(self) -> Afterwards:
        return Afterwards(
            self.text, self.revoked_at, tuple(self.reactions.values()), tuple(self.revisions), tuple(self.events)
        )

    def _react(self, row: dict[str, Any], scope: Scope) -> None:
        ours = row["direction"] == Direction.OUTBOUND
        who = "us" if ours else row["sender_id"]
        self.reactions.pop(who, None)
        emoji = emoji_of(row["content"])
        if emoji is not None:
            by, at = None if ours else participant_view(row, scope), row["sent_at"].astimezone(UTC)
            self.reactions[who] = ReactionView(emoji, by, ours, at, row["wamid"] if scope.phones else None)

    def _revise(self, row: dict[str, Any], scope: Scope, direction: str | None) -> None:
        at, kind = row["sent_at"].astimezone(UTC), row["type"]
        if kind == EDIT and direction not in (None, row["direction"]):
            return
        text = shown_text(kind, row["text"], scope) if kind == EDIT else None
        self.revisions.append(RevisionView(row["id"], row["wamid"] if scope.phones else None, at, kind, text))
        if kind == EDIT:
            self.text = text
        elif self.revoked_at is None:
            self.revoked_at = at


def _referring(connection: ReadConnection, scope: Scope, targets: Sequence[Key]) -> list[dict[str, Any]]:
    statement = f"""
      SELECT m.*, {PARTICIPANT_COLUMNS} FROM (
        SELECT m.number_id, m.refers_to, m.id, m.wamid, m.type, m.sent_at, m.sender_id, m.direction, m.text, m.content,
          m.event_id
        FROM unnest(%(target_numbers)s::int[], %(target_wamids)s::text[]) AS u (number_id, wamid)
        JOIN messages m ON m.number_id = u.number_id AND m.refers_to = u.wamid
        WHERE m.type = ANY(%(kinds)s::text[]) AND {scope.messages()}
        ORDER BY m.sent_at DESC, m.id DESC LIMIT %(most)s) m
      LEFT JOIN participants p ON p.id = m.sender_id AND m.type = %(reaction)s
      ORDER BY m.sent_at, m.id"""
    parameters = {
        "target_numbers": [number for number, _ in targets],
        "target_wamids": [wamid for _, wamid in targets],
        "kinds": [REACTION, EDIT, REVOKE],
        "reaction": REACTION,
        "most": MAX_REFERRING,
    }
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement, {**scope.parameters(), **parameters}).fetchall()
