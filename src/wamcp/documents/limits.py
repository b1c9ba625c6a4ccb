"""How much of a document is read, and what its reader may use while it does."""

from pathlib import Path
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

SPEECH = Allowance(memory=2 << 30, cpu_seconds=60, wall_seconds=60, file_bytes=32 << 20)
"""For decoding sound and loading the model; without the model's own memory (see ``speech_allowance``)."""
SPEECH_PER_SECOND = 1.0
"""Wall seconds for each second of sound: who writes slower than people speak does not come to the end."""
_MODEL_COPIES = 3
"""A model is converted while it is loaded: so many times its file in address space (a file of 75 MB: 0.2 GB)."""


class Limits(msgspec.Struct, frozen=True):
    """What of a document is read at most, and how its pictures are read.

    Sound has its own ``audio_bytes`` (16 MB is Meta's limit), since what counts is how long it lasts: what comes after
    ``sound_seconds`` is left out. ``model_dir`` is the model that writes down speech; without one nothing does.
    Pages beyond ``text_pages`` or ``ocr_pages`` and text beyond ``text_bytes`` (UTF-8) are left out, which is no error.
    """

    document_bytes: int = 10_000_000
    text_pages: int = 500
    ocr_pages: int = 10
    text_bytes: int = 1_000_000
    languages: str = "eng+por+spa"
    engine: str = "auto"
    audio_bytes: int = 16 << 20
    sound_seconds: int = 900
    model_dir: str = ""
    text: Allowance = TEXT
    ocr: Allowance = OCR
    speech: Allowance = SPEECH
    silent_seconds: int = SILENT_SECONDS

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The limits that an installation was told."""
        return cls(
            document_bytes=settings.max_document_bytes,
            ocr_pages=settings.ocr_max_pages,
            languages=settings.ocr_languages,
            engine=settings.ocr_engine,
            model_dir=str(Path(settings.whisper_model_dir).absolute()) if settings.whisper_model_dir else "",
        )

    def speech_allowance(self) -> Allowance:
        """What a child that writes down speech may use. ``wall_seconds`` is before the sound's own seconds."""
        try:
            model = (Path(self.model_dir) / "model.bin").stat().st_size
        except OSError:
            model = 0
        return msgspec.structs.replace(
            self.speech,
            memory=self.speech.memory + _MODEL_COPIES * model,
            cpu_seconds=self.speech.cpu_seconds + round(SPEECH_PER_SECOND * self.sound_seconds),
        )
