"""The tool get_message_stats: how many messages, by day, conversation, direction, type or status."""

from typing import Any

from fastmcp import FastMCP

from wamcp.archive import stats
from wamcp.archive.asking import asking
from wamcp.archive.stats import Counts, StatsQuery
from wamcp.db.session import Pool
from wamcp.mcp import arguments, sanitize, visit
from wamcp.mcp.budget import Answer
from wamcp.mcp.tools.common import nullable, offer, record, text
from wamcp.mcp.tools.parameters import After, Before, BusinessNumber, GroupedBy, OnlyIn, UpTo200

MAX_KEY = 60

_COUNTS: Answer = {
    "inbound": {"type": "integer", "description": "Messages from customers."},
    "outbound": {"type": "integer", "description": "Messages from the business."},
    "failed": {"type": "integer", "description": "Outbound ones that did not arrive."},
}
_KEY = text("A date (UTC), a conversation's short id, a direction, a type or a delivery state, as asked.")
_OUTPUT = record(
    {
        "rows": {
            "type": "array",
            "items": record({"key": _KEY, **_COUNTS}),
            "description": "Days newest first, all others largest first.",
        },
        "totals": record(_COUNTS, description="Of everything asked for, whether its row is shown or not."),
        "truncated": {"type": "boolean", "description": "True when there are more rows than shown."},
        "notice": nullable("string", "What to know about this answer."),
    }
)


def register(mcp: FastMCP[Any], pool: Pool) -> None:
    """Adds the tool."""

    @offer(mcp, title="Count messages", untrusted=False, output=_OUTPUT)
    def get_message_stats(
        group_by: GroupedBy,
        conversation_id: OnlyIn = None,
        business_number: BusinessNumber = None,
        after: After = None,
        before: Before = None,
        limit: UpTo200 = 60,
    ) -> Answer:
        """Counts messages exactly, without reading them: by day, conversation, direction, type or delivery status, with
        totals. Use it for how many, how busy and how often; narrow with after and before, a conversation or a number.
        """
        start, end = arguments.span(after, before)
        wanted = StatsQuery(
            group_by,
            conversation_id=arguments.conversation_id(conversation_id) if conversation_id else None,
            number=arguments.words(business_number),
            after=start,
            before=end,
            limit=limit or 60,
        )
        return _counted(pool, wanted)


def _counted(pool: Pool, wanted: StatsQuery) -> Answer:
    here = visit.current()
    with asking(pool) as connection:
        found = stats.message_stats(connection, here.grant, wanted)
    if wanted.group_by == "conversation":
        here.shown[:] = [key for key, _ in found.rows]
    notice = None
    if found.more:
        notice = f"Only {len(found.rows)} rows are shown; totals has them all. Raise limit, or narrow the range."
    return {
        "rows": [{"key": sanitize.clean_line(key, MAX_KEY), **_numbers(counts)} for key, counts in found.rows],
        "totals": _numbers(found.totals),
        "truncated": found.more,
        "notice": notice if found.rows else "No messages here; widen the range or leave filters out.",
    }


def _numbers(counts: Counts) -> Answer:
    return {"inbound": counts.inbound, "outbound": counts.outbound, "failed": counts.failed}
