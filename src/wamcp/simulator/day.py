"""The demonstration: one believable day of a small company, told by samples/day.txt."""

import base64
import hashlib
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from importlib.resources import files
from typing import NamedTuple

from wamcp.simulator import bodies, papers
from wamcp.simulator.bodies import MIDNIGHT, Customer, Item, Number

_LINE = re.compile(r"(\d\d):(\d\d) ([<>])(\d)?(read|delivered|sent|failed)?(?:\^(\d+))? (.+)")
_SPECIAL = re.compile(
    r"\[(image|document|location|voice|invoice|receipt|reaction|edit|revoke|list|order)(?: ([^\]]+))?\] ?(.*)"
)
_REACHED = {
    "read": ("sent", "delivered", "read"),
    "delivered": ("sent", "delivered"),
    "sent": ("sent",),
    "failed": ("failed",),
}
_NUMBERS = {"shop": bodies.SHOP, "workshop": bodies.WORKSHOP}
_WITHOUT_STATUS = ("edit", "revoke")


class File(NamedTuple):
    """What a message of the day carries; Meta knows it by ``media_id``."""

    media_id: str
    mime_type: str
    content: bytes


class Day(NamedTuple):
    """Webhooks in the order of their time, and the files that they name."""

    bodies: list[bytes]
    files: list[File]


@dataclass(slots=True)
class _Teller:
    """Tells one conversation: remembers who wrote each line and its id, so that later ones can refer to them."""

    rng: random.Random
    midnight: int
    files: list[File]
    number: Number
    customers: list[Customer]
    subject: str | None = None
    said: list[tuple[Customer | None, str]] = field(default_factory=list)

    def tell(self, line: str) -> Iterator[tuple[int, bytes]]:
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"not a line of the day: {line!r}")
        hour, minute, side, member, reached, quoted, words = match.groups()
        at = self.midnight + int(hour) * 3600 + int(minute) * 60 + self.rng.randrange(50)
        customer = self.customers[int(member or 1) - 1]
        item: Item = {"id": bodies.wamid(self.rng), "timestamp": str(at), **self._content(words)}
        if quoted:
            item["context"] = self._quotation(int(quoted))
        if self.subject and not self.said:
            yield at - 120, bodies.group_created(self.number, self._group_id(), self.subject, self.customers, at - 120)
        self.said.append((customer if side == "<" else None, item["id"]))
        if side == "<":
            yield at, self._inbound(customer, item)
            return
        yield at, self._echo(customer, item)
        for name in () if item["type"] in _WITHOUT_STATUS else _REACHED[reached or "read"]:
            at += self.rng.randint(1, 20)
            yield at, self._status(bodies.status(item["id"], name, at))

    def _group_id(self) -> str:
        return base64.b64encode(f"group:{self.subject}".encode()).decode("ascii")

    def _inbound(self, customer: Customer, item: Item) -> bytes:
        if self.subject:
            return bodies.in_group(customer, self.number, self._group_id(), item)
        return bodies.inbound(customer, self.number, item)

    def _echo(self, customer: Customer, item: Item) -> bytes:
        if self.subject:
            return bodies.to_group(self.number, self._group_id(), item)
        return bodies.echo(customer, self.number, item)

    def _status(self, item: Item) -> bytes:
        if not self.subject:
            return bodies.statuses(self.customers[0], self.number, item)
        members = [None] if item["status"] == "sent" else self.customers
        return bodies.group_statuses(self.number, self._group_id(), item, members)

    def _quotation(self, line: int) -> Item:
        customer, wamid = self.said[line - 1]
        author = {"from": self.number.display} if customer is None else bodies.sender(customer)
        return {**author, "id": wamid}

    def _content(self, words: str) -> Item:
        special = _SPECIAL.fullmatch(words)
        if special is None:
            return {"type": "text", "text": {"body": words}}
        kind, argument, caption = special.groups()
        return _CONTENT[kind](self, argument, caption)

    def _image(self, _argument: str, caption: str) -> Item:
        return self._photograph(papers.picture(len(self.files)), caption)

    def _receipt(self, number: str, caption: str) -> Item:
        return self._photograph(papers.receipt(number, self._date()), caption)

    def _photograph(self, content: bytes, caption: str) -> Item:
        return {"type": "image", "image": {"caption": caption, **self._media("image/jpeg", content)}}

    def _document(self, name: str, caption: str) -> Item:
        return self._pdf(name, papers.paper(name.removesuffix(".pdf")), caption)

    def _invoice(self, number: str, caption: str) -> Item:
        return self._pdf(f"{number}.pdf", papers.invoice(number, self._date()), caption)

    def _pdf(self, name: str, content: bytes, caption: str) -> Item:
        media = self._media("application/pdf", content)
        return {"type": "document", "document": {"caption": caption, "filename": name, **media}}

    def _voice(self, _argument: str, _caption: str) -> Item:
        return {"type": "audio", "audio": {**self._media("audio/ogg; codecs=opus", papers.silence(4)), "voice": True}}

    def _date(self) -> date:
        return datetime.fromtimestamp(self.midnight, UTC).date()

    def _location(self, place: str, _caption: str) -> Item:
        latitude, longitude, named = place.split(" ", 2)
        name, address = named.split("; ")
        where = {"latitude": float(latitude), "longitude": float(longitude), "name": name, "address": address}
        return {"type": "location", "location": where}

    def _reaction(self, argument: str, _caption: str) -> Item:
        line, emoji = argument.split()
        return {"type": "reaction", "reaction": {"message_id": self.said[int(line) - 1][1], "emoji": emoji}}

    def _edit(self, line: str, words: str) -> Item:
        edit = {"original_message_id": self.said[int(line) - 1][1]}
        return {"type": "edit", "edit": {**edit, "message": {"type": "text", "text": {"body": words}}}}

    def _revoke(self, line: str, _words: str) -> Item:
        return {"type": "revoke", "revoke": {"original_message_id": self.said[int(line) - 1][1]}}

    def _list(self, choice: str, _words: str) -> Item:
        key, title, description = choice.split("; ")
        reply = {"id": key, "title": title, "description": description}
        return {"type": "interactive", "interactive": {"type": "list_reply", "list_reply": reply}}

    def _order(self, products: str, words: str) -> Item:
        items = []
        for product in products.split("; "):
            name, quantity, price = product.split(" ")
            amounts = {"quantity": int(quantity), "item_price": float(price), "currency": "EUR"}
            items.append({"product_retailer_id": name, **amounts})
        return {"type": "order", "order": {"catalog_id": "800000000000001", "text": words, "product_items": items}}

    def _media(self, mime_type: str, content: bytes) -> Item:
        media_id = str(self.rng.randrange(10**15, 10**16))
        self.files.append(File(media_id, mime_type, content))
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode("ascii")
        return {"mime_type": mime_type, "sha256": digest, "id": media_id}


_CONTENT: dict[str, Callable[[_Teller, str, str], Item]] = {
    "image": _Teller._image,
    "document": _Teller._document,
    "voice": _Teller._voice,
    "invoice": _Teller._invoice,
    "receipt": _Teller._receipt,
    "location": _Teller._location,
    "reaction": _Teller._reaction,
    "edit": _Teller._edit,
    "revoke": _Teller._revoke,
    "list": _Teller._list,
    "order": _Teller._order,
}


def a_day(seed: int, midnight: int = MIDNIGHT) -> Day:
    """One day in the order of its time: messages with their files, our replies, statuses, a group, an account change.

    The words are always the same; ``seed`` decides ids and seconds, ``midnight`` (unix seconds, UTC) the date.
    """
    rng = random.Random(seed)  # noqa: S311 - invented content
    found: list[File] = []
    told: list[tuple[int, bytes]] = [(midnight + 12 * 3600, bodies.account_update(midnight + 12 * 3600))]
    teller: _Teller | None = None
    for line in (files("wamcp.simulator") / "samples" / "day.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("== "):
            teller = _Teller(rng, midnight, found, *_cast(line.removeprefix("== ")))
        elif line.startswith("+ ") and teller is not None:
            teller.customers.append(_customer(line.removeprefix("+ ").split(" | ")))
        elif line and not line.startswith("#") and teller is not None:
            told.extend(teller.tell(line))
    return Day([body for _, body in sorted(told, key=lambda each: each[0])], found)


def _cast(line: str) -> tuple[Number, list[Customer], str | None]:
    number, *who = line.split(" | ")
    if number.startswith("group "):
        return _NUMBERS[number.removeprefix("group ")], [], who[0]
    return _NUMBERS[number], [_customer(who)], None


def _customer(parts: list[str]) -> Customer:
    name, phone, bsuid, *username = parts
    return Customer(name, bsuid, None if phone == "-" else phone, username[0] if username else None)
