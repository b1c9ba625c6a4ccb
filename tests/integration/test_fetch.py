"""Fetching files from a Meta that is played: how each failure ends, who is given the token, what is stored once."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fetching_office import PAGE, MailRoom, key_of, mail_room
from tests.recording_server import recording
from tests.s3_servers import serving
from tests.understanding import rows
from wamcp.db import incoming
from wamcp.errors import StoreUnavailable
from wamcp.media import fetch

MB = 1_000_000
DOWNLOAD = {"path": "/_media/"}


@pytest.fixture
def room(database_url: str, tmp_path: Path) -> Iterator[MailRoom]:
    with mail_room(database_url, tmp_path / "objects") as room:
        yield room


def test_a_file_is_fetched_by_its_id(room: MailRoom) -> None:
    room.arrive(room.put_in(filename="fatura.pdf"))
    assert room.drain() == 1
    assert rows(room.db, "SELECT state, direction, mime_type, filename, size, storage_key_raw FROM media") == [
        ("stored", "inbound", "application/pdf", "fatura.pdf", len(PAGE), key_of(PAGE))
    ]
    assert rows(room.db, "SELECT url, sha256 = stated_sha256, reason, lease_until, next_attempt_at FROM media") == [
        (None, True, None, None, None)
    ]
    assert room.store.read(key_of(PAGE), 0, MB) == PAGE
    assert room.drain() == 0 and room.asked("/_media/") == 1


def test_the_url_of_the_webhook_saves_asking(room: MailRoom) -> None:
    file = room.put_in()
    url = room.url_of(file)
    asked = room.asked(f"/{file['id']}")
    room.arrive(file | {"url": url})
    room.drain()
    assert [row[0] for row in room.rows()] == ["stored"]
    assert room.asked(f"/{file['id']}") == asked and room.asked("/_media/") == 1


def test_a_url_that_expired_is_replaced_at_once(room: MailRoom) -> None:
    file = room.put_in()
    room.arrive(file | {"url": room.url_of(file)})
    room.meta.script([{"when": DOWNLOAD, "do": {"media": "expired"}, "times": 1}])
    room.drain()
    assert room.rows() == [("stored", 1, None)] and room.asked("/_media/") == 2


def test_a_url_is_not_used_after_five_minutes(room: MailRoom) -> None:
    file = room.put_in()
    room.arrive(file | {"url": room.url_of(file)})
    room.db.execute("UPDATE media SET media_id_until = media_id_until - interval '6 minutes'")
    asked = room.asked(f"/{file['id']}")
    room.drain()
    assert room.asked(f"/{file['id']}") == asked + 1 and [row[0] for row in room.rows()] == ["stored"]


@pytest.mark.parametrize(
    "trouble",
    [
        {"media": "truncated"},
        {"drip": 0.2},
        {"drip": 0.2, "headers": True},
        {"status": 503, "html": True},
        {"status": 401},
        {"reset": "before"},
        {"garbage": True},
        {"timeout": "before"},
    ],
    ids=str,
)
@pytest.mark.parametrize("where", ["/_media/", "/v25.0/4"])
def test_what_went_wrong_is_tried_again_later(room: MailRoom, trouble: dict[str, Any], where: str) -> None:
    room.arrive(room.put_in())
    room.meta.script([{"when": {"path": where}, "do": trouble, "times": 1}])
    assert room.drain() == 1 and room.drain() == 0, "the next attempt waits"
    [(state, attempts, reason)] = room.rows()
    assert (state, attempts) == ("pending", 1) and reason
    assert room.store.size(key_of(PAGE)) is None
    room.hurry()
    room.drain()
    assert room.rows() == [("stored", 2, None)]
    assert room.store.read(key_of(PAGE), 0, MB) == PAGE


def test_attempts_come_further_and_further_apart(room: MailRoom) -> None:
    room.arrive(room.put_in())
    room.meta.script([{"when": DOWNLOAD, "do": {"status": 500}}])
    waits = []
    for _ in range(9):
        room.hurry()
        room.drain()
        [(seconds,)] = rows(room.db, "SELECT extract(epoch FROM next_attempt_at - clock_timestamp()) FROM media")
        waits.append(float(seconds))
    assert waits == [pytest.approx(expected, abs=2) for expected in (15, 30, 60, 120, 240, 480, 900, 900, 900)]


def test_other_bytes_than_stated_are_kept_and_noted(room: MailRoom) -> None:
    room.arrive(room.put_in())
    room.meta.script([{"when": DOWNLOAD, "do": {"media": "wrong_hash"}}])
    room.drain()
    assert room.rows() == [("stored", 1, "the bytes do not have the SHA-256 that Meta states")]
    [(same, size)] = rows(room.db, "SELECT sha256 = stated_sha256, size FROM media")
    assert (same, size) == (False, len(PAGE))


def test_one_right_hash_of_two_is_enough(room: MailRoom) -> None:
    room.arrive(room.put_in())
    room.meta.script([{"when": {"path": "/v25.0/4"}, "do": {"media": "wrong_hash"}}])
    room.drain()
    assert room.rows() == [("stored", 1, None)]


def test_what_meta_does_not_know_expires_after_a_second_look(room: MailRoom) -> None:
    file = room.put_in()
    room.arrive(file | {"id": "4999"})
    room.drain()
    assert room.rows() == [("pending", 1, "Meta does not know the file (any more)")]
    room.hurry()
    room.drain()
    assert room.rows() == [("expired", 2, "Meta does not know the file (any more)")]
    room.hurry()
    assert room.drain() == 0


def test_urls_that_are_gone_although_fresh_expire(room: MailRoom) -> None:
    room.arrive(room.put_in())
    room.meta.script([{"when": DOWNLOAD, "do": {"media": "expired"}}])
    room.drain()
    room.hurry()
    room.drain()
    [(state, attempts, reason)] = room.rows()
    assert (state, attempts) == ("expired", 2) and "404" in reason
    assert room.asked("/_media/") == 4


def test_after_seven_days_one_attempt_is_the_last(room: MailRoom) -> None:
    room.arrive(room.put_in())
    room.db.execute("UPDATE media SET media_id_until = now() - interval '1 second'")
    room.meta.script([{"when": DOWNLOAD, "do": {"status": 500}}])
    room.drain()
    assert room.rows() == [("expired", 1, "Meta answers 500")]


def test_somebody_may_ask_for_an_expired_file(room: MailRoom) -> None:
    room.arrive(room.put_in())
    room.db.execute("UPDATE media SET state = 'expired', next_attempt_at = NULL, media_id_until = now()")
    assert room.drain() == 0
    assert incoming.want_again(room.db, 1) == "pending" and incoming.want_again(room.db, 2) is None
    room.drain()
    assert [row[0] for row in room.rows()] == ["stored"]


def test_a_file_that_is_too_large_fails(room: MailRoom) -> None:
    room.arrive(room.put_in())
    room.means = replace(room.means, cap=len(PAGE) - 1)
    room.drain()
    assert room.rows() == [("failed", 1, f"the file has {len(PAGE):,} bytes")]


def test_a_stranger_in_the_webhook_is_not_asked_and_gets_no_token(room: MailRoom) -> None:
    with recording() as stranger:
        room.arrive(room.put_in(url=f"{stranger.url}/file"))
        room.drain()
        assert stranger.requests == []
    assert room.rows() == [("stored", 1, None)], "it came by its id"


def test_a_stranger_in_metas_answer_is_not_asked_either(room: MailRoom) -> None:
    room.arrive(room.put_in())
    with recording() as stranger:
        answer = {"status": 200, "body": {"url": f"{stranger.url}/file", "id": "4"}}
        room.meta.script([{"when": {"path": "/v25.0/4"}, "do": {"answer": answer}}])
        room.drain()
        assert stranger.requests == []
    [(state, _, reason)] = room.rows()
    assert state == "pending" and "no host of Meta's" in reason


def test_the_same_bytes_of_fifty_customers_are_one_object(room: MailRoom, tmp_path: Path) -> None:
    room.arrive(*(room.put_in(filename=f"flyer {number}.pdf") for number in range(50)))
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(lambda _: room.drain(), range(4))) == 50
    assert rows(
        room.db, "SELECT state, count(*), count(DISTINCT storage_key_raw), max(attempts) FROM media GROUP BY 1"
    ) == [("stored", 50, 1, 1)]
    assert [path.name for path in (tmp_path / "objects").rglob("*") if path.is_file()] == [key_of(PAGE)[7:]]
    assert room.asked("/_media/") == 50


def test_while_the_store_is_down_nothing_is_downloaded_and_nothing_lost(database_url: str, tmp_path: Path) -> None:
    with (
        serving("nanio", tmp_path / "buckets") as server,
        mail_room(database_url, tmp_path / "unused", **server.environ()) as room,
    ):
        room.arrive(room.put_in())
        server.kill()
        room.drain()
        [(state, attempts, reason)] = room.rows()
        assert (state, attempts) == ("pending", 1) and "does not answer" in reason
        assert room.asked("/_media/") == 0
        server.start()
        room.hurry()
        room.drain()
        assert room.rows() == [("stored", 2, None)]
        assert room.store.read(key_of(PAGE), 0, MB) == PAGE


def test_a_store_that_fails_during_the_put_is_tried_again(room: MailRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    room.arrive(room.put_in())

    def refuse(*_: Any, **__: Any) -> None:
        raise StoreUnavailable("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(type(room.store), "put", refuse)
        room.drain()
    assert room.rows() == [("pending", 1, "The disk is full.")]
    room.hurry()
    room.drain()
    assert room.rows() == [("stored", 2, None)]


def test_a_download_is_given_up_when_the_process_ends(room: MailRoom) -> None:
    room.arrive(room.put_in())
    room.meta.script([{"when": DOWNLOAD, "do": {"drip": 0.2}, "times": 1}])
    stop = threading.Event()
    patient = replace(room.means, deadline_s=60.0)
    worker = threading.Thread(target=fetch.drain, args=(patient, lambda: not stop.is_set()))
    worker.start()
    room.meta.wait_for(lambda entry: "/_media/" in entry.get("path", ""))
    stop.set()
    worker.join(5)
    assert not worker.is_alive()
    assert room.rows() == [("pending", 1, None)]
    assert room.drain() == 1 and room.rows() == [("stored", 2, None)]


def test_whoever_lost_the_lease_changes_nothing(room: MailRoom) -> None:
    room.arrive(room.put_in())
    slow = incoming.claim_wanted(room.db, 0)
    assert slow is not None
    room.drain()
    assert room.rows() == [("stored", 2, None)]
    assert not incoming.put_back(room.db, slow, 0, "late") and not incoming.lease_longer(room.db, slow, 60)
    assert room.rows() == [("stored", 2, None)]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_memory_stays_flat(room: MailRoom) -> None:
    room.arrive(room.put_in(b"small"))
    large = b"\x00\xff" * (50 * MB)
    media = room.meta._world.media.add(large, "video/mp4", None, 3600)
    room.arrive({"id": media.id, "mime_type": "video/mp4"})
    script = (
        "from pathlib import Path\nfrom wamcp.media import fetch\nfrom wamcp.media.means import fetching_of\n"
        "from wamcp.sending.means import means_of\nfrom wamcp.settings import load\n"
        "def peak(): return int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])\n"
        "settings = load()\n"
        "with means_of(settings, 'child', connections=2) as m, fetching_of(settings, m.pool, m.graph, m.store) as f:\n"
        "    from wamcp.db import incoming\n"
        "    with m.pool.connection() as c: small = incoming.claim_wanted(c, 60)\n"
        "    fetch._work(f, small, lambda: True); before = peak()\n"
        "    fetch.drain(f, lambda: True)\n"
        "    print(peak() - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, **room.environ}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.splitlines()[-1]) < 40_000
    assert rows(room.db, "SELECT state, size FROM media ORDER BY id") == [("stored", 5), ("stored", 100 * MB)]
