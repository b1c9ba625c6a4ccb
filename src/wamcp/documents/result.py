"""What reading found, as it is kept: the state it means, and pages that fit into rows."""

import re
from collections.abc import Iterator

from wamcp.db.documents import MAX_PAGES, ReadDocument, ReadPage
from wamcp.documents.shapes import Extraction, Page, TextSource
from wamcp.vocabulary import DocumentState

STRETCH = 80_000
"""Characters of a text without pages that make one of ours: of a longer one the end would not be found by its words."""
_WORD = 200
# A child that somebody took over may say anything: of what it says, only words that look like ours become ours.
_ERROR = re.compile(r"[a-z_]{1,24}")
_MIME = re.compile(r"[a-z0-9]{1,30}/[a-z0-9.+-]{1,90}")
_LANGUAGE = re.compile(r"[A-Za-z-]{2,12}")


def as_rows(found: Extraction, reader: str) -> tuple[ReadDocument, list[ReadPage]]:
    """The document and its pages, those without text among them. What has text is done, and tells what it lacks."""
    pages = [_row(page) for page in _numbered(found.pages) if 1 <= page.number <= MAX_PAGES]
    has_text = any(page.text for page in pages)
    engine, languages = _ocr(found.pages)
    error = None if found.error is None else _own(_ERROR, found.error) or "broken"
    document = ReadDocument(
        state=DocumentState.DONE if has_text else found.state,
        error_code=error,
        mime_detected=_own(_MIME, found.mime),
        doc_type="invoice" if found.fields else None,
        pages_total=min(max(found.pages_total, len(pages)), 2**31 - 1),
        truncated=found.truncated or len(pages) < len(found.pages) or (has_text and error not in (None, "fields")),
        reader=reader,
        extractor=_extractor(found),
        extractor_version=found.engine_version[:_WORD] or None,
        ocr_engine=engine,
        ocr_languages=languages,
        confidence=_share(found.confidence),
        language=_own(_LANGUAGE, found.language),
        duration_ms=found.duration_ms,
        fields=found.fields,
    )
    return document, pages


def settled(state: DocumentState, error_code: str | None, reader: str) -> ReadDocument:
    """A document that came to its end without being opened."""
    return as_rows(Extraction(state=state, error=error_code), reader)[0]


def _numbered(pages: list[Page]) -> list[Page]:
    """The pages; a text without pages in stretches, parted where lines end."""
    if len(pages) != 1 or len(pages[0].text) <= STRETCH:
        return pages
    stretches = enumerate(_stretches(pages[0].text), start=1)
    return [Page(number, text, pages[0].source, engine=pages[0].engine) for number, text in stretches]


def _stretches(text: str) -> Iterator[str]:
    while len(text) > STRETCH:
        end = max(text.rfind("\n", STRETCH // 2, STRETCH), text.rfind(" ", STRETCH - 1000, STRETCH)) + 1 or STRETCH
        yield text[:end]
        text = text[end:]
    yield text


def _row(page: Page) -> ReadPage:
    # Postgres does not take this character.
    text = page.text.replace("\0", "")
    return ReadPage(page.number, page.source.value, page.engine[:_WORD] or None, _share(page.confidence), text)


def _own(pattern: re.Pattern[str], said: str | None) -> str | None:
    return said if said is not None and pattern.fullmatch(said) else None


def _share(confidence: float | None) -> float | None:
    return confidence if confidence is not None and 0 <= confidence <= 1 else None


def _looked(pages: list[Page]) -> str:
    return next((page.engine for page in pages if page.source == TextSource.OCR and page.engine), "")


def _ocr(pages: list[Page]) -> tuple[str | None, str | None]:
    """``tesseract 5.3.0 eng+por`` is an engine and the languages it knew."""
    name, _, more = _looked(pages).partition(" ")
    version, _, languages = more.partition(" ")
    return f"{name} {version}".strip()[:_WORD] or None, languages[:_WORD] or None


def _extractor(found: Extraction) -> str | None:
    return found.engine.removesuffix(_looked(found.pages)).rstrip("+")[:_WORD] or None
