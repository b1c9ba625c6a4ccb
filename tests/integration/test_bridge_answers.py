"""The stdio bridge against servers that misbehave: whatever comes back, the host gets one line per request, or none."""

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from wamcp.mcp import bridge

RESULT = {"jsonrpc": "2.0", "id": 1, "result": {"text": "zwei\u2028Zeilen"}}


class Stub(ThreadingHTTPServer):
    """Answers every POST with ``answer`` and remembers the headers that it saw."""

    daemon_threads = True
    answer: tuple[int, dict[str, str], bytes] = (200, {}, b"")
    closing = False

    def __init__(self) -> None:
        self.seen: list[dict[str, str]] = []
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Stub

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append({name.lower(): value for name, value in self.headers.items()})
        status, headers, body = self.server.answer
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = self.server.closing

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    with Stub() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        monkeypatch.setenv("WAMCP_URL", f"http://127.0.0.1:{server.server_port}/mcp")
        monkeypatch.setenv("WAMCP_TOKEN", "wamcp_x")
        yield server
        server.shutdown()


def said(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    out = io.BytesIO()
    lines = b"".join(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n" for message in messages)
    assert bridge.serve(io.BytesIO(lines), out) == 0
    return [json.loads(line) for line in out.getvalue().splitlines()]


CALL = {"id": 1, "method": "tools/call", "params": {"name": "get_status"}}
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (401, {}, "wamcp token create"),
        (403, {}, "rights"),
        (413, {}, "too large"),
        (421, {}, "PUBLIC_BASE_URL"),
        (429, {"Retry-After": "18"}, "wait 18 s"),
        (500, {"Content-Type": "text/html"}, "HTTP 500"),
        (302, {"Location": "/elsewhere"}, "HTTP 302"),
        (200, {"Content-Type": "text/html"}, "is WAMCP_URL right"),
    ],
)
def test_a_refusal_is_one_error_that_says_what_to_do(
    stub: Stub, status: int, headers: dict[str, str], words: str
) -> None:
    stub.answer = (status, headers, b"<html>")
    (answer,) = said(CALL)
    assert answer["id"] == 1 and answer["error"]["code"] == -32000 and words in answer["error"]["message"]


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (404, {"error": "not_found", "detail": "There is nothing at /."}, "WAMCP_URL must be the address"),
        (503, {"error": "The token cannot be checked just now."}, "cannot be checked"),
        (408, {}, "HTTP 408"),
    ],
)
def test_an_error_in_other_json_is_told_as_an_error_of_the_request(
    stub: Stub, status: int, body: dict[str, str], words: str
) -> None:
    stub.answer = (status, JSON, json.dumps(body).encode())
    (answer,) = said(CALL)
    assert answer["id"] == 1 and answer["error"]["code"] == -32000 and words in answer["error"]["message"]


def test_notifications_and_answers_of_the_host_get_no_reply(stub: Stub) -> None:
    for stub.answer in ((202, {}, b""), (401, {}, b""), (200, JSON, json.dumps(RESULT).encode())):
        assert said({"method": "notifications/initialized"}, {"id": 9, "result": {}}) == []


def test_json_over_several_lines_becomes_one(stub: Stub) -> None:
    stub.answer = (200, JSON, json.dumps(RESULT, indent=2).encode())
    assert said(CALL) == [RESULT]


def test_an_error_without_an_id_gets_the_id_back(stub: Stub) -> None:
    error = {"code": -32700, "message": "Parse error"}
    stub.answer = (400, JSON, json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode())
    assert said(CALL) == [{"jsonrpc": "2.0", "id": 1, "error": error}]


def test_frames_of_a_stream_are_passed_on_one_by_one(stub: Stub) -> None:
    note = {"jsonrpc": "2.0", "method": "notifications/progress"}
    frames = f": ping\r\n\r\nevent: message\r\ndata: {json.dumps(note)}\r\n\r\ndata: {json.dumps(RESULT)}\n\n"
    stub.answer = (200, {"Content-Type": "text/event-stream"}, frames.encode())
    assert said(CALL) == [note, RESULT]


def test_a_server_that_hangs_up_after_each_answer_is_asked_again(stub: Stub) -> None:
    stub.closing = True
    stub.answer = (200, JSON, json.dumps(RESULT).encode())
    assert len(said(*[CALL] * 30)) == 30


def test_names_that_no_header_can_carry_are_encoded(stub: Stub) -> None:
    stub.answer = (200, JSON, json.dumps(RESULT).encode())
    said({"id": 1, "method": "tools/call", "params": {"name": "größe\r\nX-Evil: 1"}})
    assert stub.seen[0]["mcp-name"].startswith("=?base64?") and "x-evil" not in stub.seen[0]


def test_the_program_that_said_hello_is_named_to_the_server(stub: Stub) -> None:
    hello = {"id": 1, "result": {"protocolVersion": "2025-11-25"}}
    stub.answer = (200, JSON, json.dumps({"jsonrpc": "2.0", **hello}).encode())
    info = {"name": "claude ai\r\nX: y", "version": "0.1"}
    assert said({"id": 1, "method": "initialize", "params": {"clientInfo": info}})
    assert stub.seen[0]["user-agent"] == "claude-ai-X:-y/0.1 wamcp-bridge"
    assert (stub.seen[0]["x-wamcp-bridge"], stub.seen[0]["authorization"]) == ("1", "Bearer wamcp_x")
