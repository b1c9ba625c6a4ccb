"""Sending through the whole of WAMCP to the played Meta: as the documents say, at the limit, and without a leak."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.house import House, eventually
from tests.patience import PATIENCE
from wamcp.embedded.scratch import temporary_directory

ROOT = Path(__file__).parents[2]
META_ALLOWS = 80
CANARY = "canary-7f3e-Zanzibar"
PERSON = "15550109876"


class Demo(House):
    """The house with Meta played beside it, and everything that it logged."""

    log: Path
    client: httpx.Client

    @cached_property
    def api_url(self) -> str:
        return str(self.runtime["api_url"])

    @cached_property
    def key(self) -> dict[str, str]:
        return {"X-Admin-Api-Key": self.runtime["admin_api_key"]}

    def post(self, route: str, body: dict[str, Any], **headers: str) -> httpx.Response:
        return self.client.post(f"{self.api_url}{route}", json=body, headers={**self.key, **headers})

    def wire(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.directory / "graph.jsonl").read_text().splitlines()]

    def calls(self) -> list[dict[str, Any]]:
        return [entry for entry in self.wire() if entry["kind"] == "request" and entry["path"].endswith("/messages")]


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    ours = ("WAMCP_", "WHATSAPP_", "DEBUG_ECHO", "VERIFY_", "ADMIN_API_KEY", "DATABASE_", "REDIS_")
    command = [sys.executable, "-m", "wamcp.cli.main", "up", "--demo"]
    with temporary_directory() as parent, (parent / "log").open("w") as log:
        running = subprocess.Popen(
            [*command, "--state-dir", str(parent / "state"), "--port", "0"],
            env={name: value for name, value in os.environ.items() if not name.startswith(ours)},
            cwd=parent,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            assert running.stdout is not None and running.stdout.readline().startswith("ready ")
            house = Demo(parent / "state")
            house.log = parent / "log"
            with httpx.Client(timeout=30) as house.client:
                yield house
        finally:
            running.send_signal(signal.SIGTERM)
            running.communicate(timeout=60 * PATIENCE)


def documented_curls() -> list[tuple[str, dict[str, str], str]]:
    """The examples of docs/api.md that post JSON to /send: route, headers, body."""
    text = (ROOT / "docs/api.md").read_text().replace("\\\n", " ")
    found = []
    for line in re.findall(r"^curl -X POST \S+/send/.*?(?=^curl|^```)", text, re.MULTILINE | re.DOTALL):
        words = shlex.split(line)
        headers = dict(words[place + 1].split(": ", 1) for place, word in enumerate(words) if word == "-H")
        if "-d" in words:
            url = next(word for word in words if word.startswith("http://"))
            found.append((url.partition(":8000")[2], headers, words[words.index("-d") + 1]))
    return found


WIRE: dict[str, dict[str, Any]] = {
    "/send/text": {"type": "text", "text": {"body": "Hello from WAMCP!", "preview_url": False}},
    "/send/template": {
        "type": "template",
        "template": {
            "name": "hello_world",
            "language": {"code": "en_US"},
            "components": [{"type": "body", "parameters": [{"type": "text", "text": "John"}]}],
        },
    },
    "/send/media": {"type": "image", "image": {"link": "https://example.com/image.jpg", "caption": "Check this out!"}},
}


def test_the_documented_examples_are_sent_in_metas_form_and_become_messages(demo: Demo) -> None:
    curls = documented_curls()
    assert [route for route, _, _ in curls] == list(WIRE)
    for route, headers, body in curls:
        assert headers["Content-Type"] == "application/json" and "X-Admin-Api-Key" in headers
        answer = httpx.post(
            f"{demo.runtime['api_url']}{route}", content=body, headers={**headers, **demo.key}, timeout=30
        )
        assert answer.status_code == 200, answer.text
        told = answer.json()
        call = next(call for call in demo.calls() if call["wamid"] == told["wamid"])
        sent = dict(call["body"])
        assert sent.pop("biz_opaque_callback_data")
        common = {"messaging_product": "whatsapp", "recipient_type": "individual", "to": "+15555550100"}
        assert sent == {**common, **WIRE[route]}

        def has_arrived(told: dict[str, Any] = told) -> bool:
            found = httpx.get(
                f"{demo.runtime['api_url']}/admin/sends/{told['send_id']}", headers=demo.key, timeout=10
            ).json()
            return found["delivery"] == "read" and found["conversation_id"] is not None

        assert eventually(has_arrived)
    conversation = httpx.get(f"{demo.runtime['api_url']}/admin/conversations", headers=demo.key).json()["conversations"]
    (ours,) = [each for each in conversation if each["contact"]["wa_id"] == "15555550100"]
    messages = httpx.get(
        f"{demo.runtime['api_url']}/admin/conversations/{ours['id']}/messages", headers=demo.key
    ).json()["messages"]
    assert {(each["direction"], each["source"], each["status"]) for each in messages} == {("outbound", "send", "read")}
    assert len(messages) == 3 and any("Hello from WAMCP!" in each["text"] for each in messages)


def test_a_person_sends_from_the_command_line(demo: Demo) -> None:
    said = demo.command("send", "+1 555 010 0044", "Good morning")
    assert re.fullmatch(r"s\d+  sent  wamid\.\S+\n", said)
    photo = demo.directory / "tile.png"
    photo.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    assert " sent " in demo.command("send", "15550100044", "A tile", "--media", str(photo))
    assert " sent " in demo.command("send", "15550100044", "--template", "hello_world", "--param", "Ana")
    for written in ("15550100044", "+1 555 010 0044", "%2B1%20(555)%20010-0044"):
        listed = httpx.get(f"{demo.api_url}/admin/sends?to={written}", headers=demo.key).json()["sends"]
        assert [each["type"] for each in listed] == ["template", "image", "text"], written
    kinds = [call["body"]["type"] for call in demo.calls() if call["body"].get("to") == "+15550100044"]
    assert kinds == ["text", "image", "template"]


def test_reading_and_typing_reach_meta(demo: Demo) -> None:
    wamid = httpx.post(
        f"{demo.runtime['graph_url']}/_simulator/receive",
        json={"from": "15550100045", "text": "Hello?"},
        timeout=30 * PATIENCE,
    ).json()["wamid"]
    assert eventually(lambda: demo.value("SELECT count(*) FROM messages WHERE wamid = %s", wamid) == 1)
    message = demo.value("SELECT id FROM messages WHERE wamid = %s", wamid)
    answer = demo.post("/send/read", {"message_id": f"m{message}", "typing": True})
    assert answer.status_code == 200, answer.text
    body = demo.calls()[-1]["body"]
    assert (body["status"], body["message_id"], body["typing_indicator"]) == ("read", wamid, {"type": "text"})
    told = demo.post("/send/text", {"to": "15550100045", "body": "Yes?", "reply_to": f"m{message}"}).json()
    assert told["state"] == "sent" and told["window_open_until"] is not None and told["warnings"] == []
    assert demo.calls()[-1]["body"]["context"] == {"message_id": wamid}


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_thousand_sends_keep_to_the_limit_and_all_arrive(demo: Demo) -> None:
    before = len(demo.calls())

    def send(number: int) -> str:
        answer = demo.post("/send/text", {"to": f"1555012{number:04d}", "body": f"Number {number}"})
        assert answer.status_code in (200, 202), answer.text
        return str(answer.json()["send_id"])

    began = time.monotonic()
    with ThreadPoolExecutor(24) as threads:
        ids = list(threads.map(send, range(1000)))
    assert len(set(ids)) == 1000
    numbers = [int(each[1:]) for each in ids]
    pending = "SELECT count(*) FROM sends WHERE id = ANY(%s) AND state <> 'sent'"
    assert eventually(lambda: demo.value(pending, numbers) == 0, 60)
    taken = time.monotonic() - began
    calls = demo.calls()[before:]
    assert Counter(call["accepted"] for call in calls) == {True: 1000}, "Meta refused some as too fast"
    moments = sorted(call["monotonic"] for call in calls)
    most = max(
        sum(1 for other in moments[place : place + 200] if other < moment + 1.0) for place, moment in enumerate(moments)
    )
    print(f"1000 sends in {taken:.1f} s, at most {most} within a second")
    assert most <= META_ALLOWS
    arrived = (
        "SELECT count(*) FROM sends s JOIN numbers n ON n.phone_number_id = s.phone_number_id"
        " JOIN message_state t ON t.number_id = n.id AND t.wamid = s.wamid JOIN messages m ON m.number_id = n.id"
        " AND m.wamid = s.wamid WHERE s.id = ANY(%s) AND t.status IN ('delivered', 'read')"
    )
    assert eventually(lambda: demo.value(arrived, numbers) == 1000, 60)


def test_no_secret_text_or_number_gets_into_any_log(demo: Demo) -> None:
    for body in ({"body": CANARY}, {"body": "x" * 5000}, {"body": CANARY, "require_open_window": True}):
        demo.post("/send/text", {"to": PERSON, **body})
    demo.post("/send/template", {"to": PERSON, "template_name": CANARY, "language_code": "en"})
    demo.post("/send/text", {"to": f"{PERSON}{PERSON}", "body": CANARY}, **{"Idempotency-Key": CANARY})
    httpx.post(
        f"{demo.runtime['api_url']}/send/text", json={"to": PERSON, "body": CANARY}, headers={"X-Admin-Api-Key": CANARY}
    )
    received = {"from": PERSON, "text": CANARY}
    httpx.post(f"{demo.runtime['graph_url']}/_simulator/receive", json=received, timeout=30 * PATIENCE)
    assert eventually(lambda: demo.value("SELECT count(*) FROM messages WHERE text = %s", CANARY) >= 2)
    time.sleep(1)
    log = demo.log.read_text()
    secrets = json.loads((demo.directory / "secrets.json").read_text())
    assert "send_accepted" in log
    for name, value in {**secrets, "text": CANARY, "number": PERSON}.items():
        assert value not in log, name
    audited = json.dumps(demo.rows("SELECT target, parameters, error, refs FROM audit_log WHERE action = 'send'"))
    assert CANARY not in audited and PERSON not in audited and audited != "[]"


def test_what_was_sent_is_derived_again_from_its_raw_events(demo: Demo) -> None:
    demo.post("/send/text", {"to": "15550100046", "body": "Once more"})
    assert eventually(lambda: demo.value("SELECT count(*) FROM messages WHERE source = 'send'") > 0)
    time.sleep(1)  # until the statuses have come
    assert eventually(lambda: demo.value("SELECT count(*) FROM webhook_queue") == 0)
    assert "no difference" in demo.command("reprocess", "--verify").lower()
    before = demo.rows("SELECT id, wamid, conversation_id FROM messages ORDER BY id")
    demo.command("reprocess")
    assert demo.rows("SELECT id, wamid, conversation_id FROM messages ORDER BY id") == before
