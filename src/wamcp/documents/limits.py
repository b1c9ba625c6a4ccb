"""How much of a document is read, and what its reader may use while it does."""

from typing import Self

import msgspec

from wamcp.settings import Settings


class Allowance(msgspec.Struct, frozen=True):
    """What one child process may use. Seconds, and bytes of address space and of files that it writes."""

    memory: int
    cpu_seconds: int
    wall_seconds: float
    file_bytes: int


TEXT = Allowance(memory=768 << 20, cpu_seconds=6, wall_seconds=10, file_bytes=32 << 20)
OCR = Allowance(memory=2 << 30, cpu_seconds=20, wall_seconds=20, file_bytes=128 << 20)
"""For one page; the clock starts anew with each."""
SILENT_SECONDS = 12
"""So long a document may be looked at that shows no text at all, whatever else it may use; what hangs shows none."""


class Limits(msgspec.Struct, frozen=True):
    """What of a document is read at most, and how its pictures are read.

    Pages beyond ``text_pages`` or ``ocr_pages`` and text beyond ``text_bytes`` (UTF-8) are left out, which is no error.
    """

    document_bytes: int = 10_000_000
    text_pages: int = 500
    ocr_pages: int = 10
    text_bytes: int = 1_000_000
    languages: str = "eng+por+spa"
    engine: str = "auto"
    text: Allowance = TEXT
    ocr: Allowance = OCR
    silent_seconds: int = SILENT_SECONDS

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The limits that an installation was told."""
        return cls(
            document_bytes=settings.max_document_bytes,
            ocr_pages=settings.ocr_max_pages,
            languages=settings.ocr_languages,
            engine=settings.ocr_engine,
        )
