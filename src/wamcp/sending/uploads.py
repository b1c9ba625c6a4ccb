"""Bringing a file to Meta before the message that needs it; nobody gets anything by that, so it may be repeated."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import psycopg

from wamcp.db.media import UploadRow, note_uploaded, upload_of
from wamcp.errors import NotStored, StoreUnavailable
from wamcp.storage.read import ReadStore
from wamcp.whatsapp.files import UPLOAD_DAYS, clean_filename, clean_mime_type, upload_deadline_s
from wamcp.whatsapp.graph import Graph, Reply

Borrow = Callable[[], AbstractContextManager[psycopg.Connection]]
"""Lends a connection for a moment and commits: ``pool.connection``, or ``partial(psycopg.connect, url)``."""


def ensure_uploaded(graph: Graph, store: ReadStore, borrow: Borrow, row_id: int) -> str | Reply:
    """The id by which Meta knows the file of a row of ``media`` for at least another day, uploaded now if need be.

    A reply in its place says why there is none; it is never fine. No connection is held while Meta is called. Raises
    :class:`NotStored` when the bytes are gone, :class:`StoreUnavailable` when they cannot be read.
    """
    with borrow() as connection:
        row = upload_of(connection, row_id)
    if row.media_id is not None and row.is_known:
        return row.media_id
    reply = _upload(graph, store, row)
    media_id = reply.data.get("id") if reply.is_fine and reply.data is not None else None
    if not isinstance(media_id, str) or not media_id:
        return reply._replace(data=None, reason="Meta took the file and gave no id for it") if reply.is_fine else reply
    with borrow() as connection:
        note_uploaded(connection, row_id, media_id, row.read_at + timedelta(days=UPLOAD_DAYS))
    return media_id


def _upload(graph: Graph, store: ReadStore, row: UploadRow) -> Reply:
    size = store.size(row.storage_key)
    if size is None:
        raise NotStored("The file to be sent is no longer in the object store; restore it, or send it again.")
    if size != row.size:
        raise StoreUnavailable(f"The object store has {size:,} of {row.size:,} bytes of a file; check its disk.")
    mime_type = clean_mime_type(row.mime_type)
    fields = {"messaging_product": "whatsapp", "type": mime_type}
    with store.open(row.storage_key) as file:
        part = (clean_filename(row.filename), file, mime_type)
        try:
            return graph.post_form(f"{row.phone_number_id}/media", fields, part, deadline_s=upload_deadline_s(size))
        except OSError as error:  # the network's troubles are replies: this one is the disk's
            raise StoreUnavailable(
                f"A file cannot be read from the object store ({error.strerror or error})."
            ) from error
