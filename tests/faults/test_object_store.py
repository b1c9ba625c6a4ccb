"""The object store down, hanging, failing and cutting short: messages are there at once, their files come later."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.fetching_office import MailRoom, mail_room
from tests.hostile_documents import good_pdf
from tests.s3_servers import Server, serving
from tests.understanding import rows
from tests.working import Doorbell, Program, eventually
from wamcp.embedded.scratch import temporary_directory

HOP_BY_HOP = ("connection", "transfer-encoding", "keep-alive")


@dataclass
class Front:
    """What stands before the store: ``fault`` is ``500`` or ``unanswered`` for puts, ``cut`` for what is read."""

    port: int = 0
    fault: str = ""


@contextmanager
def front_of(port: int) -> Iterator[Front]:
    """Passes everything on to the server at ``port``, but for its fault."""
    front = Front()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            if front.fault == "500" and self.command == "PUT":
                self.send_error(500)
                return
            try:
                with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as server:
                    server.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                    for name, value in self.headers.items():
                        server.putheader(name, value)
                    server.endheaders(body)
                    answer = server.getresponse()
                    content = answer.read()
            except OSError:
                self.close_connection = True
                return
            if front.fault == "unanswered" and self.command == "PUT":
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in (*HOP_BY_HOP, "content-length", "date", "server"):
                    self.send_header(name, value)
            length = answer.getheader("content-length") if self.command == "HEAD" else str(len(content))
            self.send_header("Content-Length", length or "0")
            self.end_headers()
            if front.fault == "cut" and self.command == "GET" and "/raw/" in self.path:
                content = content[: len(content) // 2]
                self.close_connection = True
            with suppress(OSError):
                self.wfile.write(content)

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = pass_on

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        front.port = server.server_port
        try:
            yield front
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def broken(how: str, server: Server, front: Front) -> Iterator[None]:
    """The store in trouble, for a while."""
    if how == "down":
        server.kill()
    elif how == "hangs":
        os.kill(server.process.pid, signal.SIGSTOP)
    else:
        front.fault = how
    try:
        yield
    finally:
        if how == "down":
            server.start()
        elif how == "hangs":
            os.kill(server.process.pid, signal.SIGCONT)
        front.fault = ""


def hurry(room: MailRoom) -> None:
    """Lets everything that waits be due now, as if the time had passed."""
    room.hurry()
    room.db.execute(
        "UPDATE documents SET next_attempt_at = now() WHERE state = 'pending' AND next_attempt_at IS NOT NULL"
    )


STATES = (
    "SELECT f.state, f.reason, d.state, d.error_code FROM messages m JOIN message_media USING (number_id, wamid)"
    " JOIN media f ON f.id = media_row_id LEFT JOIN documents d ON d.media_row_id = f.id ORDER BY m.id DESC LIMIT 1"
)


@pytest.mark.embedded
@pytest.mark.slow
@pytest.mark.fault(5)
@pytest.mark.timeout(240)
def test_messages_are_there_at_once_and_their_files_when_the_store_is_well(
    database_url: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    faults = ("down", "hangs", "500", "unanswered", "cut")
    seen, healed = [], []
    with (
        temporary_directory() as broker,
        serving("rclone", tmp_path / "s3") as server,
        front_of(server.port) as front,
    ):
        environ = server.environ() | {"MINIO_ENDPOINT": f"http://127.0.0.1:{front.port}"}
        bell = Doorbell(broker)
        with mail_room(database_url, tmp_path, **environ) as room:
            given = room.environ | {"REDIS_URL": bell.url(), "WAMCP_MIGRATE_ON_START": "false", "OCR_ENGINE": "none"}
            worker = Program(tmp_path, given, "worker", "--only", "celery")
            try:
                for how in faults:
                    with broken(how, server, front):
                        file = room.put_in(good_pdf(f"kept while the store was {how}"))
                        began = time.monotonic()
                        room.arrive(file)
                        [(state, *_)] = rows(room.db, STATES)
                        seen.append(time.monotonic() - began)
                        # A put that was not answered is found to be there, so that it ends well at once.
                        assert state == "pending" or how in ("unanswered", "cut"), (
                            "a message does not wait for its file"
                        )
                        assert eventually(lambda: in_trouble(room) or is_read(room), 60), (
                            how,
                            rows(room.db, STATES),
                            worker.said[-2000:],
                        )
                    mended = time.monotonic()
                    hurry(room)
                    assert eventually(lambda: is_read(room), 40), (how, rows(room.db, STATES), worker.said[-2000:])
                    healed.append(time.monotonic() - mended)
            finally:
                worker.kill()
                bell.kill()
            words = rows(room.db, "SELECT text FROM document_pages ORDER BY document_id")
            objects = rows(room.db, "SELECT count(*), count(DISTINCT sha256) FROM media WHERE state = 'stored'")
    assert [text for (text,) in words] == [f"kept while the store was {how}" for how in faults]
    assert objects == [(len(faults), len(faults))]
    record_property(
        "figure",
        f"{', '.join(faults)}: 0 of {len(faults)} files lost, 0 twice; a message is there after"
        f" {max(seen) * 1000:.0f} ms at most; its file is stored and read {max(healed):.1f} s after the store is well",
    )


def in_trouble(room: MailRoom) -> bool:
    """Whether the newest file was tried and waits, with a reason."""
    [(state, reason, document, error)] = rows(room.db, STATES)
    return bool((state == "pending" and reason) or (document == "pending" and error == "store_down"))


def is_read(room: MailRoom) -> bool:
    """Whether the newest file is stored, and read as a document."""
    return rows(room.db, STATES)[0][::2] == ("stored", "done")
