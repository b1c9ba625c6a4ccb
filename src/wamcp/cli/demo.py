"""``wamcp demo``: everything on this machine, a day of invented messages, and Claude's questions answered."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape

from wamcp.embedded.ports import is_free
from wamcp.errors import CannotStart
from wamcp.simulator.post import TIMEOUT_SECONDS, post
from wamcp.simulator.traffic import a_day

SEED = 1
PORT = 8000
UNDERSTOOD_WITHIN_S = 30.0
DELIVERED_WITHIN_S = 10.0
READ_WITHIN_S = 120.0

QUESTIONS: list[tuple[str, str, dict[str, Any]]] = [
    ("What is in the archive?", "get_status", {}),
    ("Who is waiting for an answer?", "list_conversations", {"unanswered_only": True, "limit": 5}),
    ("Who wrote about azulejos?", "search_messages", {"query": "azulejo", "limit": 4}),
    ("Which invoices (فاتورة) were mentioned in Arabic?", "search_messages", {"query": "فاتورة", "limit": 4}),
    ("What was said about orders (订单) in Chinese?", "search_messages", {"query": "订单", "limit": 4}),
    ("Where is invoice INV-2026-000123?", "search_messages", {"query": "INV-2026-000123", "limit": 4}),
]

_ON_THEIR_WAY = ("pending", "downloading", "extracting")

_console = Console(highlight=False)


def demo(directory: Path, *, once: bool) -> int:
    """Demonstrates WAMCP on a fresh ``directory``; returns the exit code. With ``once`` it ends after the answers."""
    _clear(directory)
    with _up(directory) as process:
        runtime = json.loads((directory / "runtime.json").read_text())
        _play(runtime)
        _await_reading(runtime)
        asyncio.run(_ask(runtime))
        _answer(runtime)
        _say_how_to_go_on(runtime, directory)
        if once:
            _console.print("\nThat was the demo; stopping.")
            return 0
        _console.print("\nEverything stays up until Ctrl-C.")
        return process.wait()


def _clear(directory: Path) -> None:
    """Every demo begins with nothing; only a directory that a demo made is emptied."""
    marker = directory / "demo"
    if directory.exists() and any(directory.iterdir()) and not marker.exists():
        raise CannotStart(f"{directory} holds something that no demo made: choose another --state-dir.")
    runtime = directory / "runtime.json"
    if runtime.is_file() and _runs(json.loads(runtime.read_text())["pids"]["supervisor"]):
        raise CannotStart("A demo is running already: end it with Ctrl-C first.")
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True, mode=0o711)
    marker.touch()


def _runs(pid: int) -> bool:
    try:
        return b"wamcp" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


@contextmanager
def _up(directory: Path) -> Iterator["subprocess.Popen[str]"]:
    """``wamcp up`` until its line ``ready``; ended in order however we leave."""
    port = PORT if is_free(PORT) else 0
    command = [
        sys.executable,
        "-m",
        "wamcp.cli.main",
        "up",
        "--demo",
        "--state-dir",
        str(directory),
        "--port",
        str(port),
    ]
    environ = {**os.environ, "WAMCP_LOG_LEVEL": os.environ.get("WAMCP_LOG_LEVEL", "warning")}
    process = subprocess.Popen(
        [*command, "--public-port", "0"], stdout=subprocess.PIPE, text=True, env=environ, start_new_session=True
    )
    try:
        if process.stdout is None or not process.stdout.readline().startswith("ready "):
            raise CannotStart("The demo could not start; what went wrong stands above.")
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _play(runtime: dict[str, Any]) -> None:
    yesterday = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    bodies, files = a_day(SEED, int(yesterday.timestamp()))
    began = time.monotonic()
    with httpx.Client(timeout=TIMEOUT_SECONDS) as client:
        for file in files:
            named = {"id": file.media_id, "mime": file.mime_type}
            client.post(f"{runtime['graph_url']}/_simulator/media", params=named, content=file.content)
        answers = [
            post(client, f"{runtime['api_url']}/webhooks/whatsapp", runtime["app_secret"], body) for body in bodies
        ]
        refused = [answer for answer in answers if answer.status != 200]
        if refused:
            raise CannotStart(f"{len(refused)} of {len(bodies)} webhooks were not answered with 200.")
        _await_understanding(client, runtime)
    taken = time.monotonic() - began
    _console.print("\n[bold]A day at a tile workshop[/bold]", end="")
    _console.print(f": {len(bodies)} signed webhooks posted, kept and understood in {taken:.1f} s.")


def _await_understanding(client: httpx.Client, runtime: dict[str, Any]) -> None:
    deadline = time.monotonic() + UNDERSTOOD_WITHIN_S
    headers = {"X-Admin-Api-Key": runtime["admin_api_key"]}
    while client.get(f"{runtime['api_url']}/admin/health", headers=headers).json()["events_pending"]:
        if time.monotonic() > deadline:
            raise CannotStart("The normalizer did not keep up; see the log above.")
        time.sleep(0.05)


def _await_reading(runtime: dict[str, Any]) -> None:
    """Shows how the worker fetches and reads what came with the messages; what it cannot read it says itself."""
    began = time.monotonic()
    headers = {"X-Admin-Api-Key": runtime["admin_api_key"]}
    with (
        httpx.Client(base_url=runtime["api_url"], headers=headers, timeout=TIMEOUT_SECONDS) as client,
        _console.status("The worker fetches and reads what came with the messages ...") as status,
    ):
        while True:
            found = client.get("/admin/documents", params={"limit": 200}).json()["documents"]
            waiting = [each for each in found if each["extraction_status"] in _ON_THEIR_WAY]
            if not waiting or time.monotonic() - began > READ_WITHIN_S:
                break
            status.update(f"The worker reads what came with the messages: {len(found) - len(waiting)} of {len(found)}")
            time.sleep(0.2)
    told = ", ".join(f"{count} {state}" for state, count in Counter(_states(found)).most_common())
    read, taken = len(found) - len(waiting), time.monotonic() - began
    _console.print(f"{read} of {len(found)} files fetched and read in {taken:.1f} s: {told}.")


def _states(found: list[dict[str, Any]]) -> Iterator[str]:
    for each in found:
        yield "with text" if each["extraction_status"] == "done" else each["extraction_status"]


async def _ask(runtime: dict[str, Any]) -> None:
    from fastmcp import Client

    async with Client(runtime["mcp_url"], auth=runtime["mcp_token"]) as client:
        for question, tool, arguments in QUESTIONS:
            answer = await _call(client, question, tool, arguments)
            if arguments.get("unanswered_only") and answer["conversations"]:
                first = answer["conversations"][0]
                reading = {"conversation_id": first["id"], "limit": 6}
                await _call(client, f"What does {first['untrusted_contact']} want?", "get_messages", reading)
        owed = await _call(client, "What do we owe, and to whom?", "list_documents", {"type": "invoice", "limit": 5})
        for document in owed["documents"]:
            if document["untrusted_invoice"].get("page", 1) > 1:
                where = {"document_id": document["id"], "page": document["untrusted_invoice"]["page"]}
                await _call(client, "On which page does it say so?", "get_document", where)


async def _call(client: Any, question: str, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    began = time.monotonic()
    result = await client.call_tool(tool, arguments)
    taken = (time.monotonic() - began) * 1000
    answer: dict[str, Any] = result.structured_content
    _console.print(f"\n[bold cyan]? {escape(question)}[/bold cyan]")
    _console.print(f"  [dim]{tool}({escape(json.dumps(arguments, ensure_ascii=False))})  {taken:.0f} ms[/dim]")
    for line in _lines(answer):
        _console.print(f"  {escape(line)}", soft_wrap=True)
    return answer


def _lines(answer: dict[str, Any]) -> Iterator[str]:
    if "days" in answer:
        rows = ((day, row) for day, found in answer["days"].items() for row in found)
        yield from (f"{day} {'  '.join(map(str, row))}".replace("\n", " / ") for day, row in rows)
    elif "conversations" in answer and isinstance(answer["conversations"], list):
        yield from map(_thread, answer["conversations"])
    elif isinstance(answer.get("documents"), list):
        yield from (_owed(item["id"], item["untrusted_invoice"]) for item in answer["documents"])
    elif "pages" in answer:
        yield from (f"{answer['id']} page {each['page']}: {_short(each)}" for each in answer["pages"])
    else:
        for name in ("messages", "conversations", "oldest", "newest", "business_numbers", "can_see"):
            yield f"{name}: {answer[name]}"
    if answer.get("notice"):
        yield answer["notice"]


def _thread(item: dict[str, Any]) -> str:
    waiting = "waiting" if item["unanswered"] else ""
    return f"{item['id']}  {item['untrusted_contact']}  last {item['last_message_at']}  {waiting}"


def _short(page: dict[str, Any]) -> str:
    return " / ".join(page["untrusted_text"].splitlines()[:6])


def _owed(ref: str, invoice: dict[str, Any]) -> str:
    money = f"{invoice.get('total')} {invoice.get('currency', '')} to {invoice.get('supplier', 'nobody named')}"
    where = f"page {invoice.get('page', '?')}, {invoice['source']}, sure by {invoice['confidence']}"
    return f"{ref}  {invoice.get('number')} of {invoice.get('date')}: {money}  ({where})"


def _answer(runtime: dict[str, Any]) -> None:
    """Answers who waits longest, as a person at the company would, and looks until Meta says that it was read."""
    headers = {"X-Admin-Api-Key": runtime["admin_api_key"]}
    with httpx.Client(base_url=runtime["api_url"], headers=headers, timeout=TIMEOUT_SECONDS) as client:
        conversations = client.get("/admin/conversations").json()["conversations"]
        waiting = [each for each in conversations if each["unanswered"] and each["contact"]]
        if not waiting:
            return
        contact = waiting[-1]["contact"]
        _console.print(f"\n[bold]A person answers {escape(contact['name'])}[/bold], by POST /send/text:")
        body = {"to": contact["wa_id"] or contact["bsuid"], "body": "Thank you for your patience, we are on it!"}
        told = client.post("/send/text", json=body).json()
        deadline = time.monotonic() + DELIVERED_WITHIN_S
        while told.get("delivery") != "read" and "send_id" in told and time.monotonic() < deadline:
            time.sleep(0.05)
            told = client.get(f"/admin/sends/{told['send_id']}").json()
        if "send_id" not in told:
            raise CannotStart(f"The answer could not be sent: {told.get('detail')}")
        _console.print(f"  {told['send_id']}  {told['state']}, {told['delivery'] or 'no status yet'}")


def _say_how_to_go_on(runtime: dict[str, Any], directory: Path) -> None:
    _console.rule("Go on from here")
    key = f'-H "X-Admin-Api-Key: {runtime["admin_api_key"]}"'
    _console.print(f"Admin API    curl {key} {runtime['api_url']}/admin/conversations", soft_wrap=True)
    sending = f"-H 'Content-Type: application/json' -d '{json.dumps({'to': '15555550100', 'body': 'Hello'})}'"
    _console.print(f"Send         curl {key} {sending} {runtime['api_url']}/send/text", soft_wrap=True)
    _console.print(f"Meta, played {runtime['graph_url']}  (docs/simulator.md: let people write, let things go wrong)")
    _console.print(f"Claude's URL {runtime['mcp_url']}  (token in {directory / 'runtime.json'})", soft_wrap=True)
    _console.print(f"Public port  {runtime['public_url']}  (webhook and /healthz alone; point a tunnel here)")
    _console.print("\nFor Claude Desktop, in claude_desktop_config.json:")
    # The file can be pasted as it is: the bridge finds URL and token in the runtime file.
    snippet = {
        "mcpServers": {
            "wamcp": {
                "command": str(Path(sys.executable).parent / "wamcp"),
                "args": ["mcp"],
                "env": {"WAMCP_RUNTIME_FILE": str(directory / "runtime.json")},
            }
        }
    }
    _console.print(json.dumps(snippet, indent=2), soft_wrap=True, markup=False)
    _console.print("\nFor Claude Code:")
    header = f'--header "Authorization: Bearer {runtime["mcp_token"]}"'
    command = f"claude mcp add --transport http wamcp {runtime['mcp_url']} {header}"
    _console.print(command, soft_wrap=True, markup=False)
