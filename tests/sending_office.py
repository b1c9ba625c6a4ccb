"""An office that sends: the real rows, the real client, and Meta played by the simulator."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg

from tests.understanding import queue, rows, understand
from wamcp.sending import queue as sends_queue
from wamcp.sending.desk import Desk
from wamcp.sending.means import Means, means_of
from wamcp.sending.told import SendAnswer
from wamcp.sending.wanted import Recipient, Wanted
from wamcp.settings import load
from wamcp.simulator.graph.account import Config
from wamcp.simulator.graph.run import Simulated, simulated
from wamcp.vocabulary import RecipientKind
from wamcp.whatsapp.graph import Graph

ANA, RUI = "15550100071", "15550100072"
DEADLINE_S = 2.0


def text_for(person: str, words: str = "Hello", **more: Any) -> Wanted:
    """A text to a phone number."""
    body = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": f"+{person}",
        "type": "text",
        "text": {"body": words, "preview_url": False},
    }
    return Wanted(Recipient(RecipientKind.PHONE, person), "text", body, asked_by="a test", **more)


@dataclass
class Office:
    """Everything at hand, in one process; what Meta posts lands in the queue of webhooks."""

    desk: Desk
    means: Means
    meta: Simulated
    db: psycopg.Connection
    url: str
    objects: Path

    def send(self, person: str = ANA, words: str = "Hello", **more: Any) -> SendAnswer:
        return self.desk.send(text_for(person, words, **more))

    def drain(self) -> int:
        """Works on what is due, once."""
        return sends_queue.drain(self.means, lambda: True)

    def hurry(self) -> None:
        """Lets everything that waits be due now, as if the time had passed."""
        self.db.execute("UPDATE sends SET next_attempt_at = now() WHERE state = 'queued'")
        self.db.execute("UPDATE send_pace SET ready_at = now() - interval '1 hour'")
        self.db.execute("UPDATE send_stops SET probe_at = now() - interval '1 second'")

    def settle(self) -> None:
        """Understands what Meta posted, and settles what can be."""
        understand(self.db)
        sends_queue.settle_what_can_be(self.means.pool, self.means.settings.waba_id)
        understand(self.db)

    def calls(self) -> list[dict[str, Any]]:
        """The calls of POST /messages that reached Meta."""
        return [
            entry for entry in self.meta.wire() if entry["kind"] == "request" and entry["path"].endswith("/messages")
        ]

    def accepted(self) -> list[str]:
        """The wamids of what Meta took, in order."""
        return [entry["wamid"] for entry in self.calls() if entry["accepted"]]

    def rows(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return rows(self.db, statement, *parameters)


@contextmanager
def office(database_url: str, objects: Path, **more: str) -> Iterator[Office]:
    """An office on ``database_url``; ``more`` are environment variables."""
    with psycopg.connect(database_url, autocommit=True) as db, _letterbox(database_url) as webhook_url:
        config = Config(webhook_url=webhook_url, account={"statuses": {"delay_ms": [1, 5]}})
        with simulated(config) as meta:
            environ = {
                "DATABASE_URL": database_url,
                "WAMCP_ENV": "development",
                "WHATSAPP_BASE_URL": meta.url,
                "WHATSAPP_ACCESS_TOKEN": config.access_token,
                "WHATSAPP_PHONE_NUMBER_ID": config.phone_number_id,
                "WHATSAPP_WABA_ID": config.waba_id,
                "WAMCP_OBJECT_DIR": str(objects),
                **more,
            }
            with means_of(load(environ), "office", connections=8) as means, _patient(means) as hasty:
                yield Office(Desk(hasty), hasty, meta, db, database_url, objects)


@contextmanager
def _patient(means: Means) -> Iterator[Means]:
    """The same means with a client that does not wait as long for Meta."""
    if means.graph is None:
        yield means
        return
    settings = means.settings
    token = settings.require("access_token")
    with Graph(settings.base_url, settings.api_version, token, deadline_s=DEADLINE_S) as graph:
        yield replace(means, graph=graph)


@contextmanager
def _letterbox(database_url: str) -> Iterator[str]:
    """A webhook that keeps what is posted as the door does."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            with lock, psycopg.connect(database_url, autocommit=True) as connection:
                queue(connection, body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()
