"""All of WAMCP behind PgBouncer, which pools by transaction, with the configuration that docs/operations.md gives."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from configparser import ConfigParser
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.e2e.house import eventually
from tests.e2e.meta import Ledger, Meta, wamid, webhook
from tests.fetching_office import file_event
from tests.mcp_harness import Door
from tests.running import COMMAND, bare, processes
from wamcp.access.tokens import NewToken, create
from wamcp.embedded.ports import free_port
from wamcp.embedded.process import Launch, choose_account, give, spawn
from wamcp.embedded.scratch import TemporaryPostgres, temporary_directory
from wamcp.jobs import PURGE, kick
from wamcp.simulator.graph.account import Config
from wamcp.simulator.graph.run import Simulated, simulated
from wamcp.vocabulary import TokenKind

ADMIN_KEY = "a key of the admin's"
RUN, WEBHOOKS = 0xB0B1, 300
PERSON = "15550100101"
pytestmark = [pytest.mark.embedded, pytest.mark.slow]


@dataclass
class Pooler:
    """A PgBouncer of one's own, which can be killed and started again at the same port."""

    directory: Path
    port: int
    program: str
    _process: "subprocess.Popen[bytes] | None" = None

    def configure(self, url: str, logins: dict[str, str]) -> None:
        """As the documentation says, but for addresses: in front of the database at ``url``, for ``logins``."""
        server = psycopg.conninfo.conninfo_to_dict(url)
        config = ConfigParser(interpolation=None)
        config.optionxform = str  # type: ignore[assignment,method-assign]
        text = Path("docs/operations.md").read_text()
        config.read_string(re.search(r"```ini\n(.*?)```", text, re.DOTALL)[1])
        (of_documentation,) = config["databases"].values()
        written = re.sub(r"host=\S+ port=\S+", f"host={server['host']} port={server['port']}", of_documentation)
        config["databases"] = {str(server["dbname"]): written}
        users = self.directory / "users"
        users.write_text("".join(f'"{login}" "{password}"\n' for login, password in logins.items()))
        here = {"listen_addr": "127.0.0.1", "listen_port": str(self.port), "auth_file": str(users)}
        config["pgbouncer"].update(here, unix_socket_dir="")
        with (self.directory / "pgbouncer.ini").open("w") as file:
            config.write(file)

    def start(self) -> None:
        account = choose_account(None)
        give(self.directory, account)
        log = self.directory / "log"
        argv = [self.program, str(self.directory / "pgbouncer.ini")]
        self._process = spawn(Launch(argv, {"PATH": os.defpath}, self.directory, account, log, signal.SIGKILL))

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def end(self) -> None:
        if self._process is not None:
            self.kill()


@pytest.fixture
def pooler() -> Iterator[Pooler]:
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if program is None:
        pytest.skip("pgbouncer is not here: scripts/install_pgbouncer.sh")
    with temporary_directory() as directory:
        pooler = Pooler(directory, free_port(), program)
        yield pooler
        pooler.end()


@dataclass
class House:
    """Everything of WAMCP, with a pooler between most of it and its database."""

    env: dict[str, str]
    meta: Simulated
    pooler: Pooler
    directory: Path

    @cached_property
    def http(self) -> httpx.Client:
        url = f"http://127.0.0.1:{self.env['WAMCP_PORT']}"
        return httpx.Client(base_url=url, headers={"X-Admin-Api-Key": ADMIN_KEY}, timeout=15, trust_env=False)

    def command(self, *arguments: str) -> str:
        done = subprocess.run(
            [*COMMAND, *arguments],
            cwd=self.directory,
            env=bare(self.directory) | self.env,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout

    def rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.env["DATABASE_DIRECT_URL"], autocommit=True) as connection:
            return connection.execute(statement, parameters).fetchall()

    def deliver(self, bodies: list[bytes]) -> dict[int, int]:
        with Ledger(self.directory / "ledger") as ledger:
            meta = Meta(int(self.env["WAMCP_PORT"]), self.env["WHATSAPP_APP_SECRET"].encode(), ledger)
            asyncio.run(meta.deliver(bodies, connections=8, pause=0))
        return meta.answers

    def found(self, words: str, where: str = "all") -> list[str]:
        answer = self.http.get("/admin/search/messages", params={"q": words, "search_in": where})
        return [item["wamid"] for item in answer.json()["messages"]] if answer.status_code == 200 else []

    def log(self) -> str:
        return (self.directory / "log").read_text()


@pytest.fixture
def house(postgres: TemporaryPostgres, pooler: Pooler, valkey_url: str, tmp_path: Path) -> Iterator[House]:
    direct = postgres.create()
    name, port = direct.rpartition("/")[2], free_port()
    logins = {"wamcp": postgres.cluster.password, f"{name}_reader": "reader's-own", f"{name}_audit": "audit's-own"}
    pooler.configure(direct, logins)
    pooler.start()
    owner, reader, audit = (f"postgresql://{login}:{pw}@127.0.0.1:{pooler.port}/{name}" for login, pw in logins.items())
    config = Config(webhook_url=f"http://127.0.0.1:{port}/webhooks/whatsapp")
    with simulated(config) as meta:
        env = {
            "DATABASE_URL": owner,
            "DATABASE_READER_URL": reader,
            "DATABASE_AUDIT_URL": audit,
            "DATABASE_DIRECT_URL": direct,
            "REDIS_URL": valkey_url,
            "WAMCP_ENV": "development",
            "WAMCP_PORT": str(port),
            "WAMCP_OBJECT_DIR": str(tmp_path / "objects"),
            "WAMCP_KEEP_AUDIT_DAYS": "30",
            "ADMIN_API_KEY": ADMIN_KEY,
            "WHATSAPP_VERIFY_TOKEN": config.verify_token,
            "WHATSAPP_APP_SECRET": config.app_secret,
            "WHATSAPP_BASE_URL": meta.url,
            "WHATSAPP_ACCESS_TOKEN": config.access_token,
            "WHATSAPP_PHONE_NUMBER_ID": config.phone_number_id,
            "WHATSAPP_WABA_ID": config.waba_id,
        }
        house = House(env, meta, pooler, tmp_path)
        house.command("migrate")
        with processes(tmp_path, env, "api", "worker"):
            yield house
            house.http.close()
    postgres.drop(direct)


@pytest.mark.timeout(180)
def test_all_of_it_works_behind_a_pooler_of_transactions(house: House) -> None:
    assert house.deliver([webhook(number, RUN) for number in range(WEBHOOKS)])[200] == WEBHOOKS
    last = wamid(WEBHOOKS - 1, RUN)
    assert eventually(lambda: last in house.found(f"Message {WEBHOOKS - 1}"))
    many_ask_at_once(house)
    a_file_is_fetched_and_read(house)
    somebody_is_answered(house)
    what_is_old_goes(house)
    the_operator_works(house)
    it_outlives_the_pooler(house)
    for trouble in ("prepared statement", "sweep_failed", "DuplicatePrepared", "InvalidSqlStatementName", "Traceback"):
        assert trouble not in house.log().split("--- the pooler is killed")[0]


def many_ask_at_once(house: House) -> None:
    """The same questions again and again, by more clients than the pooler has servers for them."""
    with psycopg.connect(house.env["DATABASE_DIRECT_URL"], autocommit=True) as connection:
        token = create(connection, NewToken(TokenKind.MCP, "test"))
    address = f"http://127.0.0.1:{house.env['WAMCP_PORT']}/mcp"

    def ask(number: int) -> None:
        with httpx.Client(timeout=30, trust_env=False) as http:
            claude = Door(address, "", {"all": token}, http)
            for turn in range(8):
                assert f"«{number}»" in str(claude.call("search_messages", query=f"Message {number}"))
                assert house.http.get("/admin/conversations", params={"limit": 2 + turn}).status_code == 200

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(ask, range(100, 106)))
    assert house.rows("SELECT count(*) FROM audit_log WHERE target = 'search_messages' AND outcome = 'ok'") == [(48,)]


def a_file_is_fetched_and_read(house: House) -> None:
    file = house.meta.put_in(b"The warranty of the turquoise bicycle ends in May.\n", "text/plain")
    file |= {"filename": "warranty.txt"}
    event = file_event(file, house.env["WHATSAPP_PHONE_NUMBER_ID"], "wamid.file")
    assert house.deliver([event])[200] == 1
    assert eventually(lambda: house.found("turquoise", "documents") == ["wamid.file"], 30)


def somebody_is_answered(house: House) -> None:
    for number in range(8):
        sent = house.http.post("/send/text", json={"to": PERSON, "body": f"It does, said the clerk {number}."})
        assert (sent.status_code, sent.json()["state"]) == (200, "sent"), sent.text
    told = sent.json()["wamid"]
    assert eventually(lambda: told in house.found("clerk 7"))
    assert eventually(lambda: house.rows("SELECT FROM statuses WHERE wamid = %s AND status = 'read'", told) != [])


def what_is_old_goes(house: House) -> None:
    old = house.rows("UPDATE audit_log SET at = now() - interval '31 days' WHERE actor = 'mcp' RETURNING id")
    assert old and kick(house.env["REDIS_URL"], PURGE)
    assert eventually(lambda: house.rows("SELECT FROM audit_log WHERE actor = 'mcp'") == [])


def the_operator_works(house: House) -> None:
    house.command("migrate")
    house.command("backup", "--to", str(house.directory / "backup"))
    assert "No difference" in house.command("backup", "--verify", str(house.directory / "backup"), "--scratch")
    person = house.rows("SELECT participant_id FROM participant_aliases WHERE value = %s", PERSON)[0][0]
    house.command("contact", "erase", f"p{person}", "--yes")
    assert house.found("turquoise") == house.found("clerk") == []
    assert "No difference" in house.command("reprocess", "--verify")


def it_outlives_the_pooler(house: House) -> None:
    with (house.directory / "log").open("a") as log:
        log.write("--- the pooler is killed\n")
    house.pooler.kill()
    assert house.http.get("/readyz").status_code == 503
    assert house.deliver([webhook(WEBHOOKS, RUN)])[200] == 1
    house.pooler.start()
    assert eventually(lambda: wamid(WEBHOOKS, RUN) in house.found(f"Message {WEBHOOKS}"))
