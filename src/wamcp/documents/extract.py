"""From a file to its text and fields; the parent's side, which hands the bytes to children and believes no length."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from msgspec.structs import replace

from wamcp.documents import wire
from wamcp.documents.clean import cut
from wamcp.documents.limits import SPEECH_PER_SECOND, Allowance, Limits
from wamcp.documents.sandbox import Ending, Run, Watch, run
from wamcp.documents.shapes import Extraction, Page, TextSource
from wamcp.documents.sniff import AUDIO, FILMS, HEAD_BYTES, PICTURES, TIFF, sniff_head
from wamcp.vocabulary import DocumentState

DEATHS = frozenset({Ending.TIMEOUT, Ending.MEMORY, Ending.KILLED})
_MOST_DEATHS = 2
"""After so many pages that killed their reader the other pictures of a document are left alone."""
_LEAST_SILENCE = 6
"""CPU seconds that pictures get in any case; the child before them uses no more."""


def extract(source: Path | BinaryIO, limits: Limits | None = None, watch: Watch = lambda _: None) -> Extraction:
    """Reads a document, whatever it is, in at most ``limits``; never raises for what the document contains.

    ``source`` that is no real file is copied to one. ``error`` of the result is ``timeout``, ``memory`` or ``killed``
    when a child died (what it had read is kept), ``bomb``, ``broken``, ``no_ocr`` (a picture that nobody here can
    read), ``no_transcriber`` (sound that nobody here can write down) or ``fields`` (the text is whole, but finding the
    fields in it killed the child). ``watch`` is called twice a second with the number of pages read so far; what it
    raises ends the reading. Raises that and ``OSError``.
    """
    limits = limits or Limits()
    begin = time.monotonic()
    with _descriptor(source) as descriptor:
        result = _Reading(descriptor, limits, watch).all_of_it()
    return replace(result, duration_ms=round((time.monotonic() - begin) * 1000))


@contextmanager
def _descriptor(source: Path | BinaryIO) -> Iterator[int]:
    if isinstance(source, Path):
        with source.open("rb") as file:
            yield file.fileno()
        return
    try:
        source.flush()
        yield source.fileno()
    except (AttributeError, OSError, ValueError):
        with tempfile.TemporaryFile() as copy:
            source.seek(0)
            shutil.copyfileobj(source, copy)
            copy.flush()
            yield copy.fileno()


class _Reading:
    """One document on its way through its children."""

    def __init__(self, descriptor: int, limits: Limits, watch: Watch) -> None:
        self._descriptor = descriptor
        self._limits = limits
        self._begin = time.monotonic()
        self._watch = watch
        self._pages: dict[int, Page] = {}
        self._attachments: list[bytes] = []
        self._mime: str | None = None
        self._read: wire.Read | None = None
        self._finished: wire.Finished | None = None
        self._errors: list[str] = []
        self._deaths = 0
        self._room = limits.text_bytes
        self._was_cut = False

    def all_of_it(self) -> Extraction:
        size = os.fstat(self._descriptor).st_size
        if size == 0:
            return Extraction(state=DocumentState.EMPTY)
        self._mime = sniff_head(os.pread(self._descriptor, HEAD_BYTES, 0))
        is_sound = self._mime in AUDIO
        if size > (self._limits.audio_bytes if is_sound else self._limits.document_bytes):
            return Extraction(state=DocumentState.TOO_LARGE, mime=self._mime)
        ending = Ending.FINISHED
        if self._mime in PICTURES and self._mime != TIFF and self._limits.ocr_pages:
            self._read = wire.Read(pages_total=1, pictures=[1])
        elif is_sound and not self._limits.model_dir:
            self._read = wire.Read(pages_total=0, error="no_transcriber")
        elif is_sound or (self._mime in FILMS and self._limits.model_dir):
            ending = self._take(self._child("read", self._limits.speech_allowance()))
        else:
            ending = self._take(self._child("read", self._limits.text))
        if self._read is None:
            return self._died(ending)
        if self._read.pictures:
            self._look(self._read.pictures)
            ending = self._finish()
        if ending in DEATHS:
            self._errors.append("fields")
        return self._result(self._read)

    def _child(self, task: Any, allowance: Allowance, pages: list[int] | None = None) -> Run:
        limits, count = self._limits, max(1, len(pages or []))
        job = wire.Job(
            task=task,
            memory=allowance.memory,
            cpu_seconds=allowance.cpu_seconds * count,
            file_bytes=allowance.file_bytes,
            wall_seconds=allowance.wall_seconds,
            silent_seconds=0 if self._has_text() else self._silence_left(),
            pages=pages or [],
            text_pages=limits.text_pages,
            ocr_pages=limits.ocr_pages,
            text_bytes=limits.text_bytes,
            languages=limits.languages,
            engine=limits.engine,
            model_dir=limits.model_dir,
            sound_seconds=limits.sound_seconds,
            wall_per_second=SPEECH_PER_SECOND,
        )
        if task != "finish":
            before = len(self._pages.keys() - set(pages or []))
            watch = lambda count: self._watch(before + count)  # noqa: E731 - said in place
            return run(job, self._descriptor, allowance.wall_seconds, each=task == "look", watch=watch)
        with tempfile.TemporaryFile() as file:
            pages_so_far = [self._pages[number] for number in sorted(self._pages)]
            file.write(msgspec.msgpack.encode(wire.Material(pages_so_far, self._attachments)))
            file.flush()
            return run(job, file.fileno(), allowance.wall_seconds, watch=lambda _: self._watch(len(self._pages)))

    def _take(self, done: Run) -> Ending:
        """Keeps what a child said."""
        for answer in done.answers:
            if isinstance(answer, wire.PageRead):
                self._keep(answer.page, answer.error)
            elif isinstance(answer, wire.Laid) and answer.number in self._pages:
                self._pages[answer.number] = replace(self._pages[answer.number], lines=answer.lines)
            elif isinstance(answer, wire.Kind):
                self._mime = answer.mime
            elif isinstance(answer, wire.Attachment):
                self._attachments.append(answer.content)
            elif isinstance(answer, wire.Read):
                self._read = answer
            elif isinstance(answer, wire.Finished):
                self._finished = answer
        self._deaths += done.ending in DEATHS
        return done.ending

    def _keep(self, page: Page, error: str | None) -> None:
        """A picture that could not be read keeps what little text the page itself has."""
        before = self._pages.get(page.number)
        if page.source == TextSource.OCR and before and len(before.text) > len(page.text):
            page = replace(page, text=before.text)
        text = cut(page.text, self._room + (len(before.text.encode()) if before else 0))
        self._was_cut |= text != page.text
        self._room -= len(text.encode()) - (len(before.text.encode()) if before else 0)
        self._pages[page.number] = replace(page, text=text)
        if error:
            self._errors.append(error)

    def _look(self, pictures: list[int]) -> None:
        """OCR, in as few children as live through it; a page that kills its reader comes out empty."""
        waiting = list(pictures)
        while waiting and self._deaths < _MOST_DEATHS:
            if self._deaths and not self._has_text() and self._elapsed() > self._limits.silent_seconds / 2:
                break
            done = self._child("look", self._limits.ocr, waiting)
            seen = {answer.page.number for answer in done.answers if isinstance(answer, wire.PageRead)}
            self._take(done)
            waiting = [number for number in waiting if number not in seen]
            if waiting:
                word = str(done.ending) if done.ending in DEATHS else "killed"
                self._deaths += done.ending not in DEATHS
                self._keep(Page(number=waiting.pop(0), text="", source=TextSource.OCR), word)
        for number in waiting:
            self._keep(Page(number=number, text="", source=TextSource.OCR), None)
            self._was_cut = True

    def _has_text(self) -> bool:
        return any(page.text for page in self._pages.values())

    def _elapsed(self) -> float:
        return time.monotonic() - self._begin

    def _silence_left(self) -> int:
        return max(_LEAST_SILENCE, round(self._limits.silent_seconds - self._elapsed()))

    def _finish(self) -> Ending:
        """Fields and language of a document with pictures. Memory and time are those of texts."""
        return self._take(self._child("finish", self._limits.text))

    def _died(self, ending: Ending) -> Extraction:
        """The child did not live to the end; its pages are kept."""
        state = {Ending.TIMEOUT: DocumentState.TIMEOUT, Ending.TOO_MUCH: DocumentState.DONE}.get(
            ending, DocumentState.FAILED
        )
        pages = self._in_order()
        return Extraction(
            state=state,
            mime=self._mime,
            pages=pages,
            pages_total=len(pages),
            truncated=bool(pages),
            error=None if ending == Ending.TOO_MUCH else str(ending if ending in DEATHS else Ending.KILLED),
        )

    def _in_order(self) -> list[Page]:
        return [self._pages[number] for number in sorted(self._pages)]

    def _result(self, read: wire.Read) -> Extraction:
        pages = self._in_order()
        looked = next((page.engine for page in pages if page.source == TextSource.OCR and page.engine), None)
        error = read.error or next(iter(self._errors), None)
        has_text = self._has_text()
        return Extraction(
            state=_state(read.error, error, has_text, bool(self._read and self._read.pictures)),
            mime=self._mime,
            pages=pages,
            pages_total=max(read.pages_total, len(pages)),
            truncated=read.truncated or self._was_cut,
            language=self._finished.language if self._finished else None,
            engine="+".join(filter(None, [read.engine, looked])),
            engine_version=read.engine_version,
            confidence=_confidence(pages),
            fields=self._finished.fields if self._finished else {},
            error=error,
        )


_STATES = {
    "encrypted": DocumentState.ENCRYPTED,
    "unsupported": DocumentState.UNSUPPORTED,
    "no_transcriber": DocumentState.UNSUPPORTED,
    "timeout": DocumentState.TIMEOUT,
}


def _state(stopped: str | None, error: str | None, has_text: bool, has_pictures: bool) -> DocumentState:
    if stopped and not has_text:
        return _STATES.get(stopped, DocumentState.FAILED)
    if has_text:
        return DocumentState.DONE
    if error and has_pictures and error != "fields":
        return _STATES.get(error, DocumentState.FAILED)
    return DocumentState.EMPTY


def _confidence(pages: list[Page]) -> float | None:
    """How sure the machine is of what it saw or heard, by the length of each page; None where it did neither."""
    looked = [(page.confidence, len(page.text)) for page in pages if page.confidence is not None and page.text]
    letters = sum(length for _, length in looked)
    return sum(confidence * length for confidence, length in looked) / letters if letters else None
