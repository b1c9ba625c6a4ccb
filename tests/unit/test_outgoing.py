"""Each kind of message as Meta's JSON, byte for byte what the documentation shows."""

from typing import Any

import pytest

from wamcp.errors import NotSendable
from wamcp.vocabulary import RecipientKind
from wamcp.whatsapp.outgoing import interactive, recipient
from wamcp.whatsapp.outgoing.contacts import contacts_part
from wamcp.whatsapp.outgoing.envelope import message
from wamcp.whatsapp.outgoing.interactive import Around, Button, Row, Section
from wamcp.whatsapp.outgoing.location import location_part
from wamcp.whatsapp.outgoing.media import MediaType, header_of, media_part, source_of
from wamcp.whatsapp.outgoing.reaction import reaction_part
from wamcp.whatsapp.outgoing.read import read_body
from wamcp.whatsapp.outgoing.recipient import To
from wamcp.whatsapp.outgoing.template import template_part
from wamcp.whatsapp.outgoing.text import text_part

ANA = To(RecipientKind.PHONE, "15550100001")
LINK = "https://example.com/a.jpg"


def around_ana(kind: str, part: Any) -> dict[str, Any]:
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "+15550100001",
        "type": kind,
        kind: part,
    }


def test_text_to_a_phone_number_with_plus_and_in_answer_to_a_message() -> None:
    part = text_part("Hello", True)
    assert message(ANA, "text", part) == around_ana("text", {"body": "Hello", "preview_url": True})
    assert message(ANA, "text", part, "wamid.1")["context"] == {"message_id": "wamid.1"}


@pytest.mark.parametrize("bsuid", ["US.13491208655302741918", "US.ENT.11815799212886844830", "BR.a1"])
def test_a_bsuid_is_the_recipient_and_never_stands_in_to(bsuid: str) -> None:
    to = recipient.person(f" {bsuid} ")
    assert to == To(RecipientKind.BSUID, bsuid)
    body = message(to, "text", text_part("Hello"))
    assert (body["recipient"], body["recipient_type"]) == (bsuid, "individual")
    assert "to" not in body
    for kind in (RecipientKind.PHONE, RecipientKind.GROUP):
        with pytest.raises(ValueError, match="recipient"):
            message(To(kind, bsuid), "text", text_part("Hello"))
    with pytest.raises(NotSendable, match="BSUID"):
        recipient.group(bsuid)


def test_a_group_stands_in_to() -> None:
    body = message(recipient.group("Y2FwaV9ncm91cDox"), "text", text_part("Hello all"))
    assert body == {
        "messaging_product": "whatsapp",
        "recipient_type": "group",
        "to": "Y2FwaV9ncm91cDox",
        "type": "text",
        "text": {"body": "Hello all", "preview_url": False},
    }


@pytest.mark.parametrize(
    "written",
    [
        "15550100001",
        "+1 555 010 0001",
        "+1 (555) 010-0001",
        "0015550100001",
        "\u202a+1\u00a0555\u2011010\u20110001\u202c",
    ],
)
def test_a_phone_number_is_read_in_any_formatting(written: str) -> None:
    assert recipient.person(written) == ANA


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("us.13491208655302741918", "exactly as Meta wrote it"),
        ("US.1349-1208", "exactly as Meta wrote it"),
        ("@ana", "holds letters"),
        ("", "no phone number"),
        ("12345", "no phone number"),
        ("0555 010 0001", "begins with 0"),
    ],
)
def test_what_names_nobody_is_refused(written: str, told: str) -> None:
    with pytest.raises(NotSendable, match=told) as refused:
        recipient.person(written)
    assert refused.value.field == "to"


def test_a_refused_number_is_not_repeated() -> None:
    with pytest.raises(NotSendable, match="country code") as refused:
        recipient.person("202 555 0143")
    assert "2025550143" not in str(refused.value)
    assert "0143" in str(refused.value)


def test_our_number_is_named_by_id_or_number() -> None:
    assert recipient.our_number("106540352240001") == "106540352240001"
    assert recipient.our_number("+1 (555) 010-0099") == "15550100099"
    for written in ("", "office", "12", "1" * 30, "106540352240001 or so"):
        with pytest.raises(NotSendable, match="from names none"):
            recipient.our_number(written)


@pytest.mark.parametrize("kind", list(MediaType))
@pytest.mark.parametrize(
    ("given", "source"),
    [({"media_url": LINK}, {"link": LINK}), ({"media_id": "4490709327384033"}, {"id": "4490709327384033"})],
)
def test_each_kind_of_media_by_link_and_by_id(kind: MediaType, given: dict[str, str], source: dict[str, str]) -> None:
    found = source_of(given.get("media_url"), given.get("media_id"))
    assert message(ANA, kind, media_part(kind, found)) == around_ana(kind.value, source)


def test_what_goes_with_media() -> None:
    by_id = {"id": "4490"}
    assert media_part(MediaType.IMAGE, by_id, caption="Look") == {"id": "4490", "caption": "Look"}
    document = media_part(MediaType.DOCUMENT, by_id, caption="March", filename="invoice.pdf")
    assert document == {"id": "4490", "caption": "March", "filename": "invoice.pdf"}
    assert media_part(MediaType.AUDIO, by_id, voice=True) == {"id": "4490", "voice": True}
    assert media_part(MediaType.VIDEO, source_of(None, None, is_uploaded=True), caption="Look") == {"caption": "Look"}


def test_a_template_alone_and_by_position_and_by_name() -> None:
    alone = {"name": "hello_world", "language": {"code": "en_US"}}
    assert template_part("hello_world", "en_US") == alone
    assert template_part("hello_world", "en_US", parameters=[]) == alone
    texts = [{"type": "text", "text": "Ana"}, {"type": "text", "text": "12 May"}]
    by_position = template_part("order", "en_US", parameters=["Ana", "12 May"])
    assert by_position["components"] == [{"type": "body", "parameters": texts}]
    named = [
        {"type": "text", "parameter_name": "first_name", "text": "Ana"},
        {"type": "text", "parameter_name": "day", "text": "12 May"},
    ]
    for written in (
        {"first_name": "Ana", "day": "12 May"},
        [{"first_name": "Ana"}, {"day": "12 May"}],
        [{"parameter_name": "first_name", "text": "Ana"}, {"parameter_name": "day", "text": "12 May"}],
    ):
        by_name = template_part("order", "en_US", parameters=written)
        assert by_name["components"] == [{"type": "body", "parameters": named}]


def test_a_template_with_media_above_it() -> None:
    header = header_of("document", source_of(None, "4490"), "a.pdf")
    assert header == {"type": "document", "document": {"id": "4490", "filename": "a.pdf"}}
    made = template_part("order", "en_US", parameters=["Ana"], header=header)
    assert made["components"] == [
        {"type": "header", "parameters": [header]},
        {"type": "body", "parameters": [{"type": "text", "text": "Ana"}]},
    ]


def test_components_of_a_template_pass_through() -> None:
    components: list[dict[str, Any]] = [
        {"type": "header", "parameters": [{"type": "document", "document": {"id": "4490", "filename": "a.pdf"}}]},
        {
            "type": "body",
            "parameters": [
                {"type": "text", "parameter_name": "first_name", "text": "Ana"},
                {"type": "currency", "currency": {"fallback_value": "$10", "code": "USD", "amount_1000": 10000}},
                {"type": "date_time", "date_time": {"fallback_value": "1 May 2026"}},
            ],
        },
        {
            "type": "button",
            "sub_type": "quick_reply",
            "index": "0",
            "parameters": [{"type": "payload", "payload": "P1"}],
        },
        {"type": "button", "sub_type": "url", "index": 1, "parameters": [{"type": "text", "text": "suffix"}]},
        {"type": "limited_time_offer", "parameters": [{"type": "limited_time_offer", "limited_time_offer": {}}]},
    ]
    made = template_part("order_confirmation", "en_US", components=components)
    components[3] = {**components[3], "index": "1"}
    assert made == {"name": "order_confirmation", "language": {"code": "en_US"}, "components": components}


def test_three_buttons() -> None:
    around = Around("Shall we?", "Lunch", "Table for two")
    made = interactive.buttons_part(around, [Button("y", "Yes"), Button("n", "No")])
    assert made == {
        "type": "button",
        "header": {"type": "text", "text": "Lunch"},
        "body": {"text": "Shall we?"},
        "footer": {"text": "Table for two"},
        "action": {
            "buttons": [
                {"type": "reply", "reply": {"id": "y", "title": "Yes"}},
                {"type": "reply", "reply": {"id": "n", "title": "No"}},
            ]
        },
    }
    header = header_of("image", source_of(LINK, None))
    with_image = interactive.buttons_part(Around("Shall we?", header), [Button("y", "Yes")])
    assert with_image["header"] == {"type": "image", "image": {"link": LINK}}


def test_a_list() -> None:
    sections = [Section([Row("t1", "Noon", "By the window")], "Today"), Section([Row("t2", "One")], "Tomorrow")]
    assert interactive.list_part(Around("When?"), "Choose", sections) == {
        "type": "list",
        "body": {"text": "When?"},
        "action": {
            "button": "Choose",
            "sections": [
                {"title": "Today", "rows": [{"id": "t1", "title": "Noon", "description": "By the window"}]},
                {"title": "Tomorrow", "rows": [{"id": "t2", "title": "One"}]},
            ],
        },
    }
    sole = interactive.list_part(Around("When?"), "Choose", [Section([Row("t1", "Noon")])])
    assert sole["action"]["sections"] == [{"rows": [{"id": "t1", "title": "Noon"}]}]


def test_a_link() -> None:
    assert interactive.link_part(Around("Our menu"), "Open", "https://example.com/menu?day=1") == {
        "type": "cta_url",
        "body": {"text": "Our menu"},
        "action": {
            "name": "cta_url",
            "parameters": {"display_text": "Open", "url": "https://example.com/menu?day=1"},
        },
    }


def test_contact_cards_in_full_and_in_short() -> None:
    card = {
        "name": {"formatted_name": "Ana Prado", "first_name": "Ana"},
        "phones": [{"phone": "+1 555 010 0001", "type": "WORK", "wa_id": "15550100001"}],
        "org": {"company": "Prado"},
        "birthday": "1990-05-01",
    }
    assert message(ANA, "contacts", contacts_part([card])) == around_ana("contacts", [card])
    short = {
        "name": "Rui",
        "phones": ["+1 555 010 0002"],
        "emails": ["rui@example.com"],
        "urls": ["https://example.com"],
    }
    assert contacts_part([short]) == [
        {
            "name": {"formatted_name": "Rui", "first_name": "Rui"},
            "phones": [{"phone": "+1 555 010 0002"}],
            "emails": [{"email": "rui@example.com"}],
            "urls": [{"url": "https://example.com"}],
        }
    ]


def test_a_place() -> None:
    assert location_part(-23.5, 0, "Office", "Main street 1") == {
        "latitude": -23.5,
        "longitude": 0,
        "name": "Office",
        "address": "Main street 1",
    }
    assert location_part(90, -180) == {"latitude": 90, "longitude": -180}


@pytest.mark.parametrize("emoji", ["👍", "❤️", "❤", "👩🏽‍💻", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "🇧🇷", "1️⃣", "👨‍👩‍👧‍👦", "©️", "🫶🏿", ""])
def test_a_reaction(emoji: str) -> None:
    assert reaction_part("wamid.1", emoji) == {"message_id": "wamid.1", "emoji": emoji}


def test_read_and_typing() -> None:
    read = {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.1"}
    assert read_body("wamid.1") == read
    assert read_body("wamid.1", typing=True) == {**read, "typing_indicator": {"type": "text"}}
