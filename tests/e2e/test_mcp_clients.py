"""Real clients at Claude's door: inspector, TypeScript and Python clients, the conformance suite, the bridge."""

import asyncio
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from tests.factories import Archive
from tests.mcp_harness import Door, opened, running_door
from tests.papers import paper
from tests.patience import PATIENCE
from wamcp.embedded.ports import free_port
from wamcp.embedded.scratch import TemporaryPostgres

ROOT = Path(__file__).parents[2]
OURS = ROOT / "tests/e2e/clients"
CLIENTS = ROOT / ".cache/mcp-clients"
NODE = Path(sys.executable).parent / "node"
TOOLS = [
    *("get_document", "get_message", "get_message_stats", "get_messages", "get_status"),
    *("list_conversations", "list_documents", "search_messages"),
]
BRIDGES = {
    "the forwarding module": [sys.executable, "-m", "app.mcp.server"],
    "the file": [sys.executable, "-I", str(ROOT / "src/wamcp/mcp/bridge.py")],
}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "probe", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "probe", "version": "1"}}

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def door(postgres: TemporaryPostgres) -> Iterator[Door]:
    yield from running_door(postgres)


@pytest.fixture(scope="session")
def node_clients() -> Path:
    """The folder with the packages, installed once; skips, and says why, where they cannot be had."""
    if not NODE.exists():
        pytest.skip("no Node in the virtual environment: run scripts/bootstrap.sh (without --runtime)")
    done = subprocess.run(
        ["sh", "scripts/install_mcp_clients.sh"], cwd=ROOT, capture_output=True, text=True, timeout=200
    )
    if done.returncode:
        pytest.skip(f"the npm packages cannot be installed: {done.stderr.strip().splitlines()[-1:]}")
    for script in OURS.glob("*.mjs"):
        shutil.copy(script, CLIENTS)  # ES modules look for packages beside their own file.
    return CLIENTS


def run_node(folder: Path, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{NODE.parent}:{os.environ['PATH']}", "NO_COLOR": "1"}
    command = [str(NODE), script, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=200)


# The inspector


def inspect(folder: Path, door: Door, *arguments: str, token: str = "all") -> tuple[int, str]:
    """Exit code (0 fine, 5 a tool's error, 6 a schema that is not portable) and output of the inspector."""
    header = ["--header", f"Authorization: Bearer {door.tokens[token]}"] if token else ["--stored-auth-only"]
    script = "node_modules/.bin/mcp-inspector"
    done = run_node(folder, script, "--cli", door.url, "--transport", "http", *header, *arguments, "--format", "json")
    return done.returncode, done.stdout + done.stderr


@pytest.mark.node
@pytest.mark.slow
def test_the_inspector_finds_no_fault_in_the_tools(node_clients: Path, door: Door) -> None:
    code, said = inspect(node_clients, door, "--method", "tools/list", "--strict")
    assert code == 0 and "Warning" not in said, said[-2000:]


@pytest.mark.node
@pytest.mark.slow
@pytest.mark.parametrize("era", ["modern", "legacy"])
def test_the_inspector_can_do_everything(node_clients: Path, door: Door, era: str) -> None:
    def tool(name: str, **arguments: object) -> list[str]:
        return ["tools/call", "--tool-name", name, "--tool-args-json", json.dumps(arguments)]

    prompt = ["prompts/get", "--prompt-name", "summarise_conversation", "--prompt-args", "conversation_id=c1"]
    calls = [
        (0, '"messages"', tool("get_status")),
        (0, '"c5"', tool("list_conversations", limit=2)),
        (0, '"columns"', tool("get_messages", conversation_id="c1")),
        (0, "«", tool("search_messages", query="invoice", limit=3)),
        (5, "call list_conversations", tool("get_messages", conversation_id="zz")),
        (5, "ISO 8601", tool("list_conversations", active_after="soon")),
        (5, "less than or equal", tool("search_messages", query="x", limit=99)),
        (5, "without a cursor", tool("list_conversations", cursor="nonsense")),
        (0, "wamcp://status", ["resources/list"]),
        (0, "{conversation_id}", ["resources/templates/list"]),
        (0, "untrusted_contact", ["resources/read", "--uri", "wamcp://conversations/c1"]),
        (0, "get_messages", prompt),
    ]
    for wanted, words, arguments in calls:
        code, said = inspect(node_clients, door, "--protocol-era", era, "--method", *arguments)
        assert (code, words in said) == (wanted, True), (arguments, code, said[-800:])


@pytest.mark.node
@pytest.mark.slow
def test_the_inspector_is_told_that_it_needs_a_token(node_clients: Path, door: Door) -> None:
    code, said = inspect(node_clients, door, "--method", "tools/list", token="")
    assert code == 3 and "auth_required" in said


@pytest.mark.node
@pytest.mark.slow
def test_the_inspector_reaches_the_tools_through_the_bridge(node_clients: Path, door: Door) -> None:
    access = ["-e", f"WAMCP_URL={door.url}", "-e", f"WAMCP_TOKEN={door.tokens['all']}"]
    arguments = ["--cli", *access, *BRIDGES["the file"], "--method", "tools/list", "--format", "json"]
    done = run_node(node_clients, "node_modules/.bin/mcp-inspector", *arguments)
    assert done.returncode == 0 and "search_messages" in done.stdout, done.stderr[-800:]


# The clients


@pytest.mark.node
@pytest.mark.slow
@pytest.mark.parametrize(("mode", "version"), [("auto", "2026-07-28"), ("legacy", "2025-11-25")])
def test_the_typescript_client_accepts_every_answer(node_clients: Path, door: Door, mode: str, version: str) -> None:
    with psycopg.connect(door.database_url, autocommit=True) as connection:
        for number in range(4):
            paper(Archive(connection, door.database_url), 1, ["Total 119.00 " * 3_000], message=number + 1)
    done = run_node(node_clients, "ts_v2.mjs", door.url, door.tokens["all"], mode)
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads(done.stdout)
    assert (report["version"], report["tools"], report["status"]) == (version, TOOLS, 200)
    assert len(report["newest"]) == 120 and len(report["found"]) > 30 and len(report["conversations"]) == 5
    assert len(report["documents"]) >= 4 and report["pages"] > 1
    assert report["templates"] == ["wamcp://conversations/{conversation_id}"]
    assert (report["resources"], report["resource"], report["completion"]) == (["wamcp://status"], "c1", ["c1"])
    assert "3 days" in report["prompt"] and "list_conversations" in report["refused"] and report["unknown"] == -32602


@pytest.mark.parametrize(("mode", "version"), [("auto", "2026-07-28"), ("legacy", "2025-11-25")])
def test_the_python_client_gets_its_answers(door: Door, mode: Any, version: str) -> None:
    async def ask() -> tuple[str, list[str], Any]:
        headers = {"Authorization": f"Bearer {door.tokens['all']}"}
        async with (
            httpx2.AsyncClient(headers=headers, trust_env=False) as http,
            Client(streamable_http_client(door.url, http_client=http), mode=mode) as client,
        ):
            tools = sorted(tool.name for tool in (await client.list_tools()).tools)
            found = await client.call_tool("search_messages", {"query": "invoice", "limit": 2})
            return str(client.protocol_version), tools, found

    negotiated, tools, found = asyncio.run(ask())
    assert (negotiated, tools, found.is_error) == (version, TOOLS, False)
    assert found.structured_content["next_cursor"] and len(found.structured_content["days"])


# The official suite


@pytest.mark.node
@pytest.mark.slow
@pytest.mark.parametrize("version", ["2026-07-28", "2025-11-25"])
def test_the_conformance_suite_ends_well(node_clients: Path, door: Door, version: str) -> None:
    known = ["--expected-failures", str(OURS / f"conformance-{version}.yml")]
    with opened(door.database_url, door.tokens, token=door.tokens["all"]) as unlocked:
        assert unlocked.http.post(unlocked.url, json={}).status_code != 401
        arguments = ["server", "--url", unlocked.url, "--suite", "all", "--spec-version", version, *known]
        done = run_node(node_clients, "node_modules/.bin/conformance", *arguments)
    assert done.returncode == 0, done.stdout[-3000:]


# The bridge


class Pipe:
    """A host of a stdio server: writes lines, and waits for the answers it was given, in whatever order they come."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._lines: queue.Queue[tuple[float, bytes]] = queue.Queue()
        self.started = time.monotonic()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._lines.put((time.monotonic() - self.started, line))

    def send(self, message: dict[str, Any] | bytes, end: bytes = b"\n") -> None:
        assert self._process.stdin
        body = message if isinstance(message, bytes) else json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(body + end)
        self._process.stdin.flush()

    def answer(self, timeout: float = 15 * PATIENCE) -> tuple[float, dict[str, Any]]:
        """Seconds since the start, and the next message. Raises :class:`queue.Empty`."""
        seconds, line = self._lines.get(timeout=timeout)
        return seconds, json.loads(line)

    def ask(self, message: dict[str, Any], end: bytes = b"\n") -> dict[str, Any]:
        self.send(message, end)
        return self.answer()[1]


@contextmanager
def bridge(command: list[str], **environment: str) -> Iterator[Pipe]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WAMCP_")}
    process = subprocess.Popen(
        command, cwd=ROOT, env=inherited | environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        yield Pipe(process)
    finally:
        assert process.stdin and process.stdout
        process.stdin.close()
        assert process.wait(20) == 0
        process.stdout.close()


def access(door: Door, token: str = "all") -> dict[str, str]:
    return {"WAMCP_URL": door.url, "WAMCP_TOKEN": door.tokens[token]}


@pytest.mark.parametrize("command", BRIDGES.values(), ids=BRIDGES.keys())
def test_the_bridge_answers_within_a_hosts_first_second(door: Door, command: list[str]) -> None:
    """Hosts without an answer to server/discover within about a second fall back to the older era, and get lost."""
    door.call("get_status")
    with bridge(command, **access(door)) as pipe:
        pipe.send({"id": 0, "method": "server/discover", "params": {"_meta": META}})
        seconds, answer = pipe.answer(timeout=5 * PATIENCE)
    print(f"discover answered after {seconds:.2f} s")
    assert "result" in answer and seconds < 1.0 * PATIENCE


@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_both_eras_go_through_one_pipe(door: Door, end: bytes) -> None:
    with bridge(BRIDGES["the forwarding module"], **access(door)) as pipe:
        discovered = pipe.ask({"id": 1, "method": "server/discover", "params": {"_meta": META}}, end)
        assert discovered["result"]["supportedVersions"] == ["2026-07-28"]
        assert (
            pipe.ask({"id": 2, "method": "initialize", "params": HELLO}, end)["result"]["protocolVersion"]
            == "2025-11-25"
        )
        pipe.send({"method": "notifications/initialized"}, end)
        older = pipe.ask({"id": "three", "method": "tools/list"}, end)
        newer = pipe.ask({"id": 4, "method": "tools/list", "params": {"_meta": META}}, end)
        for answer, wanted in ((older, "three"), (newer, 4)):
            assert answer["id"] == wanted and sorted(tool["name"] for tool in answer["result"]["tools"]) == TOOLS
        called = {"name": "search_messages", "arguments": {"query": "مرحبا"}, "_meta": META}
        assert not pipe.ask({"id": 5, "method": "tools/call", "params": called}, end)["result"]["isError"]
        read = {"uri": "wamcp://conversations/ünknown\u2028", "_meta": META}
        assert pipe.ask({"id": 6, "method": "resources/read", "params": read}, end)["error"]["code"] == -32602
        assert pipe.ask({"id": 7, "method": 5}, end)["id"] == 7


def test_many_requests_at_once_are_all_answered(door: Door) -> None:
    with bridge(BRIDGES["the file"], **access(door)) as pipe:
        for index in range(40):
            pipe.send({"id": index, "method": "tools/call", "params": {"name": "get_status", "_meta": META}})
        assert sorted(pipe.answer()[1]["id"] for _ in range(40)) == list(range(40))


def test_the_bridge_survives_a_restart_of_the_server(door: Door) -> None:
    port = free_port()
    ping = {"id": 1, "method": "tools/call", "params": {"name": "get_status", "_meta": META}}
    environment = {"WAMCP_URL": f"http://127.0.0.1:{port}/mcp", "WAMCP_TOKEN": door.tokens["all"]}
    with bridge(BRIDGES["the file"], **environment) as pipe:
        for _ in range(2):
            with opened(door.database_url, door.tokens, port):
                assert pipe.ask(ping)["result"]["structuredContent"]["messages"] == 200
            error = pipe.ask(ping)["error"]
            assert "cannot be reached" in error["message"] and "wamcp up" in error["message"]


def test_the_bridge_says_what_to_do_about_a_refused_token(door: Door) -> None:
    with bridge(BRIDGES["the file"], WAMCP_URL=door.url, WAMCP_TOKEN="wamcp_wrong") as pipe:
        pipe.send({"method": "notifications/initialized"})
        error = pipe.ask({"id": 1, "method": "tools/list"})["error"]
    assert "401" in error["message"] and "wamcp token create" in error["message"]


def test_the_bridge_finds_the_server_of_this_machine(door: Door, tmp_path: Path) -> None:
    path = tmp_path / "runtime.json"
    path.write_text(json.dumps({"mcp_url": door.url, "mcp_token": door.tokens["south"]}))
    with bridge(BRIDGES["the forwarding module"], WAMCP_RUNTIME_FILE=str(path)) as pipe:
        answer = pipe.ask({"id": 1, "method": "tools/call", "params": {"name": "get_status"}})
    assert answer["result"]["structuredContent"]["business_numbers"] == ["+1 555 0101"]
    assert ("bridge",) in door.audit("transport")
