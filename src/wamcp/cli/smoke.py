"""``wamcp smoke``: one signed webhook, followed until Claude's own tool finds it, and taken out again."""

import asyncio
import hashlib
import secrets
import time
from typing import Annotated, Any

import typer

FOUND_WITHIN_S = 30.0
LOOK_EVERY_S = 0.1

Within = Annotated[float, typer.Option(min=1, help="Seconds until Claude's tool has to find it.")]


def smoke(within: Within = FOUND_WITHIN_S) -> None:
    """Post one signed webhook, wait until Claude's search finds it, and take it out again; exit 1 if it is not found.

    It goes the whole way: the door, the database, the normalizer, the MCP server and its audit.
    """
    import psycopg
    from fastmcp import Client

    from wamcp.db.trial import PREFIX, take_out
    from wamcp.doctor.place import find
    from wamcp.mcp.bridge import find_target

    place, target = find(), find_target()
    word = f"smoke{secrets.token_hex(6)}"
    number = f"{PREFIX}{word}"
    body = _body(number, word)
    began = time.monotonic()
    try:
        _post(f"{place.api_url}/webhooks/whatsapp", place.settings.require("app_secret"), body)
        kept = time.monotonic() - began
        typer.echo(f"kept       {kept * 1000:6.0f} ms  the webhook was answered with 200")
        asyncio.run(_until_found(Client(target.url.geturl(), auth=target.token or ""), word, within))
        typer.echo(f"found      {(time.monotonic() - began) * 1000:6.0f} ms  Claude's search_messages shows it")
    finally:
        with psycopg.connect(place.settings.direct_url()) as connection:
            gone = take_out(connection, number, hashlib.sha256(body).digest())
    typer.echo(f"taken out  {gone} message, with everything derived from it; the audit of the questions stays")


def _body(number: str, word: str) -> bytes:
    from wamcp.simulator.bodies import Customer, Number, inbound

    item = {
        "id": f"wamid.{word}",
        "timestamp": str(int(time.time())),
        "type": "text",
        "text": {"body": f"Is everything well, {word}?"},
    }
    return inbound(Customer("Sam Trial", f"US.{word}", None), Number(number, "15550100099"), item)


def _post(url: str, secret: str, body: bytes) -> None:
    import httpx

    from wamcp.errors import CannotStart
    from wamcp.simulator.post import ACCEPTED, TIMEOUT_SECONDS, post

    with httpx.Client(timeout=TIMEOUT_SECONDS) as client:
        answer = post(client, url, secret.split(",")[0].strip(), body)
    if answer.status != ACCEPTED:
        raise CannotStart(f"The webhook was not accepted at {url}: {answer}. Does WAMCP run, with this app secret?")


async def _until_found(claude: Any, word: str, within_s: float) -> None:
    from wamcp.errors import CannotStart

    deadline = time.monotonic() + within_s
    async with claude as client:
        while word not in str(_rows(await client.call_tool("search_messages", {"query": word}))):
            if time.monotonic() > deadline:
                raise CannotStart(
                    f"The webhook was kept, but Claude's search did not find it within {within_s:.0f} s: does the "
                    "normalizer run (`wamcp worker`)?"
                )
            await asyncio.sleep(LOOK_EVERY_S)


def _rows(result: Any) -> object:
    """The messages that were found, without the rest of the answer, which repeats the question."""
    return result.structured_content["days"]
