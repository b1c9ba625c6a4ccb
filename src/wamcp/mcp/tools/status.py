"""The tool get_status: what there is and what this client may see of it."""

from datetime import UTC, datetime
from typing import Any

from fastmcp import FastMCP

from wamcp.access.grants import Grant
from wamcp.archive import status
from wamcp.archive.asking import asking
from wamcp.db.session import Pool
from wamcp.mcp import shape, visit
from wamcp.mcp.budget import Answer
from wamcp.mcp.tools.common import nullable, offer, record, text

_OUTPUT = record(
    {
        "messages": {"type": "integer", "description": "Messages that this client may read."},
        "conversations": {"type": "integer", "description": "Conversations that this client may read."},
        "oldest": nullable("string", "Time of the oldest message, UTC."),
        "newest": nullable("string", "Time of the newest message, UTC."),
        "business_numbers": {
            "type": "array",
            "items": {"type": "string"},
            "description": "The business's own numbers that this client may see.",
        },
        "can_see": text("In a sentence: the limits of this client's token."),
        "events_pending": nullable("integer", "Received but not yet readable, normally 0; null for a limited token."),
        "parked": nullable(
            "integer", "Received but not understood, for the operator to see; null for a limited token."
        ),
        "server_time": text("Now, UTC."),
        "version": text("Version of WAMCP."),
    }
)


def register(mcp: FastMCP[Any], pool: Pool, version: str) -> None:
    """Adds the tool."""

    @offer(mcp, title="Archive status", untrusted=False, output=_OUTPUT)
    def get_status() -> Answer:
        """How many messages and conversations there are, from when to when, for which business numbers, and what this
        client may see. Use it to learn today's date (UTC) and whether anything is still being read in."""
        return describe(pool, version)


def describe(pool: Pool, version: str) -> Answer:
    """The status as this visit's grant sees it."""
    grant = visit.current().grant
    whole = grant.numbers is None  # both are counted before anybody knows which number an event is about
    with asking(pool) as connection:
        found = status.status(connection, grant)
    return {
        "messages": found.messages,
        "conversations": found.conversations,
        "oldest": shape.minute(found.oldest),
        "newest": shape.minute(found.newest),
        "business_numbers": [shape.number(number) for number in found.numbers],
        "can_see": _can_see(grant, len(found.numbers)),
        "events_pending": found.events_pending if whole else None,
        "parked": found.parked if whole else None,
        "server_time": shape.minute(datetime.now(UTC)),
        "version": version,
    }


def _can_see(grant: Grant, numbers: int) -> str:
    which = "all business numbers" if grant.numbers is None else f"{numbers} of the business numbers"
    since = f"messages since {shape.minute(grant.since)}" if grant.since else "messages of all times"
    phones = "full phone numbers" if grant.phones else "only the last four digits of phone numbers"
    documents = "with the documents in them" if grant.documents else "without documents"
    pictures = " and small pictures" if grant.documents and grant.media else ""
    return f"This token sees {which}, {since}, {documents}{pictures}, and {phones}; it can change nothing."
