"""The whole of WAMCP by its one command: a signed webhook goes in, and what keeps it can be killed."""

import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.e2e.house import eventually
from tests.patience import PATIENCE
from wamcp.embedded.process import is_running
from wamcp.embedded.scratch import temporary_directory

pytestmark = pytest.mark.embedded

BODY = {
    "object": "whatsapp_business_account",
    "entry": [
        {
            "id": "100000000000001",
            "changes": [
                {
                    "field": "messages",
                    "value": {
                        "messaging_product": "whatsapp",
                        "metadata": {"display_phone_number": "15550100001", "phone_number_id": "200000000000001"},
                        "contacts": [{"profile": {"name": "Ana Invented"}, "wa_id": "15550100042"}],
                        "messages": [
                            {
                                "from": "15550100042",
                                "id": "wamid.UP0001",
                                "timestamp": "1790000000",
                                "type": "text",
                                "text": {"body": "the blue bicycle has arrived"},
                            }
                        ],
                    },
                }
            ],
        }
    ],
}


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    with temporary_directory() as parent:
        yield parent / "state"


@pytest.fixture(scope="module")
def process(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """``wamcp up`` that has said ``ready``; ended in order afterwards."""
    settings = ("WAMCP_", "WHATSAPP_", "DEBUG_ECHO", "VERIFY_", "ADMIN_API_KEY")
    running = subprocess.Popen(
        [sys.executable, "-m", "wamcp.cli.main", "up", "--state-dir", str(directory), "--port", "0"],
        env={name: value for name, value in os.environ.items() if not name.startswith(settings)},
        cwd=directory.parent,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stdout is not None
        assert running.stdout.readline() == f"ready {runtime(directory)['api_url']}\n"
        yield running
    finally:
        pids = [pid for pid in runtime(directory)["pids"].values() if pid is not None]
        running.send_signal(signal.SIGTERM)
        rest, _ = running.communicate(timeout=60 * PATIENCE)
    assert running.returncode == 0 and rest == ""
    assert not any(is_running(pid) for pid in pids)


def runtime(directory: Path) -> dict[str, Any]:
    return json.loads((directory / "runtime.json").read_text())


def deliver(directory: Path, text: str) -> int:
    """The status of one signed webhook; 0 when nobody answered."""
    now = runtime(directory)
    body = json.dumps(BODY).replace("wamid.UP0001", f"wamid.{text}").encode()
    signature = hmac.new(now["app_secret"].encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature-256": f"sha256={signature}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{now['api_url']}/webhooks/whatsapp", data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def is_kept(directory: Path, wamid: str) -> bool:
    try:
        with psycopg.connect(runtime(directory)["database_url"], connect_timeout=5) as connection:
            row = connection.execute("SELECT count(*) FROM messages WHERE wamid = %s", (wamid,)).fetchone()
            return row == (1,)
    except psycopg.OperationalError:
        return False


def test_a_signed_webhook_becomes_a_message(process: subprocess.Popen[str], directory: Path) -> None:
    assert deliver(directory, "FIRST") == 200
    assert eventually(lambda: is_kept(directory, "wamid.FIRST"))


@pytest.mark.parametrize("name", ["postgres", "valkey", "normalizer", "api"])
def test_a_message_is_taken_again_after_a_part_was_killed(
    process: subprocess.Popen[str], directory: Path, name: str
) -> None:
    before = runtime(directory)
    os.kill(before["pids"][name], signal.SIGKILL)
    assert eventually(lambda: runtime(directory)["pids"][name] not in (None, before["pids"][name]))
    assert eventually(lambda: deliver(directory, f"AFTER{name}") == 200)
    assert eventually(lambda: is_kept(directory, f"wamid.AFTER{name}"))
    after = runtime(directory)
    assert {**after, "pids": 0} == {**before, "pids": 0}
    assert name == "api" or after["pids"]["api"] == before["pids"]["api"]
