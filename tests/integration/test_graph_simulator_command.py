"""``wamcp simulate-graph`` as a process: its ready line, its end, its log, and how many messages it takes."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.callback import called_back
from tests.patience import PATIENCE
from wamcp.whatsapp.graph import Graph

NUMBER = "700000000000001"
MESSAGES, CONNECTIONS, LEAST_PER_SECOND = 1600, 16, 300


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "wamcp.cli.main", "simulate-graph", "--port", "0", *options]


@contextmanager
def started(*options: str, **environ: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and its URL; it is ended, if it did not end by itself."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("WHATSAPP_")}
    with subprocess.Popen(command(*options), stdout=subprocess.PIPE, text=True, env={**clean, **environ}) as process:
        try:
            assert process.stdout is not None
            word, url = process.stdout.readline().split()
            assert word == "ready"
            yield process, url
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_it_says_when_it_listens_and_ends_cleanly(number: signal.Signals, tmp_path: Path) -> None:
    log = tmp_path / "wire.jsonl"
    environ = {"WHATSAPP_ACCESS_TOKEN": "another_token", "WHATSAPP_PHONE_NUMBER_ID": "700000000000777"}
    with called_back() as callback, started("--webhook-url", callback.url, "--wire-log", str(log), **environ) as it:
        process, url = it
        with Graph(url, "v25.0", "another_token") as graph:
            body = {"messaging_product": "whatsapp", "to": "+15550100002", "text": {"body": "hi"}}
            reply = graph.post("700000000000777/messages", body)
        assert reply.is_fine and reply.data is not None
        wamid = reply.data["messages"][0]["id"]
        while len(callback.statuses(wamid)) < 3:
            time.sleep(0.01)
        assert {path for path, _, _ in callback.posted} == {"/webhooks/whatsapp"}
        entries = [json.loads(line) for line in log.read_text().splitlines()]  # while it still runs
        assert (entries[0]["kind"], entries[0]["wamid"], entries[0]["token"]) == ("request", wamid, "valid")
        process.send_signal(number)
        assert process.wait(timeout=10) == 0
        assert process.stdout is not None and process.stdout.read() == ""


def test_it_ends_while_a_caller_waits_for_an_answer(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text('[{"do": {"timeout": "after"}}]')
    with started("--script", str(script)) as (process, url):
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{url}/v25.0/{NUMBER}", timeout=0.3)
        with httpx.Client(timeout=10) as client, pytest.raises(httpx.HTTPError):
            asyncio.run(_end_during_a_request(process, client, url))
        assert process.wait(timeout=10) == 0


async def _end_during_a_request(process: subprocess.Popen[str], client: httpx.Client, url: str) -> None:
    waiting = asyncio.to_thread(client.get, f"{url}/v25.0/{NUMBER}")
    task = asyncio.create_task(waiting)
    await asyncio.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    await task


@pytest.mark.parametrize(
    ("content", "said"),
    [("[", "is no JSON"), ('[{"do": {"explode": 1}}]', "rule 1, do"), ('{"account": {"ratte": 1}}', "ratte")],
    ids=["no JSON", "rule", "account"],
)
def test_a_bad_script_is_wrong_usage(tmp_path: Path, content: str, said: str) -> None:
    script = tmp_path / "script.json"
    script.write_text(content)
    ended = subprocess.run(command("--script", str(script)), capture_output=True, text=True, timeout=30)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert said in ended.stderr and "Traceback" not in ended.stderr


def test_a_port_that_is_taken_is_said() -> None:
    with started() as (_, url):
        port = url.rsplit(":", 1)[1]
        ended = subprocess.run([*command()[:-1], port], capture_output=True, text=True, timeout=30)
    assert ended.returncode == 1 and "Choose another port" in ended.stderr


def test_it_takes_hundreds_of_messages_a_second() -> None:
    with started("--rate", "0") as (_, url):
        began = time.perf_counter()
        asyncio.run(_hammer(url))
        seconds = time.perf_counter() - began
    assert MESSAGES / seconds > LEAST_PER_SECOND / PATIENCE, f"{MESSAGES / seconds:.0f} messages/s"


async def _hammer(url: str) -> None:
    """Sends by hand: the simulator is to be measured, not an HTTP client."""

    async def work(first: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))
        for n in range(first, MESSAGES, CONNECTIONS):
            body = b'{"messaging_product":"whatsapp","to":"+1556010%04d","type":"text","text":{"body":"hi"}}' % n
            head = (
                b"POST /v25.0/700000000000001/messages HTTP/1.1\r\nHost: localhost\r\n"
                b"Authorization: Bearer simulated_access_token\r\nContent-Length: %d\r\n\r\n" % len(body)
            )
            writer.write(head + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200"), answer
            length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.split(b":")[1]))
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(work(first) for first in range(CONNECTIONS)))
