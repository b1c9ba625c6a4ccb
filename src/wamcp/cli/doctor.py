"""``wamcp doctor``: every part of an installation looked at, each with the one thing to do about it."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from wamcp.doctor.finding import Finding

Only = Annotated[list[str] | None, typer.Option(help="These checks alone, and what they need; names or a,b.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")]


def doctor(only: Only = None, as_json: AsJson = False) -> None:
    """Look for what is wrong, at Meta and on this machine, and say how to put it right; exit 1 if something is."""
    from wamcp import log
    from wamcp.doctor.finding import Finding, Status
    from wamcp.doctor.place import find
    from wamcp.doctor.run import examine, has_failed
    from wamcp.errors import Misconfigured, Rejected

    log.configure("error")
    names = [name.strip() for given in only or [] for name in given.split(",") if name.strip()]
    try:
        findings = examine(find(), names)
    except Misconfigured as error:
        findings = [Finding("settings", Status.FAILED, str(error), "set this variable, in .env or the environment")]
    except Rejected as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    if as_json:
        rows = [finding._asdict() for finding in findings]
        typer.echo(json.dumps({"ok": not has_failed(findings), "findings": rows}, ensure_ascii=False, indent=2))
    else:
        tell(findings)
    if has_failed(findings):
        raise typer.Exit(1)


def tell(findings: "list[Finding]") -> None:
    """Prints a line for each finding, its fix below it, and how many there are of which kind."""
    from wamcp.doctor.finding import Status

    width = max((len(finding.name) for finding in findings), default=0)
    for finding in findings:
        typer.echo(f"{finding.status:<7}  {finding.name:<{width}}  {finding.said}")
        if finding.fix and finding.status in (Status.FAILED, Status.WARNING):
            typer.echo(f"{'':<7}  {'':<{width}}  fix: {finding.fix}")
    counts = {status: sum(finding.status is status for finding in findings) for status in Status}
    words = [f"{counts[status]} {status}" for status in Status if counts[status] or status is Status.OK]
    typer.echo(f"\n{', '.join(words)}.")
