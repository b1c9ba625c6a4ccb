"""Fetching a file again because somebody asks for it, whatever came of it before."""

import psycopg

from wamcp.db import incoming
from wamcp.errors import NotVisible
from wamcp.storage.read import ReadStore
from wamcp.vocabulary import MediaState, media_ref


def fetch_again(owner_url: str, store: ReadStore, row_id: int) -> str:
    """Has a file that came with a message be fetched soon, and returns its state: pending, or stored as it is.

    What is in the store already is not fetched. Raises :class:`NotVisible` where there is no such file, and
    :class:`StoreUnavailable`.
    """
    with psycopg.connect(owner_url, autocommit=True, connect_timeout=3) as connection:
        key = incoming.stored_key(connection, row_id)
        if key is not None and store.size(key) is not None:
            return MediaState.STORED
        state = incoming.want_again(connection, row_id)
    if state is None:
        raise NotVisible(f"There is no file {media_ref(row_id)} that came from Meta.")
    return state
