"""Files: whether a bearer may have one that messages carry, and under which key its bytes lie."""

from dataclasses import dataclass

from wamcp.access.grants import Grant
from wamcp.archive.scope import scope_of
from wamcp.db.session import ReadConnection
from wamcp.errors import NotVisible
from wamcp.vocabulary import media_ref


@dataclass(frozen=True, slots=True)
class FileView:
    """One file; ``storage_key`` and ``size`` (bytes) are None until it is stored, ``reason`` says what is odd."""

    id: str
    state: str
    storage_key: str | None
    size: int | None
    mime_type: str | None
    filename: str | None
    reason: str | None


def file_of(connection: ReadConnection, grant: Grant, row_id: int) -> FileView:
    """The file with this row id. Raises :class:`NotVisible`.

    A bearer without limits sees every one, others those of the messages they see, if they may have media at all.
    """
    scope = scope_of(connection, grant)
    carried = (
        "EXISTS (SELECT FROM message_media x JOIN messages m ON m.number_id = x.number_id AND m.wamid = x.wamid"
        f" WHERE x.media_row_id = f.id AND {scope.messages('m')})"
    )
    is_limited = grant.numbers is not None or grant.since is not None
    row = None
    if grant.media or not is_limited:
        row = connection.execute(
            "SELECT f.state, f.storage_key_raw, f.size, f.mime_type, f.filename, f.reason FROM media f"
            f" WHERE f.id = %(file)s AND {carried if is_limited else 'true'}",
            {**scope.parameters(), "file": row_id},
        ).fetchone()
    if row is None:
        raise NotVisible(f"No file {media_ref(row_id)} is visible to this key.")
    return FileView(media_ref(row_id), *row)
