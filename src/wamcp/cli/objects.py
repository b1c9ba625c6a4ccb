"""``wamcp objects``: the files of the archive as one tar, out of any object store and into any other."""

import sys
import tarfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, cast

import typer

if TYPE_CHECKING:
    from wamcp.settings import Settings
    from wamcp.storage.write import WriteStore

app = typer.Typer(help="Save and load the files of the archive, and check that none is missing.", no_args_is_help=True)


@app.command()
def save() -> None:
    """Write every file of the archive to standard output as a tar; exit 1 when one is missing."""
    from wamcp.errors import NotStored

    settings, store = _here()
    saved, missing = 0, 0
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as tar:
        for key in _keys(settings):
            try:
                with store.open(key) as file:
                    entry = tarfile.TarInfo(key)
                    entry.size = store.size(key) or 0
                    tar.addfile(entry, file)
                saved += 1
            except NotStored:
                missing += 1
    _say(f"{saved} files saved", missing)


@app.command()
def load() -> None:
    """Read a tar of ``save`` from standard input into the object store, each file checked by its SHA-256."""
    from wamcp.errors import Rejected
    from wamcp.storage.objects import check_key

    _, store = _here()
    loaded = 0
    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as tar:
        for entry in tar:
            key, file = check_key(entry.name), tar.extractfile(entry)
            if file is None:
                raise Rejected(f"{key} is no file in this tar: was it made by `wamcp objects save`?")
            stored = store.put(cast(BinaryIO, file), cap=entry.size)
            if stored.key != key:
                store.delete(stored.key)
                raise Rejected(f"{key} was changed since it was saved: its bytes have another SHA-256.")
            loaded += 1
    _say(f"{loaded} files loaded", 0)


@app.command()
def check() -> None:
    """Look whether every file that the archive names is in the object store; exit 1 when one is missing."""
    settings, store = _here()
    there, missing = 0, 0
    for key in _keys(settings):
        if store.size(key) is None:
            missing += 1
        else:
            there += 1
    _say(f"{there} files are there", missing)


def _here() -> tuple["Settings", "WriteStore"]:
    from wamcp.cli.environment import settings_here
    from wamcp.storage.write import open_store

    settings = settings_here()
    return settings, open_store(settings)


def _keys(settings: "Settings") -> Iterator[str]:
    """What the rows name, once each, in order."""
    import psycopg

    from wamcp.db.media import stored_keys

    with psycopg.connect(settings.direct_url()) as connection:
        yield from stored_keys(connection)


def _say(done: str, missing: int) -> None:
    typer.echo(f"{done}, {missing} missing.", err=True)
    if missing:
        raise typer.Exit(1)
