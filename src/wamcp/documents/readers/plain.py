"""Plain texts, tables in text, and web pages, in whatever encoding they came."""

import re
from html.parser import HTMLParser
from typing import BinaryIO

from charset_normalizer import from_bytes

from wamcp.documents import sniff
from wamcp.documents.language import known_words
from wamcp.documents.report import Report

_GUESSED_BYTES = 32_768
_ENCODINGS = 8
_BYTES = 4_000_000
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_BLOCKS = frozenset(
    re.findall(
        r"\w+",
        """address article aside blockquote br caption dd div dl dt fieldset figcaption footer
    form h1 h2 h3 h4 h5 h6 header hr li main nav ol option p pre section table title tr ul""",
    )
)
_SILENT = frozenset({"script", "style", "template", "noscript"})


def read(mime: str, file: BinaryIO, report: Report) -> None:
    """One page with the text."""
    content = file.read(_BYTES + 1)
    report.truncated = len(content) > _BYTES
    text = decoded(content[:_BYTES])
    report.page(1, _visible(text) if mime == sniff.HTML else text)


def decoded(content: bytes) -> str:
    """``content`` as text: by its mark, as UTF-8 when it is that, else as its beginning makes likely."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.decode(encoding, errors="replace")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and error.start > len(content) - 4:
            return content.decode(errors="ignore")
    return content.decode(_likeliest(content[:_GUESSED_BYTES]), errors="replace")


def _likeliest(content: bytes) -> str:
    """The best guess; where a byte is a letter, the one in which the text has most of some language's little words."""
    encodings = [match.encoding for match in from_bytes(content)][:_ENCODINGS]
    if encodings and len(content.decode(encodings[0], errors="replace")) < len(content):
        return encodings[0]
    return max([*encodings, "cp1252"], key=lambda name: known_words(content.decode(name, errors="replace")))


def _visible(text: str) -> str:
    page = _WebPage()
    page.feed(text)
    page.close()
    return "".join(page.pieces)


class _WebPage(HTMLParser):
    """The text of a web page; blocks begin lines, cells are parted by tabs."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent += 1
        elif tag in _BLOCKS:
            self.pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag in ("td", "th"):
            self.pieces.append("\t")
        elif tag in _BLOCKS:
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.pieces.append(" ".join(data.split()) + " " if data.strip() else " ")
