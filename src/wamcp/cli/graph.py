"""The command that plays Meta's Graph API, for a demo, tests and everybody without an account."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from wamcp.errors import CannotStart, Rejected

Token = Annotated[str | None, typer.Option(envvar="WHATSAPP_ACCESS_TOKEN", help="The token that callers must have.")]
Secret = Annotated[str | None, typer.Option(envvar="WHATSAPP_APP_SECRET", help="Signs the webhooks.")]
NumberId = Annotated[str | None, typer.Option(envvar="WHATSAPP_PHONE_NUMBER_ID", help="Id of the business number.")]
WabaId = Annotated[str | None, typer.Option(envvar="WHATSAPP_WABA_ID", help="Id of the business account.")]
Verify = Annotated[str | None, typer.Option(envvar="WHATSAPP_VERIFY_TOKEN", help="For POST /_simulator/verify.")]


def simulate_graph(  # noqa: PLR0913 - one argument for each option of the command
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; 0: any free port.")],
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    script: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="What goes wrong, as JSON: docs/simulator.md.")
    ] = None,
    webhook_url: Annotated[str | None, typer.Option(help="Statuses and messages are posted here.")] = None,
    app_secret: Secret = None,
    access_token: Token = None,
    phone_number_id: NumberId = None,
    waba_id: WabaId = None,
    display_phone_number: Annotated[str | None, typer.Option(help="The business number, digits.")] = None,
    verify_token: Verify = None,
    wire_log: Annotated[Path | None, typer.Option(help="Append all that happens here, a JSON line each.")] = None,
    rate: Annotated[int, typer.Option(min=0, help="Messages a second and number; 0: no limit.")] = 80,
) -> None:  # fmt: skip
    """Serve a stand-in for Meta's Graph API: it takes messages and media, sends statuses, and fails by a script."""
    from wamcp.simulator.graph.account import Config
    from wamcp.simulator.graph.run import serve

    given: dict[str, Any] = {
        "webhook_url": _callback(webhook_url), "app_secret": app_secret and app_secret.split(",")[0].strip(),
        "access_token": access_token, "phone_number_id": phone_number_id, "waba_id": waba_id,
        "display_phone_number": display_phone_number, "verify_token": verify_token, "wire_log": wire_log,
    }  # fmt: skip
    try:
        wanted = {key: value for key, value in given.items() if value}
        serve(Config(host=host, port=port, rate=rate, script=_read(script), **wanted), _say_ready)
    except (Rejected, CannotStart) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2 if isinstance(error, Rejected) else 1) from None


def _say_ready(url: str) -> None:
    print(f"ready {url}", flush=True)


def _callback(url: str | None) -> str | None:
    """``url``; the address of a WAMCP without a path stands for its webhook."""
    from urllib.parse import urlsplit

    from wamcp.cli.traffic import WEBHOOK_PATH

    return url.rstrip("/") + WEBHOOK_PATH if url and urlsplit(url).path in ("", "/") else url


def _read(script: Path | None) -> Any:
    if script is None:
        return []
    try:
        return json.loads(script.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Rejected(f"The script {script} is no JSON: {error}.") from None
