"""The whole of WAMCP, started once per module."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.e2e.house import DRAIN_S, House, eventually
from wamcp.embedded.scratch import temporary_directory


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    ours = ("WAMCP_", "WHATSAPP_", "DEBUG_ECHO", "VERIFY_", "ADMIN_API_KEY", "DATABASE_", "REDIS_")
    command = [sys.executable, "-m", "wamcp.cli.main", "up"]
    with temporary_directory() as parent:
        running = subprocess.Popen(
            [*command, "--state-dir", str(parent / "state"), "--port", "0", "--public-port", "0"],
            env={name: value for name, value in os.environ.items() if not name.startswith(ours)},
            cwd=parent,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert running.stdout is not None and running.stdout.readline().startswith("ready ")
            yield House(parent / "state")
        finally:
            running.send_signal(signal.SIGTERM)
            running.communicate(timeout=60)


@pytest.fixture
def well(house: House) -> House:
    """The house with everything running and nothing waiting."""
    assert eventually(house.is_well, 60)
    assert eventually(lambda: house.value("SELECT count(*) FROM webhook_queue") == 0, DRAIN_S)
    return house
