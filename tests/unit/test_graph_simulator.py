"""The Graph API simulator's rules: what Meta would refuse, its limits, its people, and scripts."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from wamcp.errors import Rejected
from wamcp.simulator.graph import templates, validate
from wamcp.simulator.graph.account import Config, account_of, at_start, merge
from wamcp.simulator.graph.limits import PAIR_BURST, Limits
from wamcp.simulator.graph.people import People
from wamcp.simulator.graph.script import Asked, Script, parse
from wamcp.simulator.graph.trouble import Trouble, body_of, not_emulated, trouble
from wamcp.simulator.graph.wire import Wire, masked
from wamcp.simulator.graph.world import World

TO = {"messaging_product": "whatsapp", "to": "+15550100002"}


def button(**reply: str) -> dict[str, Any]:
    return {"type": "reply", "reply": {"id": "a", "title": "Yes", **reply}}


def interactive(kind: str, action: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**TO, "type": "interactive", "interactive": {"type": kind, "body": {"text": "?"}, "action": action, **more}}


def listed(*rows: dict[str, Any], sections: int = 1, **section: Any) -> dict[str, Any]:
    one = {"title": "Tiles", "rows": list(rows), **section}
    return interactive("list", {"button": "Choose", "sections": [one] * sections})


def text(body: Any, **more: Any) -> dict[str, Any]:
    return {**TO, "type": "text", "text": {"body": body, **more}}


def media(kind: str, **content: Any) -> dict[str, Any]:
    return {**TO, "type": kind, kind: content}


WAMID = "wamid.HBgLMTU1NTAxMDAwMDI="
FINE = [
    text("x" * 4096, preview_url=True),
    {**TO, "type": "text", "text": {"body": "a reply"}, "context": {"message_id": WAMID}},
    {"messaging_product": "whatsapp", "recipient": "US.13491208655302741918", "type": "text", "text": {"body": "hi"}},
    {**TO, "to": "15550100002", "type": "text", "text": {"body": "without +"}},
    {**TO, "to": "Y2FwaV9ncm91cA", "recipient_type": "group", "type": "text", "text": {"body": "hi"}},
    media("image", link="https://example.com/a.jpg", caption="c" * 1024),
    media("video", id="1"),
    media("audio", id="1", voice=True),
    media("document", id="1", filename="a.pdf", caption="c"),
    media("sticker", id="1"),
    media("location", latitude=38.7, longitude="-9.1", name="Pier"),
    {**TO, "type": "contacts", "contacts": [{"name": {"formatted_name": "Ana B", "first_name": "Ana"}}]},
    {**TO, "type": "reaction", "reaction": {"message_id": WAMID, "emoji": "👍"}},
    {**TO, "type": "reaction", "reaction": {"message_id": WAMID, "emoji": ""}},
    interactive("button", {"buttons": [button(id=str(n), title=str(n)) for n in range(3)]}, footer={"text": "f" * 60}),
    listed({"id": "1", "title": "t" * 24, "description": "d" * 72}),
    interactive("cta_url", {"name": "cta_url", "parameters": {"display_text": "Open", "url": "https://example.com"}}),
    interactive("location_request_message", {"name": "send_location"}),
    interactive("flow", {"name": "flow", "parameters": {"flow_id": "1", "flow_cta": "Go"}}),
    {"messaging_product": "whatsapp", "status": "read", "message_id": WAMID, "typing_indicator": {"type": "text"}},
]


@pytest.mark.parametrize("body", FINE, ids=range(len(FINE)))
def test_what_meta_takes_is_taken(body: dict[str, Any]) -> None:
    assert validate.check(body) is body


JUNK: list[Any] = [None, True, 0, -1, 1.5, "", "x", [], [[]], [{}], {}, {"a": 1}, {"type": []}]


def spoiled(value: Any) -> Iterator[Any]:
    """``value`` with each of its parts in turn replaced by each piece of junk, or left out."""
    yield from JUNK
    if isinstance(value, dict):
        for key in value:
            yield {name: inner for name, inner in value.items() if name != key}
            yield from ({**value, key: inner} for inner in spoiled(value[key]))
    if isinstance(value, list):
        for index in range(len(value)):
            yield from ([*value[:index], inner, *value[index + 1 :]] for inner in spoiled(value[index]))


def test_nonsense_is_refused_and_never_brings_the_simulator_down() -> None:
    tried = 0
    for fine in FINE:
        for body in spoiled(fine):
            tried += 1
            with contextlib.suppress(Trouble):
                assert validate.check(body) is body
    for content in FILLED:
        for body in spoiled(content):
            tried += 1
            with contextlib.suppress(Trouble):
                assert templates.check(body, list(templates.BUILT_IN)).name
    assert tried > 3500


REFUSED: list[tuple[Any, int, str]] = [
    ([], 100, ""),
    ({"to": "+15550100002", "type": "text", "text": {"body": "x"}}, 100, ""),
    ({**text("x"), "priority": 1}, 100, ""),
    (text("x", bold=True), 100, ""),
    ({**TO, "type": "telegram"}, 131051, "telegram"),
    ({**text("x"), "to": None}, 131008, "to"),
    ({**text("x"), "to": "not a number"}, 131009, "to"),
    ({"messaging_product": "whatsapp", "recipient": "+15550100002", "text": {"body": "x"}}, 131009, "recipient"),
    ({**text("x"), "biz_opaque_callback_data": "x" * 513}, 131009, "512"),
    ({**text("x"), "context": {"message_id": "17"}}, 131009, "context.message_id"),
    (text(""), 131008, "text.body"),
    (text("x" * 4097), 131009, "4096"),
    (text(7), 131009, "text.body"),
    (media("image"), 131008, "image.id"),
    (media("image", id="1", link="https://example.com/a.jpg"), 131009, "image"),
    (media("image", link="ftp://example.com/a.jpg"), 131009, "image.link"),
    (media("image", id="1", caption="c" * 1025), 131009, "1024"),
    (media("audio", id="1", caption="c"), 100, ""),
    (media("location", latitude=91, longitude=0), 131009, "location.latitude"),
    (media("location", latitude=9), 131008, "location.longitude"),
    ({**TO, "type": "contacts", "contacts": []}, 131008, "contacts"),
    ({**TO, "type": "contacts", "contacts": [{"name": {"formatted_name": "Ana"}}]}, 131008, "first_name"),
    ({**TO, "type": "reaction", "reaction": {"message_id": WAMID, "emoji": "ok"}}, 131009, "emoji"),
    ({**TO, "type": "reaction", "reaction": {"emoji": "👍"}}, 131008, "reaction.message_id"),
    (interactive("button", {"buttons": [button(id=str(n), title=str(n)) for n in range(4)]}), 131009, "limit is 3"),
    (interactive("button", {"buttons": [button(title="t" * 21)]}), 131009, "20"),
    (interactive("button", {"buttons": [button(id="i" * 257)]}), 131009, "256"),
    (interactive("button", {"buttons": [button(), button(id="b")]}), 131009, "title"),
    (interactive("button", {"buttons": [button()]}, body={"text": "b" * 1025}), 131009, "1024"),
    (interactive("button", {"buttons": [button()]}, footer={"text": "f" * 61}), 131009, "60"),
    (interactive("button", {"buttons": [button()]}, header={"type": "text", "text": "h" * 61}), 131009, "60"),
    (interactive("poll", {}), 131009, "poll"),
    (listed({"id": "1", "title": "t" * 25}), 131009, "24"),
    (listed({"id": "1", "title": "t", "description": "d" * 73}), 131009, "72"),
    (listed({"id": "i" * 201, "title": "t"}), 131009, "200"),
    (listed({"id": "1", "title": "t"}, sections=11), 131009, "limit is 10"),
    (listed(*[{"id": str(n), "title": "t"} for n in range(6)], sections=2), 131009, "12 rows"),
    (interactive("cta_url", {"name": "cta_url", "parameters": {"display_text": "d" * 21, "url": "https://x.y"}}),
     131009, "20"),
    (interactive("cta_url", {"name": "cta_url", "parameters": {"display_text": "d", "url": "x"}}), 131009, "url"),
    ({"messaging_product": "whatsapp", "status": "seen", "message_id": WAMID}, 131009, "status"),
    ({"messaging_product": "whatsapp", "status": "read", "message_id": "x"}, 131009, "message_id"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "code", "named"), REFUSED, ids=range(len(REFUSED)))
def test_what_meta_refuses_is_refused_by_its_code(body: Any, code: int, named: str) -> None:
    with pytest.raises(Trouble) as caught:
        validate.check(body)
    assert (caught.value.code, named in caught.value.details) == (code, True), caught.value.details


def filled(name: str, *components: dict[str, Any], language: str = "en_US") -> dict[str, Any]:
    return {"name": name, "language": {"code": language}, "components": list(components)}


def body(*texts: str, **more: str) -> dict[str, Any]:
    return {"type": "body", "parameters": [{"type": "text", "text": each, **more} for each in texts]}


def named(**values: str) -> dict[str, Any]:
    parameters = [{"type": "text", "parameter_name": key, "text": value} for key, value in values.items()]
    return {"type": "body", "parameters": parameters}


PDF = {"type": "header", "parameters": [{"type": "document", "document": {"id": "1", "filename": "a.pdf"}}]}
CODE = {"type": "button", "sub_type": "url", "index": "0", "parameters": [{"type": "text", "text": "4711"}]}


FILLED = [
    filled("hello_world", body("John")),
    filled("order_update", PDF, body("17", "Monday")),
    filled("order_update", PDF, body("17", "segunda"), language="pt_BR"),
    filled("appointment", named(day="Monday", first_name="Ana"), language="en"),
    filled("login_code", body("4711"), CODE),
]


@pytest.mark.parametrize("content", FILLED, ids=lambda content: content["name"])
def test_the_templates_of_the_account_can_be_filled(content: dict[str, Any]) -> None:
    assert templates.check(content, list(templates.BUILT_IN)).name == content["name"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ({"name": "hello_world"}, 131008),
        (filled("no_such", body("x")), 132001),
        (filled("hello_world", body("x"), language="en"), 132001),
        (filled("hello_world"), 132000),
        (filled("hello_world", body("a", "b")), 132000),
        (filled("hello_world", named(first_name="Ana")), 132012),
        (filled("hello_world", body("two\nlines")), 100),
        (filled("hello_world", body("x" * 1100)), 132005),
        (filled("hello_world", {**body("a"), "extra": 1}), 100),
        (filled("appointment", body("Ana", "Monday"), language="en"), 132012),
        (filled("appointment", named(first_name="Ana", hour="9"), language="en"), 132012),
        (filled("order_update", body("17", "Monday")), 132012),
        (filled("login_code", body("4711")), 131008),
        (filled("hello_world", body("a"), CODE), 132000),
    ],
    ids=range(14),
)
def test_a_template_that_is_filled_wrongly_is_refused(content: dict[str, Any], code: int) -> None:
    with pytest.raises(Trouble) as caught:
        templates.check(content, list(templates.BUILT_IN))
    assert caught.value.code == code


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def refused(limits: Limits, person: str, rate: int = 80) -> int:
    try:
        limits.take("1", person, rate, pairs=True)
    except Trouble as error:
        return error.code
    return 0


def test_a_pair_may_borrow_45_messages_and_then_has_one_in_six_seconds() -> None:
    clock = Clock()
    limits = Limits(clock)
    assert [refused(limits, "ana", 0) for _ in range(PAIR_BURST)] == [0] * 45
    assert refused(limits, "ana", 0) == 131056
    assert refused(limits, "bia", 0) == 0
    clock.now += 5.9
    assert refused(limits, "ana", 0) == 131056
    clock.now += 0.2
    assert refused(limits, "ana", 0) == 0
    assert refused(limits, "ana", 0) == 131056


def test_a_number_has_its_rate_in_any_second_and_refusals_do_not_count() -> None:
    clock = Clock()
    limits = Limits(clock)
    assert [refused(limits, str(n), 3) for n in range(5)] == [0, 0, 0, 130429, 130429]
    clock.now += 0.99
    assert refused(limits, "x", 3) == 130429
    clock.now += 0.02
    assert refused(limits, "x", 3) == 0


def test_one_person_has_one_name_in_either_spelling_and_by_bsuid() -> None:
    people = People()
    assert people.by_phone("5511987654321").wa_id == "551187654321"
    assert people.by_phone("525512345678").wa_id == "5215512345678"
    ana = people.by_phone("5511987654321")
    assert people.by_phone("551187654321") is ana
    assert people.by_id(ana.user_id) is ana
    assert people.by_id("US.77").wa_id is None
    assert people.who_writes("15550100009", "US.88", "Bia").user_id == "US.88"
    assert people.by_id("US.88").wa_id == "15550100009"


def asked(to: str = "+15550100002", kind: str = "text", path: str = "/v25.0/7/messages") -> Asked:
    return Asked("POST", path, kind, to)


def test_the_first_rule_that_fits_wins_and_ends_after_its_times() -> None:
    rules = [
        {"when": {"to": "15550100002"}, "times": 2, "do": {"status": 503}},
        {"when": {"path": "/messages", "method": "post", "type": "text", "nth": 2}, "do": {"garbage": True}},
    ]
    script = Script(parse(rules))
    kinds = []
    for _ in range(5):
        chosen = script.choose(asked())
        kinds.append(chosen.kind() if chosen is not None else None)
    assert kinds == ["status", "status", None, "garbage", None]
    assert script.choose(asked(path="/v25.0/7/media")) is None


def test_a_share_is_about_that_share() -> None:
    script = Script(parse([{"when": {"share": 0.3}, "do": {"reset": "after"}}]))
    assert 230 < sum(script.choose(asked()) is not None for _ in range(1000)) < 370


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ([{"do": {"status": 503}}, {"do": {"explode": 1}}], "rule 2, do: Object contains unknown field `explode`"),
        ([{"do": {}}], "rule 1, do: name exactly one"),
        ([{"do": {"status": 500, "reset": "after"}}], "rule 1, do: name exactly one"),
        ([{"do": {"reset": "later"}}], "rule 1, do.reset"),
        ([{"when": {"nht": 3}, "do": {"status": 503}}], "rule 1, when"),
        ([{"when": {"share": 3}, "do": {"status": 503}}], "rule 1, when.share"),
        ({"do": {"status": 503}}, "array"),
    ],
    ids=range(7),
)
def test_a_bad_script_is_refused_with_the_rule_and_the_key(rules: Any, said: str) -> None:
    with pytest.raises(Rejected) as caught:
        parse(rules)
    assert said in str(caught.value)


def test_facts_are_merged_checked_and_put_back_by_null() -> None:
    start = at_start(Config())
    number = {"numbers": {"700000000000001": {"quality_rating": "RED"}}}
    changed = merge(start, number | {"token": {"expires_at": 5}}, start)
    account = account_of(changed)
    assert account.numbers["700000000000001"].quality_rating == "RED"
    assert account.numbers["700000000000001"].display_phone_number == "15550100001"
    assert account.token.expired()
    back = merge(changed, {"token": {"expires_at": None}, "numbers": None}, start)
    assert back == start
    with pytest.raises(Rejected, match="qualty"):
        account_of(merge(start, {"numbers": {"700000000000001": {"qualty": "RED"}}}, start))
    with pytest.raises(Rejected, match="open_windows"):
        account_of(merge(start, {"open_windows": "some"}, start))


def test_a_script_file_may_hold_rules_and_facts() -> None:
    world = World(Config(script={"rules": [{"do": {"status": 503}}], "account": {"rate": 7}}))
    assert world.account.rate == 7
    assert world.script.choose(asked()) is not None
    with pytest.raises(Rejected, match="rulez"):
        world.set_script({"rulez": []})


def test_errors_have_metas_shape() -> None:
    error = body_of(trouble(131047, "Too late"))["error"]
    assert error["message"] == "(#131047) Re-engagement message"
    assert (error["type"], error["code"]) == ("OAuthException", 131047)
    assert error["error_data"] == {"messaging_product": "whatsapp", "details": "Too late"}
    assert error["fbtrace_id"]
    assert not_emulated("GET", "/v25.0/me").status == 501


def test_the_wire_log_numbers_its_entries_and_knows_no_secret() -> None:
    wire = Wire()
    for name in "abc":
        wire.write({"name": name})
    assert [entry["name"] for entry in wire.since(1)] == ["b", "c"]
    wire.clear()
    assert wire.write({"name": "d"})["n"] == 4
    assert masked({"a": [{"verify_token": "x"}], "input_token": "y"}) == {
        "a": [{"verify_token": "***"}],
        "input_token": "***",
    }
