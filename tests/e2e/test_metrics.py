"""Every metric and label that the dashboard and the alert rules name is told by a real ``wamcp up``."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.house import House, eventually
from tests.e2e.meta import takes_webhooks
from tests.monitoring import expressions, metrics_of, selected
from tests.patience import PATIENCE
from tests.working import OURS
from wamcp.embedded.ports import free_port
from wamcp.embedded.scratch import temporary_directory
from wamcp.simulator.bodies import account_update

pytestmark = pytest.mark.embedded

HISTOGRAM = ("_bucket", "_count", "_sum")


@pytest.fixture(scope="module")
def worker_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def house(worker_port: int) -> Iterator[House]:
    with temporary_directory() as parent:
        directory = parent / "state"
        env = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        process = subprocess.Popen(
            [sys.executable, "-m", "wamcp.cli.main", "up", "--state-dir", str(directory), "--port", "0"],
            env=env | {"WAMCP_WORKER_METRICS_PORT": str(worker_port)},
            cwd=parent,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None and process.stdout.readline().startswith("ready ")
            house = House(directory)
            body = account_update(1_790_000_000)
            assert eventually(lambda: takes_webhooks(house.port, house.secret, body))
            yield house
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60 * PATIENCE)
        assert process.returncode == 0


def told_by(url: str) -> str:
    return httpx.get(f"{url}/metrics", timeout=10, trust_env=False).text


def names_of(exposition: str) -> set[str]:
    """The metrics that are told, also those without a value so far."""
    names = set()
    for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", exposition, re.MULTILINE):
        names |= {name + suffix for suffix in HISTOGRAM} if kind == "histogram" else {name}
    return names


def test_every_metric_that_is_asked_for_is_told(house: House, worker_port: int) -> None:
    api = house.runtime["api_url"]
    assert eventually(lambda: "wamcp_worker_last_claim_timestamp{" in told_by(api))
    assert eventually(lambda: 'wamcp_workers{role="celery"} 1.0' in told_by(api))
    told, worker = told_by(api), told_by(f"http://127.0.0.1:{worker_port}")
    asked = {name for _, expression in expressions() for name in metrics_of(expression)}
    assert asked <= names_of(told), asked - names_of(told)
    assert {"wamcp_media_settled_total", "wamcp_graph_request_seconds_count", "wamcp_sends_total"} <= names_of(worker)
    assert "wamcp_events_processed_total 1.0" in told and 'wamcp_event_lag_seconds_bucket{le="+Inf"} 1.0' in told
    for name in ("wamcp audit", "wamcp reader"):
        assert f'wamcp_database_pool_connections{{pool="{name}"}}' in told
    assert 'wamcp_database_pool_connections{pool="wamcp worker"}' in worker


def test_every_label_that_is_asked_for_is_there(house: House) -> None:
    told = told_by(house.runtime["api_url"])
    for title, expression in expressions():
        for name, labels in selected(expression):
            if samples := re.findall(rf"^{name}\{{(.*)\}} ", told, re.MULTILINE):
                assert all(f'{label}="' in samples[0] for label in labels), (title, name, labels)
    states = set(re.findall(r'^wamcp_\w+_rows\{state="(\w+)"\}', told, re.MULTILINE))
    asked = {word for _, expression in expressions() for word in re.findall(r'state="(\w+)"', expression)}
    assert asked == {"unknown", "failed", "quarantined"} and asked <= states


def test_health_tells_of_both_workers(house: House) -> None:
    key = {"X-Admin-Api-Key": house.runtime["admin_api_key"]}
    wanted = {"celery": house.pid("worker"), "normalizer": house.pid("normalizer")}

    def ask() -> dict[str, Any]:
        url = f"{house.runtime['api_url']}/admin/health"
        return dict(httpx.get(url, headers=key, timeout=10 * PATIENCE, trust_env=False).json())

    assert eventually(lambda: {worker["role"]: worker["pid"] for worker in ask()["workers"]} == wanted), ask()
    told = ask()
    assert told["status"] == "ok" and not any(worker["late"] for worker in told["workers"])
    assert told["git_version"] and all(worker["git_version"] == told["git_version"] for worker in told["workers"])
