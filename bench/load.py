"""The load: signed webhooks over raw sockets from a process of its own; each connection asks as fast as it is answered.

``python -m bench.load PORT SECONDS CONNECTIONS BODIES SEED`` says ``go`` when it begins and a line of JSON at its end.
"""

import asyncio
import hmac
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import uvloop

from bench.measure import percentile

SECRET = b"the bench's own secret"
PEOPLE = 2000
DUPLICATES = 50  # one in this many is sent again

_TEXT = "Hello, this is message {n}: is the blue bicycle with the basket still there, and could I see it on Tuesday?"


def bodies(count: int, seed: int) -> Iterator[bytes]:
    """Text messages such as Meta sends, about 700 bytes each, every 50th one twice."""
    for n in range(count):
        if n % DUPLICATES:
            yield body(n, seed)
        else:
            yield body(max(n - 7, 0), seed)


def body(n: int, seed: int) -> bytes:
    """The n-th of them."""
    who = f"1555010{(n * 7919) % PEOPLE:04d}"
    message = {
        "from": who,
        "id": f"wamid.HBgLMTU1NTAx{seed:04d}{n:024d}==",
        "timestamp": str(1_790_000_000 + n // 100),
        "text": {"body": _TEXT.format(n=n)},
        "type": "text",
    }
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550100000", "phone_number_id": "106540352242922"},
        "contacts": [{"profile": {"name": f"Person {who[-4:]}"}, "wa_id": who}],
        "messages": [message],
    }
    change = {"value": value, "field": "messages"}
    event = {"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": [change]}]}
    return json.dumps(event, separators=(",", ":")).encode()


def request(content: bytes) -> bytes:
    """A signed request with the headers that Meta sends."""
    signature = hmac.digest(SECRET, content, "sha256").hex()
    return (
        "POST /webhooks/whatsapp HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n"
        "User-Agent: facebookexternalua\r\nContent-Type: application/json\r\n"
        f"X-Hub-Signature-256: sha256={signature}\r\nContent-Length: {len(content)}\r\n\r\n"
    ).encode() + content


class Load:
    """What is sent, and what came back."""

    def __init__(self, requests: list[bytes], until: float) -> None:
        self.requests = requests
        self.until = until
        self.seconds: list[float] = []
        self.failures: dict[str, int] = {}
        self.open = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Connection(asyncio.Protocol):
    """One connection: the next request goes out when the last answer is in."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.answer = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.load.open += 1
        self.next()

    def next(self) -> None:
        self.sent_at = time.perf_counter()
        if self.sent_at > self.load.until or not self.load.requests:
            self.transport.close()
        else:
            self.transport.write(self.load.requests.pop())

    def data_received(self, data: bytes) -> None:
        answer = self.answer + data if self.answer else data
        end = answer.find(b"\r\n\r\n")
        if end < 0 or len(answer) < end + 4 + _length(answer, end):
            self.answer = answer
            return
        self.answer = b""
        status = answer[9:12]
        if status == b"200":
            self.load.seconds.append(time.perf_counter() - self.sent_at)
        else:
            self.load.failures[status.decode()] = self.load.failures.get(status.decode(), 0) + 1
        self.next()

    def connection_lost(self, exc: Exception | None) -> None:
        self.load.open -= 1
        if not self.load.open and not self.load.done.done():
            self.load.done.set_result(None)


def _length(answer: bytes, end: int) -> int:
    at = answer.find(b"content-length: ") + 16
    return int(answer[at : answer.find(b"\r", at, end + 2)])


async def _run(port: int, seconds: float, connections: int, count: int, seed: int) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    requests = [request(content) for content in bodies(count, seed)]
    requests.reverse()
    print("go", flush=True)
    began, cpu = time.perf_counter(), time.process_time()
    load = Load(requests, began + seconds)
    await asyncio.gather(
        *(loop.create_connection(lambda: Connection(load), "127.0.0.1", port) for _ in range(connections))
    )
    await load.done
    taken = time.perf_counter() - began
    return {
        "count": len(load.seconds),
        "seconds": taken,
        "failures": load.failures,
        "p50": percentile(load.seconds, 0.50) * 1000,
        "p99": percentile(load.seconds, 0.99) * 1000,
        "cpu": (time.process_time() - cpu) / max(len(load.seconds), 1) * 1000,
        "sent": count - len(load.requests),
    }


if __name__ == "__main__":
    _port, _seconds, _connections, _count, _seed = sys.argv[1:]
    print(json.dumps(uvloop.run(_run(int(_port), float(_seconds), int(_connections), int(_count), int(_seed)))))
