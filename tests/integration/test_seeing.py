"""What the house tells of itself costs the same however large it is, and is told to Prometheus and to the operator."""

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from starlette.testclient import TestClient

from tests.factories import ADMIN_KEY
from wamcp.archive import house
from wamcp.archive.asking import asking
from wamcp.db.heartbeats import Worker, beat
from wamcp.db.session import Pool
from wamcp.settings import load
from wamcp.web.app import create_app

pytestmark = pytest.mark.embedded

MANY = 30_000
FILL = f"""
INSERT INTO sends (callback, origin, asked_by, fingerprint, phone_number_id, recipient_kind, recipient, type, body,
  state)
SELECT 'c' || n, 'api', 'a test', '', '1', 'phone', n::text, 'text', '{{}}', 'sent' FROM generate_series(1, {MANY}) n;
INSERT INTO media (phone_number_id, direction, state, media_id) SELECT '1', 'inbound', 'stored', 'm' || n
FROM generate_series(1, {MANY}) n;
INSERT INTO documents (number_id, wamid, media_row_id, conversation_id, sent_at, day, state)
SELECT 1, 'w' || id, id, 1, now(), 1, 'done' FROM media;
"""
WAITING = """
UPDATE sends SET state = 'unknown' WHERE callback IN ('c1', 'c2');
UPDATE sends SET state = 'failed' WHERE callback = 'c3';
UPDATE sends SET state = 'queued', next_attempt_at = now() - interval '50 s' WHERE callback = 'c4';
UPDATE sends SET state = 'queued', next_attempt_at = now() - interval '9 min', lease_until = now() + interval '1 min'
  WHERE callback = 'c5';
UPDATE media SET state = 'expired' WHERE media_id IN ('m1', 'm2', 'm3');
UPDATE media SET state = 'pending', next_attempt_at = now() + interval '1 h' WHERE media_id = 'm4';
UPDATE documents SET state = 'quarantined' WHERE wamid = 'w7';
UPDATE documents SET state = 'pending', next_attempt_at = now() - interval '70 s' WHERE wamid = 'w8';
"""


@pytest.fixture
def large(db: psycopg.Connection) -> psycopg.Connection:
    """A house in which much is done and a little waits."""
    db.execute(FILL)
    db.execute("VACUUM ANALYZE")
    db.execute(WAITING)
    db.execute("VACUUM ANALYZE")
    return db


@pytest.fixture
def client(archive: object, reader: Pool, auditor: Pool, database_url: str) -> Iterator[TestClient]:
    settings = load({"DATABASE_URL": database_url, "WAMCP_ENV": "development", "ADMIN_API_KEY": ADMIN_KEY})
    app = create_app(settings, reader, auditor)
    with TestClient(app, headers={"X-Admin-Api-Key": ADMIN_KEY}) as client:
        yield client


def test_what_waits_and_went_wrong_is_counted(large: psycopg.Connection, reader: Pool) -> None:
    with asking(reader) as connection:
        found = {work.kind: work for work in house.slow_work(connection)}
    assert {state: count for state, count in found["sends"].states.items() if count} == {
        "queued": 2,
        "unknown": 2,
        "failed": 1,
    }
    assert {state: count for state, count in found["media"].states.items() if count} == {"expired": 3, "pending": 1}
    assert {state: count for state, count in found["documents"].states.items() if count} == {
        "quarantined": 1,
        "pending": 1,
    }
    assert 50 <= found["sends"].oldest_seconds < 69, "what somebody works on does not wait"
    assert found["media"].oldest_seconds == 0, "nobody could do it yet"
    assert 70 <= found["documents"].oldest_seconds < 90


def test_looking_at_a_large_house_reads_no_large_table(large: psycopg.Connection, reader: Pool) -> None:
    asked: list[str] = []

    class Heard(psycopg.Connection):  # notes what is asked
        def execute(self, query: Any, *arguments: Any, **more: Any) -> Any:
            asked.append(query)
            return super().execute(query, *arguments, **more)

    with Heard.connect(reader.conninfo, autocommit=True) as connection, connection.transaction():
        house.slow_work(connection)  # type: ignore[arg-type]
        house.processes(connection)  # type: ignore[arg-type]
        house.lags(connection)  # type: ignore[arg-type]
        house.backlog(connection)  # type: ignore[arg-type]
        plans = [
            connection.execute(f"EXPLAIN (ANALYZE, FORMAT json) {query}").fetchone()[0][0]["Plan"]  # type: ignore[index]
            for query in list(asked)
            if query.startswith("SELECT")
        ]
    assert len(plans) > 9
    for plan in plans:
        for node in nodes(plan):
            if node.get("Relation Name") in ("sends", "media", "documents", "webhook_events", "applied"):
                assert "Index" in node["Node Type"], node
            read = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
            assert read < 100, node


def test_counting_ends_at_its_limit(large: psycopg.Connection, reader: Pool) -> None:
    large.execute("UPDATE media SET state = 'failed' WHERE id > 10")
    with asking(reader) as connection:
        media = next(work for work in house.slow_work(connection) if work.kind == "media")
    assert 0 < media.states["failed"] <= house.COUNTED_UPTO


def test_lags_are_a_histogram(db: psycopg.Connection, reader: Pool, client: TestClient) -> None:
    with asking(reader) as connection:
        assert house.lags(connection).buckets == [(float("inf"), 0)]
    db.execute("INSERT INTO event_lags VALUES (0.05, 7, 0.1), (1, 2, 1.4), ('Infinity', 1, 9000)")
    told = client.get("/metrics").text
    assert 'wamcp_event_lag_seconds_bucket{le="0.05"} 7.0' in told
    assert 'wamcp_event_lag_seconds_bucket{le="1.0"} 9.0' in told
    assert 'wamcp_event_lag_seconds_bucket{le="+Inf"} 10.0' in told
    assert "wamcp_event_lag_seconds_sum 9001.5" in told and "wamcp_events_processed_total 10.0" in told


def test_workers_are_told_of(db: psycopg.Connection, client: TestClient) -> None:
    beat(db, Worker("normalizer", "one", 3, "0.1.0", "abc1234"), worked=True)
    beat(db, Worker("celery", "one", 4, "0.1.0", None), worked=False)
    db.execute("UPDATE heartbeats SET beat_at = now() - interval '5 min' WHERE role = 'celery'")
    told = client.get("/metrics").text
    assert 'wamcp_workers{role="normalizer"} 1.0' in told and 'wamcp_workers{role="celery"} 0.0' in told
    assert re.search(r'wamcp_worker_last_claim_timestamp\{role="normalizer"\} 1\.\d+e\+09', told)
    assert 'wamcp_worker_last_claim_timestamp{role="celery"}' not in told
    health = client.get("/admin/health").json()
    celery, normalizer = health["workers"]
    assert (celery["role"], celery["late"], celery["seconds_since_beat"] >= 300) == ("celery", True, True)
    assert (normalizer["late"], normalizer["git_version"]) == (False, "abc1234")
    assert health["status"] == "degraded", "a role of which nobody works"
    assert [work["kind"] for work in health["slow_work"]] == ["sends", "media", "documents"]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)
