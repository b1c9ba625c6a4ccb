"""Downloading files from Meta: the access token and our curiosity go to Meta's hosts alone, for a bounded time."""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Any, BinaryIO, NamedTuple, Self
from urllib.parse import urljoin

import httpcore
import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal

from wamcp.version import version

HOSTS = ("fbsbx.com", "facebook.com")
"""Meta's hosts of files, with all below them."""
MAX_MEDIA_BYTES = 105_000_000
"""The largest file in WhatsApp has 100 MB, however that is counted."""
CONNECT_S = 3.0
SILENCE_S = 10.0
HOPS = 2
"""Redirections that are followed, each checked like the first address."""
CONNECTIONS = 16
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_ABSENT = frozenset({404, 410})
_NAME = re.compile(r"[a-z0-9.-]+")
_PORTS = {"http": 80, "https": 443}


class Outcome(StrEnum):
    """How a download ended."""

    FETCHED = "fetched"
    GONE = "gone"
    """There is nothing (any more) at this URL."""
    TOO_LARGE = "too_large"
    REFUSED = "refused"
    """The address is none of Meta's; it was not asked."""
    TROUBLE = "trouble"
    """It may succeed another time."""


class Download(NamedTuple):
    """How a download ended: ``size`` in bytes, the type that the answer states, ``reason`` a sentence or empty."""

    outcome: Outcome
    reason: str = ""
    size: int = 0
    mime_type: str | None = None


class Wish(NamedTuple):
    """What is to be downloaded: at most ``cap`` bytes within ``deadline_s`` seconds from beginning to end.

    ``size`` and ``mime_type`` are what Meta stated of it, None where it did not.
    """

    url: str
    deadline_s: float
    size: int | None = None
    mime_type: str | None = None
    cap: int = MAX_MEDIA_BYTES


class Downloads:
    """Downloads with one token, for any number of threads. Close it, or use it in ``with``.

    Asked are the host of ``base_url`` and Meta's own (:data:`HOSTS`, by TLS); the latter only where they have a public
    address, to which the connection is then made. Proxies of the environment are not used: they would choose the
    address themselves.
    """

    def __init__(self, base_url: str, token: str) -> None:
        self._token = token
        base = httpx.URL(base_url)
        self._own = None if _is_metas(base.host) else _origin(base)
        self._portal_context: AbstractContextManager[BlockingPortal] = start_blocking_portal()
        self._portal = self._portal_context.__enter__()
        self._pool = self._portal.call(self._open)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends its connections."""
        self._portal.call(self._pool.aclose)
        self._portal_context.__exit__(None, None, None)

    def start(self, wish: Wish, into: BinaryIO) -> "Future[Download]":
        """Begins to download into a file; to cancel the future ends it. It raises only what writing ``into`` raises."""
        future: Future[Download] = self._portal.start_task_soon(self._bounded, wish, into)
        return future

    def fetch(self, wish: Wish, into: BinaryIO) -> Download:
        """The same, to its end."""
        return self.start(wish, into).result()

    async def _open(self) -> httpcore.AsyncConnectionPool:
        return httpcore.AsyncConnectionPool(
            max_connections=CONNECTIONS,
            keepalive_expiry=SILENCE_S,
            network_backend=_Careful(self._own),
        )

    async def _bounded(self, wish: Wish, into: BinaryIO) -> Download:
        writer = _Writer(into)
        try:
            async with asyncio.timeout(wish.deadline_s):
                return await self._follow(wish, writer)
        except _Refused as refusal:
            return Download(Outcome.REFUSED, str(refusal))
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, TimeoutError) as failure:
            slow = isinstance(failure, TimeoutError)
            why = f"not within {wish.deadline_s:.0f} s" if slow else type(failure).__name__
            return Download(Outcome.TROUBLE, f"the download broke off ({why})", writer.size)
        except httpcore.UnsupportedProtocol:
            return Download(Outcome.REFUSED, "the address is no web address")

    async def _follow(self, wish: Wish, writer: "_Writer") -> Download:
        address = wish.url
        for _ in range(HOPS + 1):
            url = self._checked(address)
            async with self._pool.stream(
                b"GET",
                httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=self._headers(url),
                extensions={
                    "timeout": {"connect": CONNECT_S, "read": SILENCE_S, "write": SILENCE_S, "pool": SILENCE_S}
                },
            ) as response:
                headers = {name.lower(): value.decode("latin-1") for name, value in response.headers}
                if response.status not in _REDIRECTS:
                    return await _taken(wish, response, headers, writer)
                address = urljoin(address, headers.get(b"location", ""))
        return Download(Outcome.TROUBLE, "the download was redirected in a circle")

    def _checked(self, written: str) -> httpx.URL:
        """The URL, if it may be asked. Raises :class:`_Refused`."""
        try:
            url = httpx.URL(written)
        except (httpx.InvalidURL, TypeError, ValueError):
            raise _Refused("the address of the file is no URL") from None
        if url.userinfo or not url.host:
            raise _Refused("the address of the file is odd")
        if self._own is not None and _origin(url) == self._own:
            return url
        if url.scheme != "https" or _origin(url)[2] != _PORTS["https"] or not _is_metas(url.host):
            raise _Refused(f"the address of the file leads to {url.host[:80]!r}, which is no host of Meta's")
        return url

    def _headers(self, url: httpx.URL) -> list[tuple[bytes, bytes]]:
        # Meta's server of files is choosy about programs that it does not know; it knows curl.
        agent = f"curl/7.64.1 wamcp/{version()}"
        return [
            (b"Host", url.netloc),
            (b"Authorization", f"Bearer {self._token}".encode()),
            (b"User-Agent", agent.encode()),
            (b"Accept", b"*/*"),
            (b"Accept-Encoding", b"identity"),
        ]


def deadline_s(size: int | None) -> float:
    """Seconds that a file of so many bytes may take: 30, and one for each 500 KB; of an unknown size 120."""
    return 120.0 if size is None else 30.0 + min(size, MAX_MEDIA_BYTES) / 500_000


class _Refused(Exception):
    """The token does not go there."""


class _Writer:
    """A file that counts."""

    def __init__(self, into: BinaryIO) -> None:
        self._into = into
        self.size = 0

    def write(self, piece: bytes) -> None:
        self._into.write(piece)
        self.size += len(piece)


class _Careful(httpcore.AsyncNetworkBackend):
    """Connects to public addresses alone, and to the origin ``own`` wherever it is: any name may lead inside."""

    def __init__(self, own: tuple[str, str, int] | None) -> None:
        self._own = own
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the address that was looked at."""
        if self._own is None or (host, port) != self._own[1:]:
            host = await _public_address(host, port)
        return await self._backend.connect_tcp(host, port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        """As asyncio does."""
        await asyncio.sleep(seconds)


async def _public_address(host: str, port: int) -> str:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as failure:
        raise httpcore.ConnectError(f"the name is not known: {failure.strerror}") from failure
    addresses = [str(each[4][0]) for each in found]
    if not addresses or not all(map(is_public, addresses)):
        raise _Refused(f"{host[:80]!r} leads into a private network")
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet's, and not of this machine, its network or a group."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    inner = getattr(found, "ipv4_mapped", None) or found
    return inner.is_global and not inner.is_multicast


async def _taken(wish: Wish, response: httpcore.Response, headers: dict[bytes, str], writer: _Writer) -> Download:
    """The body, where the answer is the file."""
    if response.status in _ABSENT:
        return Download(Outcome.GONE, f"Meta answers {response.status}: the file is not (or no longer) there")
    if response.status != 200:
        return Download(Outcome.TROUBLE, f"Meta answers {response.status}")
    mime_type = headers.get(b"content-type")
    if _is_page(mime_type) and not _is_page(wish.mime_type):
        return Download(Outcome.TROUBLE, "Meta answers with a page in place of the file")
    if headers.get(b"content-encoding", "identity").lower() != "identity":
        return Download(Outcome.TROUBLE, "the file came packed, which was not asked for")
    stated = headers.get(b"content-length", "")
    if stated.isascii() and stated.isdecimal() and int(stated) > wish.cap:
        return Download(Outcome.TOO_LARGE, f"the file has {int(stated):,} bytes", int(stated))
    async for piece in response.aiter_stream():
        if writer.size + len(piece) > wish.cap:
            return Download(Outcome.TOO_LARGE, f"the file has more than {wish.cap:,} bytes", writer.size)
        writer.write(piece)
    if wish.size is not None and writer.size < wish.size:
        return Download(Outcome.TROUBLE, f"only {writer.size:,} of {wish.size:,} bytes came", writer.size)
    return Download(Outcome.FETCHED, "", writer.size, mime_type)


def _is_page(mime_type: str | None) -> bool:
    return (mime_type or "").partition(";")[0].strip().lower() == "text/html"


def _is_metas(host: str) -> bool:
    name = host.rstrip(".").lower()
    return _NAME.fullmatch(name) is not None and any(name == each or name.endswith(f".{each}") for each in HOSTS)


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port or _PORTS.get(url.scheme, 0)
