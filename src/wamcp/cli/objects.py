"""``wamcp objects``: whether the object store holds what the rows name, and nothing else."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import psycopg

    from wamcp.storage.write import WriteStore

app = typer.Typer(
    help="Check that no file of the archive is missing, and that none is left over.", no_args_is_help=True
)


@app.command()
def check(
    remove: Annotated[bool, typer.Option("--remove", help="Delete what no row names and is older than a day.")] = False,
) -> None:
    """Compare the object store with the rows; exit 1 when a file is missing, or one is left over and stays."""
    import psycopg

    from wamcp.cli.environment import settings_here
    from wamcp.db.media import stored_keys
    from wamcp.errors import Rejected
    from wamcp.storage.write import open_store

    settings = settings_here()
    store = open_store(settings)
    with psycopg.connect(settings.direct_url(), autocommit=True) as connection:
        named = frozenset(stored_keys(connection))
        missing = sum(store.size(key) is None for key in named)
        over = [key for key in store.keys() if key not in named]  # noqa: SIM118 - a store is no dict
        if remove and over and not named:
            raise Rejected("No row names any object, and nothing was removed: is DATABASE_URL that of this store?")
        removed = _removed(connection, store, over) if remove else 0
    left = len(over) - removed
    told = f"{len(named) - missing} files are there, {missing} missing, {len(over)} that no row names for a day"
    typer.echo(f"{told}, {removed} of them removed." if remove else f"{told}{_ADVICE if over else ''}.", err=True)
    if missing or left:
        raise typer.Exit(1)


_ADVICE = ": `wamcp objects check --remove` deletes them"


def _removed(connection: "psycopg.Connection", store: "WriteStore", keys: list[str]) -> int:
    """By the way of everything that is deleted: noted first, looked at once more, then gone."""
    from wamcp.ingest.erasing.files import delete_objects, note_objects
    from wamcp.ingest.retention import Purged

    done = Purged()
    note_objects(connection, keys)
    delete_objects(connection, store, done)
    return sum(store.size(key) is None for key in keys)
