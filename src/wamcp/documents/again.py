"""Reading a document again because somebody asks for it, whatever came of it before."""

import psycopg

from wamcp.db import documents
from wamcp.errors import NotStored, NotVisible
from wamcp.vocabulary import DocumentState, MediaState, document_ref, media_ref


def read_again(owner_url: str, row_id: int) -> DocumentState:
    """Has a document be read soon, and returns its state: pending, or what it is just now when somebody reads it.

    Raises :class:`NotVisible` where there is no such document, and :class:`NotStored` where its file was not fetched.
    """
    with psycopg.connect(owner_url, autocommit=True, connect_timeout=3) as connection:
        file = documents.file_behind(connection, row_id)
        if file is not None and file[1] != MediaState.STORED:
            named = media_ref(file[0])
            raise NotStored(
                f"The file of {document_ref(row_id)} is {named}, which is {file[1]} and not stored; it is read once it"
                f" is there: POST /admin/media/{named}/fetch asks Meta for it."
            )
        state = documents.want_again(connection, row_id)
    if state is None:
        raise NotVisible(f"There is no document {document_ref(row_id)}.")
    return state
