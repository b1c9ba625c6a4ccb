"""Reading the documents that came: each row leased, its bytes copied from the store and handed to a child, once."""

import hashlib
import tempfile
import time
from collections.abc import Callable
from enum import StrEnum
from typing import BinaryIO, cast

import psycopg
from msgspec.structs import replace

from wamcp import log
from wamcp.db import documents
from wamcp.db.documents import ReadPage, WantedDocument
from wamcp.db.session import Pool
from wamcp.documents.extract import extract
from wamcp.documents.means import Reading
from wamcp.documents.result import as_rows, settled
from wamcp.documents.shapes import Extraction
from wamcp.documents.sniff import PICTURES
from wamcp.errors import NotStored, StoreUnavailable
from wamcp.storage.objects import PIECE_BYTES
from wamcp.vocabulary import DocumentState

LEASE_S = 60.0
"""So long nobody else takes a document after its worker died; one that lives renews it every few seconds."""
TELL_EVERY_S = 2.0
"""How often the row is told how far the reading is, which renews the lease."""
PAUSE_S = 10.0
MOST_DEATHS = 2
"""So many readers may die of a document."""
MOST_CUT_OFF = 5
"""So many workers may end while they read it: they are restarted for other reasons as well."""
DEATHS = ("killed", "memory")
CUT_OFF, UNSTORABLE, STORE_DOWN, MACHINE = "cut_off", "unstorable", "store_down", "machine"

_log = log.get(__name__)


class _Stopped(Exception):
    """This process is ending."""


class _Lost(Exception):
    """Somebody else reads the document by now."""


class _Trouble(StrEnum):
    """Why the bytes are not handed to a reader."""

    TOO_LARGE = "too_large"
    NOT_STORED = "not_stored"
    WRONG_BYTES = "wrong_bytes"
    """What lies in the store is not what was put there."""


def drain(means: Reading, goes_on: Callable[[], bool]) -> int:
    """Reads what is due until nothing is or ``goes_on`` says no; returns how many documents it worked on.

    What is being read when it says no is given back at once, for the next worker.
    """
    done = 0
    while goes_on():
        with means.pool.connection() as connection:
            document = documents.claim_document(connection, LEASE_S)
        if document is None:
            break
        _work(means, document, goes_on)
        done += 1
    return done


def count_due(pool: Pool) -> int:
    """How many documents somebody could read now, at most a hundred."""
    with pool.connection() as connection:
        return documents.count_wanted(connection)


def _work(means: Reading, document: WantedDocument, goes_on: Callable[[], bool]) -> None:
    if document.deaths >= MOST_DEATHS or document.cut_off >= MOST_CUT_OFF:
        _settle(means, document, DocumentState.QUARANTINED, "killed" if document.deaths else CUT_OFF)
        return
    with means.pool.connection() as connection:
        if documents.reuse(connection, document, means.reader):
            _log.info("document_reused", document=document.id)
            return
    try:
        found = _bring_and_read(means, document, goes_on)
    except _Stopped:
        _put_back(means, document, 0.0, None)
    except _Lost:
        _log.info("document_lost", document=document.id, attempts=document.attempts)
    except StoreUnavailable:
        _put_back(means, document, PAUSE_S, STORE_DOWN)
    except OSError as error:
        _log.warning("document_not_opened", document=document.id, reason=error.strerror)
        _put_back(means, document, PAUSE_S, MACHINE)
    else:
        if isinstance(found, _Trouble):
            _note_trouble(means, document, found)
        else:
            _note(means, document, found)


def _bring_and_read(means: Reading, document: WantedDocument, goes_on: Callable[[], bool]) -> "Extraction | _Trouble":
    with tempfile.TemporaryFile() as spool:
        file = cast(BinaryIO, spool)
        try:
            trouble = _copy(means, document, file)
        except NotStored:
            trouble = _Trouble.NOT_STORED
        return trouble or _read(means, document, file, goes_on)


def _copy(means: Reading, document: WantedDocument, spool: BinaryIO) -> "_Trouble | None":
    """The object in ``spool``, if it is no larger than may be read and what was put there. Raises ``NotStored``."""
    limits = means.limits
    most = max(limits.document_bytes, limits.audio_bytes) if limits.model_dir else limits.document_bytes
    size = means.store.size(document.storage_key)
    if size is None:
        raise NotStored
    if size > most:
        return _Trouble.TOO_LARGE
    digest, copied = hashlib.sha256(), 0
    with means.store.open(document.storage_key) as file:
        while piece := file.read(PIECE_BYTES):
            copied += len(piece)
            if copied > most:
                return _Trouble.TOO_LARGE
            digest.update(piece)
            spool.write(piece)
    spool.flush()
    is_right = document.sha256 is None or digest.digest() == document.sha256
    return None if is_right else _Trouble.WRONG_BYTES


def _note_trouble(means: Reading, document: WantedDocument, trouble: "_Trouble") -> None:
    if trouble is _Trouble.TOO_LARGE:
        _settle(means, document, DocumentState.TOO_LARGE, None)
    elif trouble is _Trouble.WRONG_BYTES and document.error_code != trouble:
        _put_back(means, document, PAUSE_S, trouble)
    else:
        _settle(means, document, DocumentState.FAILED, trouble)


def _read(means: Reading, document: WantedDocument, spool: BinaryIO, goes_on: Callable[[], bool]) -> Extraction:
    watch = _Watch(means, document, goes_on)
    found = extract(spool, means.limits, watch)
    if _is_dead(found) and means.limits.engine == "auto" and found.mime in PICTURES:
        # RapidOCR needs gigabytes for some pictures; tesseract, which reads the pages of PDFs first, does not.
        second = extract(spool, replace(means.limits, engine="tesseract"), watch)
        if not _is_dead(second) and second.error != "no_ocr":
            return replace(second, duration_ms=found.duration_ms + second.duration_ms)
    return found


def _is_dead(found: Extraction) -> bool:
    """Whether the reader died before it said a word."""
    return found.error in DEATHS and not any(page.text for page in found.pages)


class _Watch:
    """Keeps the lease while a document is read, and ends the reading when it is not ours to do any more.

    Raises :class:`_Stopped` and :class:`_Lost`.
    """

    def __init__(self, means: Reading, document: WantedDocument, goes_on: Callable[[], bool]) -> None:
        self._means = means
        self._document = document
        self._goes_on = goes_on
        self._tell(0)

    def __call__(self, pages_done: int) -> None:
        if not self._goes_on():
            raise _Stopped
        if time.monotonic() - self._told_at > TELL_EVERY_S:
            self._tell(pages_done)

    def _tell(self, pages_done: int) -> None:
        self._told_at = time.monotonic()
        with self._means.pool.connection() as connection:
            if not documents.reading_on(connection, self._document, LEASE_S, pages_done):
                raise _Lost


def _note(means: Reading, document: WantedDocument, found: Extraction) -> None:
    if _is_dead(found):
        if document.deaths + 1 < MOST_DEATHS:
            _put_back(means, document, 0.0, found.error, died=True)
        else:
            _settle(means, document, DocumentState.QUARANTINED, found.error)
        return
    read, pages = as_rows(found, means.reader)
    try:
        _write(means, document, read, pages)
    except (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.ProgramLimitExceeded):
        # Postgres quotes what it refuses, so its words go nowhere.
        _settle(means, document, DocumentState.FAILED, UNSTORABLE)


def _settle(means: Reading, document: WantedDocument, state: DocumentState, error_code: str | None) -> None:
    _write(means, document, settled(state, error_code, means.reader), [])


def _write(means: Reading, document: WantedDocument, read: documents.ReadDocument, pages: list[ReadPage]) -> None:
    with means.pool.connection() as connection:
        is_ours = documents.note_read(connection, document, read, pages)
    tell = _log.info if read.state in (DocumentState.DONE, DocumentState.EMPTY) else _log.warning
    tell(
        "document_read" if is_ours else "document_lost",
        document=document.id,
        state=read.state,
        error=read.error_code,
        mime=read.mime_detected,
        pages=len(pages),
        ms=read.duration_ms,
        attempts=document.attempts,
    )


def _put_back(
    means: Reading, document: WantedDocument, seconds: float, error_code: str | None, *, died: bool = False
) -> None:
    with means.pool.connection() as connection:
        documents.put_back(connection, document, seconds, error_code, died=died)
    _log.info("document_put_back", document=document.id, seconds=seconds, error=error_code, attempts=document.attempts)
