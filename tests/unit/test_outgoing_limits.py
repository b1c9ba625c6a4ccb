"""What Meta would refuse is refused before, in sentences that say what to do and repeat nothing private."""

from collections.abc import Callable
from typing import Any

import pytest

from wamcp.errors import NotSendable
from wamcp.vocabulary import RecipientKind
from wamcp.whatsapp.outgoing import interactive
from wamcp.whatsapp.outgoing.contacts import contacts_part
from wamcp.whatsapp.outgoing.envelope import message
from wamcp.whatsapp.outgoing.interactive import Around, Button, Row, Section
from wamcp.whatsapp.outgoing.links import public_link, web_link
from wamcp.whatsapp.outgoing.location import location_part
from wamcp.whatsapp.outgoing.media import MediaType, header_of, media_part, source_of
from wamcp.whatsapp.outgoing.reaction import reaction_part
from wamcp.whatsapp.outgoing.recipient import To
from wamcp.whatsapp.outgoing.template import template_part
from wamcp.whatsapp.outgoing.text import text_part

ANA = To(RecipientKind.PHONE, "15550100001")
SECRET = "kiwi"
"""Part of what is refused; no sentence may repeat it."""
YES, TEXT = Button("y", "Yes"), Around("When?")


def s(length: int) -> str:
    return (SECRET * length)[:length]


def buttons(*given: Button, **around: Any) -> Callable[[], object]:
    return lambda: interactive.buttons_part(Around(**{"body": "x", **around}), list(given))


def rows(*given: Row, **more: Any) -> Callable[[], object]:
    return lambda: interactive.list_part(TEXT, more.get("button", "Choose"), [Section(list(given), more.get("title"))])


def template(**given: Any) -> Callable[[], object]:
    named = {"name": "order", "language": "en_US", **given}
    return lambda: template_part(named.pop("name"), named.pop("language"), **named)


def media(kind: MediaType, **given: Any) -> Callable[[], object]:
    return lambda: media_part(kind, {"id": "1"}, **given)


def many_sections(count: int, rows_each: int = 1) -> list[Section]:
    return [Section([Row(f"{at}.{row}", "x") for row in range(rows_each)], f"t{at}") for at in range(count)]


REFUSED: list[tuple[Callable[[], object], str]] = [
    (
        lambda: text_part(s(5120)),
        "body has 5,120 characters; Meta takes at most 4,096: shorten it or send two messages.",
    ),
    (lambda: text_part(" \n"), "body is blank; Meta takes 1 to 4,096 characters: fill it in."),
    (lambda: text_part(7), "body is a number; write it as a string."),  # type: ignore[arg-type]
    (media(MediaType.IMAGE, caption=s(1025)), "caption has 1,025 characters; Meta takes at most 1,024: shorten it"),
    (media(MediaType.AUDIO, caption=SECRET), "caption cannot go with audio; send it as a text."),
    (media(MediaType.STICKER, caption=SECRET), "caption cannot go with a sticker; send it as a text."),
    (media(MediaType.IMAGE, filename="kiwi.jpg"), "filename cannot go with an image; only a document has one"),
    (media(MediaType.DOCUMENT, filename="../kiwi.pdf"), "filename holds slashes"),
    (media(MediaType.DOCUMENT, filename=s(241)), "filename has 241 characters; Meta takes at most 240"),
    (media(MediaType.VIDEO, voice=True), "voice cannot go with a video"),
    (lambda: source_of(None, None), "media_url is missing; give media_url, media_id, or a file in a multipart form."),
    (lambda: source_of("https://example.com", "1"), "media_id stands beside media_url; give only one"),
    (lambda: source_of(None, "1", is_uploaded=True), "file stands beside media_id; give only one"),
    (lambda: source_of(None, "4 4"), "media_id is not a media id of Meta's"),
    (lambda: header_of("sticker", {"id": "1"}), "header.media_type is none that a header takes"),
    (lambda: location_part(90.1, 0), "latitude is outside of -90 to 90; write degrees."),
    (lambda: location_part(float("nan"), 0), "latitude is outside"),
    (lambda: location_part(0, -181), "longitude is outside of -180 to 180; write degrees."),
    (lambda: location_part(0, 0, s(1001)), "name has 1,001 characters"),
    (lambda: reaction_part("wamid.1", "kiwi"), "emoji is not exactly one emoji"),
    (lambda: reaction_part("wamid.1", "👍👍"), "emoji is not exactly one emoji"),
    (lambda: reaction_part("wamid.1", "1"), "emoji is not exactly one emoji"),
    (lambda: reaction_part("wamid 1", "👍"), "message_id is not a message id of Meta's"),
    (lambda: reaction_part("  ", "👍"), "message_id is blank; write a message id of Meta's (wamid...)."),
    (lambda: message(ANA, "text", {}, "w" * 401), "reply_to is not a message id of Meta's"),
    (buttons(), "buttons is empty; give 1 to 3 buttons."),
    (buttons(YES, YES, YES, YES), "buttons has 4 buttons; Meta takes at most 3: leave some out or send two messages."),
    (buttons(YES, Button("z", "Yes")), "buttons.title occurs twice with the same value; give each button its own."),
    (buttons(YES, Button("y", "No")), "buttons.id occurs twice"),
    (buttons(Button("y", s(21))), "buttons[0].title has 21 characters; Meta takes at most 20: shorten it."),
    (buttons(Button(s(257), "Yes")), "buttons[0].id has 257 characters; Meta takes at most 256: shorten it."),
    (buttons(YES, body=s(1025)), "body has 1,025 characters; Meta takes at most 1,024: shorten it."),
    (buttons(YES, header=s(61)), "header has 61 characters; Meta takes at most 60: shorten it."),
    (buttons(YES, footer=s(61)), "footer has 61 characters; Meta takes at most 60: shorten it."),
    (
        lambda: interactive.list_part(Around(s(4097)), "Choose", many_sections(1)),
        "body has 4,097 characters; Meta takes at most 4,096",
    ),
    (
        lambda: interactive.list_part(Around("x", {"type": "image"}), "Choose", many_sections(1)),
        "header holds media; a list takes text alone.",
    ),
    (lambda: interactive.list_part(TEXT, "Choose", []), "sections is empty; give 1 to 10 sections."),
    (
        lambda: interactive.list_part(TEXT, "Choose", many_sections(11)),
        "sections has 11 sections; Meta takes at most 10",
    ),
    (
        lambda: interactive.list_part(TEXT, "Choose", many_sections(2, 6)),
        "sections.rows has 12 rows; Meta takes at most",
    ),
    (
        lambda: interactive.list_part(TEXT, "Choose", [Section([Row("1", "x")]), Section([Row("2", "y")], "b")]),
        "sections[0].title is missing; with more than one section each needs one.",
    ),
    (
        lambda: interactive.list_part(TEXT, "Choose", [Section([Row("1", "x")], "a"), Section([], "b")]),
        "sections[1].rows is empty",
    ),
    (rows(Row("1", "x"), button=s(21)), "button has 21 characters; Meta takes at most 20"),
    (rows(Row("1", "x"), title=s(25)), "sections[0].title has 25 characters; Meta takes at most 24"),
    (rows(Row(s(201), "x")), "sections[0].rows[0].id has 201 characters; Meta takes at most 200"),
    (rows(Row("1", s(25))), "sections[0].rows[0].title has 25 characters; Meta takes at most 24"),
    (rows(Row("1", "x", s(73))), "sections[0].rows[0].description has 73 characters; Meta takes at most 72"),
    (rows(Row("1", "x"), Row("1", "y")), "sections.rows.id occurs twice"),
    (lambda: interactive.link_part(TEXT, s(21), "https://example.com"), "display_text has 21 characters"),
    (lambda: interactive.link_part(TEXT, "Open", "ftp://kiwi.example"), "url does not begin with https:// or http://"),
    (template(name="Kiwi Offer"), "template_name has other signs than a-z, 0-9 and _"),
    (template(name=""), "template_name is blank"),
    (template(language="en-US"), "language_code is no language of a template"),
    (template(parameters=["a\nb"]), "parameters[0] holds a line break or a tab"),
    (template(parameters=["a\tb"]), "parameters[0] holds a line break or a tab"),
    (template(parameters=["a     b"]), "parameters[0] holds more than 4 spaces in a row"),
    (template(parameters=[""]), "parameters[0] is blank"),
    (template(parameters=[3]), "parameters[0] is a number; write it as a string."),
    (template(parameters="kiwi"), "parameters is a string; write a list."),
    (template(parameters=["a", {"b": "c"}]), "parameters mixes positions and names"),
    (template(parameters={"Erste": "c"}), "parameters.Erste has no name that a variable can have"),
    (template(parameters=[{"a": "b", "c": "d"}]), "parameters[0] has other keys than it may"),
    (template(parameters=["a"], components=[]), "components stands beside parameters or header"),
    (template(components={}), "components is an object; write a list."),
    (template(components=[7]), "components[0] is a number; write an object."),
    (template(components=[{}]), "components[0].type is missing"),
    (template(components=[{"type": "button", "sub_type": "url"}]), "components[0].index is null; write the place"),
    (template(components=[{"type": "button", "index": 0}]), "components[0].sub_type is missing"),
    (template(components=[{"type": "body", "parameters": {}}]), "components[0].parameters is an object; write a list."),
    (template(components=[{"type": "body", "parameters": [{}]}]), "components[0].parameters[0].type is missing"),
    (
        template(components=[{"type": "body", "parameters": [{"type": "text", "text": "a\nb"}]}]),
        "components[0].parameters[0].text holds a line break",
    ),
    (lambda: contacts_part([]), "contacts is empty; give 1 to 257 cards."),
    (lambda: contacts_part(["kiwi"]), "contacts[0] is a string; write an object."),
    (lambda: contacts_part([{}]), "contacts[0].name is missing"),
    (lambda: contacts_part([{"name": "A", "fax": 1}]), "contacts[0].fax is not known; contacts may have name, phones"),
    (lambda: contacts_part([{"name": {"first_name": "A"}}]), "contacts[0].name.formatted_name is missing"),
    (lambda: contacts_part([{"name": {"formatted_name": "A"}}]), "contacts[0].name has formatted_name alone"),
    (lambda: contacts_part([{"name": "A", "phones": [{}]}]), "contacts[0].phones[0].phone is missing"),
    (lambda: contacts_part([{"name": "A", "birthday": "May"}]), "contacts[0].birthday is no date; write YYYY-MM-DD."),
]


@pytest.mark.parametrize(("build", "told"), REFUSED, ids=[told for _, told in REFUSED])
def test_what_meta_would_refuse_is_refused_with_a_sentence(build: Callable[[], object], told: str) -> None:
    with pytest.raises(NotSendable) as refused:
        build()
    sentence = str(refused.value)
    assert sentence.startswith(told) and sentence.endswith(".") and refused.value.status_code == 422
    assert SECRET not in sentence


ALLOWED: list[Callable[[], object]] = [
    lambda: text_part(s(4096)),
    media(MediaType.IMAGE, caption=s(1024)),
    buttons(Button(s(256), s(20)), Button("2", "b"), Button("3", "c"), body=s(1024), header=s(60), footer=s(60)),
    lambda: interactive.list_part(Around(s(4096)), s(20), many_sections(10)),
    rows(Row(s(200), s(24), s(72)), title=s(24)),
    template(parameters=["a    b"]),
    template(name="order_2", language="pt_BR"),
    template(language="fil"),
]


@pytest.mark.parametrize("build", ALLOWED)
def test_what_is_just_within_the_limits_is_taken(build: Callable[[], object]) -> None:
    assert build()


@pytest.mark.parametrize(
    "part",
    [
        {"body": "a\0b"},
        {"body": "\ud83d"},
        {"a": [{"b": float("inf")}]},
        {"a\0": 1},
        {"a": {"b": ["\udfff"]}},
    ],
)
def test_what_json_or_the_tables_cannot_hold_is_refused(part: dict[str, Any]) -> None:
    with pytest.raises(NotSendable, match=r"^text"):
        message(ANA, "text", part)


def test_deep_nesting_is_refused() -> None:
    nested: Any = "x"
    for _ in range(500):
        nested = [nested]
    with pytest.raises(NotSendable, match="nested deeper than 20"):
        message(ANA, "template", {"components": nested})


@pytest.mark.parametrize(
    "link",
    [
        "http://example.com/a.jpg",
        "example.com/a.jpg",
        "https://",
        "https://user:kiwi@example.com/a.jpg",
        "https://user@example.com/a.jpg",
        "https://localhost/a.jpg",
        "https://files.internal/a.jpg",
        "https://printer/a.jpg",
        "https://127.0.0.1/a.jpg",
        "https://127.1/a.jpg",
        "https://2130706433/a.jpg",
        "https://0x7f000001/a.jpg",
        "https://10.1.2.3:8443/a.jpg",
        "https://192.168.0.7/a.jpg",
        "https://172.16.0.1/a.jpg",
        "https://169.254.169.254/latest",
        "https://100.64.0.1/a.jpg",
        "https://0.0.0.0/a.jpg",
        "https://[::1]/a.jpg",
        "https://[fe80::1]/a.jpg",
        "https://[fc00::1]/a.jpg",
        "https://[::ffff:10.0.0.1]/a.jpg",
        "https://224.0.0.1/a.jpg",
        "https://example.com:99999/a.jpg",
        "https://example.com/a b.jpg",
        "https://example.com\\@10.0.0.1/a.jpg",
        "https://[::1/a.jpg",
        "https://example.com/" + "a" * 2000,
    ],
)
def test_links_that_meta_cannot_or_should_not_fetch_are_refused(link: str) -> None:
    with pytest.raises(NotSendable) as refused:
        public_link("media_url", link)
    assert refused.value.field == "media_url" and SECRET not in str(refused.value)


def test_public_links_are_taken_as_they_stand() -> None:
    for link in (
        "https://example.com/image.jpg",
        "HTTPS://files.example.com:8443/a?b=c#d",
        "https://93.184.215.14/a.jpg",
    ):
        assert public_link("media_url", link) == link
    assert web_link("url", "http://intranet/menu") == "http://intranet/menu"
