"""The set in which the debug echo is tried: a door, a normalizer, workers of several minds, and Meta played."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import psycopg

from tests.working import APP_SECRET, Doorbell, Program, eventually, post, text
from wamcp.db.logins import create_logins
from wamcp.db.migrate import migrate
from wamcp.embedded.ports import free_port
from wamcp.embedded.scratch import TemporaryPostgres
from wamcp.settings import load
from wamcp.simulator import bodies
from wamcp.simulator.bodies import WABA_ID, Customer, Item, Number
from wamcp.simulator.graph.account import Config
from wamcp.simulator.graph.run import Simulated, simulated

OFFICE = Number("700000000000001", "+1 555 010-0901")
BRANCH = Number("700000000000002", "+55 11 98765-0009")
GROUP = "120363029900000001"
TOKEN = "an-invented-token"
PASSERS = [f"1555010{number}" for number in range(4000, 4040)]
"""People on the main list who write when a test has to know that everything before was looked at."""
SETTLED_S = 0.7
"""Longer than a sweep: a second answer would have come by then."""

_serial = count(1)


def person(phone: str | None = None, bsuid: str | None = None, name: str = "Ana Prado") -> Customer:
    """Somebody who writes, under what he lets be seen."""
    return Customer(name, bsuid, phone)


def item(content: Item, wamid: str | None = None, age_s: float = 0) -> Item:
    """A message of now, or of ``age_s`` seconds ago by Meta's clock."""
    return {"id": wamid or f"wamid.ECHO{next(_serial):06d}", "timestamp": str(int(time.time() - age_s)), **content}


def hello(phone: str, words: str = "Hello", **more: Any) -> bytes:
    """The webhook of a text to the office."""
    return bodies.inbound(person(phone), OFFICE, item(text(words), **more))


def change(name: str, content: Item) -> bytes:
    """The webhook of one field about the office."""
    return bodies.written({"id": WABA_ID, "changes": [{"field": name, "value": bodies.about(OFFICE, content)}]})


@dataclass
class Scene:
    """Everything that runs; ``programs`` are the commands that were started, whose words are looked at in the end."""

    directory: Path
    database_url: str
    bell: Doorbell
    meta: Simulated
    door: str
    programs: list[Program] = field(default_factory=list)
    _passers: Iterator[str] = field(default_factory=lambda: iter(PASSERS))

    def environ(self, index: int, **more: str) -> dict[str, str]:
        """The environment of a worker that rings at the broker's database ``index``."""
        return {
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.bell.url(index),
            "WAMCP_ENV": "development",
            "WAMCP_MIGRATE_ON_START": "false",
            "WHATSAPP_APP_SECRET": APP_SECRET,
            "WHATSAPP_VERIFY_TOKEN": "a-verify-token",
            "ADMIN_API_KEY": "a-long-enough-admin-key",
            "WHATSAPP_BASE_URL": self.meta.url,
            "WHATSAPP_ACCESS_TOKEN": TOKEN,
            "WAMCP_OBJECT_DIR": str(self.directory / "objects"),
            "DEBUG_ECHO_MODE": "true",
            **more,
        }

    def start(self, environ: Mapping[str, str], *arguments: str) -> Program:
        """Starts a command."""
        program = Program(self.directory, environ, *arguments)
        self.programs.append(program)
        return program

    def worker(self, index: int, **more: str) -> Program:
        """A Celery worker with these settings."""
        return self.start(self.environ(index, **more), "worker", "--only", "celery")

    def hear(self, *webhooks: bytes) -> None:
        """Lets Meta post these webhooks, one after the other."""
        for body in webhooks:
            post(self.door, body)

    def requests(self, to: str) -> list[Item]:
        """The bodies of the messages to ``to`` that Meta took."""
        return [
            entry["body"]
            for entry in self.meta.wire()
            if entry["kind"] == "request" and entry["accepted"] and to in _recipients(entry["body"])
        ]

    def said_to(self, to: str, least: int = 1) -> list[str]:
        """The texts that went to ``to``, once there are so many."""
        assert eventually(lambda: len(self.requests(to)) >= least), f"{to} was not answered"
        return [body["text"]["body"] for body in self.requests(to)]

    def pass_by(self) -> None:
        """Returns when everything that was posted before has been understood and decided about."""
        passer = next(self._passers)
        self.hear(hello(passer))
        assert self.said_to(f"+{passer}") == ["Received: Hello"]

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """The rows that ``query`` finds."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            cursor = connection.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []

    def outcome(self, wamid: str) -> str | None:
        """What was decided about a message, None while nothing is."""
        found = self.rows("SELECT outcome FROM echoes WHERE wamid = %s", wamid)
        return found[0][0] if found else None

    def understood(self, wamid: str) -> bool:
        """Whether the archive has the message."""
        return bool(self.rows("SELECT true FROM messages WHERE wamid = %s", wamid))

    def check(self) -> None:
        """What is true whatever was tried: no send twice, no answer without a decision, nothing private in a log."""
        sent = [
            entry["body"].get("biz_opaque_callback_data", str(entry))
            for entry in self.meta.wire()
            if entry["kind"] == "request" and entry["accepted"]
        ]
        twice = [callback for callback, times in Counter(sent).items() if times > 1]
        assert twice == []
        undecided = (
            "SELECT id FROM sends s WHERE origin = 'echo' AND NOT EXISTS (SELECT FROM echoes WHERE send_id = s.id)"
        )
        assert self.rows(undecided) == []
        logs = "\n".join(program.said for program in self.programs)
        private = [phone for (phone,) in self.rows("SELECT value FROM participant_aliases") if phone in logs]
        assert private == []
        said = self.rows("SELECT DISTINCT text FROM messages WHERE length(text) > 3")
        assert [words for (words,) in said if words in logs] == []
        assert TOKEN not in logs and APP_SECRET not in logs


@contextmanager
def echoing(postgres: TemporaryPostgres, directory: Path) -> Iterator[Scene]:
    """The door, the normalizer and Meta; workers are for the tests to start."""
    url = postgres.clone("migrated", lambda template: migrate(load({"DATABASE_URL": template})))
    port = free_port()
    door = f"http://127.0.0.1:{port}/webhooks/whatsapp"
    numbers = {number.phone_number_id: {"display_phone_number": number.display} for number in (OFFICE, BRANCH)}
    config = Config(webhook_url=door, app_secret=APP_SECRET, access_token=TOKEN, rate=0, account={"numbers": numbers})
    with ExitStack() as stack:
        stack.callback(postgres.drop, url)
        with psycopg.connect(url, autocommit=True) as connection:
            create_logins(connection, load({"DATABASE_URL": url}))
        bell = Doorbell(directory)
        stack.callback(bell.kill)
        scene = Scene(directory, url, bell, stack.enter_context(simulated(config)), door)
        stack.callback(_end_all, scene)
        scene.start(scene.environ(0, WAMCP_PORT=str(port)), "api", "--only", "door")
        scene.start(scene.environ(0), "worker", "--only", "normalizer")
        yield scene
        scene.check()


def wait_for_door(scene: Scene) -> None:
    """Returns when webhooks are taken, and makes both numbers known."""
    health = scene.door.replace("/webhooks/whatsapp", "/healthz")

    def answers() -> bool:
        try:
            return httpx.get(health, timeout=2, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    assert eventually(answers, 40)
    known = item(text("An order of long ago"), age_s=86_400)
    scene.hear(bodies.inbound(person("15550100999", name="Rui Sousa"), BRANCH, known))
    assert eventually(lambda: scene.understood(known["id"]), 40)


def _end_all(scene: Scene) -> None:
    for program in scene.programs:
        program.kill()


def _recipients(body: Any) -> list[str]:
    return [body.get("to"), body.get("recipient")] if isinstance(body, dict) else []
