"""``wamcp doctor`` on a healthy installation, and on each way in which one is broken."""

import json
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.e2e.house import eventually
from tests.patience import PATIENCE
from tests.running import COMMAND, bare, processes, with_logins
from wamcp.db.migrate import migrate
from wamcp.doctor import here, run
from wamcp.doctor.account import MESSAGE_FIELDS
from wamcp.doctor.finding import Finding, Status
from wamcp.doctor.here import judge_disk
from wamcp.doctor.place import Place, find
from wamcp.embedded.ports import free_port
from wamcp.embedded.scratch import TemporaryPostgres, temporary_directory
from wamcp.errors import Rejected
from wamcp.settings import load
from wamcp.simulator.graph.account import Config
from wamcp.simulator.graph.run import Simulated, simulated

pytestmark = pytest.mark.embedded

TOKEN, SECRET, VERIFY, KEY = "simulated-token-a1", "simulated-secret-b2", "simulated-verify-c3", "simulated-key-d4"
NUMBER, WABA, APP = "700000000000001", "900000000000001", "800000000000001"
ELSEWHERE = "https://elsewhere.example.com/hook?code=hidden"
DAY = 86_400


@dataclass(frozen=True)
class House:
    """A running installation: its settings as variables, its directory, and the simulator that it calls Meta."""

    given: dict[str, str]
    directory: Path
    meta: Simulated

    def look(self, *only: str, **changed: str) -> list[Finding]:
        given = {**self.given, **{name: value for name, value in changed.items()}}
        settings = load({name: value for name, value in given.items() if value})
        return run.examine(Place(settings, f"http://127.0.0.1:{settings.port}", is_up=False), only)

    def one(self, name: str, **changed: str) -> Finding:
        return next(finding for finding in self.look(name, **changed) if finding.name == name)


@pytest.fixture(scope="module")
def standing(postgres: TemporaryPostgres, valkey_url: str) -> Iterator[House]:
    url = with_logins(postgres.clone("migrated", lambda template: migrate(load({"DATABASE_URL": template}))))
    port = free_port()
    config = Config(access_token=TOKEN, app_secret=SECRET, verify_token=VERIFY, app_id=APP)
    with temporary_directory() as directory, simulated(config) as meta:
        given = {
            "WHATSAPP_ACCESS_TOKEN": TOKEN, "WHATSAPP_APP_SECRET": SECRET, "WHATSAPP_VERIFY_TOKEN": VERIFY,
            "ADMIN_API_KEY": KEY, "WHATSAPP_PHONE_NUMBER_ID": NUMBER, "WHATSAPP_WABA_ID": WABA,
            "WHATSAPP_BASE_URL": meta.url, "PUBLIC_BASE_URL": f"http://127.0.0.1:{port}", "WAMCP_PORT": str(port),
            "DATABASE_URL": url, "REDIS_URL": valkey_url, "WAMCP_OBJECT_DIR": str(directory / "objects"),
        }  # fmt: skip
        with processes(directory, given, "api", "worker"), psycopg.connect(url, autocommit=True) as db:
            assert eventually(lambda: db.execute("SELECT count(*) FROM heartbeats").fetchall() == [(2,)], 60)
            yield House(given, directory, meta)
    postgres.drop(url)


@pytest.fixture
def house(standing: House) -> Iterator[House]:
    """The same, with everything at Meta as it should be."""
    callback = {"url": f"{standing.given['PUBLIC_BASE_URL']}/webhooks/whatsapp", "fields": list(MESSAGE_FIELDS)}
    standing.meta.account(callback=callback)
    yield standing
    standing.meta.script([])
    standing.meta.account(**dict.fromkeys(CHANGED))


CHANGED = ("token", "waba", "numbers", "app_secret", "callback", "clock_offset_s", "sunset_versions", "access_token")


def test_a_healthy_installation_has_nothing_to_complain_of(house: House) -> None:
    (house.directory / "objects").mkdir(exist_ok=True)
    began = time.monotonic()
    done = subprocess.run(
        [*COMMAND, "doctor", "--json"],
        cwd=house.directory, env=bare(house.directory) | house.given, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    took = time.monotonic() - began
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout)
    assert answer["ok"] is True
    found = {row["name"]: row["status"] for row in answer["findings"]}
    assert found.pop("readers") in ("ok", "warning")  # it depends on what this machine has
    assert found == dict.fromkeys([name for name in run.NAMES if name != "readers"], "ok")
    assert done.stderr == ""
    assert took < 15 * PATIENCE
    says_nothing_secret(house, done.stdout)
    assert "15550100001" not in done.stdout


NUMBER_IS = "numbers", NUMBER
BROKEN_AT_META: list[tuple[str, dict[str, Any], str, Status, str, str]] = [
    ("the token expired", {"token": {"expires_at": 1_700_000_000}}, "token", Status.FAILED,
     "Session has expired", "System users > Generate token"),
    ("the token expires", {"token": {"expires_at": int(time.time()) + 3 * DAY}}, "token", Status.WARNING,
     "it expires on", "WHATSAPP_ACCESS_TOKEN"),
    ("the token was taken back", {"token": {"is_valid": False}}, "token", Status.FAILED, "", "Generate token"),
    ("the token is another", {"access_token": "simulated-token-z9"}, "token", Status.FAILED,
     "Meta refuses", "set WHATS"),
    ("the token may not send", {"token": {"scopes": ["whatsapp_business_management"]}}, "scopes", Status.FAILED,
     "lacks whatsapp_business_messaging", "Generate token"),
    ("the app secret is another's", {"app_secret": "simulated-secret-z9"}, "app_secret", Status.FAILED,
     f"not the secret of app {APP}", "App settings > Basic > App secret"),
    ("the version is gone", {"sunset_versions": ["v25.0"]}, "graph", Status.FAILED,
     "no longer answers v25.0", "WHATSAPP_API_VERSION=v26.0"),
    ("the clock is a minute off", {"clock_offset_s": -60}, "clock", Status.WARNING, r"(59|60|61) s ahead", "set-ntp"),
    ("the clock is an hour off", {"clock_offset_s": 3600}, "clock", Status.FAILED, r"(3599|360[01]) s behind",
     "set-ntp"),
    ("the number is banned", {"numbers": {NUMBER: {"status": "BANNED"}}}, "number_status", Status.FAILED,
     "BANNED", "WhatsApp Manager"),
    ("the number is flagged", {"numbers": {NUMBER: {"status": "FLAGGED"}}}, "number_status", Status.WARNING,
     "FLAGGED", "WhatsApp Manager"),
    ("the number has complaints", {"numbers": {NUMBER: {"quality_rating": "YELLOW"}}}, "quality", Status.WARNING,
     "YELLOW", "Insights"),
    ("the number has many complaints", {"numbers": {NUMBER: {"quality_rating": "RED"}}}, "quality", Status.FAILED,
     "RED", "Insights"),
    ("the number is not registered", {"numbers": {NUMBER: {"platform_type": "NOT_APPLICABLE"}}}, "registered",
     Status.FAILED, "not registered", f"{NUMBER}/register"),
    ("the name is declined", {"numbers": {NUMBER: {"name_status": "DECLINED"}}}, "display_name", Status.FAILED,
     "DECLINED", "Profile"),
    ("the account is rejected", {"waba": {"account_review_status": "REJECTED"}}, "waba", Status.FAILED,
     "rejected", "Business Support Home"),
    ("no app is subscribed", {"waba": {"subscribed_apps": []}}, "subscribed", Status.FAILED,
     "no app is. Nothing arrives", f"{WABA}/subscribed_apps"),
    ("another app is subscribed", {"waba": {"subscribed_apps": ["811"]}}, "subscribed", Status.FAILED,
     "only another app is: 811", "wamcp setup"),
    ("there is no webhook", {"callback": {"url": None}}, "webhook", Status.FAILED, "no webhook", "verify token"),
    ("the webhook is off", {"callback": {"active": False}}, "webhook", Status.FAILED, "switched off", "wamcp setup"),
    ("the webhook leads elsewhere", {"callback": {"url": ELSEWHERE}}, "webhook", Status.FAILED,
     "leads to https://elsewhere.example.com/hook, not to", "/webhooks/whatsapp"),
    ("messages are not subscribed", {"callback": {"fields": ["account_update"]}}, "fields", Status.FAILED,
     "nothing arrives", "Webhook fields"),
    ("echoes are not subscribed", {"callback": {"fields": [f for f in MESSAGE_FIELDS if f != "smb_message_echoes"]}},
     "fields", Status.WARNING, "arrive: smb_message_echoes", "Webhook fields"),
    ("the number's callback is elsewhere", {"numbers": {NUMBER: {"override_callback_uri": ELSEWHERE}}}, "override",
     Status.FAILED, "number wins over that of the account and of the app", "webhook_configuration"),
    ("the account's callback is elsewhere", {"waba": {"override_callback_uri": ELSEWHERE}}, "override",
     Status.FAILED, "account wins over that of the app", f"{WABA}/subscribed_apps"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "check", "status", "said", "fix"),
    [row[1:] for row in BROKEN_AT_META],
    ids=[r[0] for r in BROKEN_AT_META],
)
def test_what_is_broken_at_meta_is_named(
    house: House, change: dict[str, Any], check: str, status: Status, said: str, fix: str
) -> None:
    house.meta.account(**change)
    findings = house.look(check)
    found = next(finding for finding in findings if finding.name == check)
    assert found.status == status, found
    assert re.search(said, found.said) and fix in (found.fix or ""), found
    says_nothing_secret(house, repr(findings))


BROKEN_HERE: list[tuple[str, dict[str, str], str, Status, str, str]] = [
    ("nothing is set", {"WHATSAPP_ACCESS_TOKEN": ""}, "settings", Status.FAILED,
     "not set: WHATSAPP_ACCESS_TOKEN", "wamcp setup"),
    ("a placeholder", {"WHATSAPP_VERIFY_TOKEN": "change-me"}, "settings", Status.FAILED,
     "still a placeholder: WHATSAPP_VERIFY_TOKEN", "wamcp setup"),
    ("unsigned webhooks", {"VERIFY_WEBHOOK_SIGNATURE": "false"}, "settings", Status.FAILED, "refused", "remove it"),
    ("an echo in production", {"DEBUG_ECHO_MODE": "true"}, "echo", Status.FAILED, "refused", "set it to false"),
    ("an echo for nobody", {"DEBUG_ECHO_MODE": "true", "WAMCP_ENV": "development"}, "echo", Status.WARNING,
     "names nobody", "DEBUG_ECHO_MODE=false"),
    ("an echo for a half number", {"DEBUG_ECHO_MODE": "true", "WAMCP_ENV": "development",
     "DEBUG_ECHO_ALLOWLIST_E164": "0555010042"}, "echo", Status.FAILED, "neither a whole phone", "country code"),
    ("an old version", {"WHATSAPP_API_VERSION": "v19.0"}, "graph", Status.FAILED, "v19.0", "=v26.0"),
    ("no Graph API", {"WHATSAPP_BASE_URL": "http://127.0.0.1:9"}, "graph", Status.FAILED,
     "nobody answers", "WHATSAPP_BASE_URL"),
    ("another number", {"WHATSAPP_PHONE_NUMBER_ID": "700000000000077"}, "number", Status.FAILED,
     "no number that this token sees", "Phone number ID"),
    ("another account", {"WHATSAPP_WABA_ID": "900000000000077"}, "waba", Status.FAILED,
     "no WhatsApp Business Account that this token sees", "WhatsApp Business Account ID"),
    ("a rate that is too high", {"WAMCP_SENDS_PER_SECOND": "200"}, "throughput", Status.WARNING, "80 a second", "=70"),
    ("a tunnel that ended", {"PUBLIC_BASE_URL": "http://127.0.0.1:9"}, "callback", Status.FAILED,
     "connection refused", "point your tunnel"),
    ("another verify token", {"WHATSAPP_VERIFY_TOKEN": "simulated-verify-z9"}, "verify", Status.FAILED,
     "another WHATSAPP_VERIFY_TOKEN", "start it again"),
    ("no api", {"WAMCP_PORT": "9"}, "api", Status.FAILED, "nothing answers", "wamcp api"),
    ("another secret in the api", {"WHATSAPP_APP_SECRET": "simulated-secret-z9"}, "signature", Status.FAILED,
     "another WHATSAPP_APP_SECRET", "start it again"),
    ("no database", {"DATABASE_URL": "postgresql://me:simulated-password@127.0.0.1:9/none"}, "database", Status.FAILED,
     "does not answer", "DATABASE_URL"),
    ("a database address that is none", {"DATABASE_URL": "simulated-password"}, "database", Status.FAILED,
     "its address is none of Postgres", "DATABASE_URL"),
    ("no broker", {"REDIS_URL": "redis://:simulated-password@127.0.0.1:9/0"}, "broker", Status.FAILED,
     "does not answer", "REDIS_URL"),
    ("objects in a file", {"WAMCP_OBJECT_DIR": "/proc/version/objects"}, "objects", Status.FAILED,
     "is no directory", "WAMCP_OBJECT_DIR"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "check", "status", "said", "fix"), [row[1:] for row in BROKEN_HERE], ids=[row[0] for row in BROKEN_HERE]
)
def test_what_is_broken_here_is_named(
    house: House, change: dict[str, str], check: str, status: Status, said: str, fix: str
) -> None:
    findings = house.look(check, **change)
    found = next(finding for finding in findings if finding.name == check)
    assert found.status == status, found
    assert said in found.said and fix in (found.fix or ""), found
    says_nothing_secret(house, repr(findings))
    assert "0555010042" not in repr(findings)


def test_an_address_that_is_somebody_elses_is_named(house: House) -> None:
    found = house.one("callback", PUBLIC_BASE_URL=house.meta.url)
    assert found.status == Status.FAILED and "does not lead to a WAMCP: HTTP 501" in found.said
    assert "point your tunnel" in (found.fix or "")


def test_something_else_on_the_port_is_named(house: House) -> None:
    found = house.one("api", WAMCP_PORT=house.meta.url.rpartition(":")[2])
    assert found.status == Status.FAILED and "is not WAMCP" in found.said


@pytest.mark.parametrize("times", [3, 10_000], ids=["a moment", "for ever"])
def test_an_api_that_is_starting_is_waited_for(house: House, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    class Starting(BaseHTTPRequestHandler):
        asked = 0

        def do_GET(self) -> None:
            Starting.asked += 1
            begins = Starting.asked <= times
            self.send_response(503 if begins else 200)
            self.end_headers()
            self.wfile.write(b'{"error":"starting"}' if begins else b'{"status":"ok"}')

    monkeypatch.setattr(here, "STARTING_S", 2.0 if times > 3 else 30.0)
    with ThreadingHTTPServer(("127.0.0.1", 0), Starting) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            found = house.one("api", WAMCP_PORT=str(server.server_port))
        finally:
            server.shutdown()
    if times == 3:
        assert (found.status, Starting.asked) == (Status.OK, 4)
    else:
        assert found.status == Status.FAILED and "starting for 2 s" in found.said and "log" in (found.fix or "")


def test_a_broker_without_a_worker_is_a_warning(house: House) -> None:
    url = house.given["REDIS_URL"]
    found = house.one("celery", REDIS_URL=f"{url.rpartition('/')[0]}/7")
    assert found.status == Status.WARNING and "wamcp worker" in (found.fix or "")


def test_an_empty_database_is_to_be_migrated(house: House, empty_database: str) -> None:
    findings = {finding.name: finding for finding in house.look("pending", "schema", DATABASE_URL=empty_database)}
    assert findings["schema"].status == Status.FAILED and "wamcp migrate" in (findings["schema"].fix or "")
    assert findings["pending"] == Finding("pending", Status.SKIPPED, "needs the check `schema`, which failed")


def test_a_database_without_the_limited_logins_is_named(house: House, database_url: str) -> None:
    found = house.one("reader", DATABASE_URL=database_url)
    assert found.status == Status.FAILED and "wamcp migrate" in (found.fix or "")


def test_an_older_schema_is_named(house: House, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    assert house.one("schema", DATABASE_URL=database_url).status == Status.FAILED


def test_webhooks_that_wait_show_that_the_normalizer_stands_still(house: House, database_url: str) -> None:
    with psycopg.connect(with_logins(database_url), autocommit=True) as connection:
        connection.execute("INSERT INTO webhook_queue VALUES (7, 100, now() - interval '5 minutes')")
    found = house.one("pending", DATABASE_URL=database_url)
    assert found.status == Status.WARNING and re.search(r"understood: 1, the oldest for 30\d s", found.said)
    assert "start the normalizer" in (found.fix or "")


@pytest.mark.parametrize(("free", "status"), [(1, Status.FAILED), (5, Status.WARNING), (11, Status.OK)])
def test_a_full_disk_is_named(free: int, status: Status) -> None:
    assert judge_disk("/", free, 100).status is status


def test_an_override_that_leads_here_makes_up_for_a_webhook_that_does_not(house: House) -> None:
    here = f"{house.given['PUBLIC_BASE_URL']}/webhooks/whatsapp"
    house.meta.account(callback={"url": ELSEWHERE}, numbers={NUMBER: {"override_callback_uri": here}})
    found = {finding.name: finding for finding in house.look("webhook", "override")}
    assert found["webhook"].status == Status.WARNING
    assert found["override"] == Finding("override", Status.OK, "the callback of the number leads here")


def test_the_callback_of_the_number_wins_over_that_of_the_account(house: House) -> None:
    here = f"{house.given['PUBLIC_BASE_URL']}/webhooks/whatsapp"
    house.meta.account(waba={"override_callback_uri": here}, numbers={NUMBER: {"override_callback_uri": ELSEWHERE}})
    found = house.one("override")
    assert found.status == Status.FAILED and "the callback of the number wins" in found.said
    house.meta.account(waba={"override_callback_uri": ELSEWHERE}, numbers={NUMBER: {"override_callback_uri": here}})
    assert house.one("override").status == Status.OK


def test_a_login_page_before_the_callback_is_no_wamcp(house: House) -> None:
    with somebody_else(403) as url:
        found = house.one("callback", PUBLIC_BASE_URL=url)
    assert found.status == Status.FAILED and "does not lead to a WAMCP: HTTP 403" in found.said
    assert "through the login or firewall" in (found.fix or "")


def test_a_callback_that_redirects_is_named(house: House) -> None:
    with somebody_else(302) as url:
        found = house.one("callback", PUBLIC_BASE_URL=url)
    assert found.status == Status.FAILED and "a redirection, which Meta does not follow" in found.said


def test_a_number_of_another_account_is_named(house: House) -> None:
    answer = {"status": 200, "body": {"data": [{"id": "71"}]}}
    house.meta.script([{"when": {"path": "/phone_numbers"}, "do": {"answer": answer}}])
    found = house.one("number_of_waba")
    assert found.status == Status.FAILED and "has other numbers: 71" in found.said


def test_what_needs_a_token_is_skipped_without_one_and_says_so(house: House) -> None:
    house.meta.account(token={"is_valid": False})
    findings = {finding.name: finding for finding in house.look()}
    assert findings["token"].status == Status.FAILED
    skipped = {name for name, finding in findings.items() if finding.status == Status.SKIPPED}
    assert skipped == {
        "scopes", "app_secret", "waba", "number", "number_of_waba", "registered", "number_status", "quality",
        "display_name", "throughput", "subscribed", "webhook", "fields", "override",
    }  # fmt: skip
    assert all(findings[name].said == "needs the check `token`, which failed" for name in skipped)


def test_a_meta_that_never_answers_costs_seconds(house: House) -> None:
    house.meta.script([{"do": {"timeout": "before"}}])
    began = time.monotonic()
    findings = {finding.name: finding for finding in house.look()}
    assert time.monotonic() - began < 15
    assert findings["graph"].status == Status.FAILED and "nobody answers" in findings["graph"].said
    assert findings["signature"].status == Status.OK


def test_an_installation_in_which_nothing_ever_answers_costs_less_than_half_a_minute(house: House) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        findings = house.look(
            WHATSAPP_BASE_URL=f"http://{address}", PUBLIC_BASE_URL=f"http://{address}",
            WAMCP_PORT=address.partition(":")[2], REDIS_URL=f"redis://{address}/0",
            DATABASE_URL=f"postgresql://me:simulated-password@{address}/none",
        )  # fmt: skip
        assert time.monotonic() - began < 15
    failed = {finding.name for finding in findings if finding.status == Status.FAILED}
    assert failed == {"graph", "callback", "api", "database", "broker"}


def test_the_command_prints_a_line_and_a_fix_and_fails(house: House) -> None:
    house.meta.account(waba={"subscribed_apps": []})
    command = [*COMMAND, "doctor", "--only", "subscribed,api"]
    env = bare(house.directory) | house.given
    done = subprocess.run(command, cwd=house.directory, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0].startswith("failed   subscribed  app ") and "no app is" in lines[0]
    assert lines[1].strip().startswith("fix: run `wamcp setup`, or: curl -X POST")
    assert lines[2].startswith("ok       api         answers")
    assert lines[-1] == "1 ok, 1 failed."
    says_nothing_secret(house, done.stdout)


def test_a_setting_that_is_none_is_a_finding(tmp_path: Path) -> None:
    env = bare(tmp_path) | {"WAMCP_SENDS_PER_SECOND": "0"}
    done = subprocess.run([*COMMAND, "doctor"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stdout.startswith("failed   settings  WAMCP_SENDS_PER_SECOND is not valid")


def test_a_check_that_does_not_exist_is_wrong_usage(house: House) -> None:
    with pytest.raises(Rejected, match="There is no check 'tokens'; there are settings, echo"):
        house.look("tokens")


def test_the_addresses_are_those_of_the_wamcp_up_that_runs_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = subprocess.Popen(["sleep", "60"], executable="/bin/sleep")
    named = subprocess.Popen([*COMMAND, "simulate-graph", "--port", "0"], stdout=subprocess.PIPE)
    try:
        assert named.stdout is not None and named.stdout.readline().startswith(b"ready")
        runtime = {
            "api_url": "http://127.0.0.1:8123", "database_url": "postgresql://up", "redis_url": "redis://up",
            "verify_token": "verify of up", "app_secret": "secret of up", "pids": {"supervisor": named.pid},
        }  # fmt: skip
        monkeypatch.setenv("WAMCP_RUNTIME_FILE", str(tmp_path / "runtime.json"))
        given = {"DATABASE_URL": "postgresql://dotenv", "WHATSAPP_APP_SECRET": "secret of dotenv"}
        (tmp_path / "runtime.json").write_text(json.dumps(runtime))
        place = find(given, tmp_path / "none")
        assert (place.is_up, place.api_url, place.borrowed) == (True, "http://127.0.0.1:8123", {"verify_token"})
        assert place.settings.direct_url() == "postgresql://up"
        assert place.settings.app_secrets() == (b"secret of dotenv",)
        assert place.settings.object_dir == str(tmp_path / "objects")
        (tmp_path / "runtime.json").write_text(json.dumps({**runtime, "pids": {"supervisor": running.pid}}))
        assert find(given, tmp_path / "none").settings.direct_url() == "postgresql://dotenv"
    finally:
        for process in (running, named):
            process.terminate()
            process.wait(20)
        if named.stdout is not None:
            named.stdout.close()


@contextmanager
def somebody_else(status: int) -> Iterator[str]:
    """A server that answers everything with ``status`` and a page of its own."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Location", "https://elsewhere.example.com/")
            self.end_headers()
            self.wfile.write(b"Please log in.")

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def says_nothing_secret(house: House, text: str) -> None:
    shown = [each for each in (TOKEN, SECRET, VERIFY, KEY, "simulated-password", "code=hidden") if each in text]
    assert shown == []
    assert psycopg.conninfo.conninfo_to_dict(house.given["DATABASE_URL"])["password"] not in text
