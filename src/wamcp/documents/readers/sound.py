"""Voice notes and other sound: what is said in them, in pages of five minutes, with a mark before each paragraph."""

import time
from pathlib import Path
from typing import BinaryIO

from wamcp.documents import wire
from wamcp.documents.budget import Budget
from wamcp.documents.report import Report
from wamcp.documents.shapes import TextSource
from wamcp.documents.sniff import FILMS
from wamcp.documents.speech.sound import hear
from wamcp.documents.speech.transcribe import Segment, engine, transcribe, trouble
from wamcp.documents.trouble import NoTranscriber, Unsupported

PAGE_SECONDS = 300
PAUSE_SECONDS = 2.0
"""So much silence begins a paragraph, and so does a sentence after a minute of one."""
PARAGRAPH_SECONDS = 60.0
_WALL_SHARE = 0.8


def read(mime: str, file: BinaryIO, job: wire.Job, report: Report, budget: Budget) -> None:
    """Writes down the speech, as much as there is time for. Films are not listened to, only sound in a film's wrapping.

    Raises ``Unreadable`` in its kinds, ``OutOfTime``, and FFmpeg's errors.
    """
    model_dir = Path(job.model_dir)
    if not job.model_dir or trouble(model_dir):
        raise Unsupported if mime in FILMS else NoTranscriber
    begin = time.monotonic()
    with budget.at_most(budget.left):
        sound = hear(file, mime, job.sound_seconds)
    if mime in FILMS:
        report.send(wire.Kind("audio/mp4"))
    report.send(wire.Heard(round(sound.seconds)))
    report.engine, report.engine_version = engine(model_dir)
    report.truncated = sound.is_cut
    end = begin + (job.wall_seconds + job.wall_per_second * round(sound.seconds)) * _WALL_SHARE
    pages: list[list[Segment]] = [[]]
    for segment in transcribe(sound, model_dir):
        report.language = segment.language
        while segment.start >= PAGE_SECONDS * len(pages):
            _tell(pages, report)
            pages.append([])
        pages[-1].append(segment)
        if time.monotonic() > end:
            report.truncated = True
            break
    _tell(pages, report)
    report.pages_total = max(len(pages), -(-round(sound.seconds) // PAGE_SECONDS))


def paragraphs(segments: list[Segment]) -> str:
    """The text of ``segments``, and on a line of its own before each paragraph when it is said: ``[03:25]``."""
    text = ""
    first = last = 0.0
    for segment in segments:
        if not text or segment.start - last >= PAUSE_SECONDS or segment.start - first >= PARAGRAPH_SECONDS:
            first = segment.start
            minutes, seconds = divmod(int(first), 60)
            text += f"\n\n[{minutes:02}:{seconds:02}]\n{segment.text}"
        else:
            text += f" {segment.text}"
        last = segment.end
    return text.strip()


def _tell(pages: list[list[Segment]], report: Report) -> None:
    """The last of ``pages`` is complete."""
    segments = pages[-1]
    letters = sum(len(segment.text) for segment in segments)
    sure = sum(segment.confidence * len(segment.text) for segment in segments) / letters if letters else None
    report.page(len(pages), paragraphs(segments), TextSource.SPEECH, confidence=sure and round(sure, 4))
