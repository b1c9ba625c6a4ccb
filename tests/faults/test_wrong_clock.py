"""Clocks that disagree by days: the database's alone decides about leases, turns, ends, windows and what is too old."""

import asyncio
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api_process import KEY, SECRET, Served, serving
from tests.e2e.figures import is_unnoticed
from tests.e2e.house import DRAIN_S, House, eventually
from tests.e2e.meta import Ledger, Meta, webhook
from tests.faults.running import p99_ms, tally, understood
from tests.faults.wrong_clock import wrong_clock
from tests.fetching_office import MailRoom, file_event, mail_room
from tests.patience import PATIENCE
from tests.webhooks import message_event
from tests.working import Doorbell, Program
from wamcp.access.tokens import NewToken, create
from wamcp.db.logins import create_logins
from wamcp.db.migrate import migrate
from wamcp.embedded.scratch import TemporaryPostgres, temporary_directory
from wamcp.settings import load
from wamcp.vocabulary import TokenKind
from wamcp.whatsapp.signature import sign

DAYS = 3
AHEAD, BEHIND = DAYS, -DAYS
RUN = 0x9C10
PROMPT_S = 15.0

pytestmark = [
    pytest.mark.embedded,
    pytest.mark.slow,
    pytest.mark.fault(9),
    pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not here to build a clock that is wrong"),
]

Record = Callable[[str, object], None]


class Hours(House):
    """Two apis, two of Celery's workers and two normalizers; of each pair one is days ahead, and one is behind."""

    def __init__(self, room: MailRoom, apis: Sequence[Served], workers: Sequence[Program]) -> None:
        self.room, self.apis, self.workers = room, apis, workers

    @property
    def runtime(self) -> dict[str, Any]:
        """What the helpers of the house need."""
        return {"database_url": self.room.environ["DATABASE_URL"]}

    def post(self, api: Served, body: bytes) -> int:
        """How a webhook is answered."""
        signed = {"X-Hub-Signature-256": sign(body, SECRET)}
        url = f"http://127.0.0.1:{api.public}/webhooks/whatsapp"
        return httpx.post(url, content=body, headers=signed, timeout=10, trust_env=False).status_code

    def ask(self, api: Served, path: str, key: str = KEY, **body: Any) -> httpx.Response:
        """A question, or a request with ``body``, to one of the apis."""
        method = "POST" if body else "GET"
        url, headers = f"http://127.0.0.1:{api.full}{path}", {"X-Admin-Api-Key": key}
        return httpx.request(method, url, headers=headers, json=body or None, timeout=30, trust_env=False)


@pytest.fixture(scope="module")
def hours(postgres: TemporaryPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hours]:
    here = tmp_path_factory.mktemp("hours")
    url = postgres.create()
    migrate(load({"DATABASE_URL": url}))
    with ExitStack() as stack:
        bell = Doorbell(stack.enter_context(temporary_directory()))
        stack.callback(bell.kill)
        room = stack.enter_context(mail_room(url, here / "objects"))
        more = {"WHATSAPP_APP_SECRET": SECRET.decode(), "ADMIN_API_KEY": KEY, "REDIS_URL": bell.url()}
        environ = room.environ | more | {"WAMCP_MIGRATE_ON_START": "false", "WAMCP_KEEP_AUDIT_DAYS": "1"}
        assert create_logins(room.db, load(environ)) == []
        for age in ("12 hours", "2 days"):
            room.db.execute(
                "INSERT INTO audit_log (at, actor, action, target, parameters, outcome)"
                " VALUES (now() - %s::interval, 'test', 'read', %s, '{}', 'ok')",
                [age, age],
            )
        workers, apis = [], []
        for days in (BEHIND, AHEAD):
            turned = environ | wrong_clock(here, days)
            for half in ("normalizer", "celery"):
                workers.append(Program(here, turned, "worker", "--only", half))
                stack.callback(workers[-1].kill)
        for days in (BEHIND, AHEAD):
            own = here / f"{days}"
            own.mkdir()
            given = {name: value for name, value in environ.items() if name != "DATABASE_URL"}
            apis.append(stack.enter_context(serving(url, own, **given, **wrong_clock(here, days))))
        yield Hours(room, apis, workers)
    postgres.drop(url)


@pytest.mark.timeout(240)
def test_webhooks_are_kept_and_understood_once(hours: Hours, tmp_path: Path, record_property: Record) -> None:
    bodies = [webhook(number, RUN) for number in range(400)]
    seconds: list[float] = []
    with Ledger(tmp_path / "ledger") as ledger:
        for api, part in zip(hours.apis, (bodies[:250], bodies[150:]), strict=True):
            meta = Meta(api.public, SECRET, ledger)
            asyncio.run(meta.deliver(part))
            assert is_unnoticed(meta, len(part)), meta.answers
            seconds += meta.seconds[200]
        assert eventually(lambda: understood(hours, RUN) == len(bodies), DRAIN_S)
        found = tally(hours, RUN, ledger.digests())
    assert found == (len(bodies), 0, 0, len(bodies))
    record_property("figure", f"clocks {DAYS} days ahead and behind: ack p99 {p99_ms(seconds)} ms; {found}")


@pytest.mark.timeout(240)
def test_a_lease_keeps_a_worker_away_whose_clock_says_that_it_is_over(hours: Hours, record_property: Record) -> None:
    room = hours.room
    room.meta.script([{"when": {"path": "/_media/"}, "do": {"delay_ms": 800}}])
    count = 6
    for number in range(count):
        file = room.put_in(b"an invented file %d" % number)
        assert hours.post(hours.apis[number % 2], file_event(file, room.config.phone_number_id)) == 200
    began = time.monotonic()
    assert eventually(lambda: hours.value("SELECT count(*) FROM media WHERE state = 'stored'") == count, DRAIN_S)
    taken = time.monotonic() - began
    assert room.asked("/_media/") == count, "each file is downloaded once"
    assert hours.value("SELECT max(attempts) FROM media") == 1

    def late() -> list[bool]:
        return [each["late"] for each in hours.ask(hours.apis[1], "/admin/health").json()["workers"]]

    assert eventually(lambda: late() == [False] * 4, DRAIN_S), late()
    record_property("figure", f"leases: {count} files fetched once each, by two workers 6 days apart, in {taken:.1f} s")


@pytest.mark.timeout(240)
def test_what_is_sent_goes_once_and_at_once(hours: Hours, record_property: Record) -> None:
    room, began = hours.room, time.monotonic()
    count = 6
    for number in range(count):
        body = {"to": f"+1555010012{number}", "body": "The bicycle is ready."}
        answer = hours.ask(hours.apis[number % 2], "/send/text", **body)
        assert answer.status_code in (200, 201, 202), answer.text
    taken = "SELECT count(*) FROM sends WHERE state = 'sent'"
    assert eventually(lambda: hours.value(taken) == count, DRAIN_S), hours.rows("SELECT state, reason FROM sends")
    lasted = time.monotonic() - began
    calls = [one for one in room.meta.wire() if one["kind"] == "request" and one["path"].endswith("/messages")]
    assert len(calls) == count
    assert lasted < PROMPT_S * PATIENCE
    record_property("figure", f"sends: {count} of {count} went once, the last after {lasted:.1f} s")


def test_what_ends_by_the_database_s_clock_ends_for_everybody(hours: Hours, record_property: Record) -> None:
    now = hours.value("SELECT now()")
    day = timedelta(days=1)
    good, over = (
        create(hours.room.db, NewToken(TokenKind.ADMIN, "a key", expires_at=now + each)) for each in (day, -day)
    )
    for api in hours.apis:
        assert hours.ask(api, "/admin/conversations", good).status_code == 200
        assert hours.ask(api, "/admin/conversations", over).status_code == 401

    number = hours.room.config.phone_number_id
    for sender, ago in (("15550100131", 23), ("15550100132", 25)):
        at = int((now - timedelta(hours=ago)).timestamp())
        body = message_event(f"wamid.window{ago}", "Hello", sender=sender, number=number, at=at)
        assert hours.post(hours.apis[0], body) == 200
    arrived = "SELECT count(*) FROM messages WHERE wamid LIKE 'wamid.window%%'"
    assert eventually(lambda: hours.value(arrived) == 2, DRAIN_S)
    for api in hours.apis:
        found = hours.ask(api, "/admin/conversations?limit=100").json()["conversations"]
        closes = {str(one["last_inbound_at"])[:13]: one["reply_window_open_until"] for one in found}
        open_, closed = (f"{now.astimezone(UTC) - timedelta(hours=ago):%Y-%m-%dT%H}" for ago in (23, 25))
        assert closes[open_] is not None and closes[closed] is None

    kept = "SELECT target FROM audit_log WHERE actor = 'test'"
    assert eventually(lambda: hours.rows(kept) == [("12 hours",)], DRAIN_S), "a day is a day of the database's"
    record_property("figure", "keys, the reply window and retention end when the database says so, on either side")


@pytest.mark.parametrize("days", [BEHIND, AHEAD])
def test_a_key_lasts_as_long_as_was_asked_for(days: int, hours: Hours, tmp_path: Path) -> None:
    asked = ("token", "create", "--kind", "admin", "--label", f"key {days}", "--expires", "2h")
    program = Program(tmp_path, hours.room.environ | wrong_clock(tmp_path, days), *asked)
    assert program.wait(60) == 0, program.said
    left = hours.value("SELECT expires_at - now() FROM tokens WHERE label = %s", f"key {days}")
    assert timedelta(hours=1, minutes=58) < left <= timedelta(hours=2)
