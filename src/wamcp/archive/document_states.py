"""Why a document has no text, or not all of it, in a sentence that says what to do."""

from datetime import UTC, datetime
from typing import Any

from wamcp.vocabulary import DocumentState, MediaState, document_ref, media_ref

WAITING = (DocumentState.PENDING, DocumentState.DOWNLOADING, DocumentState.EXTRACTING)
NOT_FETCHED = "not_fetched"

_BECAUSE = {
    "timeout": "reading it took too long",
    "memory": "reading it took too much memory",
    "killed": "its reader died of it",
    "bomb": "it unpacks to more than is read",
    "broken": "it is damaged",
    "fields": "looking for invoice fields in it took too long",
    "no_ocr": "it is a picture, and no reader of pictures is installed or switched on (OCR_ENGINE)",
    "no_transcriber": "it is speech, and no reader of speech is installed or switched on",
    "wrong_bytes": "the bytes in the object store are not those that Meta sent",
    "not_stored": "its bytes are not in the object store any more",
    "store_down": "the object store did not answer",
    "machine": "this machine could not open a file or start a process; wamcp doctor tells more",
    "ocr_failed": "no reader of pictures could read it; wamcp doctor tells more",
    "slow": "reading its pictures took too long",
    "cut_off": "the workers that read it were ended again and again",
    "unstorable": "the database refused what was read in it",
    "encrypted": "it needs a password",
    "unsupported": "no reader knows this kind of file",
}


def waiting_since(row: dict[str, Any]) -> datetime | None:
    """Since when a document waits for what it waits for (UTC); None for one that does not."""
    if row["state"] not in WAITING:
        return None
    since: datetime = row["created_at"]
    if row["stored_at"] is not None:
        since = max(since, row["stored_at"])
    return since.astimezone(UTC)


def explanation(row: dict[str, Any]) -> str | None:
    """Why there is no text, or not all of it; None for a document that was read whole.

    ``row`` has the columns of the document, and ``file_state``, ``file_reason`` and ``stored_at`` of its file.
    """
    state = row["state"]
    if state in WAITING:
        return _waiting(row)
    if state == DocumentState.DONE:
        return _in_part(row)
    file, document = media_ref(row["media_row_id"]), document_ref(row["id"])
    again = f"POST /admin/documents/{document}/extract has it read again"
    original = f"GET /admin/media/{file} gives the file itself"
    if state == DocumentState.FAILED and row["error_code"] == NOT_FETCHED:
        said = f" ({row['file_reason']})" if row["file_reason"] else ""
        return f"Its file did not come from Meta{said}; POST /admin/media/{file}/fetch asks for it once more."
    told = {
        DocumentState.EMPTY: f"It was read, and no text was found in it{_told(row, ': ')}; {original}.",
        DocumentState.TOO_LARGE: f"It is larger than MAX_DOCUMENT_BYTES allows; raise that, then {again}.",
        DocumentState.UNSUPPORTED: f"It was not read: {_BECAUSE.get(row['error_code'], _BECAUSE['unsupported'])};"
        f" {original}.",
        DocumentState.ENCRYPTED: f"It needs a password to be opened; {original}.",
        DocumentState.TIMEOUT: f"Reading it took too long and was given up; {again}.",
        DocumentState.QUARANTINED: f"It ended its readers, so that it is left alone{_told(row, ': ')}; {again}, and"
        f" {original}.",
    }
    return told.get(state, f"It could not be read{_told(row, ': ')}; {again}, and {original}.")


def _waiting(row: dict[str, Any]) -> str:
    since = f"since {_minute(waiting_since(row))}"
    if row["state"] == DocumentState.EXTRACTING:
        return f"It is being read just now, {row['pages_done']} pages so far."
    if row["state"] == DocumentState.DOWNLOADING:
        return "Its file is being taken from the object store, to be read at once."
    if row["file_state"] != MediaState.STORED:
        said = f" ({row['file_reason']})" if row["file_reason"] else ""
        return f"Its file has not come from Meta yet{said}, {since}; the worker asks for it by itself."
    if row["attempts"]:
        again = f", again at {_minute(row['next_attempt_at'])}" if row["next_attempt_at"] else ""
        return f"It waits to be read {since}, after {row['attempts']} attempts{_told(row, '; last, ')}{again}."
    return f"It waits for the worker to read it, {since}; if that is long ago, see that wamcp worker runs."


def _in_part(row: dict[str, Any]) -> str | None:
    if row["truncated"]:
        total = f" of {row['pages_total']}" if row["pages_total"] else ""
        return f"Only a part of its text is kept: {row['pages_done']}{total} pages were read{_told(row, '; ')}."
    return f"It was read, but not all went well{_told(row, ': ')}." if row["error_code"] else None


def _told(row: dict[str, Any], before: str) -> str:
    code = row["error_code"]
    return f"{before}{_BECAUSE.get(code, code)}" if code else ""


def _minute(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ") if moment else "?"
