"""An office that fetches files: the real rows, the real client and store, and Meta played by the simulator."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import psycopg

from tests.understanding import rows, understand
from tests.webhooks import change, contact, event
from wamcp.db.session import open_pool
from wamcp.media import fetch
from wamcp.media.means import Fetching, fetching_of
from wamcp.settings import load
from wamcp.simulator.graph.account import Config
from wamcp.simulator.graph.run import Simulated, simulated
from wamcp.storage.write import WriteStore, open_store
from wamcp.whatsapp.graph import Graph

CALL_S, DOWNLOAD_S = 2.0, 3.0
PAGE = b"%PDF-1.4 an invented page\n" * 400


@dataclass
class MailRoom:
    """Everything at hand, in one process; calls and downloads that hang are given up soon."""

    means: Fetching
    store: WriteStore
    meta: Simulated
    config: Config
    db: psycopg.Connection
    environ: dict[str, str]

    def put_in(self, content: bytes = PAGE, mime: str = "application/pdf", **more: Any) -> dict[str, Any]:
        """A file at Meta, as a webhook names it."""
        return {**self.meta.put_in(content, mime), **more}

    def url_of(self, file: dict[str, Any]) -> str:
        """A URL of a file that is good for five minutes."""
        headers = {"Authorization": f"Bearer {self.config.access_token}"}
        answer = httpx.get(f"{self.meta.url}/v25.0/{file['id']}", headers=headers, trust_env=False)
        return str(answer.json()["url"])

    def arrive(self, *files: dict[str, Any]) -> None:
        """Understands a message for each file."""
        understand(self.db, *(file_event(file, self.config.phone_number_id) for file in files))

    def drain(self) -> int:
        """Works on what is due, once."""
        return fetch.drain(self.means, lambda: True)

    def hurry(self) -> None:
        """Lets everything that waits be due now, as if the time had passed."""
        self.db.execute("UPDATE media SET next_attempt_at = now(), lease_until = NULL WHERE state = 'pending'")

    def rows(self) -> list[tuple[Any, ...]]:
        """State, attempts and reason of every file."""
        return rows(self.db, "SELECT state, attempts, reason FROM media ORDER BY id")

    def asked(self, part: str) -> int:
        """How many requests with ``part`` in their path reached Meta."""
        return sum(part in entry["path"] for entry in self.meta.wire() if entry["kind"] == "request")


def file_event(file: dict[str, Any], number: str, wamid: str | None = None, *, at: int = 1_770_000_000) -> bytes:
    """The body of a document's message."""
    name = wamid or f"wamid.{file['id']}"
    message = {"id": name, "timestamp": str(at), "type": "document", "document": file, "from": "15550100101"}
    return event(change(number, contacts=[contact("15550100101", "Ana Prado")], messages=[message]))


def key_of(content: bytes) -> str:
    """Under which key bytes have to lie."""
    digest = hashlib.sha256(content).hexdigest()
    return f"raw/{digest[:2]}/{digest}"


@contextmanager
def mail_room(database_url: str, objects: Path, **more: str) -> Iterator[MailRoom]:
    """A mail room on ``database_url``; ``more`` are environment variables."""
    config = Config()
    with psycopg.connect(database_url, autocommit=True) as db, simulated(config) as meta:
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
        settings = load(environ)
        store = open_store(settings)
        with (
            open_pool(database_url, "mail room", size=6) as pool,
            Graph(settings.base_url, settings.api_version, config.access_token, deadline_s=CALL_S) as graph,
            fetching_of(settings, pool, graph, store) as means,
        ):
            assert means is not None
            yield MailRoom(replace(means, deadline_s=DOWNLOAD_S), store, meta, config, db, environ)
