"""``wamcp unpark`` and ``wamcp merge``: trying again what was parked, and deciding who is one person."""

from typing import Annotated

import typer

from wamcp.vocabulary import participant_ref, row_id


def unpark(
    events: Annotated[list[int] | None, typer.Argument(help="Ids of webhook events that are parked.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Everything that is parked.")] = False,
) -> None:  # fmt: skip
    """Read parked events again after a fix; what still cannot be understood stays parked."""
    from wamcp.cli.environment import settings_here
    from wamcp.ingest.unpark import parked_events, replay

    if bool(events) == every:
        typer.echo("Name the events to read again, or say --all.", err=True)
        raise typer.Exit(2)
    url = settings_here().direct_url()
    done = replay(url, events or parked_events(url))
    typer.echo(
        f"{done.queued} events queued, {done.applied} read again, of which {done.still_parked} items stay parked."
    )


def merge(
    participant: Annotated[str, typer.Argument(help="Who goes, like p7.")],
    into: Annotated[str | None, typer.Argument(help="Who stands for both from then on, like p9.")] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Undo the merge of PARTICIPANT.")] = False,
) -> None:
    """Put one participant under another, or undo that; both survive wamcp reprocess."""
    from wamcp.cli.environment import settings_here
    from wamcp.ingest.merging import merge as put_together
    from wamcp.ingest.merging import unmerge

    gone = _participant(participant)
    if undo == (into is not None):
        typer.echo("Say whom to merge into (wamcp merge p7 p9), or --undo alone (wamcp merge p7 --undo).", err=True)
        raise typer.Exit(2)
    url = settings_here().direct_url()
    if into is None:
        stood = unmerge(url, gone, "wamcp merge")
        typer.echo(f"{participant_ref(gone)} stands for himself again, no longer under {participant_ref(stood)}.")
        return
    put_together(url, gone, _participant(into), "wamcp merge")
    typer.echo(f"{participant_ref(gone)} is merged into {participant_ref(_participant(into))}.")


def _participant(written: str) -> int:
    found = row_id(written, "p")
    if found is None:
        typer.echo(f"{written[:40]!r} is no participant: write p7 or 7.", err=True)
        raise typer.Exit(2)
    return found
