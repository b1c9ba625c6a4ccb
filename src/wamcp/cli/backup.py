"""``wamcp backup`` and ``wamcp restore``: a copy of everything in a directory, proved, and brought back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from wamcp.backup.manifest import Manifest
    from wamcp.settings import Settings


def backup(
    to: Annotated[
        Path | None, typer.Option(help="The directory to write; used again, only what is new is copied.")
    ] = None,
    verify: Annotated[Path | None, typer.Option(help="A backup to check, file by file.")] = None,
    scratch: Annotated[bool, typer.Option(help="With --verify: restore it beside the archive and compare.")] = False,
) -> None:
    """Copy database and objects into a directory while everything runs, or check such a copy."""
    from wamcp.backup.bring_back import check, try_out
    from wamcp.backup.make import back_up
    from wamcp.cli.environment import settings_here
    from wamcp.storage.read import open_store

    if (to is None) == (verify is None):
        typer.echo("Say --to DIR to make a backup, or --verify DIR to check one.", err=True)
        raise typer.Exit(2)
    settings = settings_here()
    if to is not None:
        made = back_up(settings.direct_url(), open_store(settings), to, _bins(settings), _say)
        print(f"{to}: {_told(made)}")
        return
    assert verify is not None
    print(f"Every file is as it was written: {_told(check(verify))}")
    if scratch:
        _report(try_out(verify, settings.direct_url(), _bins(settings)))


def restore(
    source: Annotated[Path, typer.Option("--from", help="A directory that wamcp backup wrote.")],
    into_empty: Annotated[bool, typer.Option("--into-empty", help="Only into a database without any table.")] = False,
) -> None:
    """Bring a backup back into an archive in which there is nothing; then restart what runs on it."""
    from wamcp.backup.bring_back import bring_back
    from wamcp.cli.environment import settings_here
    from wamcp.storage.write import open_store

    settings = settings_here()
    manifest, differences = bring_back(
        settings, open_store(settings), source, _bins(settings), into_empty=into_empty, progress=_say
    )
    print(f"Restored: {_told(manifest)}")
    _report(differences)


def _report(differences: list[str]) -> None:
    for each in differences:
        print(each)
    if differences:
        raise typer.Exit(1)
    print("No difference: the same rows and the same checksum as when it was made.")


def _told(manifest: "Manifest") -> str:
    checksum = f", checksum {manifest.checksum['all'][1]}" if manifest.checksum else ""
    return (
        f"schema {manifest.revision}, {sum(manifest.rows.values()):,} rows in {manifest.database_bytes:,} bytes,"
        f" {manifest.objects:,} objects of {manifest.objects_bytes:,} bytes{checksum}."
    )


def _bins(settings: "Settings") -> list[Path]:
    """Where Postgres's client programs may be: WAMCP_PG_BIN, the wheel, the PATH."""
    import os

    from wamcp.embedded.programs import postgres_program
    from wamcp.errors import CannotStart

    found = []
    for override in dict.fromkeys((settings.pg_bin, None)):
        try:
            found.append(postgres_program(override).parent)
        except CannotStart:
            if override and (Path(override) / "pg_dump").is_file():
                found.append(Path(override))
    return found + [
        Path(each) for each in os.environ.get("PATH", "").split(os.pathsep) if (Path(each) / "pg_dump").is_file()
    ]


def _say(step: str) -> None:
    typer.echo(step, err=True)
