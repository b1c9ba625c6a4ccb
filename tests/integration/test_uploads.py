"""Bringing a file to Meta, against an HTTP server that answers what the test tells it to."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.factories import Archive
from wamcp.db.media import keep_upload, note_uploaded, upload_of
from wamcp.errors import NotStored, StoreUnavailable
from wamcp.sending.uploads import Borrow, ensure_uploaded
from wamcp.storage.directory.write import DirectoryWriter
from wamcp.whatsapp.graph import Graph, Reached, Reply

NUMBER = "100200300401"
FINE = (200, {"id": "1002003004005"})


class Meta(ThreadingHTTPServer):
    """Keeps what was posted; answers with what ``answers`` holds, in turn, or breaks off where that is None."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[tuple[int, Any] | None] = []
        self.posts: list[tuple[str, dict[str, str], bytes]] = []
        self.meanwhile = lambda: None


class _Handler(BaseHTTPRequestHandler):
    server: Meta

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.posts.append((self.path, dict(self.headers.items()), body))
        self.server.meanwhile()
        if (answer := self.server.answers.pop(0)) is None:
            self.close_connection = True
            return
        content = json.dumps(answer[1]).encode()
        self.send_response(answer[0])
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def meta() -> Iterator[Meta]:
    """The server."""
    with Meta() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def graph(meta: Meta) -> Iterator[Graph]:
    """A client of it."""
    with Graph(f"http://127.0.0.1:{meta.server_port}", "v25.0", "a-token") as graph:
        yield graph


@pytest.fixture
def store(tmp_path: Path) -> DirectoryWriter:
    """An empty object store."""
    return DirectoryWriter(tmp_path / "objects")


@pytest.fixture
def borrow(archive: Archive) -> Borrow:
    """A connection of its own for each step."""
    return partial(psycopg.connect, archive.url)


def keep(archive: Archive, store: DirectoryWriter, content: bytes = b"%PDF-1.7", **more: str | None) -> int:
    about: dict[str, str | None] = {"mime_type": "application/pdf", "filename": "invoice.pdf", **more}
    number = NUMBER
    return keep_upload(
        archive.connection, number, store.put([content], cap=10**9), about["mime_type"], about["filename"]
    )


def parts_of(post: tuple[str, dict[str, str], bytes]) -> dict[str, tuple[str | None, str, bytes]]:
    """Of each part of a posted form: its file name, type and content."""
    _, headers, body = post
    whole = message_from_bytes(f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode() + body, policy=policy.HTTP)
    return {
        str(part.get_param("name", header="content-disposition")): (
            *(part.get_filename(), part.get_content_type()),
            part.get_payload(decode=True),
        )
        for part in whole.iter_parts()
    }


def test_a_file_is_uploaded_once_and_its_id_kept(
    archive: Archive, store: DirectoryWriter, graph: Graph, meta: Meta, borrow: Borrow
) -> None:
    content = b"%PDF-1.7\r\n" + bytes(range(256)) * 8_000
    row = keep(archive, store, content)
    meta.answers = [FINE]
    assert ensure_uploaded(graph, store, borrow, row) == "1002003004005"
    assert ensure_uploaded(graph, store, borrow, row) == "1002003004005"
    [post] = meta.posts
    assert (post[0], post[1]["Authorization"]) == (f"/v25.0/{NUMBER}/media", "Bearer a-token")
    assert parts_of(post) == {
        "messaging_product": (None, "text/plain", b"whatsapp"),
        "type": (None, "text/plain", b"application/pdf"),
        "file": ("invoice.pdf", "application/pdf", content),
    }
    [[until]] = archive.connection.execute("SELECT media_id_until FROM media").fetchall()
    assert abs(until - datetime.now(UTC) - timedelta(days=30)) < timedelta(minutes=5)


def test_an_id_that_ends_soon_is_replaced(
    archive: Archive, store: DirectoryWriter, graph: Graph, meta: Meta, borrow: Borrow
) -> None:
    row = keep(archive, store)
    note_uploaded(archive.connection, row, "old", datetime.now(UTC) + timedelta(hours=20))
    meta.answers = [FINE]
    assert ensure_uploaded(graph, store, borrow, row) == "1002003004005"
    assert upload_of(archive.connection, row).is_known


@pytest.mark.parametrize(
    ("answer", "reached", "code"),
    [
        ((400, {"error": {"code": 131053, "message": "Media upload error"}}), Reached.ANSWERED, 131053),
        ((401, {"error": {"code": 190, "message": "expired"}}), Reached.ANSWERED, 190),
        ((503, ["busy"]), Reached.ANSWERED, None),
        ((200, {"success": True}), Reached.ANSWERED, None),
        ((200, {"id": 12}), Reached.ANSWERED, None),
        (None, Reached.UNANSWERED, None),
    ],
)
def test_a_failure_is_told_and_may_be_repeated(
    answer: tuple[int, Any] | None,
    reached: Reached,
    code: int | None,
    archive: Archive,
    store: DirectoryWriter,
    graph: Graph,
    meta: Meta,
    borrow: Borrow,
) -> None:
    row = keep(archive, store)
    meta.answers = [answer, FINE]
    reply = ensure_uploaded(graph, store, borrow, row)
    assert isinstance(reply, Reply) and not reply.is_fine
    assert (reply.reached, reply.error and reply.error.code) == (reached, code)
    assert upload_of(archive.connection, row).media_id is None
    assert ensure_uploaded(graph, store, borrow, row) == "1002003004005"


def test_nobody_there_is_told(archive: Archive, store: DirectoryWriter, borrow: Borrow) -> None:
    row = keep(archive, store)
    with Graph("http://127.0.0.1:1", "v25.0", "a-token") as graph:
        reply = ensure_uploaded(graph, store, borrow, row)
    assert isinstance(reply, Reply) and reply.reached == Reached.NOT_SENT


def test_no_connection_is_held_while_meta_is_called(
    archive: Archive, store: DirectoryWriter, graph: Graph, meta: Meta
) -> None:
    row = keep(archive, store)
    lent, during = 0, []

    @contextmanager
    def borrow() -> Iterator[psycopg.Connection]:
        nonlocal lent
        with psycopg.connect(archive.url) as connection:
            lent += 1
            yield connection
        lent -= 1

    meta.meanwhile = lambda: during.append(lent)
    meta.answers = [FINE]
    assert isinstance(ensure_uploaded(graph, store, borrow, row), str)
    assert during == [0]


def test_names_and_types_cannot_write_headers(
    archive: Archive, store: DirectoryWriter, graph: Graph, meta: Meta, borrow: Borrow
) -> None:
    row = keep(archive, store)
    archive.connection.execute(
        "UPDATE media SET filename = %s, mime_type = %s", ['../a\r\nX: "1".pdf', "image/png\r\nX-Evil: 1"]
    )
    meta.answers = [FINE]
    ensure_uploaded(graph, store, borrow, row)
    assert b"\r\nX" not in meta.posts[0][2]
    assert parts_of(meta.posts[0])["file"][:2] == ("aX: '1'.pdf", "application/octet-stream")


def test_bytes_that_are_gone_or_broken_are_not_sent(
    archive: Archive, store: DirectoryWriter, graph: Graph, meta: Meta, borrow: Borrow
) -> None:
    row = keep(archive, store)
    path = store.path(upload_of(archive.connection, row).storage_key)
    path.write_bytes(b"%PDF")
    with pytest.raises(StoreUnavailable, match="has 4 of 8 bytes"):
        ensure_uploaded(graph, store, borrow, row)
    path.unlink()
    with pytest.raises(NotStored, match="no longer in the object store"):
        ensure_uploaded(graph, store, borrow, row)
    with pytest.raises(NotStored):
        ensure_uploaded(graph, store, borrow, row + 1)
    assert meta.posts == []


def test_a_large_file_has_the_time_it_needs(
    archive: Archive, store: DirectoryWriter, graph: Graph, meta: Meta, borrow: Borrow, monkeypatch: pytest.MonkeyPatch
) -> None:
    deadlines: list[float] = []
    real = Graph.post_form

    def post_form(self: Graph, *arguments: Any, deadline_s: float) -> Reply:
        deadlines.append(deadline_s)
        return real(self, *arguments, deadline_s=deadline_s)

    monkeypatch.setattr(Graph, "post_form", post_form)
    meta.answers = [FINE]
    assert ensure_uploaded(graph, store, borrow, keep(archive, store, bytes(30_000_000))) == "1002003004005"
    assert deadlines == [38.0]
    assert len(meta.posts[0][2]) > 30_000_000
