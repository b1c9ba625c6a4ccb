"""What a person can see of a text: all but characters that are invisible, change its direction or only pile up."""

import re
import unicodedata
from functools import lru_cache

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_TAGS = {letter: chr(0xE0000 + ord(letter)) for letter in "begnlstwc"}
_SUBDIVISION_FLAG = re.compile(
    "\U0001f3f4(?:" + "|".join("".join(_TAGS[c] for c in code) for code in ("gbeng", "gbsct", "gbwls")) + ")\U000e007f"
)
_FILLERS = frozenset("\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u2800\u3164\uffa0")
_ZWNJ, _ZWJ, _VS15, _VS16 = "\u200c", "\u200d", "\ufe0e", "\ufe0f"
_PLAIN, _MARK, _DEPENDS, _UNSEEN = "plain", "mark", "depends", "hidden"
_MAX_MARKS = 3
_VIRAMA = 9
# Arabic to N'Ko, the Indic blocks, Tibetan and Myanmar, Khmer and Mongolian, the presentation forms of Arabic.
_JOINING = (
    *((0x0600, 0x08FF), (0x0900, 0x0DFF), (0x0F00, 0x109F), (0x1780, 0x18AF)),
    *((0xA840, 0xABFF), (0xFB50, 0xFDFF), (0xFE70, 0xFEFC)),
)
_IDEOGRAPHS = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFD))


def strip_hidden(text: str) -> str:
    """``text`` without what a person cannot see. Emoji, Persian and Indic joiners stay; the result is NFC."""
    if text.isascii() and not _CONTROL.search(text):
        return text
    text = plain_newlines(text)
    if all(_kind(char) == _PLAIN for char in set(text)):
        return unicodedata.normalize("NFC", text)
    kept: list[str] = []
    position = marks = 0
    while position < len(text):
        char = text[position]
        if char == "\U0001f3f4" and (flag := _SUBDIVISION_FLAG.match(text, position)):
            kept.append(flag.group())
            position, marks = flag.end(), 0
            continue
        kind = _kind(char)
        marks = marks + 1 if kind == _MARK else 0
        if (
            kind == _PLAIN
            or (kind == _MARK and marks <= _MAX_MARKS)
            or (kind == _DEPENDS and _belongs(char, kept[-1][-1] if kept else "", text[position + 1 : position + 2]))
        ):
            kept.append(char)
        position += 1
    return unicodedata.normalize("NFC", "".join(kept))


def plain_newlines(text: str) -> str:
    """``text`` with one way of ending lines."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")


@lru_cache(maxsize=20_000)
def _kind(char: str) -> str:
    if char in "\n\t":
        return _PLAIN
    if char in _FILLERS:
        return _UNSEEN
    category = unicodedata.category(char)
    if char in (_ZWJ, _ZWNJ) or "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef":
        return _DEPENDS
    if "\u180b" <= char <= "\u180f" or char == "\U0001f3f4":
        return _DEPENDS
    if category in ("Mn", "Me"):
        return _MARK
    return _UNSEEN if category in ("Cc", "Cf", "Cn", "Co", "Cs") else _PLAIN


def _belongs(char: str, before: str, after: str) -> bool:
    if char == "\U0001f3f4":
        return True
    if char in (_ZWJ, _ZWNJ):
        return _joiner_belongs(char, before, after)
    if "\u180b" <= char <= "\u180f":
        return "\u1800" <= before <= "\u18af"
    return _selector_belongs(char, before)


def _joiner_belongs(char: str, before: str, after: str) -> bool:
    if not before:
        return False
    if char == _ZWJ and (_is_emoji(before) or before == _VS16) and after and _is_emoji(after):
        return True
    if not _within(before, _JOINING):
        return False
    return bool(after and _within(after, _JOINING)) or unicodedata.combining(before) == _VIRAMA


def _selector_belongs(char: str, before: str) -> bool:
    if not before:
        return False
    if char in (_VS15, _VS16):
        return before in "#*0123456789" or _is_emoji(before)
    return char >= "\U000e0100" and _within(before, _IDEOGRAPHS)


def _is_emoji(char: str) -> bool:
    return unicodedata.category(char) in ("So", "Sk", "Sm", "Po") and not char.isascii()


def _within(char: str, ranges: tuple[tuple[int, int], ...]) -> bool:
    point = ord(char)
    return any(first <= point <= last for first, last in ranges)
