"""Who and what was erased, as far as a webhook may name them: by which words, and until when."""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from wamcp.vocabulary import AliasKind
from wamcp.whatsapp.payload.facts import Person

_STRINGS = re.compile(rb'"((?:[^"\\]|\\.)*)(?:"|\Z)', re.DOTALL)
_ESCAPED_LETTER = re.compile(rb"\\u00[2-7]")
_PUNCTUATION = str.maketrans("", "", "+ -().\N{NO-BREAK SPACE}")
_BSUID = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")


class Until(NamedTuple):
    """What was until ``before`` (unix seconds) is erased; ``identified``: they had a BSUID, not only a phone number."""

    before: int
    identified: bool


@dataclass(frozen=True, slots=True)
class Gone:
    """Identifiers of people by (scope, kind, value), messages by (our number, wamid), and callbacks of our sends.

    ``scopes`` says of each of our numbers within which account Meta's ids of people are unique. Phone numbers have to
    be given in all their spellings.
    """

    people: dict[tuple[str, str, str], Until]
    messages: frozenset[tuple[str, str]]
    callbacks: frozenset[str]
    scopes: dict[str, str]
    _words: dict[str, dict[str, Until]] = field(default_factory=dict)
    _wamids: set[str] = field(default_factory=set)
    _needles: set[bytes] = field(default_factory=set)

    def __post_init__(self) -> None:
        for (scope, _, value), until in self.people.items():
            self._words.setdefault(scope, {})[value] = until
            self._needles.add(value.encode())
        self._wamids.update(wamid for _, wamid in self.messages)
        self._needles.update(word.encode() for word in (*self._wamids, *self.callbacks))

    def may_be_in(self, body: bytes) -> bool:
        """Whether it is worth looking closer: False only where nothing of it is written in ``body``."""
        if any(value.encode() in body for words in self._words.values() for value in words):
            return True
        if _ESCAPED_LETTER.search(body):
            return True
        for token in _STRINGS.findall(body):
            plain = token.replace(b"\\/", b"/") if b"\\" in token else token
            if plain in self._needles or (
                plain[:1] in (b"+", b"(")
                and len(plain) < 40
                and digits_in(plain.decode("utf-8", "replace")).encode() in self._needles
            ):
                return True
        return False

    def is_written_in(self, body: bytes) -> bool:
        """The same for bytes that are no JSON: whether anything of it is a part of them."""
        return any(needle in body for needle in self._needles)

    def owns(self, scope: str, person: Person | None, at: int) -> bool:
        """Whether ``person`` is one of those erased, at ``at``. A BSUID decides, then the phone number."""
        if person is None:
            return False
        if person.bsuid is not None:
            until = self.people.get((scope, AliasKind.BSUID.value, person.bsuid))
            if until is not None:
                return at <= until.before
        if person.wa_id is not None:
            until = self.people.get((scope, AliasKind.WA_ID.value, person.wa_id))
            if until is not None:
                return at <= until.before and not (person.bsuid is not None and until.identified)
        if person.parent_bsuid is None or person.bsuid is not None or person.wa_id is not None:
            return False
        until = self.people.get((scope, AliasKind.PARENT_BSUID.value, person.parent_bsuid))
        return until is not None and at <= until.before

    def is_message(self, phone_number_id: str, wamid: str | None) -> bool:
        """Whether this message of this number of ours was erased."""
        return wamid is not None and (phone_number_id, wamid) in self.messages

    def names_message(self, word: str) -> bool:
        """Whether ``word`` is the id of an erased message, or the callback of a send to somebody erased."""
        return word in self._wamids or word in self.callbacks

    def names_person(self, scope: str, word: str) -> Until | None:
        """Until when whom ``word`` names is erased; None when it names nobody of them."""
        words = self._words.get(scope)
        if not words:
            return None
        return words.get(word) or (words.get(digits_in(word)) if word[:1] in "+(" else None)

    def is_somebody_else(self, scope: str, words: list[str]) -> bool:
        """Whether an object with these words names a person by a BSUID that is nobody's of those erased."""
        ids = [word for word in words if _BSUID.fullmatch(word)]
        return bool(ids) and all(self.names_person(scope, each) is None for each in ids)


def digits_in(written: str) -> str:
    """A phone number as its digits, where it was written for people; anything else as it is."""
    digits = written.translate(_PUNCTUATION)
    return digits if digits.isascii() and digits.isdigit() else written
