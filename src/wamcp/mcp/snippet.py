"""What a search shows of a message: the part around the first match, with all matches in it marked « »."""

from wamcp.archive.marking import spans
from wamcp.mcp import sanitize

BEFORE, AFTER = 80, 220
"""Characters of the text that are shown before and after the beginning of the first match."""
OPENS, CLOSES = "«", "»"


def snippet(text: str, query: str, *, words: bool = True) -> str:
    """The part of ``text`` around the first thing of ``query`` that is seen in it, its matches marked.

    Whole words are marked, and beginnings of words that were asked for with a star; without ``words`` any letters.
    """
    found = spans(text, query, words=words)
    if not found:
        return sanitize.cut(text, BEFORE + AFTER)
    start = max(0, found[0][0] - BEFORE)
    end = min(len(text), found[0][0] + AFTER)
    parts = ["…" if start else ""]
    position = start
    for first, last in found:
        if first >= end:
            break
        shown = min(last, end)
        parts += [text[position:first], OPENS, text[first:shown], CLOSES]
        position = shown
    return "".join([*parts, text[position:end], "…" if end < len(text) else ""])
