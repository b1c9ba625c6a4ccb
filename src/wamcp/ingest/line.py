"""One dedicated connection to Postgres with the one statement that it is for; reopened after every trouble."""

import asyncio
import re
from collections import deque
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

CONNECT_TIMEOUT_S = 1.5

# libpq's own connection parameters, which asyncpg would hand to the server as settings of that name.
_LIBPQ_ONLY = re.compile(
    "channel_binding|client_encoding|connect_timeout|fallback_application_name|gss.*|hostaddr|keepalives.*"
    "|load_balance_hosts|m(ax|in)_protocol_version|replication|require.*|ssl(certmode|compression|sni)|tcp_user_timeout"
)


class Line:
    """A connection and its prepared statement. Not for two tasks at once."""

    def __init__(self, url: str, statement: str, settings: dict[str, str], *, first: str = "") -> None:
        """``settings`` are the session's, ``first`` is run before the statement is prepared."""
        self._urls = deque(_for_asyncpg(url))
        self._sql = statement
        self._settings = settings
        self._first = first
        self._connection: asyncpg.Connection[Any] | None = None
        self._statement: Any = None
        self._busy_since: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether a statement may be run; False from the moment the connection is lost."""
        return self._statement is not None and self._connection is not None and not self._connection.is_closed()

    async def open(self) -> None:
        """Connects and prepares, anew if need be. Raises what asyncpg raises, OSError or TimeoutError."""
        self.drop()
        self._connection = await self._connect()
        self._busy_since = asyncio.get_running_loop().time()
        try:
            if self._first:
                await self._connection.execute(self._first)
            self._statement = await self._connection.prepare(self._sql)
        finally:
            self._busy_since = None

    async def _connect(self) -> "asyncpg.Connection[Any]":
        # Host by host: asyncpg has one time-out for all of them, which a host that says nothing would use up.
        for _ in list(self._urls)[1:]:
            with suppress(Exception):
                return await self._dial()
            self._urls.rotate(-1)
        return await self._dial()

    async def _dial(self) -> "asyncpg.Connection[Any]":
        return await asyncpg.connect(
            self._urls[0], timeout=CONNECT_TIMEOUT_S, server_settings=self._settings, statement_cache_size=0
        )

    async def run(self, *arguments: object) -> Any:
        """The first column of the statement's first row, after the commit. Raises what asyncpg raises."""
        self._busy_since = asyncio.get_running_loop().time()
        try:
            return await self._statement.fetchval(*arguments)
        finally:
            self._busy_since = None

    def drop_if_stuck(self, since: float) -> bool:
        """Ends the connection when what it does began before ``since`` (loop time); whoever waits for it is told."""
        if self._busy_since is None or self._busy_since > since:
            return False
        self.drop()
        return True

    def drop(self) -> None:
        """Ends the connection at once, without asking the server."""
        if self._connection is not None:
            self._connection.terminate()
        self._statement = None


def _for_asyncpg(url: str) -> list[str]:
    """``url`` for each of the hosts in it."""
    parts = urlsplit(url)
    kept = [(name, value) for name, value in parse_qsl(parts.query) if not _LIBPQ_ONLY.fullmatch(name)]
    login, at, hosts = parts.netloc.rpartition("@")
    query = urlencode(kept)
    return [urlunsplit(parts._replace(netloc=login + at + host, query=query)) for host in hosts.split(",")]
