"""What a reader in the child tells about its document: sent at once, counted, and kept for the fields."""

from collections.abc import Callable

from wamcp.documents import wire
from wamcp.documents.clean import clean, cut
from wamcp.documents.shapes import Line, Page, TextSource
from wamcp.documents.trouble import Enough

XML_BYTES = 2_000_000
XML_COUNT = 5


class Report:
    """The pages so far. ``send`` takes each answer; at most ``room`` bytes of text are kept."""

    def __init__(self, send: Callable[[wire.Answer], None], room: int) -> None:
        self.send = send
        self.pages: dict[int, Page] = {}
        self.attachments: list[bytes] = []
        self.pictures: list[int] = []
        self.pages_total = 0
        self.truncated = False
        self.engine = ""
        self.engine_version = ""
        self.language: str | None = None
        """Set by a reader that knows it; nobody looks for fields then."""
        self.afterwards: Callable[[], None] | None = None
        """What improves the text when it is complete and safe."""
        self._room = room

    def page(
        self,
        number: int,
        text: str,
        source: TextSource = TextSource.TEXT,
        engine: str = "",
        confidence: float | None = None,
    ) -> None:
        """One page, sheet or slide; it takes the place of one with the same number.

        Raises :class:`Enough` when no more text is kept.
        """
        wanted = clean(text)
        if number in self.pages:
            self._room += len(self.pages[number].text.encode())
        kept = cut(wanted, self._room)
        self._room -= len(kept.encode())
        page = Page(number=number, text=kept, source=source, confidence=confidence, engine=engine or self.engine)
        self.pages[number] = page
        self.send(wire.PageRead(page))
        if kept != wanted:
            self.truncated = True
            raise Enough

    def laid(self, number: int, lines: list[Line]) -> None:
        """How a page is laid out."""
        page = self.pages[number]
        self.pages[number] = Page(
            number=page.number, text=page.text, source=page.source, lines=lines, engine=page.engine
        )
        self.send(wire.Laid(number, lines))

    def attach(self, content: bytes) -> None:
        """XML found inside, for the fields; what is too large or too many is left out."""
        if len(content) <= XML_BYTES and len(self.attachments) < XML_COUNT:
            self.attachments.append(content)

    def done(self, error: str | None = None) -> None:
        """The text is complete, or as complete as it will be."""
        if self.pictures:
            for content in self.attachments:
                self.send(wire.Attachment(content))
        read = wire.Read(
            pages_total=max(self.pages_total, len(self.pages)),
            truncated=self.truncated,
            engine=self.engine,
            engine_version=self.engine_version,
            pictures=self.pictures,
            error=error,
        )
        self.send(read)
