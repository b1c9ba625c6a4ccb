"""How words are made findable: what Postgres cannot fold or split by itself is folded and split here.

The same rules serve the text that is kept and the question that is asked, so both meet in the same lexemes.
"""

import re
import unicodedata
from dataclasses import dataclass

from wamcp.errors import Rejected

MAX_QUERY_CHARACTERS = 200
UNPARTED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\ua9e0-\ua9ff\uaa60-\uaa7f"  # Thai, Lao, Myanmar, Khmer
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u302f\u3031-\u3035\u3041-\u30fa\u30fc-\u30ff\u3105-\u312f\u31a0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U0001b000-\U0001b16f\U00020000-\U0003ffff"  # Kana, Bopomofo, Han
)
"""The scripts that put no blanks between words, as the inside of a character class."""

_EMPTY = 'Say what to look for: one or more words, a "quoted phrase", or the beginning of a word with a star (invo*).'
_TOO_LONG = "The query is longer than 200 characters: ask for a few telling words of it."


@dataclass(frozen=True, slots=True)
class Unit:
    """One thing that a message must contain: the words of ``text`` in this order; ``prefix``: the last may go on."""

    text: str
    prefix: bool


def fold(text: str) -> str | None:
    """What is indexed instead of ``text``, or None when Postgres can index ``text`` as it is. Never raises.

    Compatibility forms become plain ones, vowel points and invisible characters go, Arabic and Persian spellings and
    digits become one, scripts without blanks become overlapping pairs of characters, and punctuation becomes blanks:
    else Postgres would read INV-2026-000123 as a word and two negative numbers, and 1.234,56 as 1.234.
    """
    folded = text if text.isascii() else _pairs(fold_characters(text), open_end=False)
    folded = folded.translate(_BLANKS)
    return None if folded == text else folded


def parse_query(query: str) -> list[Unit]:
    """The units of a question, all of which must be found: words, "phrases", and prefixes marked with a star.

    Raises :class:`Rejected` when there is nothing to look for or too much of it (200 characters).
    """
    if len(query) > MAX_QUERY_CHARACTERS:
        raise Rejected(_TOO_LONG)
    spaced = fold_characters(query.replace("\0", " "))
    units = [_unit(quoted or word) for quoted, word in _UNIT.findall(_QUOTES.sub('"', spaced))]
    found = [unit for unit in units if unit.text]
    if not found:
        raise Rejected(_EMPTY)
    return found


def pieces(query: str) -> list[Unit]:
    """The units of a question as they were written, for marking them and for looking for them inside words."""
    found = [quoted or word for quoted, word in _UNIT.findall(_QUOTES.sub('"', query.replace("\0", " ")))]
    return [
        Unit(piece.rstrip("*") or piece, piece.rstrip("*") not in ("", piece))
        for piece in map(str.strip, found)
        if piece
    ]


def literals(query: str) -> list[str]:
    """The texts of :func:`pieces`."""
    return [piece.text for piece in pieces(query)]


def fold_characters(text: str) -> str:
    """``text`` with compatibility forms made plain, vowel points and invisible characters gone, spellings made one."""
    if text.isascii():
        return text
    if not unicodedata.is_normalized("NFKC", text):
        text = unicodedata.normalize("NFKC", _SIGNS.sub(r" \g<0> ", text))
    return text.translate(_FOLDING) if _FOLDED.search(text) else text


_BLANKS = str.maketrans(dict.fromkeys("-_/.,:;@+#()[]{}<>'\"!?*=&%$|~^\\", " "))  # those of wa_tsv in the database
_QUOTES = re.compile("[\u201c\u201d\u201e\u201f\u00ab\u00bb]")
_UNIT = re.compile(r'"([^"]+)"|([^\s"]+)')
_UNPARTED = re.compile(f"[{UNPARTED}]+")
_INVISIBLE = [0x00AD, 0x061C, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF]
_VARIATION = [*range(0xFE00, 0xFE10)]
_HEBREW_POINTS = [*range(0x0591, 0x05BE), 0x05BF, 0x05C1, 0x05C2, 0x05C4, 0x05C5, 0x05C7]
_ARABIC_POINTS = [*range(0x0610, 0x061B), 0x0640, *range(0x064B, 0x0660), 0x0670, *range(0x06D6, 0x06DD)]
_ARABIC_POINTS += [*range(0x06DF, 0x06E5), 0x06E7, 0x06E8, *range(0x06EA, 0x06EE), *range(0x08D3, 0x08E2)]
_ARABIC_POINTS += [*range(0x08E3, 0x0900)]
_SPELLINGS = {
    **dict.fromkeys("أإآٱ", "ا"),
    **dict.fromkeys("ىیې", "ي"),
    **dict.fromkeys("ةۀہەھ", "ه"),
    "ک": "ك",
}
_FOLDING: dict[int, str | None] = {
    **dict.fromkeys([*_INVISIBLE, *_VARIATION, *_HEBREW_POINTS, *_ARABIC_POINTS], None),
    **{ord(one): other for one, other in _SPELLINGS.items()},
    **{0x0660 + digit: str(digit) for digit in range(10)},
    **{0x06F0 + digit: str(digit) for digit in range(10)},
}
_FOLDED = re.compile("[" + re.escape("".join(map(chr, _FOLDING))) + "]")
# Signs that NFKC would glue to the word before them as letters.
_SIGNS = re.compile("[\u2122\u2120\u2116\u00bc-\u00be\u2150-\u215e]")


def _pairs(text: str, *, open_end: bool) -> str:
    """``text`` with every run of a script without blanks as pairs; the run's last character stands alone at its end.

    With ``open_end`` a run at the very end lacks that single character, so that what follows it may be anything.
    """

    def spread(match: re.Match[str]) -> str:
        run = match.group()
        words = [run[at : at + 2] for at in range(len(run) - 1)]
        if not words or not (open_end and match.end() == len(text)):
            words.append(run[-1])
        return f" {' '.join(words)} "

    return _UNPARTED.sub(spread, text)


def _unit(written: str) -> Unit:
    text = written.strip()
    prefix = text.endswith("*") and text.strip("*") != ""
    text = text.rstrip("*").rstrip() if prefix else text
    lone = _UNPARTED.search(text[-1:]) is not None and _UNPARTED.search(text[-2:-1]) is None
    return Unit(_pairs(text, open_end=True).strip(), prefix or lone)
