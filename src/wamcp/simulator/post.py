"""Delivering webhooks as Meta does: signed, several at a time, and an honest account of the answers."""

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count

import httpx

from wamcp.whatsapp.signature import sign

TIMEOUT_SECONDS = 30.0
ACCEPTED = 200
KINDS = 100
_STEP = math.log(1.02)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one webhook: the HTTP status, 0 without an answer, and the seconds it took."""

    status: int
    seconds: float
    error: str = ""

    def __str__(self) -> str:
        return str(self.status) if self.status else f"no answer: {self.error}"


def post(client: httpx.Client, url: str, secret: str, body: bytes) -> Answer:
    """Posts ``body`` verbatim, signed with ``secret``; a connection that fails is an answer of status 0."""
    headers = {"Content-Type": "application/json", "X-Hub-Signature-256": sign(body, secret.encode())}
    began = time.perf_counter()
    try:
        status, error = client.post(url, content=body, headers=headers).status_code, ""
    except httpx.HTTPError as failure:
        status, error = 0, str(failure) or type(failure).__name__
    return Answer(status, time.perf_counter() - began, error)


def post_all(
    bodies: Iterable[bytes],
    send: Callable[[bytes], Answer],
    concurrency: int,
    rate: float,
    answered: Callable[[Answer], object],
) -> None:
    """Sends all ``bodies`` over ``concurrency`` threads, at most ``rate`` a second (0: as fast as it goes).

    ``answered`` is called with each answer, one at a time. An interruption lets those under way end, and is raised.
    """
    queue, taking, telling = _paced(bodies, rate), threading.Lock(), threading.Lock()
    began, stop = time.perf_counter(), threading.Event()

    def work() -> None:
        while not stop.is_set():
            with taking:
                due, body = next(queue, (0.0, None))
            if body is None or stop.wait(max(0.0, began + due - time.perf_counter())):
                return
            answer = send(body)
            with telling:
                answered(answer)

    with ThreadPoolExecutor(concurrency) as threads:
        try:
            for future in [threads.submit(work) for _ in range(concurrency)]:
                future.result()
        finally:
            stop.set()


def _paced(bodies: Iterable[bytes], rate: float) -> Iterator[tuple[float, bytes]]:
    for number, body in zip(count(), bodies, strict=False):
        yield (number / rate if rate > 0 else 0.0), body
