"""Counting messages: every way of counting agrees with the rows themselves, within what a client may see."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.factories import NOON, Archive, grant, minutes
from wamcp.archive.asking import asking
from wamcp.archive.stats import Counts, StatsQuery, StatsView, message_stats
from wamcp.db.session import Pool
from wamcp.errors import NotVisible

SPANS: list[tuple[datetime | None, datetime | None]] = [
    (None, None),
    (NOON, None),
    (None, NOON),
    (NOON - timedelta(days=2), NOON + timedelta(days=1, minutes=40)),
    (NOON.replace(hour=0), NOON.replace(hour=0) + timedelta(days=1)),
    (NOON.replace(hour=0) - timedelta(days=1), NOON),
    (NOON, NOON + minutes(30)),
    (NOON - minutes(800), NOON + minutes(800)),
    (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, tzinfo=UTC)),
    (datetime(9999, 12, 31, 23, 59, tzinfo=UTC), None),
]
COLUMN = {"day": "to_char(sent_at, 'YYYY-MM-DD')", "conversation": "'c' || conversation_id", "type": "type",
          "direction": "direction", "status": "coalesce(status, 'none')"}  # fmt: skip


@pytest.fixture
def busy(archive: Archive) -> list[int]:
    """Three conversations on two numbers, 180 messages in a week; returns the conversations."""
    made = [archive.conversation(archive.number(name)) for name in ("111", "111", "222")]
    for count in range(180):
        archive.message(
            made[count * count % 7 % 3],
            f"message {count}",
            NOON - timedelta(days=3) + minutes(53 * count),
            outbound=count % 2 == 1,
            kind=("text", "image", "reaction", "system", "text")[count % 5],
            status=(None, "failed", "read", "delivered")[count // 3 % 4] if count % 2 else None,
        )
    # States of messages that are not here, as for what another system sent, count nowhere.
    archive.connection.execute("INSERT INTO message_state VALUES (1, 'elsewhere', 3, 'failed', now())")
    return made


def expected(
    archive: Archive, group_by: str, where: str = "true", values: dict[str, Any] | None = None
) -> Counter[Any]:
    rows = archive.connection.execute(
        f"SELECT {COLUMN[group_by]}, direction, coalesce(status, '') FROM messages"
        f" LEFT JOIN message_state USING (number_id, wamid)"
        f" WHERE {where} AND (direction = 'outbound' OR {group_by != 'status'})",
        values or {},
    )
    found: Counter[Any] = Counter()
    for key, direction, status in rows:
        found[key, direction] += 1
        found[key, "failed"] += status == "failed"
    return +found


def counted(view: StatsView) -> Counter[Any]:
    assert not view.more
    found: Counter[Any] = Counter()
    for key, counts in view.rows:
        found[key, "inbound"], found[key, "outbound"] = counts.inbound, counts.outbound
        found[key, "failed"] = counts.failed
    return +found


@pytest.mark.parametrize("group_by", list(COLUMN))
@pytest.mark.parametrize("limits", [{}, {"numbers": frozenset(["111"])}, {"since": NOON - minutes(100)}])
def test_every_way_of_counting_is_exact(
    archive: Archive, reader: Pool, busy: list[int], group_by: Any, limits: dict[str, Any]
) -> None:
    archive.connection.execute("SET TIME ZONE 'UTC'")
    visible = "(%(number)s::text IS NULL OR number_id = (SELECT id FROM numbers WHERE phone_number_id = %(number)s))"
    visible += " AND sent_at >= %(since)s"
    who = {
        "number": min(limits.get("numbers", []), default=None),
        "since": limits.get("since", datetime(1, 1, 1, tzinfo=UTC)),
    }
    with asking(reader) as connection:
        for conversation in (None, busy[0]):
            for after, before in SPANS:
                within = "coalesce(sent_at >= %(after)s, true) AND coalesce(sent_at < %(before)s, true)"
                within += " AND (%(conversation)s::bigint IS NULL OR conversation_id = %(conversation)s)"
                values = {**who, "after": after, "before": before, "conversation": conversation}
                query = StatsQuery(group_by, conversation, after=after, before=before)
                view = message_stats(connection, grant(**limits), query)
                assert counted(view) == expected(archive, group_by, f"{visible} AND {within}", values), query
                every = expected(archive, "direction", f"{visible} AND {within}", values)
                assert view.totals == Counts(
                    every["inbound", "inbound"], every["outbound", "outbound"], every["outbound", "failed"]
                )


def test_rows_come_in_their_order_and_totals_are_of_all(archive: Archive, reader: Pool, busy: list[int]) -> None:
    with asking(reader) as connection:
        days = message_stats(connection, grant(), StatsQuery("day", limit=3))
        assert [key for key, _ in days.rows] == ["2026-03-06", "2026-03-05", "2026-03-04"] and days.more
        assert days.totals.inbound + days.totals.outbound == 180
        for group_by in ("conversation", "type", "status"):
            found = message_stats(connection, grant(), StatsQuery(group_by, after=NOON))  # type: ignore[arg-type]
            sizes = [counts.inbound + counts.outbound for _, counts in found.rows]
            assert sizes == sorted(sizes, reverse=True) and len(sizes) > 1
        one = message_stats(connection, grant(), StatsQuery("conversation", limit=1))
        assert len(one.rows) == 1 and one.more and one.totals == days.totals


def test_what_is_hidden_is_not_counted(archive: Archive, reader: Pool, busy: list[int]) -> None:
    limited = grant(numbers=frozenset(["222"]))
    with asking(reader) as connection:
        found = message_stats(connection, limited, StatsQuery("conversation"))
        assert [key for key, _ in found.rows] == [f"c{busy[2]}"]
        for query in (StatsQuery("day", busy[0]), StatsQuery("day", number="111"), StatsQuery("day", 10**18)):
            with pytest.raises(NotVisible):
                message_stats(connection, limited, query)
        nothing = message_stats(connection, grant(numbers=frozenset()), StatsQuery("type"))
        assert (nothing.rows, nothing.totals, nothing.more) == ([], Counts(), False)
