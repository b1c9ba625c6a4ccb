"""Webhooks as Meta delivers them: to the callback that counts, signed, and again until they are answered with 200."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import httpx

from wamcp.simulator.graph.account import Account
from wamcp.simulator.graph.poster import Poster
from wamcp.simulator.graph.wire import Wire, stamp
from wamcp.whatsapp.signature import sign

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0
TIMEOUT_S = 10.0
_HEADERS = {"User-Agent": "facebookexternalua"}
_JSON = {"Content-Type": "application/json"}
T = TypeVar("T")


def callback_of(account: Account, number_id: str, field: str) -> str | None:
    """The URL to which ``field`` of this number goes, None where Meta would tell nobody.

    The number's override counts more than that of the WABA, which counts more than the app's callback; fields that
    are not about messages always go to the app. Nothing is told unless the app is subscribed to the WABA and the field.
    """
    callback = account.callback
    if account.app_id not in account.waba.subscribed_apps or not callback.active or field not in callback.fields:
        return None
    if not field.startswith(("messages", "smb_", "history", "standby", "calls", "group_", "user_preferences")):
        return callback.url
    number = account.numbers.get(number_id)
    override = number.override_callback_uri if number is not None else None
    return override or account.waba.override_callback_uri or callback.url


class Deliveries:
    """Posts bodies, a bounded number at a time; belongs to one event loop."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._poster = Poster(TIMEOUT_S)
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, headers=_HEADERS, trust_env=False)
        self._gates: dict[int, asyncio.Semaphore] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Runs a coroutine beside the requests; it ends with :meth:`close`."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """Gives up what is still under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._poster.close()
        await self._client.aclose()

    async def deliver(self, account: Account, url: str | None, body: bytes, about: dict[str, Any]) -> int:
        """Posts ``body`` until the answer is 200 or ``webhook_retry_s`` have passed; returns the last status.

        0 stands for no answer, and for no ``url``. ``about`` stands in the wire log beside each try.
        """
        if url is None:
            self._wire.write({"kind": "webhook", **stamp(), "url": None, "attempt": 0, "status": 0, **about})
            return 0
        loop = asyncio.get_running_loop()
        end, pause, attempt = loop.time() + account.webhook_retry_s, FIRST_PAUSE_S, 1
        while True:
            status = await self._post(account, url, body, {"attempt": attempt, **about})
            if status == httpx.codes.OK or loop.time() + pause > end:
                return status
            await asyncio.sleep(pause)
            pause, attempt = min(2 * pause, LONGEST_PAUSE_S), attempt + 1

    async def challenge(self, url: str, verify_token: str, challenge: str) -> bool:
        """Whether ``url`` answers Meta's verification: a GET whose challenge has to come back as it is."""
        parameters = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": verify_token}
        try:
            answer = await self._client.get(url, params=parameters)
        except (httpx.HTTPError, httpx.InvalidURL):
            answer = None
        fine = answer is not None and answer.status_code == httpx.codes.OK and answer.content == challenge.encode()
        status = 0 if answer is None else answer.status_code
        self._wire.write({"kind": "challenge", **stamp(), "url": url, "status": status, "verified": fine})
        return fine

    async def _post(self, account: Account, url: str, body: bytes, about: dict[str, Any]) -> int:
        limit = max(1, account.webhook_concurrency)
        async with self._gates.setdefault(limit, asyncio.Semaphore(limit)):
            began = stamp()
            signature = {"X-Hub-Signature-256": sign(body, account.app_secret.encode())}
            status = await self._poster.post(url, body, _HEADERS | _JSON | signature)
        self._wire.write({"kind": "webhook", **began, "url": url, "status": status, **about})
        return status
