"""Incoming media: which messages carry which file, and which files wait to be fetched."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

UPGRADE = """
CREATE TABLE message_media (
  number_id integer NOT NULL, wamid text NOT NULL,
  media_row_id bigint NOT NULL REFERENCES media (id),
  PRIMARY KEY (number_id, wamid, media_row_id)
);
CREATE INDEX message_media_of_media ON message_media (media_row_id);
CREATE INDEX media_pending ON media (next_attempt_at) WHERE state = 'pending';
"""

DOWNGRADE = """
DROP INDEX media_pending;
DROP TABLE message_media;
"""


def upgrade() -> None:
    _run(UPGRADE)


def downgrade() -> None:
    _run(DOWNGRADE)


def _run(script: str) -> None:
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    connection.execute(script)
