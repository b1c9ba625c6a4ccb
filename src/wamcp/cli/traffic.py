"""The commands that play Meta: send webhooks from files, or thousands of invented ones."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from wamcp.errors import Misconfigured

if TYPE_CHECKING:
    from wamcp.simulator.post import Answer, Tally

WEBHOOK_PATH = "/webhooks/whatsapp"
SAMPLE = Path(__file__).parents[1] / "simulator" / "samples" / "text.json"

Url = Annotated[str | None, typer.Option(help="Where to post to; default: the running `wamcp up`.")]
Secret = Annotated[
    str | None, typer.Option(envvar="WHATSAPP_APP_SECRET", help="Signs the bodies; default: that of `wamcp up`.")
]
StateDir = Annotated[Path | None, typer.Option(help="The state directory of the `wamcp up` to post to.")]


def send_webhook(
    files: Annotated[
        list[Path] | None,
        typer.Argument(exists=True, dir_okay=False, help="Bodies, posted as they are; default: a text message."),
    ] = None,
    url: Url = None,
    secret: Secret = None,
    state_dir: StateDir = None,
) -> None:
    """Sign webhook bodies from FILES as Meta does and post them verbatim; exit 1 unless every answer is 200."""
    import httpx

    from wamcp.simulator.post import TIMEOUT_SECONDS, post

    target, key = _target(url, secret, state_dir)
    with httpx.Client(timeout=TIMEOUT_SECONDS) as client:
        answers = []
        for path in files or [SAMPLE]:
            answer = post(client, target, key, path.read_bytes())
            typer.echo(f"{path}  {answer}")
            answers.append(answer)
    if any(answer.status != 200 for answer in answers):
        raise typer.Exit(1)


def simulate_traffic(  # noqa: PLR0913 - one argument for each option of the command
    count: Annotated[int, typer.Option(min=0, help="How many webhooks; 0: until Ctrl-C.")] = 1000,
    rate: Annotated[float, typer.Option(min=0, help="Webhooks a second; 0: as fast as it goes.")] = 0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same webhooks.")] = 1,
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="How many at a time.")] = 8,
    mix: Annotated[str, typer.Option(help="What happens: all, texts, or weights such as text=5,reaction=2.")] = "all",
    duplicates: Annotated[float, typer.Option(min=0, max=0.9, help="The share that comes again.")] = 0,
    batches: Annotated[float, typer.Option(min=0, max=1, help="The share that holds many, up to 1,000 items.")] = 0,
    reorder: Annotated[int, typer.Option(min=0, help="How many are shuffled at a time.")] = 0,
    faults: Annotated[float, typer.Option(min=0, max=1, help="The share with odd types and broken items.")] = 0,
    url: Url = None,
    secret: Secret = None,
    state_dir: StateDir = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the bodies here: NAME.jsonl, a line each, or a directory, a file each.")
    ] = None,
) -> None:  # fmt: skip
    """Post believable invented webhooks of every kind, in many languages, and report how they were answered."""
    from wamcp.simulator.faults import Faults
    from wamcp.simulator.traffic import traffic

    wrong = Faults(duplicates, reorder, batches, odd=faults, broken=faults, early=faults)
    bodies = traffic(seed, count, mix, wrong, rate or 1.0)
    if out is not None:
        _write(bodies, out, count)
    else:
        _post(bodies, _target(url, secret, state_dir), concurrency, rate, count)


def _post(bodies: Iterable[bytes], target: tuple[str, str], concurrency: int, rate: float, count: int) -> None:
    import httpx

    from wamcp.simulator.post import TIMEOUT_SECONDS, Tally, post, post_all

    tally = Tally()
    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    with _progress(count) as advance, httpx.Client(timeout=TIMEOUT_SECONDS, limits=limits) as client:

        def done(answer: "Answer") -> None:
            tally.add(answer)
            advance()

        with suppress(KeyboardInterrupt):
            post_all(bodies, lambda body: post(client, *target, body), concurrency, rate, done)
    _summarize(tally)
    if tally.refused:
        raise typer.Exit(1)


def _target(url: str | None, secret: str | None, state_dir: Path | None) -> tuple[str, str]:
    """The URL of the webhook and the secret: from the options, a running ``wamcp up``, or the settings here."""
    runtime = _runtime(state_dir) if url is None or secret is None else {}
    if not runtime and state_dir is None:
        runtime = _configured()
    base, key = url or runtime.get("api_url"), secret or runtime.get("app_secret")
    if not base or not key:
        missing = "--url" if not base else "--secret (or WHATSAPP_APP_SECRET)"
        typer.echo(f"Nothing to post to: start `wamcp up`, name its --state-dir, or pass {missing}.", err=True)
        raise typer.Exit(2)
    path = urlsplit(base).path
    return (base.rstrip("/") + WEBHOOK_PATH if path in ("", "/") else base), key.split(",")[0].strip()


def _configured() -> dict[str, str]:
    """The api and the secret of an installation without ``wamcp up``, where its settings are here."""
    from wamcp.doctor.place import find

    place = find()
    if place.settings.database_url is None or place.settings.app_secret is None:
        return {}
    return {"api_url": place.api_url, "app_secret": place.settings.app_secret.get_secret_value()}


def _runtime(state_dir: Path | None) -> dict[str, str]:
    from wamcp.mcp.bridge import runtime_path

    path = Path(runtime_path()) if state_dir is None else state_dir / "runtime.json"
    try:
        runtime = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Misconfigured(f"{path} cannot be read ({error}); is this the state directory of `wamcp up`?") from error
    return {key: value for key in ("api_url", "app_secret") if isinstance(value := runtime.get(key), str)}


def _write(bodies: Iterable[bytes], out: Path, count: int) -> None:
    with _progress(count) as advance, suppress(KeyboardInterrupt):
        if out.suffix and not out.is_dir():
            with out.open("wb") as file:
                for body in bodies:
                    file.write(body + b"\n")
                    advance()
            return
        out.mkdir(parents=True, exist_ok=True)
        for number, body in enumerate(bodies, start=1):
            (out / f"{number:06d}.json").write_bytes(body)
            advance()


def _summarize(tally: "Tally") -> None:
    others = sum(tally.refused.values())
    typer.echo(f"sent {tally.sent}  200: {tally.sent - others}  other: {others}", err=True)
    typer.echo(f"p50 {tally.percentile(0.5):.1f} ms  p99 {tally.percentile(0.99):.1f} ms", err=True)
    for told, times in tally.refused.most_common(5):
        typer.echo(f"{times} x {told}", err=True)


@contextmanager
def _progress(count: int) -> Iterator[Callable[[], None]]:
    """A bar on stderr, without an end where there is none; yields what moves it on by one."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = ("[progress.description]{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("webhooks", total=count or None)
        yield lambda: progress.advance(task)
