"""Logs carry identifiers only."""

import asyncio
import io
import json
import logging
import sys

import psycopg
import pytest

from wamcp import log
from wamcp.errors import Overloaded
from wamcp.log import redact


@pytest.mark.parametrize("key", ["authorization", "x_admin_api_key", "access_token", "app_secret", "signature"])
def test_secrets_are_dropped_by_key(key: str) -> None:
    assert redact(None, "", {key: "wamcp_abc"})[key] == "[secret]"


def test_bodies_and_texts_are_dropped() -> None:
    assert redact(None, "", {"body": "hello", "text": "hello"}) == {"body": "[not logged]", "text": "[not logged]"}


def test_phone_numbers_are_masked_to_four_digits() -> None:
    assert redact(None, "", {"event": "call from +15550100234 came"})["event"] == "call from ****0234 came"


def test_identifiers_stay() -> None:
    assert redact(None, "", {"event_id": 15550100234, "item": "m48210"}) == {"event_id": 15550100234, "item": "m48210"}


def test_a_line_goes_to_what_standard_error_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    gone, now = io.StringIO(), io.StringIO()
    try:
        monkeypatch.setattr(sys, "stderr", gone)
        log.configure("info")
        gone.close()
        monkeypatch.setattr(sys, "stderr", now)
        log.get("test").info("still_heard")
        logging.getLogger("test").warning("also heard")
    finally:
        monkeypatch.undo()
        log.configure("info")
    assert "still_heard" in now.getvalue() and "also heard" in now.getvalue()


def test_a_flood_is_told_at_once_and_then_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[tuple[str, dict[str, object]]] = []

    class Lines:
        def warning(self, event: str, **values: object) -> None:
            lines.append((event, values))

    monkeypatch.setattr(log, "FLOOD_SECONDS", 0.2)

    async def flood() -> None:
        counting = log.Flood(Lines(), "refused", "reason")
        for _ in range(5):
            counting.note("bad")
        assert lines == [("refused", {"reason": "bad", "count": 1})]
        await asyncio.sleep(0.3)
        counting.note("worse")

    asyncio.run(flood())
    assert lines[1:] == [
        ("refused", {"reason": "bad", "count": 4}),
        ("refused", {"reason": "worse", "count": 1}),
    ]


def test_what_celery_says_again_and_again_is_said_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = io.StringIO()
    monkeypatch.setattr(sys, "stderr", now)
    monkeypatch.setattr(log, "_once_a_minute", log._OnceAMinute())
    celery = logging.getLogger("celery.worker.consumer.consumer")
    before = list(celery.filters)
    try:
        log.configure("info", json=True)
        for number in range(5):
            celery.error("Cannot connect to %s: %s", "the broker", f"refused {number}")
            celery.critical("Frequent restarts detected: %r", "six")
            celery.warning("lost %s", number)
        monkeypatch.setattr(log, "FLOOD_SECONDS", 0.0)
        celery.error("Cannot connect to %s: %s", "the broker", "refused again")
    finally:
        monkeypatch.undo()
        celery.filters[:] = before
        log.configure("info")
    said = [json.loads(line)["event"] for line in now.getvalue().splitlines()]
    assert said[:3] == ["Cannot connect to the broker: refused 0", "Frequent restarts detected: 'six'", "lost 0"]
    assert said[3:] == [*(f"lost {number}" for number in range(1, 5)), "Cannot connect to the broker: refused again"]


def test_kinds_without_end_become_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "MAX_KINDS", 3)
    told: list[object] = []

    class Lines:
        def warning(self, _event: str, **values: object) -> None:
            told.append(values["reason"])

    async def flood() -> None:
        counting = log.Flood(Lines(), "refused", "reason")
        for number in range(50):
            counting.note(str(number))

    asyncio.run(flood())
    assert told == ["0", "1", "2", "others"]


def fail_with(inner: Exception, outer: Exception) -> None:
    try:
        raise inner
    except Exception as cause:
        raise outer from cause


@pytest.mark.parametrize("logger", ["ours", "theirs", "celery.app.trace"])
def test_of_an_exception_are_logged_its_type_and_places_and_not_its_words(
    monkeypatch: pytest.MonkeyPatch, logger: str
) -> None:
    """Postgres quotes what it refuses, json what it cannot read, and KeyError what it did not find."""
    now = io.StringIO()
    monkeypatch.setattr(sys, "stderr", now)
    try:
        log.configure("info", json=True)
        try:
            fail_with(ValueError("the blue bicycle"), psycopg.errors.InvalidTextRepresentation("the red bicycle"))
        except psycopg.Error as failure:
            if logger == "ours":
                log.get("ours").exception("event_failed", event_id=7)
            elif logger == "theirs":
                logging.getLogger(logger).exception("it failed")
            else:
                logging.getLogger(logger).error("Task raised unexpected: %r", failure, exc_info=True)
    finally:
        monkeypatch.undo()
        log.configure("info")
    line = json.loads(now.getvalue())
    assert "bicycle" not in now.getvalue()
    assert "InvalidTextRepresentation: SQLSTATE 22P02\n" in line["exception"]
    assert "\nValueError\n" in line["exception"] and line["exception"].count("test_log.py:") == 3
    assert line["logger_name"] == logger
    assert line["event"] == {"ours": "event_failed", "theirs": "it failed", "celery.app.trace": "task_failed"}[logger]


@pytest.mark.parametrize(
    "failure, words",
    [
        (Overloaded("Try again."), "Overloaded: Try again."),
        (Overloaded("It was +15550100042."), "Overloaded: It was ****0042."),
        (OSError(28, "No space left", "/a"), "OSError: No space left"),
    ],
)
def test_words_of_ours_and_of_the_system_stay(failure: Exception, words: str) -> None:
    assert log._place_exception(None, "", {"exc_info": failure}) == {"exception": words}
