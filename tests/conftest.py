"""Fixtures that every suite shares: one Postgres and one Valkey per session, real ones, made from the wheels."""

import os
from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import settings as hypothesis_settings

from tests.patience import PATIENCE
from wamcp.db.logins import create_logins
from wamcp.db.migrate import migrate
from wamcp.embedded.scratch import FAST, TemporaryPostgres, temporary_directory, temporary_postgres, temporary_valkey
from wamcp.settings import Settings, load

pytest_plugins = ["tests.fault_report"]


# An example that met a busy machine is no fault; a test that hangs has a time-out of its own. Integration draws the
# same examples each time, so that a red run can be had again; elsewhere new ones are looked for.
hypothesis_settings.register_profile("house", deadline=None, derandomize="WAMCP_CI" in os.environ)
hypothesis_settings.load_profile("house")


@pytest.fixture(scope="session")
def postgres() -> Iterator[TemporaryPostgres]:
    """A Postgres without fsync: ``.url``, ``.create()``, ``.clone(label, prepare)``, ``.drop(url)``."""
    with temporary_directory() as directory, temporary_postgres(directory, FAST) as server:
        yield server


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """A Valkey's URL."""
    with temporary_directory() as directory, temporary_valkey(directory) as url:
        yield url


@pytest.fixture
def empty_database(postgres: TemporaryPostgres) -> Iterator[str]:
    """The URL of a new database with nothing in it."""
    url = postgres.create()
    yield url
    postgres.drop(url)


@pytest.fixture
def database_url(postgres: TemporaryPostgres) -> Iterator[str]:
    """The URL of a new database with WAMCP's tables in it, cloned from one that was migrated once."""
    url = postgres.clone("migrated", lambda template: migrate(load({"DATABASE_URL": template})))
    yield url
    postgres.drop(url)


@pytest.fixture
def settings(database_url: str) -> Settings:
    """Settings for :func:`database_url`, whose reader and audit logins exist."""
    settings = load({"DATABASE_URL": database_url, "WAMCP_ENV": "development", "WHATSAPP_APP_SECRET": "5e" * 16})
    with psycopg.connect(database_url, autocommit=True) as connection:
        assert create_logins(connection, settings) == []
    return settings


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that hangs has as much more time as others."""
    if PATIENCE > 1:
        for item in items:
            mark = item.get_closest_marker("timeout")
            item.add_marker(pytest.mark.timeout((mark.args[0] if mark else 120) * PATIENCE), append=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says loudly what was not tested."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        terminalreporter.section(f"{len(skipped)} TESTS WERE SKIPPED", sep="!", red=True, bold=True)
        for reason in sorted({str(report.longrepr[2]) for report in skipped if isinstance(report.longrepr, tuple)}):
            terminalreporter.write_line(reason)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In continuous integration every test has to run.

    But for those on collected files that are not there, those of tesseract where no package of it can be had, those in
    containers, which take twenty minutes more, and the comparison with kubectl, of which there is no package.
    """
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not os.environ.get("WAMCP_CI") or reporter is None or exitstatus != 0:
        return
    expected = ["scripts/install_tesseract.sh", "run `make test-containers`", "kubectl is not here"] + (
        [] if os.environ.get("WAMCP_CORPUS") else ["WAMCP_CORPUS names no"]
    )
    reasons = [str(report.longrepr) for report in reporter.stats.get("skipped", [])]
    if any(not any(words in reason for words in expected) for reason in reasons):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
