"""``wamcp send``: one message to one person, through the API of the installation that runs here."""

import json
import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import httpx

KEY_HEADER = "X-Admin-Api-Key"
TIMEOUT_S = 180.0

To = Annotated[str, typer.Argument(help="A phone number with its country code, or a BSUID.")]
Text = Annotated[str | None, typer.Argument(help="What to say; the caption where --media is given.")]
Template = Annotated[str | None, typer.Option(help="The name of a template instead of a text.")]
Language = Annotated[str, typer.Option(help="The template's language.")]
Param = Annotated[list[str] | None, typer.Option("--param", help="A parameter of the template, or NAME=VALUE.")]
Media = Annotated[str | None, typer.Option(help="A file, or an https link that Meta can open.")]
Kind = Annotated[str | None, typer.Option("--media-type", help="image, video, audio, document or sticker.")]
ReplyTo = Annotated[str | None, typer.Option(help="The message to quote: a wamid, or m123.")]
Sender = Annotated[str | None, typer.Option("--from", help="Which of our numbers sends.")]
Key = Annotated[str | None, typer.Option(help="An idempotency key: the same key never sends twice.")]
Url = Annotated[str | None, typer.Option(help="Address of the API; default: the one that runs here.")]
ApiKey = Annotated[str | None, typer.Option(envvar="ADMIN_API_KEY", help="Default: that of the one that runs here.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the whole answer.")]


def send(  # noqa: PLR0913 - one argument for each option of the command
    to: To,
    text: Text = None,
    template: Template = None,
    language: Language = "en_US",
    param: Param = None,
    media: Media = None,
    media_type: Kind = None,
    reply_to: ReplyTo = None,
    sender: Sender = None,
    key: Key = None,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: AsJson = False,
) -> None:
    """Send a text, a template or a file to somebody; exit 1 unless Meta took it or it is queued."""
    common = {"to": to, "reply_to": reply_to, "from": sender}
    if template is not None:
        route, body, file = "template", {"template_name": template, "language_code": language}, None
        if param:
            body["parameters"] = _parameters(param)  # type: ignore[assignment]
    elif media is not None:
        route, body, file = _media(media, media_type, text)
    elif text is not None:
        route, body, file = "text", {"body": text}, None
    else:
        typer.echo("Say what to send: a text, --template NAME, or --media FILE.", err=True)
        raise typer.Exit(2)
    answer = _post(url, api_key, f"/send/{route}", {**_given(common), **body}, key, file)
    _tell(answer, as_json)


def _media(media: str, kind: str | None, caption: str | None) -> tuple[str, dict[str, Any], Path | None]:
    path = None if media.startswith(("https://", "http://")) else Path(media)
    if path is not None and not path.is_file():
        typer.echo(f"{media} is neither a file nor a link.", err=True)
        raise typer.Exit(2)
    guessed = (mimetypes.guess_type(media)[0] or "").partition("/")[0]
    kind = kind or (guessed if guessed in ("image", "video", "audio") else "document")
    body = _given({"media_type": kind, "caption": caption, "media_url": media if path is None else None})
    return "media", body, path


def _parameters(given: list[str]) -> list[str] | dict[str, str]:
    pairs = [parameter.partition("=") for parameter in given]
    if all(mark and name.isidentifier() for name, mark, _ in pairs):
        return {name: value for name, _, value in pairs}
    return given


def _post(
    url: str | None, api_key: str | None, route: str, body: dict[str, Any], key: str | None, file: Path | None
) -> "httpx.Response":
    import httpx

    base, admin_key = _installation(url, api_key)
    headers = {KEY_HEADER: admin_key} | ({"Idempotency-Key": key} if key else {})
    try:
        if file is None:
            return httpx.post(f"{base}{route}", json=body, headers=headers, timeout=TIMEOUT_S)
        with file.open("rb") as opened:
            mime = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            parts = {"file": (file.name, opened, mime)}
            return httpx.post(f"{base}{route}", data=body, files=parts, headers=headers, timeout=TIMEOUT_S)
    except httpx.HTTPError as failure:
        typer.echo(
            f"{base} does not answer ({type(failure).__name__}): is `wamcp up` or `wamcp api` running?"
            " If it is, GET /admin/sends tells whether the message went out.",
            err=True,
        )
        raise typer.Exit(1) from None


def _installation(url: str | None, api_key: str | None) -> tuple[str, str]:
    """The address and the key: as given, else of the ``wamcp up`` that runs here, else of the settings."""
    from wamcp.cli.environment import settings_here
    from wamcp.mcp.bridge import read_runtime

    runtime: Mapping[str, object] = read_runtime()
    settings = settings_here()
    base = url or str(runtime.get("api_url") or settings.local_url())
    known = str(runtime.get("admin_api_key") or "") if url is None else ""
    if not (api_key or known or settings.admin_api_key or url):
        typer.echo(
            "No WAMCP runs here, as far as can be seen: start it (wamcp up), call this where its .env is,"
            " or say --url and --api-key.",
            err=True,
        )
        raise typer.Exit(1)
    return base.rstrip("/"), api_key or known or settings.require("admin_api_key")


def _tell(response: "httpx.Response", as_json: bool) -> None:
    try:
        answer = response.json()
    except ValueError:
        answer = {"error": "no_answer", "detail": f"HTTP {response.status_code} without JSON"}
    if as_json:
        typer.echo(json.dumps(answer, ensure_ascii=False, indent=2))
    if "send_id" not in answer:
        if not as_json:
            typer.echo(str(answer.get("detail") or answer), err=True)
        raise typer.Exit(1)
    if not as_json:
        typer.echo("  ".join(str(part) for part in (answer["send_id"], answer["state"], answer["wamid"]) if part))
        for warning in answer["warnings"]:
            typer.echo(f"note: {warning}", err=True)
        if answer["error"]:
            code = answer["error"]["code"]
            typer.echo(f"{answer['error']['meaning']}{'' if code is None else f' (Meta {code})'}", err=True)
            typer.echo(f"what to do: {answer['error']['advice']}", err=True)
    if answer["state"] in ("failed", "unknown"):
        raise typer.Exit(1)


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
