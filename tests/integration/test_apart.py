"""Grown out of one machine: the door and the answers in processes of their own, and questions asked of a standby."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.e2e.house import eventually
from tests.mcp_harness import Door
from tests.running import processes
from tests.standby import end, standby_of
from tests.webhooks import message_event
from wamcp.access.tokens import NewToken, create
from wamcp.db.logins import reader_url
from wamcp.db.migrate import migrate
from wamcp.embedded.ports import free_port
from wamcp.embedded.scratch import FAST, TemporaryPostgres, temporary_directory, temporary_postgres
from wamcp.settings import load
from wamcp.vocabulary import TokenKind
from wamcp.whatsapp.signature import sign

SECRET, KEY = "5e" * 16, "a key of the admin's"


@dataclass(frozen=True)
class Apart:
    """Where each part is reached."""

    url: str
    public: str
    door: str
    answers: str
    token: str
    standby: TemporaryPostgres

    def post(self, body: bytes, to: str | None = None) -> int:
        headers = {"X-Hub-Signature-256": sign(body, SECRET.encode())}
        return httpx.post(f"{to or self.public}/webhooks/whatsapp", content=body, headers=headers).status_code

    def found(self, words: str) -> list[str]:
        answer = httpx.get(
            f"{self.answers}/admin/search/messages", params={"q": words}, headers={"X-Admin-Api-Key": KEY}
        )
        return [item["wamid"] for item in answer.json()["messages"]] if answer.status_code == 200 else []

    def behind(self) -> float:
        """How old the newest commit is that the answers know, seconds."""
        answer = httpx.get(f"{self.answers}/admin/health", headers={"X-Admin-Api-Key": KEY})
        return float(answer.json()["replica_behind_seconds"])


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Apart]:
    with temporary_directory() as directory, temporary_postgres(directory, FAST) as primary:
        url = primary.create()
        migrate(load({"DATABASE_URL": url}))
        with psycopg.connect(url, autocommit=True) as connection:
            token = create(connection, NewToken(TokenKind.MCP, "test"))
        with standby_of(primary) as standby:
            of_primary, of_standby = f":{primary.cluster.port}/", f":{standby.cluster.port}/"
            reader = reader_url(load({"DATABASE_URL": url})).replace(of_primary, of_standby)
            public, full, answers = free_port(), free_port(), free_port()
            shared = {"DATABASE_URL": url, "WHATSAPP_APP_SECRET": SECRET, "ADMIN_API_KEY": KEY}
            shared |= {"WHATSAPP_VERIFY_TOKEN": "a word of ours"}
            door = shared | {"WAMCP_PORT": str(full), "WAMCP_PUBLIC_PORT": str(public)}
            asked = shared | {"WAMCP_PORT": str(answers), "DATABASE_READER_URL": reader}
            with (
                processes(tmp_path, door, "api --only door", "worker --only normalizer"),
                processes(tmp_path, asked, "api --only answers"),
            ):
                parts = [f"http://127.0.0.1:{port}" for port in (public, full, answers)]
                assert eventually(lambda: all(status(f"{part}/healthz") == 200 for part in parts))
                yield Apart(url, *parts, token, standby)


def status(url: str) -> int | None:
    try:
        return httpx.get(url, timeout=5).status_code
    except httpx.HTTPError:
        return None


@pytest.mark.slow
def test_the_door_keeps_and_the_answers_are_read_from_a_standby(apart: Apart) -> None:
    assert apart.post(message_event("w.1", "the blue bicycle")) == 200
    assert eventually(lambda: apart.found("bicycle") == ["w.1"])
    with httpx.Client() as http:
        claude = Door(f"{apart.answers}/mcp", apart.url, {"all": apart.token}, http)
        assert "the blue" in str(claude.call("search_messages", query="bicycle"))
        assert ("search_messages", "ok") in claude.audit("target, outcome")
    served = {part: (status(f"{part}/mcp"), apart.post(b"{}", part)) for part in (apart.public, apart.door)}
    assert served == {apart.public: (404, 200), apart.door: (404, 200)}
    assert status(f"{apart.answers}/mcp") != 404 and apart.post(b"{}", apart.answers) == 404

    assert 0 <= apart.behind() < 30
    with psycopg.connect(apart.standby.url, autocommit=True) as connection:
        connection.execute("SELECT pg_wal_replay_pause()")
        assert apart.post(message_event("w.late", "the late bicycle")) == 200
        time.sleep(3)
        assert apart.found("late bicycle") == [] and apart.behind() > 3
        connection.execute("SELECT pg_wal_replay_resume()")
    assert eventually(lambda: apart.found("late bicycle") == ["w.late"])

    end(apart.standby)
    assert eventually(lambda: status(f"{apart.answers}/readyz") == 503)
    assert status(f"{apart.door}/readyz") == 200
    assert apart.post(message_event("w.2", "the red bicycle")) == 200
