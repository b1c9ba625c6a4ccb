"""Where in a text the words of a question stand, as a search sees both."""

import re
import unicodedata
from functools import lru_cache

from wamcp.words import UNPARTED, Unit, fold_characters, pieces

BEFORE, AFTER = 300, 900
"""Characters of a page that are told before and after the beginning of the first match."""
_SHORT = BEFORE + AFTER
_NEAR = 100

_WORD_BEGINS = rf"(?:(?<![^\W_])|(?<=[{UNPARTED}]))"
_WORD_ENDS = rf"(?:(?![^\W_])|(?=[{UNPARTED}]))"
_UNPARTED = re.compile(f"[{UNPARTED}]")


def spans(text: str, query: str, *, words: bool = True) -> list[tuple[int, int]]:
    """Where the matches of ``query`` begin and end in ``text``, in order, none inside of another.

    Whole words match, and beginnings of words that were asked for with a star; without ``words`` any letters.
    """
    pattern = _pattern(query, words=words)
    plain = text.isascii()
    letters = text.lower() if plain else [_folded_letter(char) for char in text]
    places = range(len(text)) if plain else [place for place, folded in enumerate(letters) for _ in folded]
    found: list[tuple[int, int]] = []
    for match in pattern.finditer("".join(letters)) if pattern else ():
        first, end = places[match.start()], places[match.end() - 1] + 1
        while end < len(text) and not _folded_letter(text[end]):
            end += 1  # the accents and vowel signs of its last letter
        if not found or first >= found[-1][1]:
            found.append((first, end))
    return found


def around(text: str, query: str, *, words: bool = True) -> str:
    """The part of ``text`` around the first match of ``query``, cut at blanks where there are some.

    It is the beginning where no match is seen: Postgres folds a few letters otherwise.
    """
    if len(text) <= _SHORT:
        return text
    for begin, end in (_likely(text, query), (0, len(text))):
        if found := spans(text[begin:end], query, words=words):
            return _cut(text, begin + found[0][0])
    return _cut(text, 0)


def _likely(text: str, query: str) -> tuple[int, int]:
    """A part in which there probably is a match: to fold a long text as a whole takes long."""
    longest = _longest(query)
    place = max(0, text.lower().find(longest.lower()))
    return max(0, place - _NEAR), place + len(longest) + _NEAR


@lru_cache(maxsize=16)
def _longest(query: str) -> str:
    return max((piece.text for piece in pieces(query)), key=len, default="")


def _cut(text: str, place: int) -> str:
    begin, end = max(0, place - BEFORE), min(len(text), place + AFTER)
    if begin > 0:
        begin = max(begin, text.find(" ", begin, place) + 1)
    if end < len(text):
        end = max(text.rfind(" ", place, end), place) if " " in text[place:end] else end
    return text[begin:end]


@lru_cache(maxsize=16)
def _pattern(query: str, *, words: bool) -> re.Pattern[str] | None:
    patterns = {_words_of(piece) if words else re.escape(_folded(piece.text)) for piece in pieces(query)}
    longest_first = sorted(patterns - {""}, key=len, reverse=True)
    return re.compile("|".join(longest_first)) if longest_first else None


def _words_of(piece: Unit) -> str:
    """The words of ``piece`` one after the other, whatever stands between them; no pattern when it has none."""
    found = re.findall(r"[^\W_]+", _folded(piece.text))
    if not found:
        return ""
    begins = "" if _UNPARTED.match(found[0][0]) else _WORD_BEGINS
    ends = "" if piece.prefix or _UNPARTED.match(found[-1][-1]) else _WORD_ENDS
    return begins + r"[\W_]+".join(map(re.escape, found)) + ends


def _folded(text: str) -> str:
    return "".join(_folded_letter(char) for char in text)


@lru_cache(maxsize=20_000)
def _folded_letter(char: str) -> str:
    """``char`` as searches see it; nothing for accents, vowel signs and what is invisible."""
    bare = "".join(part for part in unicodedata.normalize("NFKD", char) if unicodedata.category(part)[0] != "M")
    return fold_characters(bare).casefold()
