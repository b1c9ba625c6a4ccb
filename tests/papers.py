"""Documents written in SQL as the worker would leave them: bills of invented suppliers, page by page."""

import hashlib
import secrets
from datetime import datetime
from typing import Any

from psycopg.types.json import Json

from tests.factories import NOON, Archive
from tests.telling import rewrite
from wamcp.db.searchable import search_text

PDF = "application/pdf"
FIELDS: dict[str, Any] = {
    "invoice_number": "INV-4711",
    "invoice_date": "2026-02-27",
    "total": "119.00",
    "net": "100.00",
    "tax": "19.00",
    "currency": "EUR",
    "supplier": "Quill & Sons",
    "source": "text",
    "confidence": {"invoice_number": 0.93, "invoice_date": 0.9, "total": 0.88, "currency": 0.9, "supplier": 0.6},
    "evidence": {
        "invoice_number": {"page": 1, "box": [0.1, 0.1, 0.3, 0.12], "source": "text"},
        "total": {"page": 2, "box": [0.7, 0.8, 0.9, 0.82], "source": "text"},
    },
    "checks": {"net_plus_tax": True},
}
Text = str | tuple[str, str, float | None]
"""The text of a page, or (text, source, confidence)."""


def paper(
    archive: Archive,
    conversation: int,
    pages: list[Text] | None = None,
    at: datetime = NOON,
    *,
    name: str = "bill.pdf",
    state: str = "done",
    file: dict[str, Any] | None = None,
    outbound: bool = False,
    message: int | None = None,
    **columns: Any,
) -> int:
    """A message with a file and its document; empty texts are pages without one. The row id of the document.

    ``message`` is the one of the conversation that carries it, else there is a new one. ``file`` changes columns of
    the file, ``columns`` those of the document.
    """
    if message is None:
        message = archive.message(conversation, f"[document] {name}", at, kind="document", outbound=outbound)
        rewrite(archive, message, wamid=f"wamid.paper.{message}")
    number, wamid, at, day = archive.connection.execute(
        "SELECT number_id, wamid, sent_at, day FROM messages WHERE id = %s", [message]
    ).fetchone()
    digest = hashlib.sha256(f"{conversation} {message}".encode()).digest()
    is_stored = state != "pending" or (file or {}).get("state") == "stored"
    media = _insert(
        archive,
        "media",
        {
            **{"phone_number_id": "100", "direction": "inbound", "media_id": secrets.token_hex(8), "filename": name},
            **{"state": "stored" if is_stored else "pending", "mime_type": PDF, "size": 1234, "event_id": 1},
            **{"sha256": digest, "storage_key_raw": f"raw/{digest.hex()[:2]}/{digest.hex()}", "stored_at": at},
            **({} if is_stored else {"storage_key_raw": None, "sha256": None, "stored_at": None}),
            **(file or {}),
        },
    )
    archive.connection.execute("INSERT INTO message_media VALUES (%s, %s, %s)", [number, wamid, media])
    pages = pages or []
    was_read = state not in ("pending", "downloading", "extracting")
    document = _insert(
        archive,
        "documents",
        {
            **{"number_id": number, "wamid": wamid, "media_row_id": media, "conversation_id": conversation},
            **{"sent_at": at, "day": day, "state": state, "sha256": digest if is_stored else None, "created_at": at},
            **({"read_at": at, "pages_total": len(pages), "pages_done": len(pages)} if was_read else {}),
            **({"extracted_fields_json": {}, "mime_detected": PDF, "extractor": "pypdf"} if was_read else {}),
            **columns,
        },
    )
    for count, page in enumerate(pages, start=1):
        text, source, confidence = (page, "text", None) if isinstance(page, str) else page
        if text:
            archive.connection.execute(
                "INSERT INTO document_pages (document_id, page, number_id, conversation_id, sent_at, day, direction,"
                " type, source, engine, confidence, text, search_text)"
                " SELECT %s, %s, %s, %s, %s, %s, m.direction, m.type, %s, %s, %s, %s, %s FROM messages m"
                " WHERE m.number_id = %s AND m.wamid = %s",
                [
                    *(document, count, number, conversation, at, day, source),
                    *("tesseract" if source == "ocr" else None, confidence, text, search_text(text), number, wamid),
                ],
            )
    return document


def _insert(archive: Archive, table: str, values: dict[str, Any]) -> int:
    kept = [Json(value) if isinstance(value, dict) else value for value in values.values()]
    row = archive.connection.execute(
        f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join(['%s'] * len(values))}) RETURNING id", kept
    ).fetchone()
    return int(row[0])
