"""A webhook endpoint for tests of what the Graph API simulator posts: it keeps bodies, and can refuse them."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

VERIFY_TOKEN = "a_verify_token"


class Callback(ThreadingHTTPServer):
    """``posted`` are (path, signature headers, body); ``refuse`` so many POSTs are answered with 503."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.posted: list[tuple[str, list[bytes], bytes]] = []
        self.refuse = 0
        self.refused: list[bytes] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def statuses(self, wamid: str) -> list[dict[str, Any]]:
        return [
            status
            for _, _, body in self.posted
            for status in json.loads(body)["entry"][0]["changes"][0]["value"].get("statuses", [])
            if status["id"] == wamid
        ]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Callback

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        fine = asked.get("hub.verify_token") == [VERIFY_TOKEN] and asked.get("hub.mode") == ["subscribe"]
        self._answer(200 if fine else 403, asked["hub.challenge"][0].encode() if fine else b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.refuse > 0:
            self.server.refuse -= 1
            self.server.refused.append(body)
            self._answer(503, b"")
            return
        header = [value.encode() for value in self.headers.get_all("X-Hub-Signature-256", [])]
        self.server.posted.append((urlsplit(self.path).path, header, body))
        self._answer(200, b"")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def called_back() -> Iterator[Callback]:
    """A callback that listens until the block ends."""
    with Callback() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
