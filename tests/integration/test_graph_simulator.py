"""The Graph API simulator over HTTP: messages and their statuses, limits, windows, and all ways in which it fails."""

import io
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.callback import Callback, called_back
from wamcp.simulator.graph.account import Config
from wamcp.simulator.graph.run import Simulated, simulated
from wamcp.whatsapp.graph import Graph, Reached, Reply
from wamcp.whatsapp.graph_errors import After, meaning_of
from wamcp.whatsapp.signature import is_valid

NUMBER = "700000000000001"
TOKEN = "simulated_access_token"
FORM = "multipart/form-data; boundary=y"
SECRET = b"simulated_app_secret"


@pytest.fixture
def callback() -> Iterator[Callback]:
    with called_back() as server:
        yield server


@pytest.fixture
def meta(callback: Callback) -> Iterator[Simulated]:
    account = {"statuses": {"delay_ms": [0, 1]}}
    with simulated(Config(webhook_url=f"{callback.url}/webhooks/whatsapp", account=account)) as running:
        yield running


@pytest.fixture
def graph(meta: Simulated) -> Iterator[Graph]:
    with Graph(meta.url, "v25.0", TOKEN) as client:
        yield client


def send(graph: Graph, to: str = "+15550100002", *, deadline_s: float = 8.0, **more: Any) -> Reply:
    body = {"messaging_product": "whatsapp", "to": to, "type": "text", "text": {"body": "hello"}, **more}
    return graph.post(f"{NUMBER}/messages", body, deadline_s=deadline_s)


def wamid_of(reply: Reply) -> str:
    assert reply.is_fine and reply.data is not None, reply
    return str(reply.data["messages"][0]["id"])


def code_of(reply: Reply) -> int:
    assert reply.error is not None, reply
    return reply.error.code


def webhooks(meta: Simulated, wamid: str, count: int = 3) -> list[dict[str, Any]]:
    return meta.wait_for(lambda e: e["kind"] == "webhook" and e["wamid"] == wamid and e["status"] == 200, count=count)


def last_request(meta: Simulated) -> dict[str, Any]:
    return [entry for entry in meta.wire() if entry["kind"] == "request"][-1]


def test_a_message_gets_an_id_and_signed_statuses(meta: Simulated, graph: Graph, callback: Callback) -> None:
    reply = send(graph, biz_opaque_callback_data="order-17")
    wamid = wamid_of(reply)
    assert reply.data is not None and reply.data["contacts"] == [{"input": "+15550100002", "wa_id": "15550100002"}]
    webhooks(meta, wamid)
    told = {status["status"]: status for status in callback.statuses(wamid)}
    assert set(told) == {"sent", "delivered", "read"}
    assert told["sent"]["pricing"]["category"] == "service" and "pricing" not in told["read"]
    for status in told.values():
        assert status["recipient_id"] == "15550100002" and status["recipient_user_id"].startswith("US.")
        assert status["biz_opaque_callback_data"] == "order-17" and isinstance(status["timestamp"], str)
    for path, header, body in callback.posted:
        assert path == "/webhooks/whatsapp" and is_valid(header, body, [SECRET])
        value = json.loads(body)["entry"][0]["changes"][0]["value"]
        assert value["metadata"] == {"display_phone_number": "15550100001", "phone_number_id": NUMBER}
        assert value["contacts"][0]["wa_id"] == "15550100002"
    assert last_request(meta) | {"accepted": True, "wamid": wamid, "token": "valid", "status": 200} == last_request(
        meta
    )
    assert meta.messages()[wamid]["body"]["text"] == {"body": "hello"}


def test_brazilian_numbers_answer_with_the_wa_id_that_whatsapp_knows(graph: Graph) -> None:
    reply = send(graph, "+55 11 98765-4321")
    assert reply.data is not None
    assert reply.data["contacts"] == [{"input": "+55 11 98765-4321", "wa_id": "551187654321"}]


def test_statuses_can_come_out_of_order_twice_early_or_never(meta: Simulated, graph: Graph, callback: Callback) -> None:
    meta.account(statuses={"out_of_order": True, "twice": True, "delay_ms": [300, 300]})
    wamid = wamid_of(send(graph))
    webhooks(meta, wamid, 6)
    told = [status["status"] for status in callback.statuses(wamid)]
    assert sorted(told) == sorted(["read", "delivered", "sent"] * 2) and (told[0], told[-1]) == ("read", "sent")
    meta.account(statuses={"out_of_order": False, "twice": False, "before_answer": True, "delay_ms": [200, 200]})
    wamid = wamid_of(send(graph))
    assert [status["status"] for status in callback.statuses(wamid)][:1] == ["sent"]
    meta.account(statuses={"before_answer": False, "none": True, "delay_ms": [0, 0]})
    wamid = wamid_of(send(graph))
    time.sleep(0.2)
    assert callback.statuses(wamid) == []


def test_a_webhook_is_tried_again_until_it_is_taken(meta: Simulated, graph: Graph, callback: Callback) -> None:
    meta.account(statuses={"read": False})
    callback.refuse = 2
    wamid = wamid_of(send(graph))
    taken = webhooks(meta, wamid, 2)
    assert max(entry["attempt"] for entry in taken) >= 2
    assert callback.refused[0] in {body for _, _, body in callback.posted}


@pytest.mark.parametrize("kind", ["sync", "status"])
def test_a_closed_window_refuses_all_but_templates(
    meta: Simulated, graph: Graph, callback: Callback, kind: str
) -> None:
    meta.account(open_windows="known", window_error=kind)
    reply = send(graph)
    if kind == "sync":
        assert (reply.status, code_of(reply)) == (400, 131047)
    else:
        webhooks(meta, wamid_of(reply), 1)
        status = callback.statuses(wamid_of(reply))[0]
        assert (status["status"], status["errors"][0]["code"]) == ("failed", 131047)
        assert status["recipient_id"] == "15550100002" and "recipient_user_id" not in status
        assert "contacts" not in json.loads(callback.posted[0][2])["entry"][0]["changes"][0]["value"]
    parameters = [{"type": "body", "parameters": [{"type": "text", "text": "John"}]}]
    template = {"name": "hello_world", "language": {"code": "en_US"}, "components": parameters}
    assert send(graph, type="template", template=template, text=None).error is not None  # text does not belong there
    body = {"messaging_product": "whatsapp", "to": "+15550100002", "type": "template", "template": template}
    assert graph.post(f"{NUMBER}/messages", body).is_fine
    received = meta.receive(**{"from": "+15550100002", "text": "hi there"}, name="Ana Exemplo")
    assert received["status"] == 200
    assert send(graph).is_fine


def test_a_customer_writes_over_http_with_a_bsuid_alone(meta: Simulated, graph: Graph, callback: Callback) -> None:
    meta.account(open_windows="known", statuses={"none": True})
    item = {"type": "image", "image": {**meta.put_in(b"\xff\xd8\xff", "image/jpeg"), "caption": "here"}}
    received = meta.receive(user_id="US.13491208655302741918", message=item)
    path, header, body = callback.posted[-1]
    value = json.loads(body)["entry"][0]["changes"][0]["value"]
    assert is_valid(header, body, [SECRET]) and path == "/webhooks/whatsapp"
    message = value["messages"][0]
    assert (message["id"], message["type"], "from" in message) == (received["wamid"], "image", False)
    assert message["from_user_id"] == "US.13491208655302741918"
    assert graph.get(message["image"]["id"]).is_fine
    words = {"messaging_product": "whatsapp", "type": "text", "text": {"body": "hello"}}
    reply = graph.post(f"{NUMBER}/messages", {**words, "recipient": "US.13491208655302741918"})
    assert reply.data is not None
    assert reply.data["contacts"] == [{"input": "US.13491208655302741918", "user_id": "US.13491208655302741918"}]


def test_a_bsuid_in_to_is_answered_and_lost_as_at_meta(meta: Simulated, graph: Graph, callback: Callback) -> None:
    wamid = wamid_of(send(graph, "US.13491208655302741918"))
    assert last_request(meta)["lost"] is True
    time.sleep(0.2)
    assert callback.statuses(wamid) == []
    send(graph, recipient="US.13491208655302741918")
    assert "both to and recipient: to counts" in last_request(meta)["notes"]
    send(graph, "15550100002")
    assert last_request(meta)["notes"] == ["to without +"]


def test_people_who_cannot_be_reached(meta: Simulated, graph: Graph, callback: Callback) -> None:
    assert code_of(send(graph, "+15550100001")) == 131021
    meta.account(undeliverable=["+15550100003"], failing={"+15550100004": 131049})
    for to, code in (("+15550100003", 131026), ("+15550100004", 131049)):
        wamid = wamid_of(send(graph, to))
        webhooks(meta, wamid, 1)
        assert [(s["status"], s["errors"][0]["code"]) for s in callback.statuses(wamid)] == [("failed", code)]
    meta.account(allowed_recipients=["15550100002"])
    assert send(graph).is_fine
    assert code_of(send(graph, "+15550100005")) == 131030
    group = graph.post(
        f"{NUMBER}/messages",
        {"messaging_product": "whatsapp", "recipient_type": "group", "to": "Y2FwaQ", "text": {"body": "hi"}},
    )
    assert group.data is not None and group.data["contacts"] == [{"input": "Y2FwaQ"}]


def test_tokens_numbers_and_the_account_are_checked(meta: Simulated, graph: Graph) -> None:
    with Graph(meta.url, "v25.0", "another_token") as stranger:
        reply = send(stranger)
        assert (reply.status, code_of(reply), last_request(meta)["token"]) == (401, 190, "unknown")
    assert httpx.post(f"{meta.url}/v25.0/{NUMBER}/messages", json={}).status_code == 401
    assert last_request(meta)["token"] == "missing" and "another_token" not in json.dumps(meta.wire())
    reply = graph.post("123/messages", {})
    assert (reply.status, code_of(reply)) == (400, 100) and reply.error is not None and reply.error.subcode == 33
    meta.account(token={"expires_at": 1})
    assert (send(graph).status, code_of(send(graph))) == (401, 190)
    meta.account(token={"expires_at": 0, "scopes": ["whatsapp_business_management"]})
    assert code_of(send(graph)) == 10
    meta.account(token={"scopes": None}, locked=True)
    assert code_of(send(graph)) == 131031
    meta.account(locked=False, numbers={NUMBER: {"platform_type": "NOT_APPLICABLE"}})
    assert code_of(send(graph)) == 133010


def test_limits_are_enforced_for_real(meta: Simulated, graph: Graph) -> None:
    meta.account(rate=5, statuses={"none": True})
    codes = [0 if (reply := send(graph, f"+1556010{n:04d}")).is_fine else code_of(reply) for n in range(30)]
    assert codes.count(0) >= 5 and 130429 in codes and set(codes) <= {0, 130429}
    sent = [entry["monotonic"] for entry in meta.wire() if entry["kind"] == "request" and entry["accepted"]]
    assert all(later - sooner > 0.98 for sooner, later in zip(sent, sent[5:], strict=False))
    meta.account(rate=0)
    codes = [0 if (reply := send(graph, "+15570100001")).is_fine else code_of(reply) for n in range(47)]
    assert codes == [0] * 45 + [131056] * 2


def test_what_is_validated_reaches_the_client_as_metas_error(graph: Graph) -> None:
    reply = send(graph, text={"body": "x" * 4097})
    assert (reply.status, code_of(reply)) == (400, 131009)
    assert reply.error is not None and "text.body" in reply.error.details and "4096" in reply.error.details
    assert reply.error.message.startswith("(#131009)") and reply.error.trace
    assert code_of(send(graph, type="image", image={"id": "4711"}, text=None)) == 100
    body = {"messaging_product": "whatsapp", "to": "+15550100002", "type": "image", "image": {"id": "4711"}}
    assert code_of(graph.post(f"{NUMBER}/messages", body)) == 131053
    assert graph.post(
        f"{NUMBER}/messages", {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.QQ=="}
    ).data == {"success": True}


BROKEN: list[tuple[dict[str, Any], Reached, int, bool]] = [
    ({"timeout": "before"}, Reached.UNANSWERED, 0, False),
    ({"timeout": "after"}, Reached.UNANSWERED, 0, True),
    ({"reset": "before"}, Reached.UNANSWERED, 0, False),
    ({"reset": "after"}, Reached.UNANSWERED, 0, True),
    ({"drip": 0.05}, Reached.UNANSWERED, 0, True),
    ({"drip": 0.05, "headers": True, "accepted": False}, Reached.UNANSWERED, 0, False),
    ({"garbage": True}, Reached.ANSWERED, 200, False),
    ({"garbage": True, "accepted": True}, Reached.ANSWERED, 200, True),
    ({"status": 503}, Reached.ANSWERED, 503, False),
    ({"status": 500, "accepted": True}, Reached.ANSWERED, 500, True),
    ({"answer": {"status": 429, "code": 130429, "retry_after": 2}}, Reached.ANSWERED, 429, False),
    ({"answer": {"status": 200, "body": {"odd": 1}}, "accepted": True}, Reached.ANSWERED, 200, True),
    ({"delay_ms": 50}, Reached.ANSWERED, 200, True),
]


@pytest.mark.parametrize(("do", "reached", "status", "accepted"), BROKEN, ids=[json.dumps(each[0]) for each in BROKEN])
def test_everything_that_can_go_wrong_does_so_in_bounded_time(
    meta: Simulated, graph: Graph, do: dict[str, Any], reached: Reached, status: int, accepted: bool
) -> None:
    meta.script([{"when": {"path": "/messages"}, "times": 1, "do": do}])
    began = time.monotonic()
    reply = send(graph, deadline_s=0.6 if reached is Reached.UNANSWERED else 8.0)
    assert time.monotonic() - began < 6
    assert (reply.reached, reply.status) == (reached, status)
    if "reset" in do:
        assert reply.reason == "ReadError"  # a reset; a connection that is closed is a RemoteProtocolError
    if "answer" in do and "code" in do["answer"]:
        assert (code_of(reply), reply.retry_after_s) == (130429, 2.0)
    if "garbage" in do or do.get("status"):
        assert reply.data is None
    entry = last_request(meta)
    assert (entry["accepted"], bool(entry["wamid"])) == (accepted, accepted)
    if reached == Reached.UNANSWERED:
        assert (entry["status"], entry["broken"]) == (None, next(iter(do)))
    if accepted:
        webhooks(meta, entry["wamid"])  # Meta took it: its statuses come, although nobody was told
    assert send(graph).is_fine


def test_a_simulator_that_is_gone_was_not_reached() -> None:
    with simulated() as meta:
        url = meta.url
    with Graph(url, "v25.0", TOKEN) as graph:
        assert send(graph).reached == Reached.NOT_SENT


def test_what_is_not_emulated_is_said_loudly(meta: Simulated, graph: Graph) -> None:
    for reply in (graph.get("me"), graph.post(f"{NUMBER}/register"), graph.get(f"{NUMBER}/whatsapp_business_profile")):
        assert reply.status == 501 and reply.error is not None and "NOT EMULATED" in reply.error.message
        assert meaning_of(reply.error.code, status=501).after == After.REFUSED
    assert httpx.get(f"{meta.url}/healthz").status_code == 501


def test_versions_come_and_go(meta: Simulated) -> None:
    meta.account(sunset_versions=["v21.0"])
    for version, code in (("v21.0", 2635), ("v17.0", 2635), ("v99.0", 2500)):
        with Graph(meta.url, version, TOKEN) as graph:
            assert code_of(send(graph)) == code


def test_the_control_routes(meta: Simulated, graph: Graph) -> None:
    control = f"{meta.url}/_simulator"
    wamid = wamid_of(send(graph))
    assert wamid in [message["wamid"] for message in httpx.get(f"{control}/messages").json()["messages"]]
    entries = httpx.get(f"{control}/wire").json()["entries"]
    assert httpx.get(f"{control}/wire", params={"since": entries[0]["n"]}).json()["entries"][0]["n"] == 2
    assert httpx.delete(f"{control}/wire").status_code == 200 and graph.get("me").status == 501
    assert httpx.put(f"{control}/script", json=[{"do": {"status": 502}}]).status_code == 200
    assert send(graph).status == 502
    bad = httpx.put(f"{control}/script", json=[{"do": {"explode": 1}}])
    assert bad.status_code == 400 and "explode" in bad.json()["error"]["message"]
    assert send(graph).status == 502  # the script before it still counts
    assert httpx.put(f"{control}/script", json=[]).status_code == 200
    assert httpx.put(f"{control}/account", json={"clock_offset_s": 3600}).status_code == 200
    shifted = httpx.get(f"{meta.url}/v25.0/{NUMBER}").headers["date"]
    assert abs(time.mktime(time.strptime(shifted, "%a, %d %b %Y %H:%M:%S GMT")) - time.mktime(time.gmtime()) - 3600) < 5
    assert httpx.put(f"{control}/account", json={"nonsense": 1}).status_code == 400
    assert httpx.post(f"{control}/receive", json={"text": "nobody"}).status_code == 400
    assert "PUT /_simulator/script" in httpx.get(f"{control}/nothing").json()["error"]["message"]


def test_uploads_say_what_was_sent(meta: Simulated, graph: Graph) -> None:
    fields = {"messaging_product": "whatsapp", "type": "application/pdf"}
    reply = graph.post_form(f"{NUMBER}/media", fields, ("a.pdf", io.BytesIO(b"%PDF-1.7"), "application/pdf"))
    assert reply.is_fine and reply.data is not None
    assert last_request(meta)["body"]["file"] == {"name": "a.pdf", "mime": "application/pdf", "size": 8}
    document = {"id": reply.data["id"], "filename": "a.pdf"}
    body = {"messaging_product": "whatsapp", "to": "+15550100002", "type": "document", "document": document}
    assert graph.post(f"{NUMBER}/messages", body).is_fine
    image = {**body, "type": "image", "image": {"id": reply.data["id"]}}
    del image["document"]
    assert code_of(graph.post(f"{NUMBER}/messages", image)) == 131053
    meta.account(numbers={"700000000000002": {"display_phone_number": "15550100009"}})
    assert code_of(graph.post("700000000000002/messages", body)) == 131053  # uploaded for the other number


def test_bodies_that_are_no_json_or_no_form_are_refused(meta: Simulated) -> None:
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    for content, kind in ((b"{", "application/json"), (b"[]", "application/json"), (b"x", FORM)):
        answer = httpx.post(
            f"{meta.url}/v25.0/{NUMBER}/messages", content=content, headers={**bearer, "Content-Type": kind}
        )
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, 100)
    deep = b"[" * 100_000
    assert httpx.post(f"{meta.url}/v25.0/{NUMBER}/messages", content=deep, headers=bearer).status_code == 400
