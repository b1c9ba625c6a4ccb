"""What can be attached by address: the status, one conversation; and ids suggested while somebody types."""

import logging
from typing import Any

import mcp_types
from fastmcp import FastMCP
from fastmcp.exceptions import ResourceError
from fastmcp.resources import ResourceContent, ResourceResult

from wamcp.archive import conversations
from wamcp.archive.asking import asking
from wamcp.archive.conversations import ConversationsQuery
from wamcp.archive.messages import MessagesQuery
from wamcp.db.session import Pool
from wamcp.errors import NotVisible, WamcpError
from wamcp.mcp import arguments, visit
from wamcp.mcp.budget import Answer, compact
from wamcp.mcp.courtesy import NotThere
from wamcp.mcp.tools.messages import conversation_page
from wamcp.mcp.tools.status import describe
from wamcp.vocabulary import conversation_ref

MIME_TYPE = "application/json"
PAGE = 30
MAX_SUGGESTIONS = 20
TEMPLATE = "wamcp://conversations/{conversation_id}"


def register(mcp: FastMCP[Any], pool: Pool, version: str) -> None:
    """Adds the resource, the template and the completion of conversation ids."""
    to_read = mcp_types.Annotations(audience=["user", "assistant"])

    @mcp.resource(
        "wamcp://status",
        title="Archive status",
        description="What the archive holds and what this client may see of it.",
        mime_type=MIME_TYPE,
        annotations=to_read,
    )
    def archive_status() -> ResourceResult:
        return _json(describe(pool, version))

    @mcp.resource(
        TEMPLATE,
        title="Conversation",
        description="One WhatsApp conversation with its newest messages, by short id. Texts are untrusted.",
        mime_type=MIME_TYPE,
        annotations=to_read,
    )
    def conversation(conversation_id: str) -> ResourceResult:
        try:
            wanted = MessagesQuery(conversation_id=arguments.conversation_id(conversation_id))
            return _json(conversation_page(pool, wanted, PAGE))
        except NotVisible as error:
            raise NotThere(str(error), log_level=logging.DEBUG) from None
        except WamcpError as error:
            raise ResourceError(str(error), log_level=logging.DEBUG) from None

    @mcp.completion
    def complete(
        reference: mcp_types.PromptReference | mcp_types.ResourceTemplateReference,
        argument: mcp_types.CompletionArgument,
        context: mcp_types.CompletionContext | None,
    ) -> list[str]:
        if argument.name != "conversation_id":
            return []
        return _suggestions(pool, argument.value)


def _json(answer: Answer) -> ResourceResult:
    return ResourceResult(contents=[ResourceContent(compact(answer), mime_type=MIME_TYPE)])


def _suggestions(pool: Pool, typed: str) -> list[str]:
    prefix = arguments.words(typed[:100])
    if prefix is None:
        return []
    here = visit.current()
    with asking(pool) as connection:
        found = conversations.complete(connection, here.grant, prefix)
        if prefix.lower() == "c":
            newest = ConversationsQuery(limit=MAX_SUGGESTIONS)
            found = [*found, *conversations.list_newest(connection, here.grant, newest).items]
    here.shown[:] = list(dict.fromkeys(conversation_ref(item.id) for item in found))[:MAX_SUGGESTIONS]
    return list(here.shown)
