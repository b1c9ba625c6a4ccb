"""The api process takes webhooks before it answers questions, and ends when it will never answer them."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api_process import KEY, SECRET, serving
from tests.e2e.house import eventually
from tests.working import Program
from wamcp import api
from wamcp.embedded.ports import free_port
from wamcp.errors import CannotStart
from wamcp.settings import Settings
from wamcp.whatsapp.signature import sign

BODY = b'{"object":"whatsapp_business_account","entry":[]}'
REFUSING = """
from wamcp import api
from wamcp.errors import CannotStart
def refuse():
    raise CannotStart("A reason that somebody can mend.")
api._import_answers = refuse
from wamcp.cli.main import main
main()
"""


def signed(secret: bytes) -> dict[str, str]:
    return {"X-Hub-Signature-256": sign(BODY, secret)}


async def lived(app: api.Api, within: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    """Starts ``app`` as its server does, does ``within``, and ends it."""
    begun, ending, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
    told = iter([asyncio.sleep(0), ending.wait()])

    async def receive() -> dict[str, Any]:
        await next(told)
        return {}

    async def send(message: Any) -> None:
        (begun if message["type"] == "lifespan.startup.complete" else ended).set()

    life = asyncio.create_task(app({"type": "lifespan"}, receive, send))
    await asyncio.wait_for(begun.wait(), 20)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://wamcp:8000") as client:
        await within(client)
    ending.set()
    await asyncio.wait_for(life, 20)
    assert ended.is_set()


def test_webhooks_are_taken_while_what_answers_is_opened(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, real = threading.Event(), api._import_answers
    monkeypatch.setattr(api, "_import_answers", lambda: go_on.wait(60) and real())

    async def within(client: httpx.AsyncClient) -> None:
        taken = await client.post("/webhooks/whatsapp", content=BODY, headers=signed(settings.app_secrets()[0]))
        assert taken.status_code == 200
        for path in ("/healthz", "/readyz", "/admin/health", "/mcp"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["error"]) == (503, "starting"), path
            assert answer.headers["retry-after"] == "2"
        go_on.set()
        for _ in range(1200):
            if (await client.get("/healthz")).status_code == 200:
                break
            await asyncio.sleep(0.05)
        answer = await client.get("/healthz")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
        assert (await client.get("/mcp")).status_code == 401

    asyncio.run(lived(api.Api(settings), within))


def test_what_cannot_be_opened_ends_the_process_and_is_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise CannotStart("A reason that somebody can mend.")

    monkeypatch.setattr(api, "_import_answers", refuse)
    app, ended = api.Api(settings), asyncio.Event()
    app.end = ended.set
    asyncio.run(lived(app, lambda _client: asyncio.wait_for(ended.wait(), 20)))
    assert str(app.failure) == "A reason that somebody can mend."


def test_a_part_that_takes_no_webhooks_says_so_from_the_start(settings: Settings) -> None:
    async def within(client: httpx.AsyncClient) -> None:
        answer = await client.post("/webhooks/whatsapp", content=BODY, headers=signed(settings.app_secrets()[0]))
        assert answer.status_code == 404

    asyncio.run(lived(api.Api(settings, "answers"), within))


def test_a_process_that_will_never_answer_says_why_and_ends(settings: Settings, tmp_path: Path) -> None:
    environ = {"DATABASE_URL": settings.direct_url(), "WAMCP_ENV": "development", "WAMCP_PORT": str(free_port())}
    process = Program(tmp_path, environ | {"ADMIN_API_KEY": KEY}, "api", code=REFUSING)
    assert process.wait(60) == 1, process.said
    assert "A reason that somebody can mend." in process.said and "Traceback" not in process.said


def test_a_process_that_is_ended_while_it_starts_ends_well(database_url: str, tmp_path: Path) -> None:
    with serving(database_url, tmp_path, ready=False) as served:
        assert eventually(lambda: takes_webhooks(served.public), 60)
        served.process.terminate()
        served.process.wait(20)
        assert "Traceback" not in served.log.read_text()


def takes_webhooks(port: int) -> bool:
    try:
        answer = httpx.post(f"http://127.0.0.1:{port}/webhooks/whatsapp", content=BODY, headers=signed(SECRET))
    except httpx.TransportError:
        return False
    return answer.status_code == 200
