"""The demonstration: one believable day of a small company, told by samples/day.txt."""

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files

from wamcp.simulator import bodies
from wamcp.simulator.bodies import MIDNIGHT, Customer, Item, Number

_LINE = re.compile(r"(\d\d):(\d\d) ([<>])(read|delivered|sent|failed)?(?:\^(\d+))? (.+)")
_SPECIAL = re.compile(r"\[(image|document|location|voice|reaction)(?: ([^\]]+))?\] ?(.*)")
_REACHED = {
    "read": ("sent", "delivered", "read"),
    "delivered": ("sent", "delivered"),
    "sent": ("sent",),
    "failed": ("failed",),
}
_NUMBERS = {"shop": bodies.SHOP, "workshop": bodies.WORKSHOP}


@dataclass(slots=True)
class _Teller:
    """Tells one conversation: remembers the ids of its lines, so that later ones can refer to them."""

    rng: random.Random
    midnight: int
    customer: Customer
    number: Number
    wamids: list[str]

    def tell(self, line: str) -> Iterator[tuple[int, bytes]]:
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"not a line of the day: {line!r}")
        hour, minute, side, reached, quoted, words = match.groups()
        at = self.midnight + int(hour) * 3600 + int(minute) * 60 + self.rng.randrange(50)
        item: Item = {"id": bodies.wamid(self.rng), "timestamp": str(at), **self._content(words)}
        if quoted:
            item["context"] = {"from": self.number.display, "id": self.wamids[int(quoted) - 1]}
        self.wamids.append(item["id"])
        if side == "<":
            yield at, bodies.inbound(self.customer, self.number, item)
            return
        yield at, bodies.echo(self.customer, self.number, item)
        for name in _REACHED[reached or "read"]:
            at += self.rng.randint(1, 20)
            yield at, bodies.statuses(self.customer, self.number, bodies.status(item["id"], name, at))

    def _content(self, words: str) -> Item:
        special = _SPECIAL.fullmatch(words)
        if special is None:
            return {"type": "text", "text": {"body": words}}
        kind, argument, caption = special.groups()
        return _CONTENT[kind](self, argument, caption)

    def _image(self, _argument: str, caption: str) -> Item:
        return {"type": "image", "image": {"caption": caption, **self._media("image/jpeg")}}

    def _document(self, name: str, caption: str) -> Item:
        media = self._media("application/pdf")
        return {"type": "document", "document": {"caption": caption, "filename": name, **media}}

    def _voice(self, _argument: str, _caption: str) -> Item:
        return {"type": "audio", "audio": {**self._media("audio/ogg; codecs=opus"), "voice": True}}

    def _location(self, place: str, _caption: str) -> Item:
        latitude, longitude, named = place.split(" ", 2)
        name, address = named.split("; ")
        where = {"latitude": float(latitude), "longitude": float(longitude), "name": name, "address": address}
        return {"type": "location", "location": where}

    def _reaction(self, argument: str, _caption: str) -> Item:
        line, emoji = argument.split()
        return {"type": "reaction", "reaction": {"message_id": self.wamids[int(line) - 1], "emoji": emoji}}

    def _media(self, mime_type: str) -> Item:
        media_id = str(self.rng.randrange(10**15, 10**16))
        return {"mime_type": mime_type, "sha256": bodies.wamid(self.rng)[6:50], "id": media_id}


_CONTENT: dict[str, Callable[[_Teller, str, str], Item]] = {
    "image": _Teller._image,
    "document": _Teller._document,
    "voice": _Teller._voice,
    "location": _Teller._location,
    "reaction": _Teller._reaction,
}


def a_day(seed: int, midnight: int = MIDNIGHT) -> list[bytes]:
    """The webhooks of one day in the order of their time: messages, our replies, statuses, one account change.

    The words are always the same; ``seed`` decides ids and seconds, ``midnight`` (unix seconds, UTC) the date.
    """
    rng = random.Random(seed)  # noqa: S311 - invented content
    told: list[tuple[int, bytes]] = [(midnight + 12 * 3600, bodies.account_update(midnight + 12 * 3600))]
    teller: _Teller | None = None
    for line in (files("wamcp.simulator") / "samples" / "day.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("== "):
            customer, number = _cast(line.removeprefix("== "))
            teller = _Teller(rng, midnight, customer, number, [])
        elif line and not line.startswith("#") and teller is not None:
            told.extend(teller.tell(line))
    return [body for _, body in sorted(told, key=lambda each: each[0])]


def _cast(line: str) -> tuple[Customer, Number]:
    name, phone, bsuid, number, *username = line.split(" | ")
    wa_id = None if phone == "-" else phone
    return Customer(name, bsuid, wa_id, username[0] if username else None), _NUMBERS[number]
