"""What a search looks through: messages, and the pages of the documents that messages carry."""

from dataclasses import dataclass
from datetime import datetime

Position = tuple[datetime, int]
"""Where a row stands among all of its table, newest first: its time (UTC) and row id."""
PAGE_IDS = 1024
"""A page's row id is its document's times this, and less the later the page: the first page stands first."""


@dataclass(frozen=True, slots=True)
class Searched:
    """A table with words: ``things`` is the SQL that selects when and what was found from rows ``m`` that match.

    ``unmarked`` is the type of message that is not among the words of a row, None when every type is.
    """

    table: str
    things: str
    unmarked: str | None


MESSAGES = Searched("messages", "SELECT m.sent_at, m.id AS thing", "text")
PAGES = Searched("document_pages", f"SELECT DISTINCT m.sent_at, m.id / {PAGE_IDS} AS thing", None)
