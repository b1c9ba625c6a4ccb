"""Sending when several work on the same send, or one works too late: nothing twice, and the row tells the truth."""

import io
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.patience import PATIENCE
from tests.sending_office import ANA, RUI, Office, office, text_for
from wamcp.db import sends
from wamcp.db.media import keep_upload
from wamcp.db.pace import number_pace
from wamcp.db.sends import SendRow
from wamcp.errors import Conflict
from wamcp.sending import queue
from wamcp.sending.desk import take
from wamcp.sending.hand_over import hand_over
from wamcp.sending.queue import PATIENCE_S
from wamcp.sending.wanted import Recipient, Wanted
from wamcp.vocabulary import RecipientKind, SendState
from wamcp.whatsapp.graph import Graph, Reply


@pytest.fixture
def here(database_url: str, tmp_path: Path) -> Iterator[Office]:
    with office(database_url, tmp_path / "objects") as opened:
        yield opened


class Late(Graph):
    """A client whose answers come after something else happened."""

    def __init__(self, graph: Graph | None, first: Callable[[], object]) -> None:
        assert graph is not None
        self._graph, self._first = graph, first

    def post(self, path: str, body: dict[str, Any] | None = None, *, deadline_s: float | None = None) -> Reply:
        reply = self._graph.post(path, body, deadline_s=deadline_s)
        self._first()
        return reply

    def post_form(
        self, path: str, fields: dict[str, str], file: tuple[str, Any, str], *, deadline_s: float | None = None
    ) -> Reply:
        return self._graph.post_form(path, fields, file, deadline_s=deadline_s)


def overrun(here: Office) -> None:
    """As if everybody had worked for longer than his lease."""
    here.db.execute("UPDATE sends SET lease_until = now() - interval '1 second' WHERE state = 'queued'")


def claimed(here: Office) -> SendRow:
    found = sends.claim_due(here.db, 30)
    assert found is not None
    return found


@contextmanager
def in_the_call(here: Office, send: SendRow) -> Iterator[None]:
    """Somebody is calling Meta for ``send`` until the block ends."""
    go = threading.Event()
    held = replace(here.means, graph=Late(here.means.graph, lambda: go.wait(20)))
    caller = threading.Thread(target=hand_over, args=(held, send, PATIENCE_S), kwargs={"asked_now": False})
    caller.start()
    end = time.monotonic() + 5
    while here.rows("SELECT state FROM sends WHERE id = %s", send.id) != [("sending",)]:
        assert time.monotonic() < end
        time.sleep(0.005)
    try:
        yield
    finally:
        go.set()
        caller.join()


def test_who_comes_too_late_does_not_queue_again_what_another_is_sending(here: Office) -> None:
    late = take(here.means, text_for(ANA)).send
    overrun(here)
    with in_the_call(here, claimed(here)):
        here.db.execute(
            "UPDATE send_pace SET ready_at = now() + interval '1 hour'"
        )  # so that the late one puts it back
        hand_over(here.means, late, 1.0, asked_now=True)
        assert here.desk.look(late.id).state == SendState.SENDING
        assert sends.claim_due(here.db, 30) is None, "a third would send it a second time"
    assert here.desk.look(late.id).state == SendState.SENT and len(here.accepted()) == 1


def test_who_comes_too_late_does_not_fail_what_another_is_sending(here: Office) -> None:
    row = here.desk.keep_upload(io.BytesIO(b"%PDF-1.7 invented"), "application/pdf", "offer.pdf", None)
    late = take(here.means, document(row)).send
    overrun(here)
    with in_the_call(here, claimed(here)):
        here.db.execute("UPDATE media SET state = 'gone'")
        hand_over(here.means, late, 1.0, asked_now=True)
        assert here.desk.look(late.id).state == SendState.SENDING
    told = here.desk.look(late.id)
    assert told.state == SendState.SENT and [told.wamid] == here.accepted()


@pytest.mark.parametrize(
    ("answer", "state", "words"),
    [
        (None, SendState.SENT, ""),
        (131026, SendState.FAILED, "cannot be delivered"),
        (130429, SendState.FAILED, "faster than Meta allows"),
    ],
)
def test_an_answer_after_the_call_was_given_up_still_counts(
    here: Office, answer: int | None, state: SendState, words: str
) -> None:
    here.meta.account(statuses={"delay_ms": [60_000, 60_001]})  # so that none settles it first
    if answer is not None:
        here.meta.script([{"when": {"path": "/messages"}, "do": {"answer": {"status": 400, "code": answer}}}])
    send = take(here.means, text_for(ANA)).send

    def give_up() -> None:
        here.db.execute("UPDATE sends SET lease_until = now() - interval '1 second'")
        here.settle()
        assert here.desk.look(send.id).state == SendState.UNKNOWN

    hand_over(replace(here.means, graph=Late(here.means.graph, give_up)), send, 1.0, asked_now=True)
    told = here.desk.look(send.id)
    assert told.state == state
    assert told.error is None or (words in told.error.meaning and "by itself" not in told.error.advice)
    here.hurry()
    assert here.drain() == 0


def test_two_who_try_the_same_again_at_once_send_it_once(here: Office) -> None:
    here.meta.script([{"when": {"path": "/messages"}, "times": 1, "do": {"answer": {"status": 400, "code": 131026}}}])
    assert here.send().state == SendState.FAILED

    def again(_: int) -> str:
        try:
            return here.desk.retry(1, "a person", even_if_unknown=False).state
        except Conflict:
            return "conflict"

    with ThreadPoolExecutor(6) as threads:
        ends = sorted(threads.map(again, range(6)))
    assert ends == ["conflict"] * 5 + ["sent"] and len(here.accepted()) == 1


def test_the_same_file_posted_twice_at_once_is_kept_once(here: Office) -> None:
    stored = here.means.store.put(io.BytesIO(b"%PDF-1.7 invented"), cap=1000)

    def keep(_: int) -> set[int]:
        with psycopg.connect(here.url, autocommit=True) as own:
            start.wait()
            return {keep_upload(own, f"N{index}", stored, "application/pdf", "offer.pdf") for index in range(40)}

    start = threading.Barrier(4)
    with ThreadPoolExecutor(4) as threads:
        kept = list(threads.map(keep, range(4)))
    assert kept == [kept[0]] * 4, "the same request would look like another one"


def test_a_file_with_trouble_holds_up_nobody_else(here: Office) -> None:
    row = here.desk.keep_upload(io.BytesIO(b"%PDF-1.7 invented"), "application/pdf", "offer.pdf", None)
    here.db.execute("UPDATE media SET size = size + 1")
    for _ in range(3):
        assert here.desk.send(document(row)).state == SendState.QUEUED
    here.hurry()
    assert here.drain() == 1
    assert here.send(person=RUI).state == SendState.SENT
    here.db.execute("UPDATE media SET size = size - 1")
    here.meta.script([{"when": {"path": "/media"}, "do": {"status": 500}}])
    here.hurry()
    assert here.drain() == 1
    assert here.send(person=RUI).state == SendState.SENT


def test_refusals_of_calls_that_ran_together_count_as_one(here: Office) -> None:
    here.meta.script([{"when": {"path": "/messages"}, "do": {"answer": {"status": 400, "code": 80007}}}])
    together = threading.Barrier(6)
    means = replace(here.means, graph=Late(here.means.graph, together.wait))

    def send(number: int) -> None:
        hand_over(means, take(means, text_for(f"1555010008{number}")).send, 1.0, asked_now=True)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(send, range(6)))
    assert here.rows("SELECT state, count(*) FROM sends GROUP BY state") == [("queued", 6)]
    held = here.rows("SELECT extract(epoch FROM ready_at - now())::float8 FROM send_pace WHERE recipient = ''")[0][0]
    assert held == pytest.approx(60, abs=5)


def test_meta_refusing_for_another_reason_shows_that_it_takes_the_token(here: Office) -> None:
    here.meta.account(token={"is_valid": False})
    assert here.send().state == SendState.FAILED
    here.meta.account(token={"is_valid": True})
    here.hurry()
    here.meta.script([{"when": {"path": "/messages"}, "times": 1, "do": {"answer": {"status": 400, "code": 131026}}}])
    assert here.send().state == SendState.FAILED
    assert here.send(person=RUI).state == SendState.SENT, "the token is fine"


def test_a_file_that_meta_no_longer_has_is_brought_again_when_it_is_tried_again(here: Office) -> None:
    row = here.desk.keep_upload(io.BytesIO(b"%PDF-1.7 invented"), "application/pdf", "offer.pdf", None)
    here.meta.script([{"when": {"path": "/messages"}, "times": 1, "do": {"answer": {"status": 400, "code": 131053}}}])
    assert here.desk.send(document(row)).state == SendState.FAILED
    assert here.desk.retry(1, "a person", even_if_unknown=False).state == SendState.SENT
    first, again = (call["body"]["document"]["id"] for call in here.calls())
    assert first != again


def test_a_number_that_has_to_wait_is_left_alone_however_much_waits_at_it(here: Office) -> None:
    means = replace(here.means, pace=number_pace(1))
    for index in range(60):
        take(means, text_for(f"155501002{index:02d}"), inline=False)
    other = take(means, text_for(RUI), inline=False).send
    here.db.execute("UPDATE sends SET phone_number_id = '700000000000009' WHERE id = %s", [other.id])
    here.db.execute("INSERT INTO send_pace VALUES ('700000000000001', '', now() + interval '1 minute')")
    assert queue.drain(means, lambda: True) == 2, "one shows that the number has to wait; the other number goes on"
    assert len(here.calls()) == 1


def test_a_claim_is_quick_whatever_the_planner_believes(here: Office) -> None:
    for _ in range(10):
        assert sends.claim_due(here.db, 30) is None  # so that a plan for an empty table could be kept
    fill = (
        "INSERT INTO sends (callback, origin, asked_by, fingerprint, phone_number_id, recipient_kind, recipient, type,"
        " body, state) SELECT %(state)s || g, 'api', '', '', 'N', 'phone', g::text, 'text', '{}', %(state)s"
        " FROM generate_series(1, %(count)s) g"
    )
    here.db.execute(fill, {"state": "sent", "count": 20_000})
    here.db.execute("ANALYZE sends")
    here.db.execute(fill, {"state": "queued", "count": 10_000})  # of which the statistics know nothing
    began = time.monotonic()
    for number in range(1, 6):
        assert claimed(here).recipient == str(number)
        assert sends.count_due(here.db) == 100
    assert time.monotonic() - began < 2.0 * PATIENCE


def document(row: int) -> Wanted:
    body = {**text_for(ANA).body, "type": "document", "document": {"filename": "offer.pdf"}}
    body.pop("text")
    return replace(
        text_for(ANA), type="document", body=body, media_row_id=row, recipient=Recipient(RecipientKind.PHONE, ANA)
    )
