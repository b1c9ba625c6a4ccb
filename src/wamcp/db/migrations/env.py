"""Alembic's entry: one connection, given by wamcp.db.migrate, one transaction."""

from alembic import context

from wamcp.db.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
