"""Where a request to send is taken: written down once, handed over at once if it can be, and told how it went."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

import psycopg
from psycopg_pool import PoolClosed

from wamcp.db import sends
from wamcp.db.media import keep_upload
from wamcp.db.sends import NewSend, SendRow, SendsQuery
from wamcp.db.windows import OurNumber, Place, our_numbers, place_of, wamid_of
from wamcp.errors import Conflict, Misconfigured, NotSendable, NotVisible, Overloaded, Uncertain
from wamcp.jobs import SEND, kick
from wamcp.phones import digits_of
from wamcp.sending.hand_over import hand_over
from wamcp.sending.means import Means
from wamcp.sending.queue import new_callback
from wamcp.sending.told import SendAnswer, answer_of, deliveries
from wamcp.sending.wanted import Recipient, Wanted
from wamcp.vocabulary import RecipientKind, SendOrigin, SendState, row_id, send_ref
from wamcp.whatsapp.graph_errors import meaning_of
from wamcp.whatsapp.outgoing.read import read_body
from wamcp.whatsapp.outgoing.uploads import MAX_UPLOAD

INLINE_PATIENCE_S = 1.0
"""So long a request waits for its turn; then it is answered `queued`, and the worker sends."""
_CLOSED = (
    "is asked for, but the recipient has not written for 24 hours as far as the archive knows: send a template"
    " (POST /send/template), or leave this out and let Meta decide"
)


@dataclass(frozen=True, slots=True)
class Desk:
    """The sending of one process, for the web."""

    means: Means

    def send(self, wanted: Wanted) -> SendAnswer:
        """Sends, or says why not. Raises :class:`NotSendable`, :class:`Conflict`."""
        with _keeping_count():
            return self._go_on(take(self.means, wanted))

    def retry(self, send_id: int, asked_by: str, *, even_if_unknown: bool) -> SendAnswer:
        """Sends again, as a new send, what failed; what may have arrived only when the asker says so.

        Raises :class:`NotVisible`, :class:`Conflict` when there is nothing to try again, or somebody does already.
        """
        with self.means.pool.connection() as connection:
            row = _known(connection, send_id)
            _refuse_second(connection, send_id)
        if row.state == SendState.UNKNOWN and not even_if_unknown:
            raise Conflict(
                f"{send_ref(send_id)} may have been delivered: look at the recipient's phone, then say"
                " even_if_unknown to send it once more."
            )
        if row.state not in (SendState.FAILED, SendState.UNKNOWN):
            raise Conflict(f"{send_ref(send_id)} is {row.state}: only what failed can be tried again.")
        wanted = Wanted(
            recipient=Recipient(RecipientKind(row.recipient_kind), row.recipient),
            type=row.type,
            body=row.body,
            sender=row.phone_number_id,
            media_row_id=row.media_row_id,
            asked_by=asked_by,
        )
        with _keeping_count():
            return self._go_on(take(self.means, wanted, retry_of=send_id))

    def newest(self, query: SendsQuery) -> list[SendAnswer]:
        """The sends that are asked for, newest first."""
        with self.means.pool.connection() as connection:
            rows = sends.newest(connection, query)
            told = deliveries(connection, rows)
        return [answer_of(row, *told.get(row.id, (None, None))) for row in rows]

    def look(self, send_id: int) -> SendAnswer:
        """Where a send stands. Raises :class:`NotVisible`."""
        with self.means.pool.connection() as connection:
            row = _known(connection, send_id)
            conversation, delivery = deliveries(connection, [row]).get(row.id, (None, None))
        return answer_of(row, conversation, delivery)

    def keep_upload(self, file: BinaryIO, mime_type: str, filename: str | None, sender: str | None) -> int:
        """Keeps a file that is to be sent; returns its row of ``media``. Raises what the object store raises."""
        with self.means.pool.connection() as connection:
            number = number_of(our_numbers(connection), self.means, sender)
        stored = self.means.store.put(file, cap=MAX_UPLOAD)
        with self.means.pool.connection() as connection:
            return keep_upload(connection, number.phone_number_id, stored, mime_type, filename)

    def mark_read(self, sender: str | None, message_id: str, typing: bool) -> None:
        """Tells the sender of a message, and of those before it, that they were read; perhaps that an answer comes.

        Raises :class:`NotSendable` with Meta's words when it refuses, :class:`Overloaded` when it cannot be reached.
        """
        graph = self.means.graph
        if graph is None:
            raise Misconfigured("There is no access token: set WHATSAPP_ACCESS_TOKEN.")
        with self.means.pool.connection() as connection:
            number = number_of(our_numbers(connection), self.means, sender)
        reply = graph.post(f"{number.phone_number_id}/messages", read_body(message_id, typing))
        if reply.is_fine:
            return
        if reply.error is None:
            raise Overloaded(f"Meta did not say that it was done ({reply.reason or reply.status}); ask again.")
        meaning = meaning_of(reply.error.code, status=reply.status)
        raise NotSendable("message_id", f"was refused: {meaning.words} (Meta {reply.error.code}); {meaning.advice}")

    def wamid(self, written: str, sender: str | None) -> str:
        """The wamid that is meant by ``m123`` or by a wamid. Raises :class:`NotVisible`."""
        short = row_id(written.lower(), "m") if written[:1] in ("m", "M") else None
        if short is None:
            return written
        with self.means.pool.connection() as connection:
            number = None if sender is None else number_of(our_numbers(connection), self.means, sender)
            found = wamid_of(connection, number.phone_number_id if number else None, short)
        if found is None:
            raise NotVisible(f"There is no message {written[:30]} at this number.")
        return found

    def _go_on(self, taken: "Taken") -> SendAnswer:
        if taken.is_new and taken.send.leased:
            hand_over(self.means, taken.send, INLINE_PATIENCE_S, asked_now=True)
        told = self.look(taken.send.id)
        url = self.means.settings.redis_url
        if told.state == SendState.QUEUED and url is not None:
            kick(url.get_secret_value(), SEND)  # without a broker the worker's sweep finds it within a second
        return told.model_copy(update={"replayed": not taken.is_new})


@contextmanager
def _keeping_count() -> Iterator[None]:
    """Says what to do when the database goes away: the message may have been sent."""
    try:
        yield
    except (psycopg.OperationalError, PoolClosed) as error:
        raise Uncertain from error


class Taken(NamedTuple):
    """A send that was written down now, or the earlier one under the same idempotency key."""

    send: SendRow
    is_new: bool


def take(means: Means, wanted: Wanted, retry_of: int | None = None, *, inline: bool = True) -> Taken:
    """Writes a send down, leased to the caller when it is to go at once and nothing waits before it.

    Raises :class:`NotSendable` for what cannot be sent at all, :class:`Conflict` for a key that is used otherwise.
    """
    refuse_unwritable(wanted)
    with means.pool.connection() as connection:
        number = number_of(our_numbers(connection), means, wanted.sender)
        place = place_of(connection, number, wanted.recipient.kind, wanted.recipient.value)
        is_outside = _is_outside(wanted, place)
        if is_outside and wanted.require_open_window:
            raise NotSendable("require_open_window", _CLOSED)
        new = NewSend(
            callback=new_callback(),
            origin=wanted.origin.value,
            asked_by=wanted.asked_by,
            idempotency_key=wanted.idempotency_key,
            fingerprint=wanted.fingerprint(),
            retry_of=retry_of,
            phone_number_id=number.phone_number_id,
            recipient_kind=wanted.recipient.kind.value,
            recipient=wanted.recipient.value,
            type=wanted.type,
            body=wanted.body,
            media_row_id=wanted.media_row_id,
            window_open_until=place.window_open_until,
            outside_window=is_outside,
        )
        with connection.transaction():
            if retry_of is not None:
                _refuse_second(connection, retry_of)
            leased = inline and not sends.has_earlier(connection, number.phone_number_id, wanted.recipient.value)
            send_id = sends.write_down(connection, new, leased=leased)
        row = sends.by_id(connection, send_id) if send_id is not None else None
        if row is not None:
            return Taken(row, True)
        return Taken(_earlier(sends.by_key(connection, wanted.idempotency_key or ""), new.fingerprint), False)


def _known(connection: psycopg.Connection, send_id: int) -> SendRow:
    row = sends.by_id(connection, send_id)
    if row is None:
        raise NotVisible(f"There is no send {send_ref(send_id)}.")
    return row


def _refuse_second(connection: psycopg.Connection, send_id: int) -> None:
    """Raises :class:`Conflict` when somebody tries this send again already; keeps others out until the commit."""
    again = sends.retried_by(connection, send_id)
    if again is not None:
        raise Conflict(f"{send_ref(again)} tries {send_ref(send_id)} again already.")


def number_of(known: list[OurNumber], means: Means, sender: str | None) -> OurNumber:
    """The number to send from: as asked, as configured, or the only one. Raises :class:`NotSendable`."""
    configured, waba_id = means.settings.phone_number_id, means.settings.waba_id
    wanted = (sender or configured or "").strip()
    if not wanted and len(known) == 1:
        return known[0]
    found = [
        number
        for number in known
        if wanted
        and (number.phone_number_id == wanted or digits_of(number.display_phone_number or "") == _digits(wanted))
    ]
    if found:
        return found[0]
    if wanted and wanted == configured:
        if not waba_id:
            raise NotSendable("from", "is a number of which no webhook has told yet: set WHATSAPP_WABA_ID")
        return OurNumber(wanted, None, None, waba_id, None)
    names = ", ".join(f"{n.phone_number_id} ({n.display_phone_number})" for n in known) or "none yet"
    if wanted:
        raise NotSendable("from", f"is none of our numbers; known are: {names}")
    raise NotSendable(
        "from", f"is missing: say which number sends, or set WHATSAPP_PHONE_NUMBER_ID; known are: {names}"
    )


def refuse_unwritable(wanted: Wanted) -> None:
    """Raises :class:`NotSendable` for characters that no database and no JSON of Meta's can hold."""
    written = json.dumps(wanted.body, ensure_ascii=False)
    if sends.NUL.search(written):
        raise NotSendable("body", "holds the character NUL: remove it")
    try:
        written.encode()
    except UnicodeEncodeError:
        raise NotSendable("body", "holds half of a surrogate pair: send whole Unicode characters") from None


def _digits(written: str) -> str | None:
    return digits_of(written) or None


def _is_outside(wanted: Wanted, place: Place) -> bool:
    if wanted.type == "template" or wanted.recipient.kind == RecipientKind.GROUP or wanted.origin == SendOrigin.ECHO:
        return False
    return place.window_open_until is None


def _earlier(row: SendRow | None, fingerprint: bytes) -> SendRow:
    if row is None:
        raise Conflict("Another request with this Idempotency-Key is being written down: ask again.")
    if row.fingerprint != fingerprint:
        raise NotSendable("Idempotency-Key", "was used for another request within 7 days: use a new one")
    if row.leased or row.state == SendState.SENDING:
        raise Conflict(f"{send_ref(row.id)} with this Idempotency-Key is under way: ask again in ten seconds.")
    return row
