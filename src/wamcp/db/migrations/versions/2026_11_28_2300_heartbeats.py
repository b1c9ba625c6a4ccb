"""Seeing: heartbeats of the workers, how long events waited to be understood, and indexes to count what went wrong."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

UPGRADE = """
CREATE TABLE heartbeats (
  role text NOT NULL, host text NOT NULL, pid integer NOT NULL,
  version text NOT NULL, git_version text,
  started_at timestamptz NOT NULL DEFAULT now(), beat_at timestamptz NOT NULL, worked_at timestamptz,
  PRIMARY KEY (role, host, pid)
) WITH (fillfactor = 50);
CREATE TABLE event_lags (
  upto double precision PRIMARY KEY, events bigint NOT NULL, seconds double precision NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX sends_failed ON sends (state) WHERE state = 'failed';
CREATE INDEX media_not_had ON media (state) WHERE state IN ('expired', 'failed');
CREATE INDEX documents_not_read ON documents (state)
  WHERE state IN ('failed', 'too_large', 'unsupported', 'encrypted', 'timeout', 'quarantined');
"""

DOWNGRADE = """
DROP INDEX documents_not_read;
DROP INDEX media_not_had;
DROP INDEX sends_failed;
DROP TABLE event_lags;
DROP TABLE heartbeats;
"""


def upgrade() -> None:
    _run(UPGRADE)


def downgrade() -> None:
    _run(DOWNGRADE)


def _run(script: str) -> None:
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    connection.execute(script)
