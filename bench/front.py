"""The front: webhooks while 300 clients are slow, and while bad signatures come by the thousand.

``python -m bench.front`` starts all of WAMCP as ``wamcp up`` does, with a public port, and prints a row per situation.
"""

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import uvloop

from bench.load import body
from bench.measure import percentile, print_table, tree_cpu_seconds
from wamcp.embedded.scratch import temporary_directory
from wamcp.whatsapp.signature import sign

RATE = 50
"""Good webhooks a second, each on a connection of its own, which is the dearest way to send one."""
FLOODS = 32
"""Connections that the bad ones come over."""
HEAD = b"POST /webhooks/whatsapp HTTP/1.1\r\nHost: x\r\n"
SLOW = (b"", HEAD[:12], HEAD + b"X-Half: a he", HEAD + b"Content-Length: 1000\r\n\r\n{")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--slow", type=int, default=300)
    parser.add_argument("--bad", type=int, default=2000, help="bad signatures a second")
    arguments = parser.parse_args()
    with temporary_directory() as directory, _running(directory / "state") as runtime:
        ports = {name: int(runtime[f"{name}_url"].rsplit(":", 1)[1]) for name in ("api", "public")}
        seconds, rows = arguments.seconds, []
        for title, port, slow, bad in (
            ("nothing else", ports["public"], 0, 0),
            (f"{arguments.slow} slow clients, public port", ports["public"], arguments.slow, 0),
            (f"{arguments.slow} slow clients, full port", ports["api"], arguments.slow, 0),
            (f"{arguments.bad}/s bad signatures", ports["public"], 0, arguments.bad),
            ("both", ports["public"], arguments.slow, arguments.bad),
        ):
            rows.append(_measure(runtime, title, port, seconds, slow, bad))
    print_table(["besides", "sent", "not 200", "p50 ms", "p99 ms", "max ms", "bad/s", "api's CPU %", "rows"], rows)


@contextlib.contextmanager
def _running(state: Path) -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", "wamcp.cli.main", "up", "--state-dir", str(state), "--port", "0"]
    environ = {**os.environ, "WAMCP_LOG_LEVEL": "warning"}
    command += ["--public-port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as process:
        try:
            assert process.stdout is not None and process.stdout.readline().startswith("ready ")
            yield json.loads((state / "runtime.json").read_text())
        finally:
            process.send_signal(signal.SIGTERM)


def _measure(runtime: dict[str, Any], title: str, port: int, seconds: float, slow: int, bad: int) -> list[object]:
    context = multiprocessing.get_context("spawn")
    refused, until = context.Value("i", 0), time.time() + seconds + 2
    beside = [context.Process(target=_be_slow, args=(port, slow, until))] if slow else []
    beside += [context.Process(target=_flood, args=(port, bad, until, refused))] if bad else []
    for process in beside:
        process.start()
    time.sleep(1.5)
    pid, before, cpu, came = runtime["pids"]["api"], _kept(runtime), 0.0, refused.value
    cpu, began = tree_cpu_seconds(pid), time.perf_counter()
    answers = uvloop.run(_send(port, runtime["app_secret"].encode(), int(RATE * seconds), hash(title) % 9999))
    taken = time.perf_counter() - began
    used, came = tree_cpu_seconds(pid) - cpu, refused.value - came
    for process in beside:
        process.join()
    fine = [seconds * 1000 for status, seconds in answers if status == 200]
    times = [f"{figure:.1f}" for figure in (percentile(fine, 0.5), percentile(fine, 0.99), max(fine, default=0.0))]
    share = f"{100 * used / taken:.0f}"
    return [
        title,
        len(answers),
        len(answers) - len(fine),
        *times,
        f"{came / taken:.0f}",
        share,
        _kept(runtime) - before,
    ]


def _kept(runtime: dict[str, Any]) -> int:
    with psycopg.connect(runtime["database_url"]) as connection:
        row = connection.execute("SELECT count(*) FROM webhook_events").fetchone()
    return int(row[0]) if row else 0


def _request(content: bytes, secret: bytes) -> bytes:
    signed = f"X-Hub-Signature-256: {sign(content, secret)}\r\nContent-Length: {len(content)}\r\n\r\n"
    return HEAD + signed.encode() + content


async def _send(port: int, secret: bytes, count: int, seed: int) -> list[tuple[int, float]]:
    async def one(number: int, due: float) -> tuple[int, float]:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        began = time.perf_counter()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(_request(body(number, seed), secret))
        head = await reader.read(1000)
        writer.close()
        return int(head[9:12] or 0), time.perf_counter() - began

    start = time.perf_counter() + 0.2
    return await asyncio.gather(*(one(number, start + number / RATE) for number in range(count)))


def _be_slow(port: int, count: int, until: float) -> None:
    """So many slow clients at any time: whoever is cut off comes again."""

    async def one(beginning: bytes) -> None:
        while time.time() < until:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(beginning)
                dripping = asyncio.create_task(_drip(writer) if beginning else asyncio.sleep(0))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(0.1, until - time.time())):
                        while await reader.read(1000):
                            pass
                dripping.cancel()
                writer.close()

    async def all_of_them() -> None:
        await asyncio.gather(*(one(SLOW[number % len(SLOW)]) for number in range(count)))

    uvloop.run(all_of_them())


async def _drip(writer: asyncio.StreamWriter) -> None:
    while True:
        await asyncio.sleep(1)
        writer.write(b"x")


def _flood(port: int, rate: int, until: float, refused: Any) -> None:
    """One request on every connection, then all answers, in step with ``rate``: the cheapest way to be many."""
    request = _request(body(1, 1), b"somebody else's secret")
    connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(FLOODS)]
    due = time.perf_counter()
    while time.time() < until:
        time.sleep(max(0.0, due - time.perf_counter()))
        due = max(due + FLOODS / rate, time.perf_counter() - 0.5)
        for connection in connections:
            connection.sendall(request)
        for connection in connections:
            answer = b""
            while not answer.endswith(b"app secret."):
                answer += connection.recv(4096) or _hung_up()
            assert answer.startswith(b"HTTP/1.1 401"), answer[:100]
            refused.value += 1
    for connection in connections:
        connection.close()


def _hung_up() -> bytes:
    raise ConnectionResetError("the door hung up on the flood")


if __name__ == "__main__":
    main()
