"""Text of a document made fit to be kept: no control characters, no broken halves, bounded."""

import re
import unicodedata

_LINE_ENDS = re.compile(r"\r\n?|\x0b|\x0c|\x85|\u2028|\u2029")
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_FORMS = re.compile(r"[\ufb00-\ufdfd\ufe70-\ufefc]+")
"""Ligatures (fi, fl) and the shapes of Arabic letters, under which nobody would search."""
_TRAILING = re.compile(r"[ \t\u00a0]+\n")
_EMPTY_LINES = re.compile(r"\n{4,}")
_CID = re.compile(r"\(cid:\d+\)|/g\d+|/uni[0-9A-F]{4}")


def clean(text: str) -> str:
    """``text`` with plain line ends and letters, without NUL, controls, lone surrogates and runs of empty lines."""
    text = _FORMS.sub(lambda match: unicodedata.normalize("NFKC", match.group()), text)
    text = _CONTROLS.sub("", _LINE_ENDS.sub("\n", text))
    return _EMPTY_LINES.sub("\n\n\n", _TRAILING.sub("\n", text)).strip()


def cut(text: str, size: int) -> str:
    """The beginning of ``text`` that has at most ``size`` bytes in UTF-8."""
    encoded = text.encode()
    return text if len(encoded) <= size else encoded[:size].decode(errors="ignore")


def is_garbage(text: str) -> bool:
    """Whether a font's code numbers came out instead of letters: a fifth of what is visible nobody could read."""
    visible = sum(not character.isspace() for character in text)
    if not visible:
        return False
    odd = sum(character == "\ufffd" or "\ue000" <= character <= "\uf8ff" or character < " " for character in text)
    odd -= text.count("\n") + text.count("\r") + text.count("\t")
    odd += sum(len(match) for match in _CID.findall(text))
    return odd > visible / 5


def letters(text: str) -> int:
    """How many visible characters there are."""
    return sum(not character.isspace() for character in text)
