"""What a search shows of a message: the part around the first match, with all matches in it marked « »."""

import re
import unicodedata
from functools import lru_cache

from wamcp.mcp import sanitize
from wamcp.words import UNPARTED, Unit, fold_characters, pieces

BEFORE, AFTER = 80, 220
"""Characters of the text that are shown before and after the beginning of the first match."""
OPENS, CLOSES = "«", "»"

_WORD_BEGINS = rf"(?:(?<![^\W_])|(?<=[{UNPARTED}]))"
_WORD_ENDS = rf"(?:(?![^\W_])|(?=[{UNPARTED}]))"
_UNPARTED = re.compile(f"[{UNPARTED}]")


def snippet(text: str, query: str, *, words: bool = True) -> str:
    """The part of ``text`` around the first thing of ``query`` that is seen in it, its matches marked.

    Whole words are marked, and beginnings of words that were asked for with a star; without ``words`` any letters.
    """
    spans = _spans(text, _pattern(query, words=words))
    if not spans:
        return sanitize.cut(text, BEFORE + AFTER)
    start = max(0, spans[0][0] - BEFORE)
    end = min(len(text), spans[0][0] + AFTER)
    parts = ["…" if start else ""]
    position = start
    for first, last in spans:
        if first >= end:
            break
        shown = min(last, end)
        parts += [text[position:first], OPENS, text[first:shown], CLOSES]
        position = shown
    return "".join([*parts, text[position:end], "…" if end < len(text) else ""])


def _spans(text: str, pattern: re.Pattern[str] | None) -> list[tuple[int, int]]:
    """Where the matches begin and end in ``text``, in order, none inside of another."""
    folded = [(letter, place) for place, char in enumerate(text) for letter in _folded_letter(char)]
    found: list[tuple[int, int]] = []
    for match in pattern.finditer("".join(letter for letter, _ in folded)) if pattern else ():
        first, end = folded[match.start()][1], folded[match.end() - 1][1] + 1
        while end < len(text) and not _folded_letter(text[end]):
            end += 1  # the accents and vowel signs of its last letter
        if not found or first >= found[-1][1]:
            found.append((first, end))
    return found


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
