"""How long it takes: from a webhook to its being searchable, and to its 200 while Claude asks without pause."""

import argparse
import asyncio
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from bench.measure import percentile, print_table
from wamcp.embedded.scratch import temporary_directory
from wamcp.simulator.traffic import events
from wamcp.whatsapp.signature import sign

CONNECTIONS = 16
WORDS = ("azulejo", "invoice", "فاتورة", "订单", "INV-2026", "hello", "entrega", "quote*")


def main() -> None:
    """Starts the whole of WAMCP, fills it, and prints one row per situation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--fill", type=int, default=50_000, help="webhooks before the measuring")
    arguments = parser.parse_args()
    with temporary_directory() as directory, _running(directory / "state") as runtime:
        _fill(runtime, arguments.fill)
        rows = [
            _measure(runtime, f"{rate}/s, nobody asks", rate, arguments.seconds, askers=0) for rate in (100, 1000, 2000)
        ]
        rows.append(_measure(runtime, "200/s, 8 MCP clients ask without pause", 200, arguments.seconds, askers=8))
    heads = ["webhooks", "sent", "not 200", "ack p50 ms", "ack p99 ms", "seen p50 ms", "seen p99 ms", "questions/s"]
    print_table(heads, rows)


@contextmanager
def _running(state: Path) -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", "wamcp.cli.main", "up", "--state-dir", str(state), "--port", "0"]
    environ = {**os.environ, "WAMCP_LOG_LEVEL": "warning", "WAMCP_MCP_RATE": "0"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as process:
        try:
            assert process.stdout is not None and process.stdout.readline().startswith("ready ")
            yield json.loads((state / "runtime.json").read_text())
        finally:
            process.send_signal(signal.SIGTERM)


def _fill(runtime: dict[str, Any], count: int) -> None:
    from bench.normalize import queue

    with psycopg.connect(runtime["database_url"], autocommit=True) as connection:
        queue(connection, list(events(11, count)))
        while connection.execute("SELECT count(*) FROM webhook_queue").fetchone() != (0,):
            time.sleep(0.2)
        connection.execute("ANALYZE")


def _measure(runtime: dict[str, Any], title: str, rate: int, seconds: float, *, askers: int) -> list[object]:
    asked = multiprocessing.get_context("spawn").Value("i", 0)
    until = time.time() + seconds + 2
    clients = [
        multiprocessing.get_context("spawn").Process(target=_ask, args=(runtime, until, asked, askers))
        for _ in range(1 if askers else 0)
    ]
    for client in clients:
        client.start()
    time.sleep(1)
    seed = int(time.time())
    bodies = list(events(seed, int(rate * seconds), statuses=0.0))
    watcher = multiprocessing.get_context("spawn").Queue()
    watching = multiprocessing.get_context("spawn").Process(
        target=_watch, args=(runtime["database_url"], until, watcher)
    )
    watching.start()
    time.sleep(0.5)
    sent, answers = asyncio.run(_send(runtime, bodies, rate))
    seen: dict[str, float] = watcher.get(timeout=60)
    for process in [*clients, watching]:
        process.join()
    waits = [seen[wamid] - at for wamid, at in sent.items() if wamid in seen]
    acks = [taken for status, taken in answers if status == 200]
    figures = [percentile(values, share) * 1000 for values in (acks, waits) for share in (0.5, 0.99)]
    refused = len(answers) - len(acks)
    return [
        title,
        len(answers),
        refused,
        *(f"{figure:.1f}" for figure in figures),
        f"{asked.value / (seconds + 2):.0f}",
    ]


async def _send(
    runtime: dict[str, Any], bodies: list[bytes], rate: int
) -> tuple[dict[str, float], list[tuple[int, float]]]:
    port = int(runtime["api_url"].rsplit(":", 1)[1])
    requests = [_request(body, runtime["app_secret"].encode()) for body in bodies]
    lines = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS)]
    sent: dict[str, float] = {}
    answers: list[tuple[int, float]] = []
    began = time.perf_counter() + 0.1

    async def work(first: int) -> None:
        reader, writer = lines[first]
        for number in range(first, len(requests), CONNECTIONS):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            wamid, request = requests[number]
            sent[wamid], start = time.time(), time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
            await reader.readexactly(length)
            answers.append((int(head[9:12]), time.perf_counter() - start))
        writer.close()

    await asyncio.gather(*(work(first) for first in range(CONNECTIONS)))
    return sent, answers


def _request(body: bytes, secret: bytes) -> tuple[str, bytes]:
    value = json.loads(body)["entry"][0]["changes"][0]["value"]
    wamid = (value.get("messages") or value.get("message_echoes") or value["statuses"])[0]["id"]
    head = f"POST /webhooks/whatsapp HTTP/1.1\r\nHost: x\r\nX-Hub-Signature-256: {sign(body, secret)}\r\n"
    return wamid, f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _watch(url: str, until: float, found: Any) -> None:
    """When each new message was first seen by another connection, looked for every 2 ms."""
    seen: dict[str, float] = {}
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute("SELECT coalesce(max(id), 0) FROM messages").fetchone()
        last = row[0] if row else 0
        while time.time() < until:
            rows = connection.execute("SELECT id, wamid FROM messages WHERE id > %s ORDER BY id", [last]).fetchall()
            now = time.time()
            for last, wamid in rows:  # noqa: B007 - the last id is where the next look begins
                seen[wamid] = now
            time.sleep(0.002)
    found.put(seen)


def _ask(runtime: dict[str, Any], until: float, asked: Any, clients: int) -> None:
    import httpx

    headers = {
        "Authorization": f"Bearer {runtime['mcp_token']}",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2025-11-25",
    }

    async def one(client: httpx.AsyncClient, number: int) -> None:
        while time.time() < until:
            arguments = {"query": WORDS[(asked.value + number) % len(WORDS)]}
            params = {"name": "search_messages", "arguments": arguments}
            call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
            answer = await client.post(runtime["mcp_url"], json=call, headers=headers, timeout=30)
            assert "result" in answer.json(), answer.text
            asked.value += 1

    async def all_of_them() -> None:
        async with httpx.AsyncClient() as client:
            await asyncio.gather(*(one(client, number) for number in range(clients)))

    asyncio.run(all_of_them())


if __name__ == "__main__":
    main()
