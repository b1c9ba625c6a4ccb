"""Waiting for the first message of a set-up, in the database of whatever WAMCP runs here by then."""

import time
from collections.abc import Callable
from datetime import datetime

import psycopg

from wamcp.access.grants import Grant
from wamcp.archive.arrival import first_since, time_here
from wamcp.archive.views import MessageView
from wamcp.db.logins import reader_url
from wamcp.db.session import CONNECT_TIMEOUT_S, ReadConnection
from wamcp.doctor.finding import printable
from wamcp.doctor.number import masked
from wamcp.doctor.place import Place
from wamcp.vocabulary import Actor

EVERY_S = 0.5
FIRST_WORDS = 80


class Waiting:
    """Looks again and again for a message to ``phone_number_id`` that was received after this was made."""

    def __init__(self, phone_number_id: str) -> None:
        self._began = time.monotonic()
        self._since: datetime | None = None
        self._grant = Grant(Actor.ADMIN_API, "wamcp setup", b"", numbers=frozenset({phone_number_id}))
        self.reached = False
        """Whether a database of WAMCP answered yet."""

    def look(self, place: Place) -> MessageView | None:
        """The message, None while there is none, or no database yet."""
        if place.settings.database_url is None:
            return None
        try:
            with psycopg.connect(
                reader_url(place.settings), autocommit=True, connect_timeout=CONNECT_TIMEOUT_S
            ) as connection:
                reading = ReadConnection(connection)
                if self._since is None:
                    self._since = time_here(reading, time.monotonic() - self._began)
                found = first_since(reading, self._grant, self._since)
        except psycopg.Error:
            return None
        self.reached = True
        return found

    def wait(self, find: Callable[[], Place], seconds: float) -> MessageView | None:
        """Looks until there is a message or the time is up."""
        while True:
            found = self.look(find())
            if found is not None or time.monotonic() - self._began > seconds:
                return found
            time.sleep(EVERY_S)


def described(message: MessageView) -> str:
    """Who wrote, with the last digits of the number, and the first words, for the terminal of the person who asked."""
    sender = message.sender
    name = printable(sender.name or sender.username or "") if sender is not None else ""
    number = f" ({masked(sender.wa_id)})" if sender is not None and sender.wa_id else ""
    words = printable(message.text)
    shown = words if len(words) <= FIRST_WORDS else words[:FIRST_WORDS] + " ..."
    return f"{name or 'Somebody'}{number} wrote: {shown or f'[{message.type}]'}"
