"""Sending over HTTP up to the place that sends: what is asked, who may, what is refused, what is recorded."""

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient
from psycopg.rows import dict_row
from structlog.testing import capture_logs

from tests.factories import ADMIN_KEY, Archive, settings_for
from tests.sending import Recorder
from wamcp.access import tokens
from wamcp.access.tokens import NewToken
from wamcp.db.session import Pool
from wamcp.sending.wanted import Recipient, Wanted
from wamcp.vocabulary import RecipientKind, SendState, TokenKind, TokenScope
from wamcp.web.app import create_app

KEY = {"X-Admin-Api-Key": ADMIN_KEY}
TO = "15555550100"
TEXT = {"to": TO, "body": "Hello from WAMCP!"}


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def client(archive: Archive, reader: Pool, auditor: Pool, recorder: Recorder) -> Iterator[TestClient]:
    """A client somewhere on the internet, without a key."""
    app = create_app(settings_for(archive.url), reader, auditor)
    app.state.sending = recorder
    with TestClient(app, client=("203.0.113.9", 1234), raise_server_exceptions=False) as client:
        yield client


def audited(archive: Archive) -> list[dict[str, Any]]:
    with archive.connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute("SELECT * FROM audit_log ORDER BY id").fetchall()


def wire(kind: str, part: object) -> dict[str, object]:
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "+" + TO,
        "type": kind,
        kind: part,
    }


def test_a_text_is_wanted_and_answered(client: TestClient, recorder: Recorder) -> None:
    posted = '{\n    "to": "15555550100",\n    "body": "Hello from WAMCP!",\n    "preview_url": false\n  }'
    answer = client.post("/send/text", headers={**KEY, "Content-Type": "application/json"}, content=posted)
    assert answer.status_code == 200, answer.text
    assert recorder.wanted == [
        Wanted(
            recipient=Recipient(RecipientKind.PHONE, TO),
            type="text",
            body=wire("text", {"body": "Hello from WAMCP!", "preview_url": False}),
            asked_by="ADMIN_API_KEY",
        )
    ]
    shown = answer.json()
    assert (shown["send_id"], shown["state"], shown["wamid"], shown["to"]) == ("s1", "sent", "wamid.made", TO)
    assert shown["asked_at"] == "2026-03-02T12:00:00Z"
    assert "replayed" not in shown and "Idempotent-Replayed" not in answer.headers


def test_a_template_is_wanted(client: TestClient, recorder: Recorder) -> None:
    posted = '{"to": "15555550100", "template_name": "hello_world", "language_code": "en_US", "parameters": ["John"]}'
    answer = client.post("/send/template", headers={**KEY, "Content-Type": "application/json"}, content=posted)
    assert answer.status_code == 200, answer.text
    components = [{"type": "body", "parameters": [{"type": "text", "text": "John"}]}]
    part = {"name": "hello_world", "language": {"code": "en_US"}, "components": components}
    assert recorder.wanted[0].body == wire("template", part)


def test_media_by_link_is_wanted(client: TestClient, recorder: Recorder) -> None:
    posted = (
        '{"to": "15555550100", "media_type": "image",'
        ' "media_url": "https://example.com/image.jpg", "caption": "Check this out!"}'
    )
    answer = client.post("/send/media", headers={**KEY, "Content-Type": "application/json"}, content=posted)
    assert answer.status_code == 200, answer.text
    part = {"link": "https://example.com/image.jpg", "caption": "Check this out!"}
    assert recorder.wanted[0].body == wire("image", part)


@pytest.mark.parametrize(
    ("route", "given", "kind", "part"),
    [
        ("location", {"latitude": 1.5, "longitude": 2, "address": "Pier 4"}, "location", {"latitude": 1.5}),
        ("contacts", {"contacts": [{"name": "Rui"}]}, "contacts", None),
        (
            "interactive",
            {"interactive_type": "buttons", "body": "?", "buttons": [{"id": "y", "title": "Yes"}], "header": "Lunch"},
            "interactive",
            {"type": "button", "header": {"type": "text", "text": "Lunch"}},
        ),
        (
            "interactive",
            {
                "interactive_type": "list",
                "body": "?",
                "button": "Choose",
                "sections": [{"rows": [{"id": "1", "title": "Noon"}]}],
            },
            "interactive",
            {"type": "list"},
        ),
        (
            "interactive",
            {
                "interactive_type": "cta_url",
                "body": "?",
                "display_text": "Open",
                "url": "https://example.com",
                "header": {"media_type": "image", "media_id": "4490"},
            },
            "interactive",
            {"type": "cta_url", "header": {"type": "image", "image": {"id": "4490"}}},
        ),
        (
            "template",
            {
                "template_name": "order",
                "language_code": "en",
                "parameters": {"first_name": "Ana"},
                "header": {"media_type": "document", "media_id": "4490", "filename": "a.pdf"},
            },
            "template",
            {"name": "order"},
        ),
        ("media", {"media_type": "audio", "media_id": "4490", "voice": True}, "audio", {"id": "4490", "voice": True}),
    ],
)
def test_each_kind_of_message_is_wanted(
    client: TestClient, recorder: Recorder, route: str, given: dict[str, Any], kind: str, part: dict[str, Any] | None
) -> None:
    answer = client.post(f"/send/{route}", headers=KEY, json={"to": "+1 (555) 555-0100", **given})
    assert answer.status_code == 200, answer.text
    [wanted] = recorder.wanted
    assert wanted.type == wanted.body["type"] == kind
    assert wanted.body["to"] == "+" + TO
    if part is not None:
        assert part.items() <= wanted.body[kind].items()


def test_who_gets_it_and_from_which_number(client: TestClient, recorder: Recorder) -> None:
    for more in (
        {"to": "US.13491208655302741918", "from": "+1 555 010 0099", "require_open_window": True},
        {"to": "Y2FwaV9ncm91cDox", "recipient_type": "group"},
        {"to": {"group": "Y2FwaV9ncm91cDox"}},
    ):
        answer = client.post("/send/text", headers=KEY, json={**TEXT, **more})
        assert answer.status_code == 200, answer.text
    by_bsuid, in_group, also_in_group = recorder.wanted
    assert by_bsuid.recipient == Recipient(RecipientKind.BSUID, "US.13491208655302741918")
    assert by_bsuid.body["recipient"] == "US.13491208655302741918" and "to" not in by_bsuid.body
    assert (by_bsuid.sender, by_bsuid.require_open_window) == ("15550100099", True)
    assert in_group.recipient == also_in_group.recipient == Recipient(RecipientKind.GROUP, "Y2FwaV9ncm91cDox")
    assert in_group.body == also_in_group.body and in_group.body["recipient_type"] == "group"


def test_messages_are_referred_to_by_wamid_and_by_short_id(client: TestClient, recorder: Recorder) -> None:
    for reference in ("m48210", "wamid.1"):
        client.post("/send/text", headers=KEY, json={**TEXT, "reply_to": reference})
        client.post("/send/reaction", headers=KEY, json={"to": TO, "message_id": reference, "emoji": "👍"})
        answer = client.post(
            "/send/read", headers=KEY, json={"message_id": reference, "typing": True, "from": "15550100099"}
        )
        assert answer.json() == {"message_id": reference, "typing": True}
    contexts = [wanted.body["context"] for wanted in recorder.wanted if wanted.type == "text"]
    assert contexts == [{"message_id": "wamid.of.m48210"}, {"message_id": "wamid.1"}]
    reactions = [wanted.body["reaction"] for wanted in recorder.wanted if wanted.type == "reaction"]
    assert [reaction["message_id"] for reaction in reactions] == ["wamid.of.m48210", "wamid.1"]
    assert recorder.read == [("15550100099", "wamid.of.m48210", True), ("15550100099", "wamid.1", True)]
    answer = client.post("/send/text", headers=KEY, json={**TEXT, "reply_to": "m404"})
    assert (answer.status_code, answer.json()["detail"]) == (404, "There is no message m404.")


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (SendState.SENT, 200),
        (SendState.QUEUED, 202),
        (SendState.SENDING, 202),
        (SendState.UNKNOWN, 202),
        (SendState.FAILED, 422),
    ],
)
def test_the_status_says_how_it_stands(
    archive: Archive, client: TestClient, recorder: Recorder, state: SendState, status: int
) -> None:
    recorder.state = state
    answer = client.post("/send/text", headers=KEY, json=TEXT)
    assert (answer.status_code, answer.json()["state"]) == (status, state)
    [entry] = audited(archive)
    assert entry["refs"] == ["s1"]
    if state == SendState.FAILED:
        assert answer.json()["error"]["code"] == 131047
        assert (entry["outcome"], entry["error"]) == ("refused", "s1 failed: too late")


def test_the_idempotency_key_is_handed_on_and_a_repetition_is_told(client: TestClient, recorder: Recorder) -> None:
    recorder.replayed = True
    answer = client.post("/send/text", headers={**KEY, "Idempotency-Key": "order-7"}, json=TEXT)
    assert recorder.wanted[0].idempotency_key == "order-7"
    assert answer.headers["Idempotent-Replayed"] == "true"
    for key in ("x" * 201, " ", "a\tb", "\xe9"):
        headers = {**KEY, "Idempotency-Key": key.encode("latin-1")}
        refused = client.post("/send/text", headers=headers, json=TEXT)
        assert refused.status_code == 422 and refused.json()["detail"].startswith("Idempotency-Key"), refused.text
    assert len(recorder.wanted) == 1


@pytest.mark.parametrize(
    ("route", "given", "status", "told"),
    [
        ("text", {**TEXT, "bodi": "x"}, 422, "bodi: there is no such key here"),
        ("text", {"to": TO}, 422, "body: Field required."),
        ("text", {**TEXT, "body": "x" * 5120}, 422, "body has 5,120 characters; Meta takes at most 4,096"),
        ("text", {**TEXT, "to": "Ana"}, 422, "to holds letters"),
        ("text", {**TEXT, "to": {"group": "g"}, "recipient_type": "individual"}, 422, "recipient_type is individual"),
        ("text", {**TEXT, "from": "the office"}, 422, "from names none of our numbers"),
        ("text", ["x"], 422, "valid dictionary"),
        ("reaction", {"to": TO, "message_id": "m1", "emoji": "👍", "reply_to": "m2"}, 422, "reply_to: there is no"),
        ("interactive", {"to": TO, "body": "x"}, 422, "interactive_type: Field required."),
        (
            "interactive",
            {"to": TO, "interactive_type": "poll"},
            422,
            "interactive_type: it has to be one of 'buttons', '",
        ),
        ("media", {"to": TO, "media_type": "gif", "media_id": "1"}, 422, "media_type: Input should be 'image'"),
        ("media", {"to": TO, "media_type": "image"}, 422, "media_url is missing"),
        ("media", {"to": TO, "media_type": "image", "media_url": "http://x.example/a"}, 422, "https"),
        ("media", {"to": TO, "media_type": "image", "media_id": "1", "file": "x"}, 422, "file: there is no such key"),
        ("read", {}, 422, "message_id: Field required."),
        ("poll", TEXT, 404, "/openapi.json"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_a_sentence(
    archive: Archive, client: TestClient, recorder: Recorder, route: str, given: Any, status: int, told: str
) -> None:
    answer = client.post(f"/send/{route}", headers=KEY, json=given)
    assert answer.status_code == status, answer.text
    assert told in answer.json()["detail"]
    assert recorder.wanted == [] and recorder.read == []
    [entry] = audited(archive)
    assert (entry["action"], entry["outcome"], entry["refs"]) == ("send", "refused", [])


@pytest.mark.parametrize(
    ("content_type", "content", "status", "told"),
    [
        ("application/json", b'{"to": ', 422, "The body is no valid JSON"),
        ("application/json", b"", 422, "Field required"),
        ("application/json", b'{"to": "15555550100", "body": "\\ud83d"}', 422, "half of a character"),
        ("application/json", b'{"to": "15555550100", "body": "a\\u0000"}', 422, "NUL"),
        ("application/json", b"[" * 100_000, 400, "parsing"),
        ("application/json", b" " * 1_000_001, 413, "larger than 1,000,000 bytes"),
        ("application/x-www-form-urlencoded", b"to=15555550100&body=x", 415, "application/json"),
        ("multipart/form-data; boundary=x", b"--x--", 415, "application/json"),
        ("text/plain", b"{}", 415, "application/json"),
        (None, b"{}", 415, "Content-Type"),
    ],
)
def test_bodies_of_other_kinds_are_refused(
    client: TestClient, recorder: Recorder, content_type: str | None, content: bytes, status: int, told: str
) -> None:
    headers = {**KEY, "Content-Type": content_type} if content_type else KEY
    answer = client.post("/send/text", headers=headers, content=content)
    assert (answer.status_code, told in answer.json()["detail"]) == (status, True), answer.text
    assert recorder.wanted == []


SEND = frozenset({TokenScope.SEND})


def test_only_keys_without_limits_may_send(archive: Archive, client: TestClient, recorder: Recorder) -> None:
    assert client.post("/send/text", json=TEXT).status_code == 401
    assert client.post("/send/text", headers={"X-Admin-Api-Key": "wrong"}, json=TEXT).status_code == 401
    limited = tokens.create(
        archive.connection, NewToken(TokenKind.ADMIN, "limited", numbers=["106540352240001"], scopes=SEND)
    )
    for route, given in (("text", TEXT), ("text", {}), ("media", {}), ("read", {"message_id": "m1"})):
        assert client.post(f"/send/{route}", headers={"X-Admin-Api-Key": limited}, json=given).status_code == 403
    free = tokens.create(archive.connection, NewToken(TokenKind.ADMIN, "the shop", scopes=SEND))
    assert client.post("/send/text", headers={"X-Admin-Api-Key": free}, json=TEXT).status_code == 200
    assert [wanted.asked_by for wanted in recorder.wanted] == ["the shop"]


def test_each_send_is_audited_without_text_and_number(archive: Archive, client: TestClient) -> None:
    client.post(f"/send/text?number={TO}&q=secret", headers=KEY, json={**TEXT, "body": "secret"})
    client.post("/send/text", headers=KEY, json={"to": TO, "body": "secret" * 1000})
    client.post("/send/read", headers=KEY, json={"message_id": "wamid.1"})
    sent, refused, read = audited(archive)
    assert (sent["actor"], sent["action"], sent["target"]) == ("admin_api", "send", "/send/text")
    assert (sent["outcome"], sent["refs"], sent["parameters"]) == ("ok", ["s1"], {})
    assert (refused["outcome"], refused["refs"]) == ("refused", [])
    assert (read["action"], read["target"], read["outcome"]) == ("send", "/send/read", "ok")
    for entry in (sent, refused, read):
        assert "secret" not in str(entry) and TO not in str(entry)


def test_a_send_that_cannot_be_audited_is_answered_and_logged(
    archive: Archive, client: TestClient, recorder: Recorder, db: psycopg.Connection
) -> None:
    db.execute("ALTER TABLE audit_log RENAME TO audit_log_gone")
    with capture_logs() as logs:
        answer = client.post("/send/text", headers=KEY, json=TEXT)
        withheld = client.get("/admin/conversations", headers=KEY)
    assert (answer.status_code, answer.json()["send_id"], len(recorder.wanted)) == (200, "s1", 1)
    assert withheld.status_code == 503
    [told] = [entry for entry in logs if entry["event"] == "send_not_audited"]
    assert (told["log_level"], told["refs"], told["target"]) == ("error", ["s1"], "/send/text")


def test_the_contract_of_sending_is_whole(client: TestClient) -> None:
    contract = client.get("/openapi.json", headers=KEY)
    named = set(re.findall(r"#/components/schemas/(\w+)", contract.text))
    assert {"SendText", "SendAnswer", "ToGroup"} <= named <= set(contract.json()["components"]["schemas"])
    media = contract.json()["paths"]["/send/media"]["post"]["requestBody"]["content"]
    assert media["multipart/form-data"]["schema"]["properties"]["file"] == {"type": "string", "format": "binary"}
    assert media["application/json"]["schema"]["properties"]["media_type"]["enum"][0] == "image"


def test_where_nothing_sends_it_says_so(archive: Archive, reader: Pool, auditor: Pool) -> None:
    app = create_app(settings_for(archive.url), reader, auditor)
    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.post("/send/text", headers=KEY, json=TEXT)
    assert answer.status_code == 500 and "--only answers" in answer.json()["detail"]
