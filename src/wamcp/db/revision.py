"""Which schema this release expects, known without loading the migrations."""

import psycopg

HEAD = "0009"


def is_current(connection: psycopg.Connection) -> bool:
    """Whether the database stands at :data:`HEAD` or beyond: a newer schema serves the previous release as well."""
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return row is not None and row[0] >= HEAD
