"""A web server that notes who asked for what, and answers as it is told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Recording:
    """``requests`` are (path, headers); ``answers`` are (status, headers, body) by path, 200 and ``hello`` else."""

    url: str = ""
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)


@contextmanager
def recording() -> Iterator[Recording]:
    """Such a server on loopback, until the block ends."""
    told = Recording()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            status, headers, body = told.answers.get(self.path, (200, {}, b"hello"))
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        told.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield told
        finally:
            server.shutdown()
            thread.join()
