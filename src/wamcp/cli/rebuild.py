"""``wamcp reprocess`` and ``wamcp checksum``: the operator's proof that the archive follows from the raw events."""

from datetime import UTC, datetime

import psycopg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from wamcp.db.content import checksum as content_checksum
from wamcp.ingest.reprocess import Difference, Replayed
from wamcp.ingest.reprocess import reprocess as replay_in_place
from wamcp.ingest.reprocess import verify as build_beside
from wamcp.settings import Settings


def reprocess(settings: Settings, since: datetime | None, verify: bool) -> int:
    """Replays with a progress bar; returns the exit code: 1 when ``verify`` found a difference."""
    if since is not None and since.tzinfo is None:
        since = since.replace(tzinfo=UTC)
    columns = (TextColumn("events"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("events", total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        if verify:
            done, differences = build_beside(settings.direct_url(), progress=show)
        else:
            done, differences = replay_in_place(settings.direct_url(), since=since, progress=show), []
    _report(done, differences, verify)
    return 1 if differences else 0


def checksum(settings: Settings) -> None:
    """Prints table, rows and hash, one line each; the last line is the hash of everything."""
    with psycopg.connect(settings.direct_url()) as connection:
        for table, (rows, value) in content_checksum(connection).items():
            print(f"{table:<20} {rows:>12} {value}")


def _report(done: Replayed, differences: list[Difference], verify: bool) -> None:
    print(f"{done.events} events read again.")
    if done.purged:
        print(f"{done.purged} events could not be: their bytes were purged. Their rows stay as they are.")
    if verify and not differences:
        print("No difference: the archive is what its raw events say.")
    for difference in differences:
        only = f"{difference.only_archive} rows only in the archive, {difference.only_rebuilt} only in the rebuild"
        print(f"{difference.table}: {only}")
        for example in difference.examples:
            print(f"  {example[:300]}")
