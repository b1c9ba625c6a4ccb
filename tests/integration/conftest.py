"""An archive to write into and the reader's way into it."""

from collections.abc import Iterator

import psycopg
import pytest

from tests import factories
from wamcp.db.session import Pool


@pytest.fixture
def archive(database_url: str) -> Iterator[factories.Archive]:
    """An empty archive; write with it, read with ``reader``."""
    with factories.writing(database_url) as archive:
        yield archive


@pytest.fixture
def reader(archive: factories.Archive) -> Iterator[Pool]:
    """A pool of the login that can only read."""
    with factories.reader_pool(archive.url) as pool:
        yield pool


@pytest.fixture
def auditor(archive: factories.Archive) -> Iterator[Pool]:
    """A pool of the login that can only write audit rows."""
    with factories.audit_pool(archive.url) as pool:
        yield pool


@pytest.fixture
def db(database_url: str) -> Iterator[psycopg.Connection]:
    """The owner's connection to an empty archive."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection
