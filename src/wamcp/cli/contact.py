"""``wamcp contact``: handing somebody everything that is kept of him, erasing him, and forbidding that."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import psycopg

    from wamcp.ingest.erasing.whom import Whom

app = typer.Typer(
    help="Export or erase everything of somebody; hold somebody whom nobody may erase.", no_args_is_help=True
)

BY = "wamcp contact"
Who = Annotated[str, typer.Argument(help="Like p7, a phone number with country code, or a BSUID.")]


@app.command()
def export(who: Who, to: Annotated[Path | None, typer.Option(help="The zip file to write.")] = None) -> None:
    """Write everything that is kept of somebody into a zip file: lines of JSON, and the files themselves."""
    import os

    import psycopg

    from wamcp.archive import dossier
    from wamcp.cli.environment import settings_here
    from wamcp.ingest.erasing.whom import find
    from wamcp.storage.read import open_store

    settings = settings_here()
    with psycopg.connect(settings.direct_url(), autocommit=True) as connection:
        whom = find(connection, [who])
        path = to or Path(f"contact-p{whom.ids[0]}.zip")
        try:
            number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            typer.echo(f"{path} cannot be written ({error.strerror}): say --to FILE.zip.", err=True)
            raise typer.Exit(1) from None
        _audit(connection, "export", whom)
        with os.fdopen(number, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
            counts = dossier.write(connection, open_store(settings), out, whom.ids, whom.values())
    print(f"{path}: {_told(counts)}.")


@app.command()
def erase(
    who: Annotated[
        list[str] | None, typer.Argument(help="Like p7, a phone number, or a BSUID; several at once.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase everything of somebody, for good, after saying what would go; without WHO, go on with what was cut off."""
    import psycopg

    from wamcp.cli.environment import settings_here
    from wamcp.ingest.erasing.erase import erase as run
    from wamcp.ingest.erasing.erase import preview
    from wamcp.storage.write import open_store

    settings = settings_here()
    if who:
        with psycopg.connect(settings.direct_url(), autocommit=True) as connection:
            whom, counts = preview(connection, who)
        print(f"Of {whom.refs}: {_told(counts)}; and every raw event that names them is cut.")
        if whom.near:
            near = ", ".join(f"p{each}" for each in whom.near)
            print(f"{near} may be the same person and is not included: name {near} as well, if so.")
        if not yes and not typer.confirm("Erase all of it? It cannot be undone."):
            raise typer.Exit(1)
    done = run(settings.direct_url(), open_store(settings), who or [], BY, lambda step: typer.echo(step, err=True))
    for work in done:
        print(f"Erased {work.whom.refs}: {_told(work.counts)}.")
    if not done:
        print("There is no erasure to go on with.")


@app.command()
def hold(who: Who, reason: Annotated[str, typer.Option(help="Why; it is shown to whoever wants to erase.")]) -> None:
    """Forbid to erase somebody, and let no retention touch what is his, until `release`."""
    with _found(who, "hold") as (connection, whom):
        for participant in whom.ids:
            connection.execute(
                "INSERT INTO holds (participant_id, set_by, reason) VALUES (%s, %s, %s)"
                " ON CONFLICT (participant_id) DO UPDATE SET reason = excluded.reason",
                [participant, BY, reason],
            )
        print(f"{whom.refs} cannot be erased until: wamcp contact release {who}")


@app.command()
def release(who: Who) -> None:
    """Take a hold back."""
    with _found(who, "release") as (connection, whom):
        done = connection.execute("DELETE FROM holds WHERE participant_id = ANY(%s::bigint[])", [whom.ids])
        print(f"{whom.refs}: {'released' if done.rowcount else 'there was no hold'}.")


@contextmanager
def _found(who: str, action: str) -> "Iterator[tuple[psycopg.Connection, Whom]]":
    import psycopg

    from wamcp.cli.environment import settings_here
    from wamcp.ingest.erasing.whom import find

    with psycopg.connect(settings_here().direct_url(), autocommit=True) as connection:
        whom = find(connection, [who])
        _audit(connection, action, whom)
        yield connection, whom


def _audit(connection: "psycopg.Connection", action: str, whom: "Whom") -> None:
    """Who was handed out or held is audited like every look at them; committed before it is done."""
    from wamcp.vocabulary import Actor

    connection.execute(
        "INSERT INTO audit_log (actor, action, target, parameters, outcome, refs) VALUES (%s, %s, %s, '{}', 'ok', %s)",
        [Actor.COMMAND.value, action, BY, [f"p{each}" for each in whom.ids]],
    )


def _told(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {what.replace('_', ' ')}" for what, count in counts.items() if count) or "nothing"
