"""``wamcp token``: keys for Claude's door and the admin API, shown once."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from wamcp.vocabulary import TokenKind, TokenScope

if TYPE_CHECKING:
    import psycopg

app = typer.Typer(
    help="Make, list, revoke and rotate tokens for Claude's door and the admin API.", no_args_is_help=True
)

Label = Annotated[str, typer.Option(help="Who or what it is for; it stands in the audit log.")]
Numbers = Annotated[
    list[str] | None,
    typer.Option(help="Only these numbers, by Meta's phone number ids, comma separated; may be repeated."),
]
Documents = Annotated[bool, typer.Option("--documents", help="Documents too: searches look inside them.")]
Media = Annotated[bool, typer.Option("--media", help="Images inline too, once the archive fetches them.")]
Since = Annotated[datetime | None, typer.Option(help="Only messages from then on (UTC).")]
Phones = Annotated[bool, typer.Option("--phones", help="Show full phone numbers, not the last four digits.")]
Days = Annotated[int | None, typer.Option(min=1, help="The same in days.")]
Expires = Annotated[
    str | None, typer.Option(help="Expires after so long, e.g. 90d, 12h or 2w, or on a date; never when left out.")
]
Scopes = Annotated[
    list[str] | None,
    typer.Option(
        "--scope",
        help="For the admin API: read, send, operate or metrics; may be repeated or joined by commas. Default: read.",
    ),
]
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
TokenId = Annotated[int, typer.Argument(help="Its number, from `wamcp token list`.")]


@app.command()
def create(  # noqa: PLR0913 - one argument for each option of the command
    label: Label,
    kind: Annotated[TokenKind, typer.Option(help="mcp for Claude, admin for the admin API.")] = TokenKind.MCP,
    numbers: Numbers = None,
    since: Since = None,
    documents: Documents = False,
    media: Media = False,
    phones: Phones = False,
    scope: Scopes = None,
    expires: Expires = None,
    expires_days: Days = None,
) -> None:
    """Make a token and print it, once: it cannot be shown again."""
    from wamcp.access import tokens

    if scope and kind is TokenKind.MCP:
        raise typer.BadParameter("Claude's door only reads; scopes are for --kind admin.", param_hint="--scope")
    if expires and expires_days:
        raise typer.BadParameter("give --expires or --expires-days, not both.", param_hint="--expires")
    given = _length_or_date(expires or (f"{expires_days}d" if expires_days else None))
    new = tokens.NewToken(
        kind=kind,
        label=label,
        numbers=_named(numbers),
        since=since.replace(tzinfo=UTC) if since else None,
        documents=documents,
        media=media,
        phones=phones,
        scopes=_scopes(scope),
    )
    with _connection() as connection:
        # It is the database that refuses an expired token: its clock says what the length begins with.
        print(tokens.create(connection, replace(new, expires_at=_end(given, _now(connection)))))


@app.command("list")
def list_tokens() -> None:
    """List every token, newest first, without its secret; last used is its last audited request."""
    from wamcp.access import tokens

    with _connection() as connection:
        rows, now = tokens.list_all(connection), _now(connection)
    print("id\tkind\tbegins with\tlabel\tnumbers\tsince\tphones\tstate\tscopes\tlast used")
    for row in rows:
        numbers = ",".join(row.numbers) if row.numbers is not None else "all"
        since = row.since.isoformat() if row.since else "ever"
        cells = (
            row.id,
            row.kind,
            row.prefix,
            row.label,
            numbers,
            since,
            "full" if row.phones else "masked",
            _state(row, now),
            ",".join(row.scopes),
            f"{row.last_used_at.astimezone(UTC):%Y-%m-%d %H:%M}Z" if row.last_used_at else "never",
        )
        print("\t".join(str(cell) for cell in cells))


@app.command()
def revoke(token_id: TokenId) -> None:
    """End a token; it is refused within 30 seconds."""
    from wamcp.access import tokens

    with _connection() as connection:
        done = tokens.revoke(connection, token_id)
    _say_or_fail(done, token_id, "Revoked; it is refused within 30 seconds.")


@app.command()
def rotate(
    token_id: TokenId,
    overlap_minutes: Annotated[int, typer.Option(min=0, help="How long the old one works on, in minutes.")] = 60,
) -> None:
    """Make a new token with the rights of an old one, which ends after the overlap; prints the new one, once."""
    from wamcp.access import tokens

    with _connection() as connection:
        new = tokens.rotate(connection, token_id, overlap_minutes=overlap_minutes)
    _say_or_fail(new is not None, token_id, f"The old one works for another {overlap_minutes} minutes.")
    print(new)


@app.command()
def ensure(label: Label = "this machine") -> None:
    """Make sure that the token in WAMCP_TOKEN exists, with all rights of reading; says nothing when it does."""
    from wamcp.access import tokens
    from wamcp.errors import Misconfigured

    token = os.environ.get("WAMCP_TOKEN", "").strip()
    if not token:
        raise Misconfigured(
            "WAMCP_TOKEN is not set: set it to the token that shall exist, or use `wamcp token create`."
        )
    with _connection() as connection:
        new = tokens.NewToken(TokenKind.MCP, label, documents=True, media=True, phones=True)
        tokens.create(connection, new, token=token)


def _named(numbers: list[str] | None) -> list[str] | None:
    """The ids in ``--numbers``; None, which is all numbers, only when the option was left out."""
    if not numbers:
        return None
    found = [part.strip() for given in numbers for part in given.split(",") if part.strip()]
    if not found:
        raise typer.BadParameter("no number is named; leave the option out to allow all.", param_hint="--numbers")
    return found


def _scopes(written: list[str] | None) -> frozenset[TokenScope]:
    names = [part.strip() for given in written or ["read"] for part in given.split(",") if part.strip()]
    try:
        found = frozenset(map(TokenScope, names))
    except ValueError as error:
        known = ", ".join(TokenScope)
        raise typer.BadParameter(f"{error}; there are {known}.", param_hint="--scope") from None
    if not found:
        raise typer.BadParameter("no scope is named; leave the option out for read.", param_hint="--scope")
    return found


def _now(connection: "psycopg.Connection") -> datetime:
    row = connection.execute("SELECT now()").fetchone()
    assert row is not None
    now: datetime = row[0]
    return now


def _length_or_date(written: str | None) -> timedelta | datetime | None:
    """What ``90d``, ``12h``, ``2w`` or a date (UTC) means."""
    if written is None:
        return None
    try:
        if length := re.fullmatch(r"(\d{1,5})([hdw])", written.strip()):
            return int(length[1]) * _UNITS[length[2]]
        found = datetime.fromisoformat(written)
    except (ValueError, OverflowError):
        raise typer.BadParameter("write 90d, 12h, 2w or a date like 2027-01-31.", param_hint="--expires") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _end(given: timedelta | datetime | None, now: datetime) -> datetime | None:
    """When a key ends that is made ``now``."""
    end = now + given if isinstance(given, timedelta) else given
    if end is not None and end <= now:
        raise typer.BadParameter("that is over already.", param_hint="--expires")
    return end


@contextmanager
def _connection() -> Iterator["psycopg.Connection"]:
    """To the database of the settings, else of the server that runs on this machine."""
    import psycopg

    from wamcp.cli.environment import settings_here
    from wamcp.errors import CannotStart

    url = settings_here().direct_url()
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
            yield connection
    except psycopg.OperationalError as error:
        raise CannotStart(f"The database does not answer: {str(error).splitlines()[0]}. Is WAMCP running?") from error


def _state(row: object, now: datetime) -> str:
    revoked, expires = getattr(row, "revoked_at", None), getattr(row, "expires_at", None)
    if revoked is not None:
        return f"revoked {revoked:%Y-%m-%d}"
    if expires is None:
        return "valid"
    return f"{'expired' if expires <= now else 'valid until'} {expires:%Y-%m-%d %H:%M}Z"


def _say_or_fail(done: bool, token_id: int, sentence: str) -> None:
    if not done:
        typer.echo(f"There is no valid token {token_id}; see `wamcp token list`.", err=True)
        raise typer.Exit(1)
    typer.echo(sentence, err=True)
