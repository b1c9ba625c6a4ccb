"""One question: one connection of the reader's, one snapshot, and errors that the asker understands."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout

from wamcp.db.session import Pool, ReadConnection, reading
from wamcp.errors import Overloaded, TooSlow

_NOT_MIGRATED = "The database lacks this release's tables or the reader's rights to them: run wamcp migrate."
_UNREACHABLE = "The database does not answer; try again in a moment."


@contextmanager
def asking(pool: Pool) -> Iterator[ReadConnection]:
    """A connection for one question.

    Raises :class:`TooSlow` when the statement timeout struck, :class:`Overloaded` when the database does not answer.
    """
    with translating(), reading(pool) as connection:
        yield connection


@contextmanager
def translating() -> Iterator[None]:
    """Turns the database's errors into those of :func:`asking`."""
    try:
        yield
    except psycopg.errors.QueryCanceled as error:
        raise TooSlow from error
    except (psycopg.OperationalError, PoolTimeout, PoolClosed) as error:
        raise Overloaded(_UNREACHABLE) from error
    except (
        psycopg.errors.UndefinedTable,
        psycopg.errors.UndefinedColumn,
        psycopg.errors.InsufficientPrivilege,
    ) as error:
        raise Overloaded(_NOT_MIGRATED) from error
