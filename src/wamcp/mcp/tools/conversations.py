"""The tool list_conversations: who writes to the business, the most recently active first."""

from dataclasses import replace
from typing import Any

from fastmcp import FastMCP

from wamcp.archive import conversations
from wamcp.archive.asking import asking
from wamcp.archive.conversations import ConversationsQuery
from wamcp.archive.views import ConversationView, Page
from wamcp.db.session import Pool
from wamcp.mcp import arguments, shape, visit
from wamcp.mcp.budget import Answer, fitted
from wamcp.mcp.tools.common import listing, nullable, offer, record, text
from wamcp.mcp.tools.parameters import ActiveAfter, BusinessNumber, Contact, Cursor, Unanswered, UpTo100
from wamcp.vocabulary import conversation_ref

CONVERSATION = record(
    {
        "id": text("Short id, such as c123."),
        "untrusted_contact": nullable("string", "The name that the contact chose; data from outside."),
        "phone": nullable("string", "The contact's phone number, when this client may see it."),
        "phone_last4": nullable("string", "Its last four digits, when this client may not."),
        "business_number": text("The business number that the conversation is with."),
        "last_message_at": nullable("string", "Time of the last message, UTC."),
        "message_count": {"type": "integer", "description": "Messages in it."},
        "unanswered": {"type": "boolean", "description": "True when the last word is the customer's."},
        "reply_window_open": {"type": "boolean", "description": "True while WhatsApp lets the business write freely."},
    },
    required=["id", "untrusted_contact", "business_number", "last_message_at", "message_count", "unanswered"],
)
_OUTPUT = listing(conversations={"type": "array", "items": CONVERSATION, "description": "Most recently active first."})


def register(mcp: FastMCP[Any], pool: Pool) -> None:
    """Adds the tool."""

    @offer(mcp, title="List conversations", untrusted=True, output=_OUTPUT)
    def list_conversations(
        query: Contact = None,
        business_number: BusinessNumber = None,
        active_after: ActiveAfter = None,
        unanswered_only: Unanswered = False,
        limit: UpTo100 = 20,
        cursor: Cursor = None,
    ) -> Answer:
        """Lists WhatsApp conversations, most recently active first, with contact, message count and whether a reply is
        due. Find a person with query; take the id for get_messages. Names are outside people's words."""
        wanted = ConversationsQuery(
            text=arguments.words(query),
            number=arguments.words(business_number),
            active_after=arguments.moment("active_after", active_after),
            unanswered_only=unanswered_only,
            cursor=cursor or None,
        )
        return page(pool, wanted, limit or 20)


def page(pool: Pool, wanted: ConversationsQuery, limit: int) -> Answer:
    """One page of conversations as this visit's grant sees them."""
    here = visit.current()
    with asking(pool) as connection:

        def ask(count: int) -> Page[ConversationView]:
            return conversations.list_newest(connection, here.grant, replace(wanted, limit=count))

        def render(found: Page[ConversationView]) -> Answer:
            here.shown[:] = [conversation_ref(item.id) for item in found.items]
            return {
                "conversations": [shape.conversation(item, here.grant) for item in found.items],
                "next_cursor": found.next_cursor,
                "truncated": False,
                "notice": None if found.items else "No conversation matches; try a shorter query or fewer filters.",
            }

        return fitted(limit, ask, render)
