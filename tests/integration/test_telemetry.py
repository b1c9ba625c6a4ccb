"""What leaves for OpenTelemetry and Sentry: names, ids and places in the code, and nothing that somebody wrote."""

import gzip
import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.understanding import rows
from tests.working import Program, eventually
from wamcp.simulator.bodies import account_update
from wamcp.telemetry import scrubbed_error

pytestmark = pytest.mark.embedded

WORDS = ("the blue bicycle", "15550100042", "wamcp_planted_secret")
BROKEN = """
from wamcp import log, telemetry
from wamcp.settings import load
log.configure("info")
telemetry.start(load(), "test")
words = "the blue bicycle for +15550100042, wamcp_planted_secret"
with telemetry.span("piece", media=7):
    from opentelemetry import trace
    tracer = trace.get_tracer("somebody else's")
    attributes = {"query": words, "mcp.method.name": "tools/call"}
    with tracer.start_as_current_span("tools/call " + words, attributes=attributes):
        trace.get_current_span().add_event("said", {"words": words})
        trace.get_current_span().set_status(trace.StatusCode.ERROR, words)
try:
    raise ValueError(words)
except ValueError:
    secret = "wamcp_planted_secret"
    log.get("test").exception("piece_failed", media=7, body=words, access_token=secret, who="+15550100042")
import logging
logging.getLogger("somebody.else").error("cannot write %s", words)
log.get("test").info("said", text=words)
raise RuntimeError(words)
"""


class Sink:
    """Plays both receivers and keeps what they got."""

    def __init__(self) -> None:
        self.url = ""
        self.traces: list[bytes] = []
        self.envelopes: list[bytes] = []

    def spans(self) -> dict[str, dict[str, object]]:
        """Names of the spans that came, with their attributes."""
        found: dict[str, dict[str, object]] = {}
        for body in self.traces:
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        values = {each.key: each.value.int_value or each.value.string_value for each in span.attributes}
                        found[span.name] = values | {"events": len(span.events), "told": span.status.message}
        return found

    def errors(self) -> list[dict[str, object]]:
        """The events that came."""
        lines = [json.loads(line) for body in self.envelopes for line in body.splitlines() if line.startswith(b"{")]
        return [line for line in lines if "level" in line]


@contextmanager
def sink() -> Iterator[Sink]:
    got = Sink()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
            (got.traces if self.path == "/v1/traces" else got.envelopes).append(body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        got.url = f"127.0.0.1:{server.server_port}"
        try:
            yield got
        finally:
            server.shutdown()


def test_no_word_of_anybody_leaves(tmp_path: Path) -> None:
    with sink() as got:
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{got.url}", "SENTRY_DSN": f"http://key@{got.url}/1"}
        program = Program(tmp_path, environ, code=BROKEN)
        assert program.wait(60) == 1, program.said
    everything = b"".join(got.traces + got.envelopes)
    for words in WORDS:
        assert words.encode() not in everything, words
    spans = got.spans()
    assert spans["piece"] == {"wamcp.media": 7, "events": 0, "told": ""}
    assert spans["tools/call"] == {"mcp.method.name": "tools/call", "events": 0, "told": ""}
    errors = {str(error.get("message")): error for error in got.errors()}
    assert set(errors) == {"piece_failed", "somebody.else logged an error", ""}
    failed = errors["piece_failed"]
    assert failed["extra"]["media"] == 7 and failed["extra"]["body"] == "[not logged]"  # type: ignore[index]
    assert failed["extra"]["who"] == "****0042" and failed["tags"] == {"role": "test"}  # type: ignore[index]
    kinds = [value["type"] for error in got.errors() for value in error["exception"]["values"]]  # type: ignore[index]
    assert sorted(kinds) == ["RuntimeError", "ValueError"]
    assert "vars" not in str(got.errors()) and "context_line" not in str(got.errors())


def test_a_real_normalizer_is_traced(db: psycopg.Connection, database_url: str, tmp_path: Path) -> None:
    with sink() as got:
        environ = {
            "DATABASE_URL": database_url,
            "WAMCP_MIGRATE_ON_START": "false",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{got.url}",
            "SENTRY_DSN": f"http://key@{got.url}/1",
        }
        program = Program(tmp_path, environ, "worker", "--only", "normalizer")
        try:
            for number, body in enumerate([account_update(1_790_000_000), b"no JSON " + b"\xff the blue bicycle"]):
                db.execute(
                    "WITH e AS (INSERT INTO webhook_events (sha256, body) VALUES (%s, %s) RETURNING id)"
                    " INSERT INTO webhook_queue (event_id, size) SELECT id, 1 FROM e",
                    [str(number).encode(), body],
                )
            assert eventually(lambda: rows(db, "SELECT count(*) FROM webhook_queue") == [(0,)], 40), program.said
            db.execute(
                "WITH e AS (INSERT INTO webhook_events (sha256, body) VALUES ('later', %s) RETURNING id)"
                " INSERT INTO webhook_queue (event_id, size) SELECT id, 1 FROM e",
                [account_update(1_790_000_009)],
            )
            assert eventually(lambda: rows(db, "SELECT count(*) FROM webhook_queue") == [(0,)]), program.said
            program.signal(signal.SIGTERM)
            assert program.wait() == 0
        finally:
            program.kill()
    assert got.spans()["understand"] == {"wamcp.events": 1, "events": 0, "told": ""}
    assert b"blue bicycle" not in b"".join(got.traces + got.envelopes)


def test_what_nobody_listed_stays() -> None:
    frame = {"filename": "a.py", "lineno": 3, "vars": {"text": "words"}, "context_line": "words"}
    told = scrubbed_error(
        {
            "event_id": "1",
            "request": {"url": "words", "data": "words"},
            "user": {"id": "words"},
            "breadcrumbs": ["words"],
            "contexts": {"x": "words"},
            "logentry": {"message": "words"},
            "exception": {"values": [{"type": "ValueError", "value": "words", "stacktrace": {"frames": [frame]}}]},
        }
    )
    assert "words" not in str(told) and "a.py" in str(told)


@pytest.mark.parametrize(
    "variable, extra, library",
    [("OTEL_EXPORTER_OTLP_ENDPOINT", "otel", "opentelemetry.sdk"), ("SENTRY_DSN", "sentry", "sentry_sdk")],
)
def test_a_missing_extra_is_named(tmp_path: Path, variable: str, extra: str, library: str) -> None:
    code = f"import sys; sys.modules['{library}'] = None; from wamcp.cli.main import main; main()"
    environ = {variable: "http://key@127.0.0.1:9/1", "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    environ["WAMCP_MIGRATE_ON_START"] = "false"
    program = Program(tmp_path, environ, "worker", "--only", "normalizer", code=code)
    assert program.wait(30) == 1
    assert f"{variable} is set, but what it needs is not installed: pip install 'wamcp[{extra}]'" in program.said
