"""A field that this release has no word for: kept as an event, with the words that people may want to read."""

from collections.abc import Iterator

from msgspec.structs import replace

from wamcp.vocabulary import UnknownKind
from wamcp.whatsapp.payload.facts import Facts, UnknownFact
from wamcp.whatsapp.payload.fields.lines import LONGEST_WORD, line, word
from wamcp.whatsapp.payload.fields.place import Place
from wamcp.whatsapp.payload.fields.reading import encoded, happened, our_number
from wamcp.whatsapp.payload.scalars import mapping

_MOST_WORDS, _DEEPEST, _LONGEST_CODE = 12, 4, 32
_SILENT = ("metadata", "messaging_product", "event")


def read_unknown(value: object, place: Place, facts: Facts) -> None:
    """Adds ``value``, whatever it is, as an event of the field, and notes that the field is unknown. Never raises."""
    plain = mapping(value)
    event = plain.get("event")
    event = word(event) if isinstance(event, str) else ""
    told = happened(place, place.path, plain, our_number(plain, place, facts))
    text = line(told.field or "A change without a field", event, *_plain_words(value))
    facts.account.append(replace(told, event=event, text=text, details=encoded(value)))
    facts.unknowns.append(UnknownFact(UnknownKind.FIELD.value, place.field[:LONGEST_WORD]))


def _plain_words(value: object) -> list[str]:
    words: list[str] = []
    for text in _strings(value, 0):
        if len(words) == _MOST_WORDS:
            break
        words.append(text)
    return words


def _strings(value: object, depth: int) -> Iterator[str]:
    """The strings in ``value`` that read like words: not numbers, links, ids or codes."""
    if isinstance(value, str):
        is_code = " " not in value.strip() and len(value) >= _LONGEST_CODE
        if any(map(str.isalpha, value)) and "://" not in value and not is_code:
            yield value
    elif depth < _DEEPEST:
        inner = value if isinstance(value, list) else [v for k, v in mapping(value).items() if k not in _SILENT]
        for each in inner:
            yield from _strings(each, depth + 1)
