"""Receipt: requests per second, latency and CPU of the door against three others, on one Postgres with fsync on.

``python -m bench.ingest`` runs interleaved rounds over 64 connections and prints a table.
"""

import argparse
import contextlib
import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
import uvicorn
from starlette.applications import Starlette

from bench.load import SECRET, bodies
from bench.measure import print_table, tree_cpu_seconds
from bench.naive_ingest import bare, inline, insert
from wamcp import log
from wamcp.db.migrate import migrate
from wamcp.embedded.scratch import TemporaryPostgres, temporary_directory, temporary_postgres
from wamcp.ingest.receive import Writer
from wamcp.settings import load
from wamcp.web.connections import patient_to_a_point
from wamcp.web.door import Door

OURS, PLAIN, NAIVE, INSERT, BARE = (
    "WAMCP's door",
    "WAMCP's door on plain uvicorn",
    "FastAPI + ORM, understood inline",
    "FastAPI + asyncpg, raw insert",
    "HTTP + HMAC",
)
# How many bodies are made for a round of each: more than it can take in the time.
BODIES = {NAIVE: 10_000, INSERT: 40_000, OURS: 150_000, BARE: 200_000}


def main() -> None:
    """Runs the rounds and prints the table; exit code 1 when something acknowledged was not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--only", choices=["door", "plain", "bare"])
    parser.add_argument("--serve", nargs=3, metavar=("WHICH", "URL", "PORT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        which, url, port = arguments.serve
        _serve(which, url, int(port))
        return
    names = {"door": [OURS], "plain": [OURS, PLAIN], "bare": [BARE], None: list(BODIES)}[arguments.only]
    results: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    with temporary_directory() as directory, temporary_postgres(directory, {"shared_buffers": "256MB"}) as server:
        urls = {name: server.create() for name in names}
        for name in {OURS, PLAIN, INSERT} & set(names):
            migrate(load({"DATABASE_URL": urls[name]}))
        for number in range(arguments.rounds):
            for name in names:
                results[name].append(_round(server, name, urls[name], arguments, number))
    _report(results)


def _serve(which: str, url: str, port: int) -> None:
    log.configure("warning")
    app: Any = {NAIVE: inline, INSERT: insert, OURS: _door, PLAIN: _door, BARE: lambda _url: bare}[which](url)
    lifespan = "off" if which == BARE else "on"
    http: Any = patient_to_a_point(2000) if which == OURS else "httptools"
    uvicorn.run(app, port=port, loop="uvloop", http=http, access_log=False, log_config=None, lifespan=lifespan)


def _door(url: str) -> Any:
    settings = load({"WHATSAPP_APP_SECRET": SECRET.decode(), "WHATSAPP_VERIFY_TOKEN": "bench"})
    writer = Writer(url)
    door = Door(settings, writer)

    @contextlib.asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[None]:
        await writer.start()
        yield
        await writer.stop()

    rest = Starlette(lifespan=lifespan)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await door(scope, receive, send)
        else:
            await rest(scope, receive, send)

    return app


def _round(
    server: TemporaryPostgres, name: str, url: str, arguments: argparse.Namespace, number: int
) -> dict[str, float]:
    with _serving(name, url) as (pid, port):
        before = _kept(url) if name in (OURS, PLAIN) else 0
        command = [sys.executable, "-m", "bench.load", str(port), str(arguments.seconds), str(arguments.connections)]
        client = subprocess.Popen(
            [*command, str(BODIES.get(name, BODIES[OURS])), str(number)], stdout=subprocess.PIPE, text=True
        )
        assert client.stdout is not None and client.stdout.readline() == "go\n"
        cpu = tree_cpu_seconds(pid), tree_cpu_seconds(server.process.pid)
        result: dict[str, Any] = json.loads(client.stdout.readline())
        client.wait()
        thousands = max(result["count"], 1) / 1000
        after = tree_cpu_seconds(pid), tree_cpu_seconds(server.process.pid)
        if result["failures"]:
            print(f"{name}: {result['failures']}", file=sys.stderr)
        if name in (OURS, PLAIN):
            _check(before, _kept(url), result, number)
    return {
        "rps": result["count"] / result["seconds"],
        "p50": result["p50"],
        "p99": result["p99"],
        "client": result["cpu"],
        "here": (after[0] - cpu[0]) / thousands,
        "postgres": (after[1] - cpu[1]) / thousands,
    }


def _kept(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM webhook_events").fetchone()
    return int(row[0]) if row else 0


def _check(before: int, after: int, result: dict[str, Any], seed: int) -> None:
    expected = len(set(bodies(result["sent"], seed)))
    if after - before != expected:
        print(f"{expected} different bodies were acknowledged, {after - before} are kept", file=sys.stderr)
        sys.exit(1)


@contextlib.contextmanager
def _serving(name: str, url: str) -> Iterator[tuple[int, int]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "bench.ingest", "--serve", name, url, str(port)])
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        time.sleep(0.3)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait(20)


def _report(results: dict[str, list[dict[str, float]]]) -> None:
    middle = {
        name: {key: statistics.median(r[key] for r in rounds) for key in rounds[0]} for name, rounds in results.items()
    }
    rows = []
    for name, m in middle.items():
        speeds = [r["rps"] for r in results[name]]
        row = [name, f"{m['rps']:,.0f} ({min(speeds):,.0f}-{max(speeds):,.0f})", f"{m['p50']:.2f}", f"{m['p99']:.2f}"]
        row += [f"{m['here']:.3f}", f"{m['postgres']:.3f}", f"{m['here'] + m['postgres']:.3f}", f"{m['client']:.3f}"]
        for other in (NAIVE, BARE):
            row.append(f"{m['rps'] / middle[other]['rps']:.2f}x" if other in middle else "")
        rows.append(row)
    heads = ["", "req/s (min-max)", "p50 ms", "p99 ms", "CPU-s/1000 server", "Postgres", "both", "client"]
    print_table([*heads, "req/s to ORM", "to HTTP + HMAC"], rows)


if __name__ == "__main__":
    main()
