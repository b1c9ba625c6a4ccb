"""What is said in a sound, piece by piece; one engine does it, and only with a model that lies on this machine."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from wamcp.documents.speech import whisper
from wamcp.documents.speech.sound import Sound, stretches
from wamcp.documents.trouble import NoTranscriber


class Segment(NamedTuple):
    """A sentence or so. ``start`` and ``end`` are seconds from the beginning, ``confidence`` is from 0 to 1.

    ``language`` is Whisper's code of it (ISO 639-1 where there is one).
    """

    start: float
    end: float
    text: str
    confidence: float
    language: str


def trouble(model_dir: Path) -> str | None:
    """Why nothing can be written down with the model in ``model_dir``, as a sentence that says what to do; or None."""
    return whisper.trouble(model_dir)


def engine(model_dir: Path) -> tuple[str, str]:
    """What writes: its name with version and model (``faster-whisper 1.2.1 small``), and its version alone."""
    return f"faster-whisper {whisper.version()} {model_dir.name}", whisper.version()


def transcribe(sound: Sound, model_dir: Path) -> Iterator[Segment]:
    """What is said in ``sound``, as it gets written; nothing for silence, noise and music.

    Raises :class:`NoTranscriber` when the model cannot be loaded, and ``MemoryError``.
    """
    try:
        model = whisper.load(model_dir)
    except MemoryError:
        raise
    except Exception as error:  # whatever its libraries raise for files that are no model
        raise NoTranscriber from error
    known: str | None = None
    for begin, samples in stretches(sound):
        for start, end, text, confidence, language in whisper.write(model, samples, known):
            known = language
            yield Segment(begin + start, begin + end, text, confidence, language)
