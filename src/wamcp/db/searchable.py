"""The text of a message as it is indexed, where that differs from the text itself."""

from wamcp.words import fold

INDEXED_CHARACTERS = 100_000
INDEXED_BYTES = 300_000


def search_text(text: str) -> str | None:
    """What is indexed instead of ``text``; None when it is ``text`` itself.

    A tsvector has at most 1 MB, of which a pair of rare Han characters takes 12 bytes. What stands beyond the limits
    is kept and shown, but not found by its words.
    """
    if len(text) * 4 <= INDEXED_BYTES:
        return fold(text)
    start = text[:INDEXED_CHARACTERS].encode()[:INDEXED_BYTES].decode(errors="ignore")
    return fold(text) if start == text else fold(start) or start
