"""The door alone: what it answers to which request, with a keeper that only remembers."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from wamcp.errors import Overloaded
from wamcp.ingest.receive import KeepResult
from wamcp.metrics import REGISTRY
from wamcp.settings import load
from wamcp.web import door as door_module
from wamcp.web.door import MAX_BODY_BYTES, Door
from wamcp.whatsapp.signature import sign

SECRET = b"a secret of invented letters"
ENVIRONMENT = {"WHATSAPP_APP_SECRET": SECRET.decode(), "WHATSAPP_VERIFY_TOKEN": "plum-tree"}
BODY = b'{"object":"whatsapp_business_account","entry":[]}'


class Shelf:
    """A keeper in memory."""

    def __init__(self, problem: Exception | None = None) -> None:
        self.kept: list[bytes] = []
        self.problem = problem

    async def keep(self, body: bytes) -> KeepResult:
        if self.problem:
            raise self.problem
        known = body in self.kept
        self.kept.append(body)
        return KeepResult.DUPLICATE if known else KeepResult.ACCEPTED


class Exchange:
    """One request against a door, and what came back."""

    def __init__(self, keeper: Shelf | None = None, **environment: str) -> None:
        self.keeper = keeper or Shelf()
        self.door = Door(load({**ENVIRONMENT, **environment}), self.keeper)
        self.sent: list[Any] = []

    def __call__(
        self,
        method: str = "POST",
        *,
        body: bytes = BODY,
        parts: Iterable[bytes | None] | None = None,
        headers: list[tuple[bytes, bytes]] | None = None,
        query: bytes = b"",
    ) -> tuple[int, str]:
        if headers is None:
            headers = [(b"x-hub-signature-256", sign(body, SECRET).encode())]
        scope = {"type": "http", "method": method, "headers": headers, "query_string": query}
        return asyncio.run(self._talk(scope, [body] if parts is None else list(parts)))

    async def _talk(self, scope: dict[str, Any], parts: list[bytes | None]) -> tuple[int, str]:
        self.sent = []

        async def receive() -> dict[str, Any]:
            if not parts:
                await asyncio.sleep(3600)
            part = parts.pop(0)
            if part is None:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": part, "more_body": bool(parts)}

        async def send(message: Any) -> None:
            self.sent.append(message)

        await self.door(scope, receive, send)
        if not self.sent:
            return 0, ""
        return self.sent[0]["status"], b"".join(message["body"] for message in self.sent[1:]).decode()

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])


def counted(result: str) -> float:
    return REGISTRY.get_sample_value("wamcp_webhook_requests_total", {"result": result}) or 0.0


def test_a_signed_body_is_kept_byte_for_byte_and_answered_200() -> None:
    exchange = Exchange()
    before = counted("accepted")
    assert exchange() == (200, "ok")
    assert exchange.keeper.kept == [BODY]
    assert counted("accepted") == before + 1


def test_a_known_body_is_answered_200_and_counted_as_a_duplicate() -> None:
    exchange = Exchange()
    before = counted("duplicate")
    exchange()
    assert exchange() == (200, "ok")
    assert counted("duplicate") == before + 1


def test_a_body_in_pieces_is_put_together() -> None:
    exchange = Exchange()
    assert exchange(parts=[BODY[:7], b"", BODY[7:]]) == (200, "ok")
    assert exchange.keeper.kept == [BODY]


def test_a_signed_empty_body_is_kept_like_any_other() -> None:
    exchange = Exchange()
    assert exchange(body=b"") == (200, "ok")
    assert exchange.keeper.kept == [b""]


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"x-hub-signature-256", b"")],
        [(b"x-hub-signature-256", sign(BODY, b"another secret").encode())],
        [(b"x-hub-signature-256", sign(BODY + b" ", SECRET).encode())],
        [(b"x-hub-signature-256", sign(BODY, SECRET).removeprefix("sha256=").encode())],
        [(b"x-hub-signature-256", "sha256=żółć".encode())],
        [(b"x-hub-signature-256", b"\xff\xfe")],
        [(b"x-hub-signature-256", sign(BODY, SECRET).encode())] * 2,
        [(b"x-hub-signature", sign(BODY, SECRET).encode())],
    ],
)
def test_without_one_right_signature_nothing_is_kept(headers: list[tuple[bytes, bytes]]) -> None:
    exchange = Exchange()
    before = counted("bad_signature")
    assert exchange(headers=headers)[0] == 401
    assert exchange.keeper.kept == []
    assert counted("bad_signature") == before + 1


def test_both_secrets_are_accepted_while_one_is_replaced() -> None:
    exchange = Exchange(WHATSAPP_APP_SECRET=f"the next secret, {SECRET.decode()}")
    assert exchange()[0] == 200


def test_without_a_secret_every_webhook_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    exchange = Exchange(WHATSAPP_APP_SECRET="")
    assert exchange()[0] == 401
    assert exchange(headers=[(b"x-hub-signature-256", sign(BODY, b"").encode())])[0] == 401
    assert exchange.keeper.kept == []


def test_the_signature_may_be_left_unchecked_in_development_alone() -> None:
    unchecked = {"VERIFY_WEBHOOK_SIGNATURE": "false"}
    assert Exchange(**unchecked, WAMCP_ENV="development")(headers=[])[0] == 200
    assert Exchange(**unchecked, WAMCP_ENV="production")(headers=[])[0] == 401


def test_a_flood_of_bad_signatures_makes_one_log_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines: list[dict[str, Any]] = []
    monkeypatch.setattr(door_module._log, "warning", lambda event, **values: lines.append(values), raising=False)
    exchange = Exchange()
    for _ in range(20):
        exchange(headers=[])
    assert lines == [{"reason": "bad_signature", "count": 1}]


@pytest.mark.parametrize("length", [b"5000000", b"99999999999999999999", b"-1", b"many"])
def test_a_body_announced_as_too_large_is_refused_before_it_is_read(length: bytes) -> None:
    exchange = Exchange()
    status, _ = exchange(parts=[b"x"], headers=[(b"content-length", length)])
    assert status == 413
    assert exchange.headers[b"connection"] == b"close"
    assert exchange.keeper.kept == []


def test_a_body_that_grows_too_large_is_refused() -> None:
    exchange = Exchange()
    chunk = b"x" * (MAX_BODY_BYTES // 4)
    assert exchange(parts=[chunk] * 5)[0] == 413
    assert exchange(parts=[b"x" * (MAX_BODY_BYTES + 1)])[0] == 413


def test_a_body_of_exactly_the_largest_size_is_kept() -> None:
    exchange = Exchange()
    assert exchange(body=b"x" * MAX_BODY_BYTES)[0] == 200


def test_a_body_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "READ_S", 0.05)
    exchange = Exchange()
    assert exchange(parts=[])[0] == 408
    assert exchange.headers[b"connection"] == b"close"


def test_when_unfinished_bodies_are_too_many_the_oldest_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "MAX_HELD_BYTES", 350)
    exchange = Exchange()
    statuses = []

    async def talk(*pauses: float) -> None:
        parts, sent = [b"x" * 100 for _ in pauses], []

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(pauses[len(pauses) - len(parts)])
            return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"x-hub-signature-256", sign(b"x" * 100 * len(pauses), SECRET).encode())]
        scope = {"type": "http", "method": "POST", "headers": headers, "query_string": b""}
        await exchange.door(scope, receive, send)
        statuses.append(sent[0]["status"])

    async def both() -> None:
        await asyncio.gather(talk(0, 0.1, 60), talk(0.05, 0.1, 0.01))
        await talk(0, 0)
        await talk(0, 0, 0, 0)

    asyncio.run(both())
    assert statuses == [408, 200, 200, 408]


def test_a_client_that_leaves_gets_nothing_and_leaves_nothing() -> None:
    exchange = Exchange()
    assert exchange(parts=[b"half", None]) == (0, "")
    assert exchange.keeper.kept == []


def test_when_nothing_can_be_kept_the_sender_is_asked_to_come_back() -> None:
    exchange = Exchange(Shelf(Overloaded()))
    before = counted("overloaded")
    assert exchange()[0] == 503
    assert int(exchange.headers[b"retry-after"]) > 0
    assert counted("overloaded") == before + 1


def test_a_bug_is_never_a_200() -> None:
    exchange = Exchange(Shelf(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        exchange()
    assert exchange.sent == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])
def test_other_methods_are_named_as_such(method: str) -> None:
    exchange = Exchange()
    assert exchange(method)[0] == 405
    assert exchange.headers[b"allow"] == b"GET, POST"


def test_metas_handshake_echoes_the_challenge() -> None:
    exchange = Exchange()
    query = b"hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=plum-tree"
    assert exchange("GET", query=query) == (200, "1158201444")
    assert exchange.headers[b"content-type"].startswith(b"text/plain")


@pytest.mark.parametrize(
    ("query", "missing"),
    [
        (b"", "hub.verify_token is missing"),
        (b"hub.challenge=test", "hub.verify_token is missing"),
        (b"hub.mode=subscribe&hub.challenge=1&hub.verify_token=", "hub.verify_token is missing"),
        (b"hub.mode=subscribe&hub.challenge=1&hub.verify_token=pear", "is not this server's WHATSAPP_VERIFY_TOKEN"),
        (b"hub.challenge=1&hub.verify_token=plum-tree", "hub.mode=subscribe is missing"),
        (b"hub.mode=unsubscribe&hub.challenge=1&hub.verify_token=plum-tree", "hub.mode=subscribe is missing"),
        (b"hub.verify_token=%ff%fe\xff", "is not this server's WHATSAPP_VERIFY_TOKEN"),
    ],
)
def test_without_the_token_one_sentence_says_what_is_missing(query: bytes, missing: str) -> None:
    status, text = Exchange()("GET", query=query)
    assert status == 403
    assert missing in text
    assert "the way to it works" in text
    assert "plum-tree" not in text and "pear" not in text


def test_a_server_without_a_token_says_so() -> None:
    status, text = Exchange(WHATSAPP_VERIFY_TOKEN="")("GET", query=b"hub.mode=subscribe&hub.verify_token=")
    assert status == 403
    assert "WHATSAPP_VERIFY_TOKEN is not set" in text


@pytest.mark.parametrize("challenge", [b"", b"%3Cscript%3E", b"1%0d%0a2", b"1%0a", b"a" * 257, b"%D9%A1"])
def test_a_challenge_that_meta_would_not_send_is_not_echoed(challenge: bytes) -> None:
    query = b"hub.mode=subscribe&hub.verify_token=plum-tree&hub.challenge=" + challenge
    status, text = Exchange()("GET", query=query)
    assert status == 400
    assert "script" not in text
