"""A number is connected as docs/setup.md says it: ``wamcp setup``, and ``wamcp up`` in another terminal."""

import json
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.patience import PATIENCE
from tests.running import COMMAND, bare, reading
from wamcp.doctor.place import START_UP
from wamcp.embedded.ports import free_port
from wamcp.embedded.scratch import temporary_directory
from wamcp.simulator.graph.account import Config
from wamcp.simulator.graph.run import simulated

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(180)]
ROOT = Path(__file__).parents[2]


def test_setup_and_up_side_by_side_lead_to_the_first_message() -> None:
    assert START_UP in (ROOT / "docs/setup.md").read_text()
    public = free_port()
    config = Config(access_token="simulated-token-a1", app_secret="simulated-secret-b2")
    with temporary_directory() as directory, simulated(config) as meta:
        env = bare(directory) | {
            "WHATSAPP_BASE_URL": meta.url, "WHATSAPP_ACCESS_TOKEN": config.access_token,
            "WHATSAPP_APP_SECRET": config.app_secret, "WHATSAPP_WABA_ID": config.waba_id,
            "WHATSAPP_PHONE_NUMBER_ID": config.phone_number_id, "PUBLIC_BASE_URL": f"http://127.0.0.1:{public}",
            "WAMCP_RUNTIME_FILE": str(directory / "state" / "runtime.json"),
        }  # fmt: skip
        setup = subprocess.Popen([*COMMAND, "setup"], cwd=directory, env=env, stdin=subprocess.DEVNULL, stdout=-1)
        with reading(setup, setup.stdout) as said:
            said.until(START_UP)
            here = " ".join(COMMAND)
            shell = START_UP.replace("wamcp up --public-port 8001", f"exec {here} up --public-port {public} --port 0")
            kept = {"WHATSAPP_BASE_URL": meta.url}
            up = subprocess.Popen(
                ["sh", "-c", f"{shell} --state-dir state"], cwd=directory, env=bare(directory) | kept, stdout=-1
            )
            try:
                said.until("Send a WhatsApp message to +1 555-010-0001 now")
                assert "failed" not in said.text and "skipped" not in said.text, said.text
                wanted = {"user_id": "PT.13491208655302741918", "name": "Rui Invented", "text": "Bom dia"}
                answer = httpx.post(f"{meta.url}/_simulator/receive", json=wanted, trust_env=False, timeout=30)
                assert answer.json()["status"] == 200
                said.until("It works. Rui Invented wrote: Bom dia")
                assert setup.wait(30) == 0
            finally:
                up.send_signal(signal.SIGTERM)
                up.communicate(timeout=60 * PATIENCE)
        secrets = json.loads((directory / "state" / "secrets.json").read_text())
        assert not [value for value in secrets.values() if value in said.text]
