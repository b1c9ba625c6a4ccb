"""The ``wamcp`` command. Each subcommand imports its part only when it is called, so that all of them start quickly."""

import sys
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wamcp.cli import contact, mcp, objects, token
from wamcp.cli.backup import backup, restore
from wamcp.cli.doctor import doctor
from wamcp.cli.extract import extract
from wamcp.cli.graph import simulate_graph
from wamcp.cli.operate import merge, unpark
from wamcp.cli.send import send
from wamcp.cli.setup import setup
from wamcp.cli.smoke import smoke
from wamcp.cli.traffic import send_webhook, simulate_traffic
from wamcp.cli.tunnel import tunnel
from wamcp.cli.up import up
from wamcp.errors import WamcpError

if TYPE_CHECKING:
    from wamcp.settings import Settings

app = typer.Typer(
    help="A WhatsApp archive on Meta's Cloud API that Claude can read and search, read-only and audited.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


for command in (
    *(up, setup, doctor, smoke, tunnel, extract, send, send_webhook, simulate_graph, simulate_traffic, unpark, merge),
    *(backup, restore),
):
    app.command()(command)
app.add_typer(objects.app, name="objects")
app.add_typer(mcp.app, name="mcp")
app.add_typer(token.app, name="token")
app.add_typer(contact.app, name="contact")


class ApiPart(StrEnum):
    """What ``wamcp api --only`` may name."""

    DOOR = "door"
    ANSWERS = "answers"


class WorkerPart(StrEnum):
    """What ``wamcp worker --only`` may name."""

    NORMALIZER = "normalizer"
    CELERY = "celery"


@app.command()
def demo(
    once: Annotated[bool, typer.Option(help="End after the answers.")] = False,
    state_dir: Annotated[Path | None, typer.Option(help="Where it is kept; emptied first.")] = None,
) -> None:
    """Start everything here, play a day of invented messages, and ask Claude's questions."""
    from wamcp.cli.demo import demo as run
    from wamcp.cli.up import default_state_dir

    sys.exit(run(state_dir or default_state_dir().with_name("wamcp-demo"), once=once))


@app.command()
def api(only: Annotated[ApiPart | None, typer.Option(help="Serve the webhook alone, or all but it.")] = None) -> None:
    """Serve the webhook, the admin API and /mcp."""
    from wamcp import telemetry
    from wamcp.api import serve

    settings = _settings(safe=True)
    if settings.migrate_on_start:
        _migrate(settings)
    telemetry.start(settings, "api")
    serve(settings, only=None if only is None else only.value)


@app.command()
def worker(only: Annotated[WorkerPart | None, typer.Option(help="Run one part alone.")] = None) -> None:
    """Understand what was received, and do the slow work: two processes, both watched and restarted."""
    from wamcp.cli.worker import require_safe_orders, run

    settings = _settings()
    require_safe_orders(settings, None if only is None else only.value)
    if settings.migrate_on_start:
        _migrate(settings)
    run(settings, None if only is None else only.value)


@app.command()
def migrate() -> None:
    """Bring the database to the newest schema and create its two limited logins."""
    _migrate(_settings())


@app.command()
def reprocess(
    since: Annotated[datetime | None, typer.Option(help="Only events received from then on (UTC).")] = None,
    verify: Annotated[bool, typer.Option(help="Build beside the archive and print the difference.")] = False,
) -> None:
    """Derive people, conversations and messages again from the raw events; ids do not change."""
    from wamcp.cli.rebuild import reprocess as run

    sys.exit(run(_settings(), since, verify))


@app.command()
def checksum() -> None:
    """Print a hash of everything that is derived from the raw events."""
    from wamcp.cli.rebuild import checksum as run

    run(_settings())


def _settings(*, safe: bool = False) -> "Settings":
    from wamcp.cli.environment import settings_here
    from wamcp.safety import require_safe

    settings = settings_here()
    if safe:
        require_safe(settings)
    return settings


def _migrate(settings: "Settings") -> None:
    from wamcp.db.migrate import migrate as run

    refused = run(settings)
    if refused:
        typer.echo("A superuser still has to run this in the database:\n" + "\n".join(refused), err=True)


def main() -> None:
    """The entry of the ``wamcp`` command: errors are sentences on stderr, exit code 1."""
    try:
        app()
    except Exception as error:
        sentence = str(error) if isinstance(error, WamcpError) else _database_trouble(error)
        if sentence is None:
            raise
        typer.echo(sentence, err=True)
        sys.exit(1)


def _database_trouble(error: Exception) -> str | None:
    import psycopg

    if isinstance(error, psycopg.OperationalError):
        said = str(error).splitlines()[:1] or [type(error).__name__]
        return f"The database does not answer: {said[0]}. Does it run, and is DATABASE_URL its address?"
    if isinstance(error, psycopg.ProgrammingError) and error.sqlstate is None:  # what it quotes may hold the password
        return "DATABASE_URL is not an address of Postgres: set it to postgresql://user:password@host:5432/database."
    return None


if __name__ == "__main__":
    main()
