"""Objects that may go: noted in the transaction after which no row names them, so that no death leaves one behind."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# An erasure that was cut off kept its list to itself so far.
UPGRADE = """
CREATE TABLE objects_to_delete (storage_key text PRIMARY KEY);
INSERT INTO objects_to_delete SELECT DISTINCT jsonb_array_elements_text(work->'keys') FROM erasures
  WHERE ended_at IS NULL AND work ? 'keys';
"""

DOWNGRADE = """
DROP TABLE objects_to_delete;
"""


def upgrade() -> None:
    _run(UPGRADE)


def downgrade() -> None:
    _run(DOWNGRADE)


def _run(script: str) -> None:
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    connection.execute(script)
