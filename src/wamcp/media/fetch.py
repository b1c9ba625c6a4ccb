"""Fetching files from Meta into the object store: each row leased, tried by its URL, then by its id, then again."""

import tempfile
from collections.abc import Callable
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as NotYet
from typing import BinaryIO, NamedTuple, cast

from wamcp import log
from wamcp.db import incoming
from wamcp.db.incoming import FetchedFile, WantedFile
from wamcp.db.session import Pool
from wamcp.errors import StoreUnavailable, TooLarge
from wamcp.media.means import Fetching
from wamcp.metrics import media_bytes, media_settled
from wamcp.storage.objects import Stored
from wamcp.telemetry import span
from wamcp.vocabulary import MediaState
from wamcp.whatsapp.download import Download, Outcome, Wish, deadline_s
from wamcp.whatsapp.graph import Reply
from wamcp.whatsapp.payload.media import stated_sha256
from wamcp.whatsapp.payload.scalars import string

LEASE_S = 60.0
"""So long nobody else takes a file after its worker died."""
LOOK_EVERY_S = 0.5
RENEW_EVERY = 30
"""Looks after which the lease is renewed."""
FRESH_URLS = 2
"""Meta is asked for so many URLs in one attempt before what is gone counts as gone."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 15.0, 900.0
STORE_PAUSE_S = 10.0
SURE_AFTER = 2
"""Attempts of which the last finds nothing: what Meta has just announced is not there at once everywhere."""
_NO_OBJECT = (100, 33)
"""Meta's code and subcode for an id that does not exist (any more)."""

_log = log.get(__name__)


class _Described(NamedTuple):
    """What Meta says of a file: a fresh URL, and what to expect there."""

    url: str
    size: int | None
    mime_type: str | None
    sha256: bytes | None


class _Stopped(Exception):
    """This process is ending."""


def drain(means: Fetching, goes_on: Callable[[], bool]) -> int:
    """Fetches what is due until nothing is or ``goes_on`` says no; returns how many files it worked on.

    A download that is under way when it says no is given up, and the file left for the next worker.
    """
    done = 0
    while goes_on():
        with means.pool.connection() as connection:
            file = incoming.claim_wanted(connection, LEASE_S)
        if file is None:
            break
        with span("fetch", media=file.id, attempts=file.attempts):
            _work(means, file, goes_on)
        done += 1
    return done


def count_due(pool: Pool) -> int:
    """How many files somebody could fetch now, at most a hundred."""
    with pool.connection() as connection:
        return incoming.count_wanted(connection)


def pause_s(attempts: int) -> float:
    """Seconds before the next attempt, after so many of them: 15, doubled each time, at most a quarter of an hour."""
    return min(FIRST_PAUSE_S * 2.0 ** min(attempts - 1, 20), LONGEST_PAUSE_S)


def _work(means: Fetching, file: WantedFile, goes_on: Callable[[], bool]) -> None:
    try:
        if wrong := means.store.trouble():
            raise StoreUnavailable(wrong)
        with tempfile.TemporaryFile() as spool:
            found, described = _bring(means, file, cast(BinaryIO, spool), goes_on)
            stored = _keep(means, spool) if found.outcome == Outcome.FETCHED else None
    except StoreUnavailable as error:
        _put_back(means, file, STORE_PAUSE_S, str(error))
    except TooLarge as error:
        _give_up(means, file, MediaState.FAILED, str(error))
    except _Stopped:
        _put_back(means, file, 0.0, None)
    except OSError as error:
        _put_back(means, file, STORE_PAUSE_S, f"the file cannot be gathered on this machine ({error.strerror})")
    else:
        if stored is not None:
            _note_stored(means, file, found, described, stored)
        else:
            _note_missed(means, file, found)


def _bring(
    means: Fetching, file: WantedFile, spool: BinaryIO, goes_on: Callable[[], bool]
) -> tuple[Download, _Described | None]:
    """The file's bytes in ``spool``, by the webhook's URL while that is good, else by fresh ones."""
    if file.url is not None:
        found = _download(means, file, _Described(file.url, None, file.mime_type, None), spool, goes_on)
        if found.outcome in (Outcome.FETCHED, Outcome.TOO_LARGE):
            return found, None
        _log.info("media_url_not_used", media=file.id, outcome=found.outcome)
    for _ in range(FRESH_URLS):
        described = _describe(means, file)
        if isinstance(described, Download):
            return described, None
        found = _download(means, file, described, spool, goes_on)
        if found.outcome != Outcome.GONE:
            return found, described
    return found, None


def _describe(means: Fetching, file: WantedFile) -> _Described | Download:
    """What Meta says of the file; how the question ended where it does not."""
    reply = means.graph.get(file.media_id, phone_number_id=file.phone_number_id)
    url = string(reply.data.get("url")) if reply.is_fine and reply.data is not None else None
    if url is None or reply.data is None:
        return _not_described(reply)
    size = string(reply.data.get("file_size")) or ""
    return _Described(
        url,
        int(size) if size.isascii() and size.isdecimal() and len(size) < 16 else None,
        string(reply.data.get("mime_type")),
        stated_sha256(reply.data.get("sha256")),
    )


def _not_described(reply: Reply) -> Download:
    if (reply.error is not None and (reply.error.code, reply.error.subcode) == _NO_OBJECT) or reply.status == 404:
        return Download(Outcome.GONE, "Meta does not know the file (any more)")
    if reply.error is not None:
        return Download(Outcome.TROUBLE, f"Meta answers {reply.status} with code {reply.error.code}")
    return Download(Outcome.TROUBLE, reply.reason or f"Meta answers {reply.status} without a URL of the file")


def _download(
    means: Fetching, file: WantedFile, described: _Described, spool: BinaryIO, goes_on: Callable[[], bool]
) -> Download:
    """Downloads from one URL, and keeps the lease meanwhile."""
    spool.seek(0)
    spool.truncate()
    seconds = means.deadline_s or deadline_s(described.size)
    wish = Wish(described.url, seconds, described.size, described.mime_type or file.mime_type, means.cap)
    future, looks = means.downloads.start(wish, spool), 0
    while True:
        try:
            return future.result(LOOK_EVERY_S)
        except NotYet:
            looks += 1
        except CancelledError:
            raise _Stopped from None
        is_ours = looks % RENEW_EVERY or _lease_longer(means, file)
        if not (goes_on() and is_ours):
            future.cancel()
            raise _Stopped


def _keep(means: Fetching, spool: BinaryIO) -> Stored:
    spool.seek(0)
    return means.store.put(spool, cap=means.cap)


def _lease_longer(means: Fetching, file: WantedFile) -> bool:
    with means.pool.connection() as connection:
        return incoming.lease_longer(connection, file, LEASE_S)


def _note_stored(
    means: Fetching, file: WantedFile, found: Download, described: _Described | None, stored: Stored
) -> None:
    stated = described.sha256 if described is not None else None
    hashes = {each for each in (file.stated_sha256, stated) if each is not None}
    odd = "the bytes do not have the SHA-256 that Meta states" if hashes and stored.sha256 not in hashes else None
    mime_type = (described.mime_type if described is not None else None) or found.mime_type
    kept = FetchedFile(stored.key, stored.sha256, stored.size, mime_type, stated, odd)
    with means.pool.connection() as connection:
        if not incoming.note_stored(connection, file, kept) and not incoming.is_named(connection, stored.key):
            means.store.delete(stored.key)  # whoever it was about was erased meanwhile
            return
    media_settled.labels(MediaState.STORED.value).inc()
    media_bytes.inc(stored.size)
    _log.info("media_fetched", media=file.id, size=stored.size, attempts=file.attempts, odd=odd is not None)
    means.stored_one()


def _note_missed(means: Fetching, file: WantedFile, found: Download) -> None:
    if found.outcome == Outcome.TOO_LARGE:
        _give_up(means, file, MediaState.FAILED, found.reason)
    elif file.is_old or (found.outcome == Outcome.GONE and file.attempts >= SURE_AFTER):
        _give_up(means, file, MediaState.EXPIRED, found.reason)
    else:
        _put_back(means, file, pause_s(file.attempts), found.reason)


def _put_back(means: Fetching, file: WantedFile, seconds: float, reason: str | None) -> None:
    with means.pool.connection() as connection:
        incoming.put_back(connection, file, seconds, reason)
    _log.info("media_put_back", media=file.id, seconds=seconds, attempts=file.attempts)


def _give_up(means: Fetching, file: WantedFile, state: MediaState, reason: str) -> None:
    with means.pool.connection() as connection:
        incoming.give_up(connection, file, state, reason)
    media_settled.labels(state.value).inc()
    _log.warning("media_given_up", media=file.id, state=state, attempts=file.attempts)
