"""What the invented customers send: one function for each kind of content that a message can have."""

import json
from collections.abc import Callable

from wamcp.simulator.bodies import Item, error, wamid
from wamcp.simulator.cast import Soul, Town
from wamcp.simulator.phrases import EMOJI, NAMES, words

_PLACES = (
    ("Mercado da Ribeira", "Avenida 24 de Julho, Lisboa", 38.7067, -9.1459),
    ("Old Pier", "Harbour Road 3, Galway", 53.2707, -9.0568),
    ("مقهى الواحة", "شارع الوحدة، الشارقة", 25.3463, 55.4209),
    ("Plaza Vieja", "Calle Mayor 8, Mérida", 20.9674, -89.5926),
)
_FILES = ("Planta da cozinha.pdf", "measurements.xlsx", "فاتورة.pdf", "报价单.docx", "../../etc/orçamento.pdf")
_PRODUCTS = ("azulejo-mare-15", "tile-blue-20", "plate-white-27", "cup-white-9", "mosaic-kit")
_CHOICES = (
    ("delivery", "Delivery", "Within five days"),
    ("pickup", "Levantar na loja", None),
    ("call", "اتصل بي", "بعد الظهر"),
    ("quote", "要报价单", None),
)
_UNSUPPORTED = (
    "poll_creation", "poll_update", "gif", "group_invite", "keep_in_chat", "link_preview", "pin", "hsm", "product",
)  # fmt: skip


def text(town: Town, soul: Soul) -> Item:
    """Plain words."""
    return {"type": "text", "text": {"body": words(town.rng, soul.country)}}


def media(town: Town, soul: Soul) -> Item:
    """A picture, a film, a sound, a voice note, a document or a sticker."""
    return town.rng.choices(_MEDIA, cum_weights=_MEDIA_SHARES)[0](town, soul)


def image(town: Town, soul: Soul) -> Item:
    """A picture, sometimes with words below."""
    return {"type": "image", "image": {**_caption(town, soul), **_file(town, "image/jpeg")}}


def voice(town: Town, _soul: Soul) -> Item:
    """A voice note."""
    return {"type": "audio", "audio": {**_file(town, "audio/ogg; codecs=opus"), "voice": True}}


def location(town: Town, _soul: Soul) -> Item:
    """A place; now and then Meta writes the coordinates as words."""
    name, address, latitude, longitude = town.rng.choice(_PLACES)
    where: Item = {"latitude": latitude, "longitude": longitude}
    chance = town.rng.random()
    if chance < 0.1:
        where = {"latitude": str(latitude), "longitude": str(longitude)}
    elif chance < 0.2:
        where = {"latitude": int(latitude), "longitude": int(longitude)}
    if chance > 0.3:
        where |= {"name": name, "address": address}
    if chance > 0.9:
        where["url"] = "https://places.example/" + str(town.rng.randrange(10**6))
    return {"type": "location", "location": where}


def contacts(town: Town, _soul: Soul) -> Item:
    """Cards of people; the answer to a request for the phone number has no name, but a vCard."""
    rng = town.rng
    phone = f"+1555010{rng.randrange(10_000):04d}"
    if rng.random() < 0.2:
        card = f"BEGIN:VCARD\nVERSION:3.0\nTEL;type=MOBILE:{phone}\nEND:VCARD"
        shared: Item = {"vcard": card, "origin": "contact_request", "phones": [{"phone": phone}]}
        return {"type": "contacts", "contacts": [shared]}
    name = rng.choice(NAMES)
    first, _, last = name.partition(" ")
    card_of: Item = {"name": {"formatted_name": name, "first_name": first, **({"last_name": last} if last else {})}}
    card_of["phones"] = [{"phone": phone, "wa_id": phone[1:], "type": "MOBILE"}]
    if rng.random() < 0.5:
        card_of["emails"] = [{"email": f"someone{rng.randrange(100)}@example.org", "type": "WORK"}]
        card_of["org"] = {"company": "Obras & Filhos", "title": "Engineer"}
        card_of["addresses"] = [{"street": "Rua das Olarias 12", "city": "Lisboa", "country_code": "pt"}]
        card_of["birthday"] = "1984-03-09"
    return {"type": "contacts", "contacts": [card_of]}


def interactive(town: Town, soul: Soul) -> Item:
    """An answer to buttons, a list, a flow, a request to call, or an address form."""
    reply = town.rng.choices(_REPLIES, cum_weights=_REPLY_SHARES)[0](town, soul)
    return {"type": "interactive", "interactive": reply}


def payment(town: Town, _soul: Soul) -> Item:
    """A payment method chosen for an order."""
    method = {
        "payment_method": town.rng.choice(("pix", "offsite_card_pay")),
        "payment_timestamp": int(town.now),
        "reference_id": f"ENC-2026-{town.rng.randrange(10_000):04d}",
    }
    return {"type": "interactive", "interactive": {"type": "payment_method", "payment_method": method}}


def button(town: Town, _soul: Soul) -> Item:
    """The quick reply of a template."""
    key, title, _ = town.rng.choice(_CHOICES)
    return {"type": "button", "button": {"payload": f"template-{key}", "text": title}}


def order(town: Town, soul: Soul) -> Item:
    """Products of the catalogue; quantities and prices are numbers, or words."""
    rng = town.rng
    as_words = rng.random() < 0.1
    lines: list[Item] = []
    for product in rng.sample(_PRODUCTS, rng.randint(1, 3)):
        quantity, price = rng.randint(1, 60), rng.choice((12, 3.5, 27.9))
        amounts: Item = {"quantity": str(quantity), "item_price": str(price)} if as_words else {"quantity": quantity}
        lines.append({"product_retailer_id": product, "item_price": price, "currency": "EUR", **amounts})
    said = rng.choice((None, "", words(rng, soul.country)))
    return {
        "type": "order",
        "order": {"catalog_id": "800000000000001", **({} if said is None else {"text": said}), "product_items": lines},
    }


def reaction(about: str, emoji: str | None) -> Item:
    """An emoji on the message ``about``, or its removal."""
    return {"type": "reaction", "reaction": {"message_id": about, **({} if emoji is None else {"emoji": emoji})}}


def unsupported(town: Town, _soul: Soul) -> Item:
    """A kind that Meta does not hand on."""
    code: Item = error(131051, "Message type unknown", "Message type is currently not supported.")
    if town.rng.random() < 0.2:
        code["code"] = str(code["code"])
    return {"type": "unsupported", "unsupported": {"type": town.rng.choice(_UNSUPPORTED)}, "errors": [code]}


def ghost() -> Item:
    """The placeholder of a message that Meta cannot show yet."""
    code = error(131060, "This message is unavailable.", "This message is currently unavailable.")
    return {"type": "unsupported", "unsupported": {"type": "unknown"}, "errors": [code]}


def advert(town: Town) -> Item:
    """The ad from which a message came."""
    number = town.rng.randrange(10**6)
    told: Item = {
        "source_url": f"https://ads.example/{number}",
        "source_id": str(120_000_000_000_000_000 + number),
        "source_type": town.rng.choice(("ad", "post")),
        "headline": "Azulejos à mão",
        "body": "Handmade tiles, delivered",
    }
    if town.rng.random() < 0.5:
        told |= {"media_type": "image", "image_url": f"https://ads.example/{number}.jpg"}
    else:
        film = f"https://ads.example/{number}"
        told |= {"media_type": "video", "video_url": film + ".mp4", "thumbnail_url": film + ".jpg"}
    if town.rng.random() < 0.8:
        told["ctwa_clid"] = wamid(town.rng)[6:40]
    if town.rng.random() < 0.3:
        told |= {"welcome_message": {"text": "Olá! How can we help?"}, "ref": f"autumn-{number % 7}"}
    return told


def _video(town: Town, soul: Soul) -> Item:
    return {"type": "video", "video": {**_caption(town, soul), **_file(town, "video/mp4")}}


def _audio(town: Town, _soul: Soul) -> Item:
    return {"type": "audio", "audio": {**_file(town, "audio/mpeg"), "voice": False}}


def _document(town: Town, soul: Soul) -> Item:
    named: Item = {"filename": town.rng.choice(_FILES)} if town.rng.random() < 0.9 else {}
    return {"type": "document", "document": {**_caption(town, soul), **named, **_file(town, "application/pdf")}}


def _sticker(town: Town, _soul: Soul) -> Item:
    return {"type": "sticker", "sticker": {**_file(town, "image/webp"), "animated": town.rng.random() < 0.3}}


def _broken_media(town: Town, _soul: Soul) -> Item:
    """Media that Meta could not download."""
    code = error(131052, "Media download error", "Failed to download the media from the sender.")
    return {"type": "image", "image": _file(town, "image/jpeg"), "errors": [code]}


def _file(town: Town, mime_type: str) -> Item:
    media_id = str(town.rng.randrange(10**15, 10**16))
    file: Item = {"mime_type": mime_type, "sha256": wamid(town.rng)[6:50], "id": media_id}
    if town.rng.random() < 0.7:
        file["url"] = f"https://media.example/attachments/?mid={media_id}&ext={int(town.now)}"
    return file


def _caption(town: Town, soul: Soul) -> Item:
    return {"caption": words(town.rng, soul.country)} if town.rng.random() < 0.6 else {}


def _button_reply(town: Town, _soul: Soul) -> Item:
    key, title, _ = town.rng.choice(_CHOICES)
    return {"type": "button_reply", "button_reply": {"id": key, "title": title}}


def _list_reply(town: Town, _soul: Soul) -> Item:
    key, title, description = town.rng.choice(_CHOICES)
    described: Item = {"description": description} if description else {}
    return {"type": "list_reply", "list_reply": {"id": key, "title": title, **described}}


def _flow(town: Town, soul: Soul) -> Item:
    chance = town.rng.random()
    answers: str | None = None if chance < 0.1 else "{not quite JSON"
    if chance > 0.15:
        said = {
            "flow_token": f"visit-{town.rng.randrange(1000)}",
            "rooms": ["kitchen"],
            "note": words(town.rng, soul.country),
        }
        answers = json.dumps(said)
    return {"type": "nfm_reply", "nfm_reply": {"name": "flow", "body": "Sent", "response_json": answers}}


def _address(town: Town, soul: Soul) -> Item:
    values = {"name": soul.who.name, "address": "Harbour Road 3", "city": "Galway", "floor_number": "2"}
    reply = {
        "name": "address_message",
        "body": "Harbour Road 3\nGalway",
        "response_json": json.dumps({"values": values}),
    }
    return {"type": "nfm_reply", "nfm_reply": reply}


def _call_permission(town: Town, _soul: Soul) -> Item:
    chance, until = town.rng.random(), int(town.now) + 604_800
    reply: Item = {"response": "accept" if chance < 0.7 else "reject", "response_source": "user_action"}
    if chance < 0.5:
        reply |= {"is_permanent": False, "expiration_timestamp": str(until) if chance < 0.25 else until}
    return {"type": "call_permission_reply", "call_permission_reply": reply}


_MEDIA: list[Callable[[Town, Soul], Item]] = [image, _video, _audio, voice, _document, _sticker, _broken_media]
_MEDIA_SHARES = [40, 48, 52, 74, 92, 99, 100]
_REPLIES: list[Callable[[Town, Soul], Item]] = [_button_reply, _list_reply, _flow, _call_permission, _address]
_REPLY_SHARES = [50, 75, 88, 96, 100]

REACTIONS = EMOJI
