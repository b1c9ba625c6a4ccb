"""What the derived tables say, row by row and without our ids, so that two builds of them can be compared."""

import hashlib

import psycopg
from psycopg import sql

DERIVED = (
    "numbers",
    "participants",
    "participant_aliases",
    "participant_names",
    "merge_candidates",
    "conversations",
    "messages",
    "daily_counts",
    "statuses",
    "message_state",
    "account_events",
    "unknowns",
    "parked",
    "message_media",
)
"""The tables that reprocessing rebuilds."""
BESIDE = ("media", "documents", "document_pages")
"""Tables in which reprocessing only adds what is missing: they also hold what came of it since."""

# A person is known by aliases, a conversation by our number and its partner: ids differ from build to build.
_PEOPLE = """
people AS (
  SELECT participant_id AS id,
    md5(string_agg(concat_ws('|', scope, kind, value), ',' ORDER BY scope, kind, value)) AS key
  FROM {s}.participant_aliases GROUP BY participant_id
), threads AS (
  SELECT c.id, concat_ws('|', n.phone_number_id, p.key, c.group_id) AS key
  FROM {s}.conversations c JOIN {s}.numbers n ON n.id = c.number_id LEFT JOIN people p ON p.id = c.participant_id
)
"""

_LINES = {
    "numbers": "SELECT concat_ws('|', phone_number_id, display_phone_number, waba_id, scope) FROM {s}.numbers",
    "participants": """
        SELECT concat_ws('|', k.key, p.name, 'user', p.username)
        FROM {s}.participants p JOIN people k ON k.id = p.id""",
    "participant_aliases": """
        SELECT concat_ws('|', k.key, scope, kind, value)
        FROM {s}.participant_aliases a JOIN people k ON k.id = a.participant_id""",
    "participant_names": """
        SELECT concat_ws('|', k.key, kind, value, extract(epoch FROM first_seen_at), last_seen_day)
        FROM {s}.participant_names n JOIN people k ON k.id = n.participant_id""",
    "merge_candidates": """
        SELECT DISTINCT concat_ws('|', least(o.key, t.key), greatest(o.key, t.key))
        FROM {s}.merge_candidates c JOIN people o ON o.id = c.one_id JOIN people t ON t.id = c.other_id""",
    "conversations": """
        SELECT concat_ws('|', t.key, message_count, extract(epoch FROM last_message_at),
          'in', extract(epoch FROM last_inbound_at), 'out', extract(epoch FROM last_outbound_at))
        FROM {s}.conversations c JOIN threads t ON t.id = c.id
        WHERE EXISTS (SELECT FROM {s}.messages m WHERE m.conversation_id = c.id)""",
    "messages": """
        SELECT concat_ws('|', n.phone_number_id, m.wamid, t.key, 'from', k.key, m.direction, m.source, m.type,
          extract(epoch FROM m.sent_at), m.day, m.standing, 'to', m.reply_to, 'about', m.refers_to, 'as', m.party_wa_id,
          m.party_bsuid, m.text, 'words', m.search_text, m.content)
        FROM {s}.messages m JOIN {s}.numbers n ON n.id = m.number_id JOIN threads t ON t.id = m.conversation_id
        LEFT JOIN people k ON k.id = m.sender_id""",
    "daily_counts": """
        SELECT concat_ws('|', n.phone_number_id, d.day, d.inbound, d.outbound)
        FROM {s}.daily_counts d JOIN {s}.numbers n ON n.id = d.number_id""",
    "statuses": """
        SELECT concat_ws('|', n.phone_number_id, x.wamid, x.status, x.participant, extract(epoch FROM x.at),
          'to', k.key, x.errors, 'price', x.pricing, x.kind, 'with', x.callback_data, x.extra)
        FROM {s}.statuses x JOIN {s}.numbers n ON n.id = x.number_id LEFT JOIN people k ON k.id = x.recipient_id""",
    "message_state": """
        SELECT concat_ws('|', n.phone_number_id, x.wamid, x.rank, x.status, extract(epoch FROM x.at))
        FROM {s}.message_state x JOIN {s}.numbers n ON n.id = x.number_id""",
    "account_events": """
        SELECT concat_ws('|', a.field, a.event, extract(epoch FROM a.at), a.waba_id, 'on', n.phone_number_id,
          a.display_phone_number, 'group', a.group_id, 'who', k.key, 'about', a.subject_kind, a.subject, a.severity,
          a.text, a.details)
        FROM {s}.account_events a LEFT JOIN {s}.numbers n ON n.id = a.number_id
        LEFT JOIN people k ON k.id = a.participant_id""",
    "unknowns": "SELECT concat_ws('|', kind, path, count) FROM {s}.unknowns",
    "parked": """
        SELECT concat_ws('|', encode(e.sha256, 'hex'), p.item, p.kind, p.reason)
        FROM {s}.parked p JOIN public.webhook_events e ON e.id = p.event_id
        WHERE p.kind NOT IN ('failed', 'killed')""",
    "message_media": """
        SELECT concat_ws('|', n.phone_number_id, x.wamid, f.media_id)
        FROM {s}.message_media x JOIN {s}.numbers n ON n.id = x.number_id JOIN {s}.media f ON f.id = x.media_row_id
        JOIN {s}.messages m ON m.number_id = x.number_id AND m.wamid = x.wamid
        WHERE m.source <> 'send'""",
}


def lines(table: str, schema: str = "public") -> sql.Composed:
    """A SELECT of one text column, one row per row of ``table`` in ``schema``."""
    body = sql.SQL("WITH " + _PEOPLE + " SELECT line FROM (" + _LINES[table] + ") AS content (line)")
    return body.format(s=sql.Identifier(schema))


def checksum(connection: psycopg.Connection, schema: str = "public") -> dict[str, tuple[int, str]]:
    """(rows, hash) of every derived table and, as ``all``, of everything; the same content gives the same hash."""
    found: dict[str, tuple[int, str]] = {}
    for table in DERIVED:
        row = connection.execute(
            sql.SQL(
                "SELECT count(*), coalesce(sum(('x' || substr(md5(line), 1, 16))::bit(64)::bigint::numeric), 0)"
                " FROM ({}) AS content"
            ).format(lines(table, schema))
        ).fetchone()
        rows, total = row if row else (0, 0)
        found[table] = (rows, hashlib.sha256(f"{table} {rows} {total}".encode()).hexdigest()[:16])
    everything = " ".join(value for _, value in found.values())
    found["all"] = (sum(rows for rows, _ in found.values()), hashlib.sha256(everything.encode()).hexdigest()[:16])
    return found
