"""The checks of what WAMCP works with: the database and its logins, the broker, Celery, and what waits."""

from collections.abc import Callable
from typing import Any

import psycopg
import redis

from wamcp.archive import house
from wamcp.db import logins, revision
from wamcp.db.session import CONNECT_TIMEOUT_S, ReadConnection
from wamcp.doctor.case import Case
from wamcp.doctor.finding import Said, failed, ok, warning
from wamcp.jobs import celery_app

OLDEST_VERSION = 160_000
STATEMENT_MS = 3000
PING_S, PINGS = 1.5, 3
PENDING_S = 60.0
_MIGRATE = "run `wamcp migrate`; it prints what only a superuser may run, if there is such a thing"


def database(case: Case) -> Said:
    """Postgres answers, and is new enough."""
    if case.settings.database_url is None:
        return failed("DATABASE_URL is not set, and no `wamcp up` runs here", f"start it: {case.place.start}")
    try:
        with _connect(case.settings.direct_url()) as connection:
            version = connection.info.parameter_status("server_version") or ""
            number = connection.info.server_version
    except psycopg.Error as failure:
        return failed(f"the database does not answer: {_first_line(failure)}", "start Postgres, and check DATABASE_URL")
    if number < OLDEST_VERSION:
        return failed(f"Postgres {version} is too old", "move to Postgres 16 or newer")
    return ok(f"Postgres {version} answers")


def schema(case: Case) -> Said:
    """The tables are those of this release."""
    with _connect(case.settings.direct_url()) as connection:
        try:
            current = revision.is_current(connection)
        except psycopg.errors.UndefinedTable:
            return failed("the database has no tables of WAMCP", _MIGRATE)
        if current:
            return ok(f"at {revision.HEAD}")
    return failed(
        f"the tables are not those of this release ({revision.HEAD})", f"{_MIGRATE}, with the release that runs"
    )


def reader(case: Case) -> Said:
    """The two limited logins work: the one that reads and the one that writes audit rows."""
    looks: tuple[tuple[str, str, Callable[[Any], object]], ...] = (
        ("can only read", logins.reader_url(case.settings), house.backlog),
        ("can only write audit rows", logins.audit_url(case.settings), house.ping),
    )
    for what, url, use in looks:
        try:
            with _connect(url, limits=False) as connection:
                use(connection)
        except psycopg.Error as failure:
            return failed(f"the login that {what} does not work: {_first_line(failure)}", _MIGRATE)
    return ok("both limited logins work")


def pending(case: Case) -> Said:
    """What was received is understood soon: the normalizer works."""
    with _connect(logins.reader_url(case.settings), limits=False) as connection:
        found = house.backlog(ReadConnection(connection))
    parked = sum(found.parked.values())
    also = f"; {parked} parked (GET /admin/events?state=parked)" if parked else ""
    if found.oldest_pending_seconds > PENDING_S:
        return warning(
            f"webhooks that wait to be understood: {found.events_pending}, the oldest for "
            f"{found.oldest_pending_seconds:.0f} s{also}",
            "start the normalizer (`wamcp worker`, or `wamcp up`), and look into its log",
        )
    return ok(f"webhooks that wait: {found.events_pending}{also}")


def broker(case: Case) -> Said:
    """The broker answers."""
    if case.settings.redis_url is None:
        return failed("REDIS_URL is not set, and no `wamcp up` runs here", f"start it: {case.place.start}")
    url = case.settings.redis_url.get_secret_value()
    try:
        with redis.Redis.from_url(url, socket_timeout=PING_S, socket_connect_timeout=PING_S) as client:
            client.ping()
    except (redis.RedisError, ValueError) as failure:
        return failed(
            f"the broker does not answer ({type(failure).__name__})", "start Redis or Valkey, and check REDIS_URL"
        )
    return ok("answers")


def celery(case: Case) -> Said:
    """A Celery worker answers a ping, so that what is to be sent is sent."""
    assert case.settings.redis_url is not None
    app = celery_app(case.settings.redis_url.get_secret_value())
    for _ in range(PINGS):  # one that is just starting does not hear the first
        if app.control.ping(timeout=PING_S, limit=1):
            return ok("a worker answers")
    return warning("no worker answers, so nothing is sent", "start `wamcp worker` (`wamcp up` starts it by itself)")


def _connect(url: str, *, limits: bool = True) -> psycopg.Connection:
    """A connection that waits for nothing long; the reader's login has its own limits."""
    options = f"-c statement_timeout={STATEMENT_MS}" if limits else None
    return psycopg.connect(
        url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S, application_name="wamcp doctor", options=options
    )


def _first_line(failure: psycopg.Error) -> str:
    if isinstance(failure, psycopg.ProgrammingError) and failure.sqlstate is None:  # what it quotes may be a password
        return "its address is none of Postgres, which looks like postgresql://user:password@host:5432/database"
    return (str(failure).splitlines() or [type(failure).__name__])[0]
