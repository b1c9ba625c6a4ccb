"""The Graph API simulator's account: its nodes, tokens, subscriptions, callbacks and media."""

import base64
import hashlib
import io
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.callback import VERIFY_TOKEN, Callback, called_back
from wamcp.simulator.graph.account import Config
from wamcp.simulator.graph.run import Simulated, simulated
from wamcp.whatsapp.graph import Graph, Reply

NUMBER, WABA, APP = "700000000000001", "900000000000001", "800000000000001"
TOKEN = "simulated_access_token"
APP_TOKEN = f"{APP}|simulated_app_secret"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(200)


@pytest.fixture
def callback() -> Iterator[Callback]:
    with called_back() as server:
        yield server


@pytest.fixture
def meta(callback: Callback) -> Iterator[Simulated]:
    facts = {"statuses": {"none": True}}
    config = Config(webhook_url=f"{callback.url}/app", verify_token=VERIFY_TOKEN, account=facts)
    with simulated(config) as running:
        yield running


@pytest.fixture
def graph(meta: Simulated) -> Iterator[Graph]:
    with Graph(meta.url, "v25.0", TOKEN) as client:
        yield client


@pytest.fixture
def app(meta: Simulated) -> Iterator[Graph]:
    with Graph(meta.url, "v25.0", APP_TOKEN) as client:
        yield client


def data_of(reply: Reply) -> Any:
    assert reply.is_fine and reply.data is not None, reply
    return reply.data


def code_of(reply: Reply) -> int:
    assert reply.error is not None, reply
    return reply.error.code


def upload(graph: Graph, content: bytes = PNG, mime: str = "image/png", stated: str | None = None) -> Reply:
    fields = {"messaging_product": "whatsapp", "type": stated or mime}
    return graph.post_form(f"{NUMBER}/media", fields, ("a", io.BytesIO(content), mime))


def fetched(url: str, token: str = TOKEN) -> httpx.Response:
    return httpx.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=5)


def test_the_number_the_waba_and_its_templates(meta: Simulated, graph: Graph, callback: Callback) -> None:
    assert set(data_of(graph.get(NUMBER))) >= {"id", "display_phone_number", "verified_name", "quality_rating"}
    assert data_of(graph.get(NUMBER))["display_phone_number"] == "+1 555-010-0001"
    asked = "status,name_status,platform_type,throughput{level},messaging_limit_tier,account_mode,webhook_configuration"
    assert data_of(graph.get(NUMBER, fields=asked)) == {
        "id": NUMBER,
        "status": "CONNECTED",
        "name_status": "APPROVED",
        "platform_type": "CLOUD_API",
        "throughput": {"level": "STANDARD"},
        "messaging_limit_tier": "TIER_1K",
        "account_mode": "LIVE",
        "webhook_configuration": {"application": f"{callback.url}/app"},
    }
    assert code_of(graph.get(NUMBER, fields="shoe_size")) == 100
    assert data_of(graph.get(WABA, fields="account_review_status,currency"))["account_review_status"] == "APPROVED"
    assert [each["id"] for each in data_of(graph.get(f"{WABA}/phone_numbers"))["data"]] == [NUMBER]
    templates = data_of(graph.get(f"{WABA}/message_templates", name="order_update"))["data"]
    assert {each["language"] for each in templates} == {"en_US", "pt_BR"}
    meta.account(numbers={NUMBER: {"quality_rating": "RED", "status": "FLAGGED"}}, waba={"account_review_status": "X"})
    assert data_of(graph.get(NUMBER, fields="quality_rating,status"))["status"] == "FLAGGED"
    assert data_of(graph.get(WABA, fields="account_review_status"))["account_review_status"] == "X"
    gone = graph.get("123456")
    assert (gone.status, code_of(gone)) == (400, 100) and gone.error is not None and gone.error.subcode == 33


def test_what_a_token_is(meta: Simulated, graph: Graph, app: Graph) -> None:
    for asker in (graph, app):
        facts = data_of(asker.get("debug_token", input_token=TOKEN))["data"]
        assert (facts["is_valid"], facts["app_id"], facts["expires_at"]) == (True, APP, 0)
        assert set(facts["scopes"]) == {"whatsapp_business_management", "whatsapp_business_messaging"}
        assert facts["granular_scopes"][0]["target_ids"] == [WABA]
    assert data_of(app.get("debug_token", input_token="nonsense"))["data"]["is_valid"] is False
    with Graph(meta.url, "v25.0", f"{APP}|wrong") as wrong:
        reply = wrong.get("debug_token", input_token=TOKEN)
        assert code_of(reply) == 190 and reply.error is not None and "signature" in reply.error.message
    with Graph(meta.url, "v25.0", "1|wrong") as wrong:
        assert code_of(wrong.get("debug_token", input_token=TOKEN)) == 101
    meta.account(token={"expires_at": int(time.time()) - 60, "app_id": "1"})
    facts = data_of(app.get("debug_token", input_token=TOKEN))["data"]
    assert (facts["is_valid"], facts["error"]["code"], facts["app_id"]) == (False, 190, "1")
    assert code_of(graph.get("debug_token", input_token=TOKEN)) == 190
    assert not [entry for entry in meta.wire() if TOKEN in str(entry)]


def test_the_apps_own_subscription(meta: Simulated, graph: Graph, app: Graph, callback: Callback) -> None:
    row = data_of(app.get(f"{APP}/subscriptions"))["data"][0]
    assert row["callback_url"] == f"{callback.url}/app" and "messages" in [each["name"] for each in row["fields"]]
    assert code_of(graph.get(f"{APP}/subscriptions")) == 15
    wanted = {"object": "whatsapp_business_account", "callback_url": f"{callback.url}/new", "fields": "messages"}
    assert code_of(app.post(f"{APP}/subscriptions", {**wanted, "verify_token": "wrong"})) == 2200
    assert data_of(app.get(f"{APP}/subscriptions"))["data"][0]["callback_url"] == f"{callback.url}/app"
    assert data_of(app.post(f"{APP}/subscriptions", {**wanted, "verify_token": VERIFY_TOKEN})) == {"success": True}
    row = data_of(app.get(f"{APP}/subscriptions"))["data"][0]
    assert [each["name"] for each in row["fields"]] == ["messages"]
    assert meta.receive(**{"from": "15550100002", "text": "hi"})["status"] == 200
    assert callback.posted[-1][0] == "/new"
    assert httpx.post(f"{meta.url}/_simulator/verify").json() == {"verified": True}
    meta.account(callback={"url": None})
    assert httpx.post(f"{meta.url}/_simulator/verify").json() == {"verified": True}  # null: what it was at the start


def test_overrides_number_before_waba_before_app(meta: Simulated, graph: Graph, callback: Callback) -> None:
    def arrives() -> str:
        meta.receive(**{"from": "15550100002", "text": "hi"})
        return callback.posted[-1][0]

    assert arrives() == "/app"
    override = {"override_callback_uri": f"{callback.url}/waba", "verify_token": VERIFY_TOKEN}
    refused = graph.post(f"{WABA}/subscribed_apps", {**override, "verify_token": "wrong"})
    assert code_of(refused) == 2200 and arrives() == "/app"
    assert data_of(graph.post(f"{WABA}/subscribed_apps", override)) == {"success": True}
    assert arrives() == "/waba"
    assert data_of(graph.get(f"{WABA}/subscribed_apps"))["data"][0]["override_callback_uri"] == f"{callback.url}/waba"
    own = {"override_callback_uri": f"{callback.url}/number", "verify_token": VERIFY_TOKEN}
    assert data_of(graph.post(NUMBER, {"webhook_configuration": own})) == {"success": True}
    assert arrives() == "/number"
    levels = data_of(graph.get(NUMBER, fields="webhook_configuration"))["webhook_configuration"]
    assert {level: url.rsplit("/", 1)[1] for level, url in levels.items()} == {
        "phone_number": "number",
        "whatsapp_business_account": "waba",
        "application": "app",
    }
    assert data_of(graph.post(NUMBER, {"webhook_configuration": {"override_callback_uri": ""}})) == {"success": True}
    assert arrives() == "/waba"
    assert data_of(graph.post(f"{WABA}/subscribed_apps")) == {"success": True}
    assert arrives() == "/app"


@pytest.mark.parametrize(
    "facts",
    [{"waba": {"subscribed_apps": []}}, {"callback": {"fields": ["account_update"]}}, {"callback": {"active": False}}],
    ids=str,
)
def test_without_a_subscription_nobody_is_told(
    meta: Simulated, graph: Graph, callback: Callback, facts: dict[str, Any]
) -> None:
    meta.account(**facts)
    assert meta.receive(**{"from": "15550100002", "text": "hi"})["status"] == 0
    assert callback.posted == []


def test_unsubscribing_the_app(meta: Simulated, graph: Graph) -> None:
    assert [each["whatsapp_business_api_data"]["id"] for each in data_of(graph.get(f"{WABA}/subscribed_apps"))["data"]]
    assert data_of(graph._call("DELETE", f"{WABA}/subscribed_apps", 5, lambda: {})) == {"success": True}
    assert data_of(graph.get(f"{WABA}/subscribed_apps"))["data"] == []
    assert meta.receive(**{"from": "15550100002", "text": "hi"})["status"] == 0


def test_media_go_up_and_come_down(meta: Simulated, graph: Graph) -> None:
    media_id = data_of(upload(graph))["id"]
    about = data_of(graph.get(media_id))
    assert (about["mime_type"], about["file_size"], about["id"]) == ("image/png", len(PNG), media_id)
    assert about["sha256"] == hashlib.sha256(PNG).hexdigest()
    down = fetched(about["url"])
    assert (down.status_code, down.content, down.headers["content-type"]) == (200, PNG, "image/png")
    assert fetched(about["url"], "wrong").status_code == 401 and httpx.get(about["url"]).status_code == 401
    meta.account(media_sha256="base64", media_url_seconds=0)
    about = data_of(graph.get(media_id))
    assert base64.b64decode(about["sha256"]) == hashlib.sha256(PNG).digest()
    assert fetched(about["url"]).status_code == 404
    assert code_of(graph.get(media_id, phone_number_id="700000000000009")) == 100
    deleted = httpx.delete(f"{meta.url}/v25.0/{media_id}", headers={"Authorization": f"Bearer {TOKEN}"})
    assert deleted.json() == {"success": True} and code_of(graph.get(media_id)) == 100


def test_ids_of_media_expire(meta: Simulated, graph: Graph) -> None:
    def two() -> list[str]:
        return [data_of(upload(graph))["id"], meta.put_in(b"%PDF", "application/pdf")["id"]]

    assert all(graph.get(each).is_fine for each in two())
    meta.account(media_seconds=0.2, inbound_media_seconds=0.2)
    ids = two()
    time.sleep(0.3)
    assert [code_of(graph.get(each)) for each in ids] == [100, 100]


def test_uploads_have_types_and_limits(meta: Simulated, graph: Graph) -> None:
    assert code_of(upload(graph, mime="application/zip")) == 100
    assert code_of(upload(graph, bytes(5_000_001))) == 131053
    assert upload(graph, bytes(5_000_000)).is_fine
    assert code_of(upload(graph, b"")) == 131053
    assert code_of(upload(graph, stated="image/jpeg")) == 131053
    assert upload(graph, b"OggS", "audio/ogg; codecs=opus").is_fine
    missing = graph.post_form(f"{NUMBER}/media", {"type": "image/png"}, ("a.png", io.BytesIO(PNG), "image/png"))
    assert code_of(missing) == 100


def test_downloads_go_wrong_by_the_script(meta: Simulated, graph: Graph) -> None:
    media_id = data_of(upload(graph))["id"]

    def scripted(path: str, do: dict[str, Any]) -> dict[str, Any]:
        meta.script([{"when": {"path": path, "method": "GET"}, "times": 1, "do": do}])
        about: dict[str, Any] = data_of(graph.get(media_id))
        return about

    assert scripted(media_id, {"media": "wrong_hash"})["sha256"] != hashlib.sha256(PNG).hexdigest()
    assert fetched(scripted(media_id, {"media": "expired"})["url"]).status_code == 404
    assert fetched(scripted("/_media/", {"media": "expired"})["url"]).status_code == 404
    assert hashlib.sha256(fetched(scripted("/_media/", {"media": "wrong_hash"})["url"]).content).digest() != (
        hashlib.sha256(PNG).digest()
    )
    url = scripted("/_media/", {"media": "truncated"})["url"]
    with pytest.raises(httpx.RemoteProtocolError):
        fetched(url)
    assert fetched(url).content == PNG
    url = scripted("/_media/", {"drip": 0.001})["url"]
    began = time.monotonic()
    assert fetched(url).content == PNG and time.monotonic() - began > 0.2
