"""``wamcp setup`` as a process in a fresh directory, against the Graph simulator, until the first message is there."""

import os
import pty
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.running import COMMAND, bare, processes, reading, with_logins
from wamcp.doctor import env_file
from wamcp.doctor.account import MESSAGE_FIELDS
from wamcp.embedded.ports import free_port
from wamcp.errors import Misconfigured
from wamcp.settings import load
from wamcp.simulator.graph.account import Config
from wamcp.simulator.graph.run import Simulated, simulated

pytestmark = pytest.mark.embedded

TOKEN, SECRET = "simulated-token-a1", "simulated-secret-b2"
NUMBER, WABA, APP = "700000000000001", "900000000000001", "800000000000001"
OPTIONS = ("--access-token", TOKEN, "--app-secret", SECRET, "--waba-id", WABA, "--phone-number-id", NUMBER)
FORMER = "# kept\nWAMCP_LOG_LEVEL=error\nADMIN_API_KEY=admin123\nWHATSAPP_VERIFY_TOKEN=dev-verify-token # mine\n"


@dataclass(frozen=True)
class Fresh:
    """A directory in which nothing was set up yet, the services that are there, and the simulator."""

    directory: Path
    given: dict[str, str]
    meta: Simulated
    port: int

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def dotenv(self) -> dict[str, str]:
        lines = (self.directory / ".env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def start(self, *arguments: str, terminal: int | None = None) -> "subprocess.Popen[bytes]":
        end: Any = subprocess.PIPE if terminal is None else terminal
        # A job in the background is started deaf to Ctrl-C, and hands that on.
        heeding = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        return subprocess.Popen(
            [*COMMAND, "setup", *arguments],
            cwd=self.directory, env=bare(self.directory) | self.given, start_new_session=True,
            stdin=subprocess.DEVNULL if terminal is None else terminal, stdout=end, stderr=end,
            preexec_fn=heeding,
        )  # fmt: skip

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        env = bare(self.directory) | self.given
        command = [*COMMAND, "setup", *arguments]
        return subprocess.run(
            command, cwd=self.directory, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90
        )

    def somebody_writes(self, text: str) -> None:
        wanted = {"from": "15550100042", "name": "Ana Invented", "text": text}
        answer = httpx.post(f"{self.meta.url}/_simulator/receive", json=wanted, trust_env=False, timeout=30)
        assert answer.json()["status"] == 200, answer.text

    def says_no_secret(self, text: str) -> None:
        made = [self.dotenv[name] for name in ("WHATSAPP_VERIFY_TOKEN", "ADMIN_API_KEY")] if self.is_set_up else []
        assert [secret for secret in (TOKEN, SECRET, *made) if secret in text] == []

    @property
    def is_set_up(self) -> bool:
        return (self.directory / ".env").is_file()


@pytest.fixture
def fresh(tmp_path: Path, database_url: str, valkey_url: str) -> Iterator[Fresh]:
    account = {"waba": {"subscribed_apps": []}}
    config = Config(access_token=TOKEN, app_secret=SECRET, app_id=APP, account=account)
    port = free_port()
    with simulated(config) as meta:
        given = {
            "WHATSAPP_BASE_URL": meta.url, "WAMCP_PORT": str(port), "REDIS_URL": valkey_url,
            "DATABASE_URL": with_logins(database_url), "WAMCP_OBJECT_DIR": str(tmp_path / "objects"),
        }  # fmt: skip
        yield Fresh(tmp_path, given, meta, port)


def test_everything_given_leads_to_the_first_message(fresh: Fresh) -> None:
    (fresh.directory / ".env").write_text(FORMER)
    process = fresh.start(*OPTIONS, "--public-base-url", fresh.base, "--wait-seconds", "60")
    with reading(process, process.stdout) as said:
        said.until("Let WAMCP take the new values now")
        with processes(fresh.directory, fresh.given, "api", "worker"):
            said.until("Meta verified")
            said.until("Send a WhatsApp message to +1 555-010-0001 now")
            fresh.somebody_writes("Is the blue \x1b[31mvase still there?")
            said.until("wamcp doctor")
            assert process.wait(30) == 0
        assert "It works. Ana Invented (****0042) wrote: Is the blue [31mvase still there?" in said.text
        assert "failed" not in said.text and "warning" not in said.text
        fresh.says_no_secret(said.text)
    dotenv = fresh.dotenv
    assert (dotenv["WHATSAPP_ACCESS_TOKEN"], dotenv["WHATSAPP_APP_SECRET"]) == (TOKEN, SECRET)
    assert (dotenv["WHATSAPP_PHONE_NUMBER_ID"], dotenv["WHATSAPP_WABA_ID"]) == (NUMBER, WABA)
    assert len(dotenv["ADMIN_API_KEY"]) == 64 and len(dotenv["WHATSAPP_VERIFY_TOKEN"]) == 32
    assert (fresh.directory / ".env").read_text().startswith("# kept\nWAMCP_LOG_LEVEL=error\nADMIN_API_KEY=")
    assert (fresh.directory / ".env.bak").read_text() == FORMER
    assert {stat.S_IMODE((fresh.directory / name).stat().st_mode) for name in (".env", ".env.bak")} == {0o600}
    account = fresh.meta._world.account
    assert account.waba.subscribed_apps == [APP]
    assert account.callback.url == f"{fresh.base}/webhooks/whatsapp"
    assert set(MESSAGE_FIELDS) <= set(account.callback.fields)


def test_somebody_at_a_terminal_is_asked_until_it_is_right(fresh: Fresh) -> None:
    ours, theirs = pty.openpty()
    process = fresh.start("--wait-seconds", "60", terminal=theirs)
    os.close(theirs)
    with reading(process, ours) as said:

        def answer(question: str, text: str) -> None:
            said.until(question)
            time.sleep(0.2)
            os.write(ours, text.encode() + b"\n")

        answer("Access token:", "simulated-token-z9")
        said.until("Meta refuses the token")
        answer("Access token:", TOKEN)
        answer("App secret:", "simulated-secret-z9")
        said.until(f"it is not the secret of app {APP}")
        answer("App secret:", SECRET)
        answer(f"WhatsApp Business Account ID [{WABA}]:", "")
        answer("Phone number ID (not the number)", "700000000000009")
        said.until("no number that this token sees")
        answer(f"Phone number ID (not the number) [{NUMBER}]:", "")
        answer("Public address", "wamcp.example.com")
        said.until("must begin with https://")
        answer("Public address", fresh.base)
        said.until("Let WAMCP take the new values now")
        with processes(fresh.directory, fresh.given, "api", "worker"):
            said.until("Send a WhatsApp message to +1 555-010-0001 now")
            fresh.somebody_writes("Good morning")
            said.until("It works. Ana Invented (****0042) wrote: Good morning")
            assert process.wait(30) == 0
        fresh.says_no_secret(said.text)
        assert "simulated-secret-z9" not in said.text and "simulated-token-z9" not in said.text
    os.close(ours)
    assert not (fresh.directory / ".env.bak").exists()


def test_ctrl_c_while_waiting_ends_well_and_says_how_to_go_on(fresh: Fresh) -> None:
    process = fresh.start(*OPTIONS)
    with reading(process, process.stdout) as said:
        said.until("Send a WhatsApp message to")
        assert "nothing arrives before that" in said.text
        process.send_signal(signal.SIGINT)
        said.until("`wamcp setup` waits again")
        assert process.wait(20) == 0
    again = fresh.run("--wait-seconds", "1")
    assert again.returncode == 1 and "Nothing to change in" in again.stdout
    assert "is subscribed to account 900000000000001 already" in again.stdout
    assert "Nothing arrived within 1 s" in again.stdout


def test_without_a_terminal_what_is_missing_is_named(fresh: Fresh) -> None:
    done = fresh.run(*OPTIONS[:4])
    assert done.returncode == 2
    assert "--waba-id, --phone-number-id" in done.stderr and "--app-secret" not in done.stderr
    assert not fresh.is_set_up


def test_a_wrong_value_without_a_terminal_is_told_and_nothing_is_written(fresh: Fresh) -> None:
    done = fresh.run(*OPTIONS, "--app-secret", "simulated-secret-z9")
    assert done.returncode == 1 and "it is not the secret of app" in done.stdout
    assert "simulated-secret-z9" not in done.stdout + done.stderr
    assert not fresh.is_set_up


def test_without_waiting_it_says_what_is_left_to_do(fresh: Fresh) -> None:
    fresh.given["WHATSAPP_APP_SECRET"] = SECRET
    done = fresh.run(*OPTIONS[:2], *OPTIONS[4:], "--public-base-url", fresh.base, "--no-wait")
    assert done.returncode == 1
    assert "Meta could not verify" in done.stdout and "wamcp doctor --only callback,verify" in done.stdout
    assert "failed   api" in done.stdout and "Send a WhatsApp message" not in done.stdout
    assert fresh.dotenv["PUBLIC_BASE_URL"] == fresh.base
    fresh.says_no_secret(done.stdout + done.stderr)


def test_a_callback_of_another_system_is_told_and_an_unknown_field_stops_nothing(fresh: Fresh) -> None:
    fresh.meta.account(callback={"url": "https://elsewhere.example.com/hook", "fields": ["account_update"]})
    rule = {"when": {"path": "/subscriptions", "method": "POST"}, "times": 1}
    fresh.meta.script([{**rule, "do": {"answer": {"status": 400, "code": 100}}}])
    fresh.given.update(WHATSAPP_VERIFY_TOKEN="simulated-verify-c3", ADMIN_API_KEY="simulated-key-d4")
    with processes(fresh.directory, fresh.given | {"WHATSAPP_APP_SECRET": SECRET}, "api", "worker"):
        done = fresh.run(*OPTIONS, "--public-base-url", fresh.base, "--no-wait")
    assert "went to https://elsewhere.example.com/hook until now" in done.stdout
    assert "does not let all fields be subscribed" in done.stdout
    assert fresh.meta._world.account.callback.fields == ["messages", "account_update"]
    assert done.returncode == 0, done.stdout


def test_a_secret_that_lies_in_a_file_of_its_own_stays_there(fresh: Fresh) -> None:
    (fresh.directory / "token").write_text(TOKEN)
    fresh.given["WHATSAPP_ACCESS_TOKEN_FILE"] = str(fresh.directory / "token")
    assert fresh.run(*OPTIONS[2:], "--no-wait").returncode == 1  # no api runs
    assert "WHATSAPP_ACCESS_TOKEN" not in fresh.dotenv and fresh.dotenv["WHATSAPP_APP_SECRET"] == SECRET


def test_the_file_can_be_read_by_a_shell_and_by_wamcp(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("export A=1\nB=2\n#C=3\nB=4\nD='x y'\n")
    assert env_file.write(path, {"A": "it costs $5 & more", "B": "https://a.example/?b=c#d", "C": "plain"}) is True
    assert path.read_text() == "A='it costs $5 & more'\nB='https://a.example/?b=c#d'\n#C=3\nD='x y'\nC=plain\n"
    shell = subprocess.run(["sh", "-c", f'. {path}; echo "$A|$B|$C|$D"'], capture_output=True, text=True, check=True)
    assert shell.stdout == "it costs $5 & more|https://a.example/?b=c#d|plain|x y\n"
    env_file.write(path, {"PUBLIC_BASE_URL": "https://a.example/?b=c#d"})
    assert load({}, dotenv=path).public_base_url == "https://a.example/?b=c#d"
    assert env_file.write(path, {"C": "plain"}) is False
    with pytest.raises(Misconfigured, match="C holds a character"):
        env_file.write(path, {"C": "a'b"})
