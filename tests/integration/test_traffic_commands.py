"""send-webhook and simulate-traffic against a server that checks signatures as the door does."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from wamcp.cli.traffic import send_webhook, simulate_traffic
from wamcp.errors import Misconfigured
from wamcp.simulator.post import Answer, Tally
from wamcp.whatsapp.signature import is_valid

SECRET = "test_app_secret"


class Meta(ThreadingHTTPServer):
    """Keeps what it was sent with a valid signature; answers 401 to everything else."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.kept: list[bytes] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Meta

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        header = [value.encode() for value in self.headers.get_all("X-Hub-Signature-256", [])]
        valid = self.path == "/webhooks/whatsapp" and is_valid(header, body, [SECRET.encode()])
        if valid:
            self.server.kept.append(body)
        self.send_response(200 if valid else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def listening() -> Iterator[Meta]:
    with Meta() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def meta() -> Iterator[Meta]:
    with listening() as server:
        yield server


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.command()(send_webhook)
    app.command()(simulate_traffic)
    return app


@pytest.fixture(autouse=True)
def _no_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("WHATSAPP_APP_SECRET", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def test_a_file_is_posted_verbatim_and_signed(app: typer.Typer, meta: Meta, tmp_path: Path) -> None:
    body = b'{ "entry" : [ ],\n"object":"x" }\n'
    (tmp_path / "a.json").write_bytes(body)
    command = ["send-webhook", str(tmp_path / "a.json"), "--url", meta.url, "--secret", SECRET]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0
    assert result.stdout.split()[-1] == "200"
    assert meta.kept == [body]


def test_an_answer_other_than_200_is_shown_and_is_exit_1(app: typer.Typer, meta: Meta, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"{}")
    result = CliRunner().invoke(app, ["send-webhook", str(tmp_path / "a.json"), "--url", meta.url, "--secret", "no"])
    assert result.exit_code == 1
    assert "401" in result.stdout


def test_a_door_that_is_shut_is_reported_and_is_exit_1(app: typer.Typer, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"{}")
    with listening() as gone:
        url = gone.url
    result = CliRunner().invoke(app, ["send-webhook", str(tmp_path / "a.json"), "--url", url, "--secret", SECRET])
    assert result.exit_code == 1
    assert "no answer" in result.stdout


@pytest.mark.parametrize("option", [True, False])
def test_address_and_secret_come_from_the_running_house(
    app: typer.Typer, meta: Meta, tmp_path: Path, option: bool
) -> None:
    state = tmp_path / "data" / "wamcp"
    state.mkdir(parents=True)
    (state / "runtime.json").write_text(json.dumps({"api_url": meta.url, "app_secret": f"{SECRET},old"}))
    where = ["--state-dir", str(state)] if option else []
    result = CliRunner().invoke(app, ["simulate-traffic", "--count", "5", *where])
    assert result.exit_code == 0
    assert len(meta.kept) == 5


def test_without_an_address_it_says_what_to_do(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, ["simulate-traffic", "--count", "5"])
    assert result.exit_code == 2
    assert "wamcp up" in result.stderr


def test_traffic_is_posted_once_each_and_summed_up(app: typer.Typer, meta: Meta) -> None:
    options = ["--count", "200", "--concurrency", "4", "--rate", "2000", "--url", meta.url, "--secret", SECRET]
    result = CliRunner().invoke(app, ["simulate-traffic", *options])
    assert result.exit_code == 0
    assert "sent 200  200: 200  other: 0" in result.stderr
    assert "p99" in result.stderr
    assert len(set(meta.kept)) == 200


def test_traffic_is_written_to_one_file_or_to_a_directory(app: typer.Typer, tmp_path: Path) -> None:
    for out in ("all.jsonl", "each"):
        result = CliRunner().invoke(app, ["simulate-traffic", "--count", "20", "--out", str(tmp_path / out)])
        assert result.exit_code == 0
    lines = (tmp_path / "all.jsonl").read_bytes().splitlines()
    assert [path.read_bytes() for path in sorted((tmp_path / "each").iterdir())] == lines
    assert len(lines) == 20


def test_the_mix_and_the_faults_can_be_chosen(app: typer.Typer, tmp_path: Path) -> None:
    options = ["--count", "300", "--duplicates", "0.3", "--reorder", "5", "--batches", "0.1", "--faults", "0.1"]
    command = ["simulate-traffic", "--mix", "text=3,call=1", *options, "--out", str(tmp_path / "all.jsonl")]
    assert CliRunner().invoke(app, command).exit_code == 0
    lines = (tmp_path / "all.jsonl").read_bytes().splitlines()
    fields = {change["field"] for line in lines for entry in json.loads(line)["entry"] for change in entry["changes"]}
    assert len(lines) == 300
    assert len(set(lines)) < 290
    assert {"messages", "smb_message_echoes", "calls"} == fields


@pytest.mark.parametrize("mix", ["gossip", "text=0", "text=much"])
def test_a_mix_that_there_is_not_is_refused(app: typer.Typer, tmp_path: Path, mix: str) -> None:
    result = CliRunner().invoke(app, ["simulate-traffic", "--mix", mix, "--out", str(tmp_path / "all.jsonl")])
    assert isinstance(result.exception, Misconfigured)


def test_without_end_it_goes_on_until_it_is_interrupted_and_sums_up(meta: Meta) -> None:
    command = [sys.executable, "-m", "wamcp.cli.main", "simulate-traffic", "--count", "0", "--rate", "500"]
    # A shell that runs the tests in its background lets them ignore Ctrl-C.
    heeding = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        [*command, "--url", meta.url, "--secret", SECRET], stderr=subprocess.PIPE, text=True, preexec_fn=heeding
    ) as process:
        try:
            deadline = time.monotonic() + 30
            while len(meta.kept) < 50 and time.monotonic() < deadline:
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 0
    assert f"sent {len(meta.kept)}  200: {len(meta.kept)}  other: 0" in stderr


def test_the_tally_knows_how_long_the_slowest_took_and_forgets_no_refusal() -> None:
    tally = Tally()
    for number in range(1, 1001):
        tally.add(Answer(200 if number % 10 else 400 + number, number / 1000))
    assert tally.sent == 1000
    assert sum(tally.refused.values()) == 100
    assert tally.percentile(0.5) == pytest.approx(500, rel=0.02)
    assert tally.percentile(0.99) == pytest.approx(990, rel=0.02)
    assert Tally().percentile(0.5) == 0
