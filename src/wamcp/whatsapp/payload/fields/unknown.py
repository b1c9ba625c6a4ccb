"""A field that this release has no word for: kept as an event, with the words that people may want to read."""

from collections.abc import Iterator
from itertools import islice

from msgspec.structs import replace

from wamcp.vocabulary import UnknownKind
from wamcp.whatsapp.payload.facts import Facts
from wamcp.whatsapp.payload.fields.lines import LONGEST_WORD, line, word
from wamcp.whatsapp.payload.fields.place import Place
from wamcp.whatsapp.payload.fields.reading import happened, our_number, park
from wamcp.whatsapp.payload.scalars import mapping
from wamcp.whatsapp.payload.unknown import note


def read_unknown(value: object, place: Place, facts: Facts) -> None:
    """Adds an event for a field that nobody has a word for, which is noted; a value that is no object is parked."""
    field = place.field[:LONGEST_WORD]
    note(facts.unknowns, UnknownKind.FIELD, field)
    if not isinstance(value, dict):
        park(place.path, "a value that is no object", value, facts)
        return
    told = happened(place, place.path, value, our_number(value, place, facts))
    event = value.get("event")
    head = field.replace("_", " ").capitalize() or "Something"
    text = line(head, event, *islice(_plain_words(value, 0), _MOST_WORDS))
    facts.account.append(replace(told, event=word(event) if isinstance(event, str) else "", text=text))


def _plain_words(value: object, depth: int) -> Iterator[str]:
    """The strings in ``value`` that read like words: not numbers, links, ids or codes."""
    if isinstance(value, str):
        is_code = " " not in value.strip() and len(value) >= _LONGEST_CODE
        if any(map(str.isalpha, value)) and "://" not in value and not is_code:
            yield value
    elif depth < _DEEPEST:
        inner = value if isinstance(value, list) else [v for k, v in mapping(value).items() if k not in _SILENT]
        for each in inner:
            yield from _plain_words(each, depth + 1)


_MOST_WORDS, _DEEPEST, _LONGEST_CODE = 12, 4, 32
_SILENT = ("metadata", "messaging_product", "event")
