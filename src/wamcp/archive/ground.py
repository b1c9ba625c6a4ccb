"""The ground of a search: which messages, or pages of documents, are looked through at all, and the newest of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from wamcp.archive.scope import Scope
from wamcp.archive.searched import MESSAGES, Position, Searched
from wamcp.db.session import ReadConnection


@dataclass(frozen=True, slots=True)
class Ground:
    """Rows ``m`` in ``scope`` that pass the filters; ``after`` is inclusive, ``before`` exclusive, ``start`` too.

    A page of a document has the number, the conversation, the time, the direction and the type of its message.
    """

    connection: ReadConnection
    scope: Scope
    wanted: int
    conversation_id: int | None = None
    direction: str | None = None
    type: str | None = None
    after: datetime | None = None
    before: datetime | None = None
    start: Position | None = None
    searched: Searched = MESSAGES

    def parameters(self) -> dict[str, Any]:
        """The values of :meth:`place` and :meth:`filters`."""
        sent, row_id = self.start or (None, None)
        return {
            **self.scope.parameters(),
            "conversation": self.conversation_id,
            "direction": self.direction,
            "type": self.type,
            "after": self.after,
            "before": self.before,
            "start_sent": sent,
            "start_id": row_id,
            "wanted": self.wanted,
        }

    def place(self) -> str:
        """The predicate on what the indexes know: scope, conversation, time."""
        parts = [self.scope.messages()]
        if self.conversation_id is not None:
            parts.append("m.conversation_id = %(conversation)s::bigint")
        if self.after is not None:
            parts.append("m.sent_at >= %(after)s::timestamptz")
        if self.before is not None:
            parts.append("m.sent_at < %(before)s::timestamptz")
        if self.start is not None:
            parts.append("(m.sent_at, m.id) < (%(start_sent)s::timestamptz, %(start_id)s::bigint)")
        return " AND ".join(parts)

    def filters(self) -> str:
        """The predicate on what only the row itself knows."""
        parts = ["true"]
        if self.direction is not None:
            parts.append("m.direction = %(direction)s")
        if self.type is not None:
            parts.append("m.type = %(type)s")
        return " AND ".join(parts)

    def newest(self, columns: str, count: int) -> str:
        """The SQL of the newest ``count`` rows, merged from one index range for each number."""
        if self.conversation_id is not None:
            return self._range(columns, "true", count)
        ranges = [f"({self._range(columns, f'm.number_id = {int(number)}', count)})" for number in self.scope.numbers]
        if len(ranges) == 1:
            return ranges[0]
        merged = " UNION ALL ".join(ranges) or f"({self._range(columns, 'false', count)})"
        return f"SELECT * FROM ({merged}) m ORDER BY m.sent_at DESC, m.id DESC LIMIT {count:d}"

    def days(self) -> list[tuple[int, int]]:
        """(day, messages on it), newest day first, for the numbers in scope and the bounds of time.

        Pages have no counts of their own; they are of the same days.
        """
        latest = min((moment for moment in (self.before, self.start and self.start[0]) if moment), default=None)
        earliest = max((moment for moment in (self.after, self.scope.since) if moment), default=None)
        rows = self.connection.execute(
            "SELECT d.day, sum(d.inbound + d.outbound)::bigint FROM daily_counts d"
            " WHERE d.number_id = ANY(%(numbers)s::int[])"
            " AND (%(last)s::int IS NULL OR d.day <= %(last)s::int)"
            " AND (%(first)s::int IS NULL OR d.day >= %(first)s::int)"
            " GROUP BY d.day ORDER BY d.day DESC",
            {"numbers": list(self.scope.numbers), "last": _day(latest), "first": _day(earliest)},
        )
        return rows.fetchall()

    def _range(self, columns: str, number: str, count: int) -> str:
        return (
            f"SELECT {columns} FROM {self.searched.table} m WHERE {number} AND {self.place()}"
            f" ORDER BY m.sent_at DESC, m.id DESC LIMIT {count:d}"
        )


def _day(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() // 86400)
