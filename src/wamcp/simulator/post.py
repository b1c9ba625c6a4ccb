"""Delivering webhooks as Meta does: signed, several at a time, and an honest account of the answers."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count

import httpx

from wamcp.whatsapp.signature import sign

TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one webhook: the HTTP status, 0 without an answer, and the seconds it took."""

    status: int
    seconds: float
    error: str = ""


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
    bodies: Iterable[bytes], send: Callable[[bytes], Answer], concurrency: int, rate: float, done: Callable[[], object]
) -> list[Answer]:
    """Sends all ``bodies`` over ``concurrency`` threads, at most ``rate`` a second (0: as fast as it goes).

    ``done`` is called after each answer.
    """
    queue, lock, began = _paced(bodies, rate), threading.Lock(), time.perf_counter()
    answers: list[Answer] = []

    def work() -> None:
        while True:
            with lock:
                due, body = next(queue, (0.0, None))
            if body is None:
                return
            time.sleep(max(0.0, began + due - time.perf_counter()))
            answers.append(send(body))
            done()

    with ThreadPoolExecutor(concurrency) as threads:
        for future in [threads.submit(work) for _ in range(concurrency)]:
            future.result()
    return answers


def _paced(bodies: Iterable[bytes], rate: float) -> Iterator[tuple[float, bytes]]:
    for number, body in zip(count(), bodies, strict=False):
        yield (number / rate if rate > 0 else 0.0), body
