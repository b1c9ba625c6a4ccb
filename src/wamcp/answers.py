"""What the api process answers besides webhooks: people's questions, Claude's, and what is to be sent.

Most of the process's libraries are needed here alone, so that :mod:`wamcp.api` takes webhooks before it imports this.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import NamedTuple
from urllib.parse import urlsplit

from wamcp.access.doorkeeper import Doorkeeper
from wamcp.access.tokens import TokenCache
from wamcp.db.logins import audit_url, reader_url
from wamcp.db.session import Pool, open_pool
from wamcp.ingest.receive import Writer
from wamcp.mcp.gate import Gate
from wamcp.mcp.server import Behind, create_mcp_app
from wamcp.sending.desk import Desk
from wamcp.sending.means import means_of
from wamcp.settings import Settings
from wamcp.storage.read import open_store
from wamcp.version import version
from wamcp.vocabulary import TokenKind
from wamcp.web.app import create_app
from wamcp.web.metrics import expose_door
from wamcp.web.request_id import App, RequestId

READER_CONNECTIONS = 4
AUDIT_CONNECTIONS = 2


class Answers(NamedTuple):
    """The applications for ``/mcp``, None where Claude is not answered, and for everything else but the webhook."""

    web: App
    mcp: App | None


@contextlib.asynccontextmanager
async def answering(settings: Settings, writer: Writer | None, *, door_only: bool) -> AsyncIterator[Answers]:
    """Both applications, ready to answer. ``writer`` is what keeps webhooks in this process, if one does."""
    prepares = not settings.is_pooled()
    async with contextlib.AsyncExitStack() as stack:
        reader = open_pool(reader_url(settings), "wamcp reader", size=READER_CONNECTIONS, prepares=prepares)
        auditor = open_pool(audit_url(settings), "wamcp audit", size=AUDIT_CONNECTIONS, prepares=prepares)
        stack.push_async_callback(asyncio.to_thread, reader.close)
        stack.push_async_callback(asyncio.to_thread, auditor.close)
        web = create_app(settings, reader, auditor)
        web.state.writer = writer
        if door_only:
            yield Answers(web, None)
            return
        means = await asyncio.to_thread(stack.enter_context, means_of(settings, "wamcp sends", connections=8))
        web.state.sending = Desk(means)
        mcp = _claude(settings, reader, auditor)
        await stack.enter_async_context(mcp.lifespan())
        yield Answers(web, RequestId(mcp))


def _claude(settings: Settings, reader: Pool, auditor: Pool) -> Gate:
    keeper = Doorkeeper(TokenCache(reader, TokenKind.MCP), door="mcp", per_minute=settings.mcp_rate)
    expose_door("mcp", keeper)
    public = settings.public_base_url
    name = urlsplit(public).hostname if public else None
    return create_mcp_app(
        Behind(reader, auditor, open_store(settings)),
        keeper,
        version=version(),
        allowed_hosts=[name] if name else [],
        allowed_origins=[public] if public else [],
    )
