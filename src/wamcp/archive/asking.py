"""One question: one connection of the reader's, one snapshot, and errors that the asker understands."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout

from wamcp.db.session import Pool, ReadConnection, reading
from wamcp.errors import Overloaded, TooSlow


@contextmanager
def asking(pool: Pool) -> Iterator[ReadConnection]:
    """A connection for one question.

    Raises :class:`TooSlow` when the statement timeout struck, :class:`Overloaded` when the database does not answer.
    """
    try:
        with reading(pool) as connection:
            yield connection
    except psycopg.errors.QueryCanceled as error:
        raise TooSlow from error
    except (psycopg.OperationalError, PoolTimeout, PoolClosed) as error:
        raise Overloaded("The database does not answer; try again in a moment.") from error
