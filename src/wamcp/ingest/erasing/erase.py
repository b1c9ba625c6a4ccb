"""Erasing somebody, step by step; one that was cut off is taken up again where it stood."""

from collections.abc import Callable, Sequence

import psycopg

from wamcp import log
from wamcp.db.columns import array
from wamcp.db.tombstones import key_of, remember_messages, remember_people
from wamcp.errors import Conflict, Rejected
from wamcp.ingest.erasing.files import TOUCHED, clean, delete_objects
from wamcp.ingest.erasing.rows import detach, forget, theirs
from wamcp.ingest.erasing.scan import SENT_TO_THEM, keep_shared, named_by, scan
from wamcp.ingest.erasing.traces import pseudonymise
from wamcp.ingest.erasing.whom import Whom, find
from wamcp.ingest.erasing.work import Work, begun, ended, unfinished
from wamcp.ingest.normalize import lock_writing, patient
from wamcp.ingest.reprocess import forget_rebuild
from wamcp.storage.write import WriteStore
from wamcp.vocabulary import Actor, participant_ref
from wamcp.whatsapp.payload.gone import Until

_ERASING = 0x57414D43_06

Progress = Callable[[str], None]
"""Called with what is being done."""

_log = log.get(__name__)


def preview(connection: psycopg.Connection, written: Sequence[str]) -> tuple[Whom, dict[str, int]]:
    """Who is meant, and how much of them there is. Raises :class:`NotVisible`, :class:`Rejected`."""
    whom = find(connection, written)
    messages = theirs(connection, whom.ids)
    values = whom.sent() | {"messages": array(messages)}
    counts = {"participants": len(whom.ids), "identifiers": len(whom.aliases), "names": len(whom.names)}
    counts["messages"] = len(messages)
    for what, query in _COUNTED:
        row = connection.execute(query, values).fetchone()
        counts[what] = row[0] if row else 0
    return whom, counts


def erase(
    url: str, store: WriteStore, written: Sequence[str], by: str, progress: Progress = lambda _: None
) -> list[Work]:
    """Erases who is named by ``written``, after what was cut off before; returns what was done.

    Safe to repeat after any death. Raises :class:`NotVisible` for people who are not known, :class:`Rejected` for those
    under a hold, :class:`Conflict` while a message is on its way to them or another erasure works.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        patient(connection)
        if connection.execute("SELECT pg_try_advisory_lock(%s)", [_ERASING]).fetchone() != (True,):
            raise Conflict("Another wamcp contact erase works on this database: wait until it has ended.")
        done = [_go_on(connection, store, work, progress) for work in unfinished(connection)]
        if written:
            with connection.transaction():
                lock_writing(connection)
                work = _begin(connection, written, by)
            done.append(_go_on(connection, store, work, progress))
        return done


def _begin(connection: psycopg.Connection, written: Sequence[str], by: str) -> Work:
    """From the commit on nothing old of them comes in any more, and whatever is new is somebody else's."""
    whom = find(connection, written)
    held = connection.execute(
        "SELECT participant_id FROM holds WHERE participant_id = ANY(%s::bigint[])", [array(whom.ids)]
    ).fetchall()
    if held:
        ref = participant_ref(held[0][0])
        raise Rejected(f"{ref} is under a legal hold: wamcp contact release {ref} first, if that may be.")
    work = begun(connection, whom, by)
    values = work.sent()
    if connection.execute(f"SELECT s.id {SENT_TO_THEM} AND s.state = 'sending' LIMIT 1", values).fetchone():
        raise Conflict(f"A message is being sent to {whom.refs} just now: try again in a minute.")
    connection.execute(
        "UPDATE sends SET state = 'failed', lease_until = NULL, settled_at = clock_timestamp(),"
        f" reason = 'the recipient was erased' WHERE id IN (SELECT s.id {SENT_TO_THEM} AND s.state = 'queued')",
        values,
    )
    key = key_of(connection)
    identified = {scope for scope, kind, _ in whom.aliases if kind == "bsuid"}
    for is_identified in (True, False):
        people = [alias for alias in whom.spelled() if (alias[0] in identified) is is_identified]
        remember_people(connection, key, people, Until(work.before, is_identified))
    remember_messages(connection, key, named_by(connection, work))
    detach(connection, whom.ids)
    return work


def _go_on(connection: psycopg.Connection, store: WriteStore, work: Work, progress: Progress) -> Work:
    if work.step in ("scan", "shared", "audit", "rows"):
        named = named_by(connection, work)
        if work.step == "scan":
            progress("raw events")
            while scan(connection, work, named):
                pass
            _step(connection, work, "shared")
        if work.step == "shared":
            keep_shared(connection, work)
            _step(connection, work, "audit")
        if work.step == "audit":
            progress("audit")
            pseudonymise(connection, work, named)
            _step(connection, work, "rows")
        progress("rows")
        forget(connection, work, named)
    if work.step == "files":
        progress("files")
        delete_objects(connection, store, work)
        _step(connection, work, "clean")
    progress("room of what was deleted")
    connection.execute(
        "INSERT INTO audit_log (actor, action, target, parameters, outcome, refs)"
        " VALUES (%s, 'erase', %s, '{}', 'ok', %s)",
        [Actor.COMMAND.value, f"erasure {work.id}", [participant_ref(each) for each in work.whom.ids]],
    )
    forget_rebuild(connection)
    clean(connection, TOUCHED)
    ended(connection, work)
    clean(connection, ("erasures",))
    _log.info("erased", erasure=work.id, **{what.replace(" ", "_"): count for what, count in work.counts.items()})
    return work


def _step(connection: psycopg.Connection, work: Work, step: str) -> None:
    work.step = step
    work.save(connection)


_COUNTED = (
    ("conversations", "SELECT count(*) FROM conversations WHERE participant_id = ANY(%(ids)s::bigint[])"),
    ("statuses", "SELECT count(*) FROM statuses WHERE recipient_id = ANY(%(ids)s::bigint[])"),
    ("account events", "SELECT count(*) FROM account_events WHERE participant_id = ANY(%(ids)s::bigint[])"),
    (
        "files",
        "SELECT count(DISTINCT x.media_row_id) FROM messages m JOIN message_media x ON x.number_id = m.number_id"
        " AND x.wamid = m.wamid WHERE m.id = ANY(%(messages)s::bigint[])",
    ),
    (
        "documents",
        "SELECT count(*) FROM messages m JOIN documents d ON d.number_id = m.number_id AND d.wamid = m.wamid"
        " WHERE m.id = ANY(%(messages)s::bigint[])",
    ),
    ("sends", f"SELECT count(*) {SENT_TO_THEM}"),
)
