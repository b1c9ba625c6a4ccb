"""Scopes of tokens, and the way from a token to what was last asked with it."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# The release before this one goes on making tokens beside it: they get the least.
UPGRADE = """
ALTER TABLE tokens ADD COLUMN scopes text[] NOT NULL DEFAULT '{read}';
UPDATE tokens SET scopes = '{read,send,operate,metrics}' WHERE kind = 'admin';
CREATE INDEX audit_log_token ON audit_log (token_id, at) WHERE token_id IS NOT NULL;
"""

DOWNGRADE = """
DROP INDEX audit_log_token;
ALTER TABLE tokens DROP COLUMN scopes;
"""


def upgrade() -> None:
    _run(UPGRADE)


def downgrade() -> None:
    _run(DOWNGRADE)


def _run(script: str) -> None:
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    connection.execute(script)
