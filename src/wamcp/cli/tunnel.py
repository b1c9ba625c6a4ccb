"""``wamcp tunnel``: a way from the internet to the public port, through a cloudflared that is installed here."""

import contextlib
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from wamcp.settings import Settings

ADDRESS = re.compile(r"https://[-a-z0-9]+\.trycloudflare\.com")
ADDRESS_WITHIN_S = 60.0
LEADS_HERE_WITHIN_S = 60.0
FULL_PORT_ONLY = "/admin/health"

Check = Annotated[bool, typer.Option("--check", help="Only say whether a tunnel may be opened.")]
Url = Annotated[
    str | None, typer.Option(help="The public port.", show_default="that of the `wamcp up` here, or 127.0.0.1:8001")
]


def tunnel(check: Check = False, url: Url = None) -> None:
    """Open a quick Cloudflare tunnel to the public port until Ctrl-C, and set PUBLIC_BASE_URL in .env to it."""
    from wamcp.doctor.place import find

    place = find()
    require_guarded(place.settings)
    if check:
        return
    with _cloudflared(url or _public_port(place.settings)) as process:
        address = _address(process)
        typer.echo(f"The tunnel's address: {address}", err=True)
        require_leads_here(address, place.settings)
        _keep(address)
        typer.echo(f"Callback URL for Meta: {address}/webhooks/whatsapp (it changes with every start).")
        for _ in process.stderr or ():  # what it says must be read, or it stops to write
            pass
    raise typer.Exit(1)


def require_guarded(settings: "Settings") -> None:
    """Raises ``Misconfigured`` unless what stands behind a tunnel is guarded: by a key of one's own, and signatures."""
    from wamcp.errors import Misconfigured
    from wamcp.safety import PLACEHOLDERS

    key = settings.admin_api_key.get_secret_value() if settings.admin_api_key else ""
    if not key or key.lower() in PLACEHOLDERS:
        raise Misconfigured(
            "No tunnel is opened while ADMIN_API_KEY is missing or a placeholder: set it to a long random value, "
            "e.g. the output of: openssl rand -hex 32"
        )
    if not settings.verify_webhook_signature:
        raise Misconfigured(
            "No tunnel is opened while VERIFY_WEBHOOK_SIGNATURE=false, since anybody could forge messages: remove it."
        )


def require_leads_here(address: str, settings: "Settings") -> None:
    """Waits until ``address`` answers as Meta's verification wants it, asked from outside.

    Raises ``Misconfigured`` when it does not within a minute, or when it shows more than the public port.
    """
    from wamcp.doctor.http import look
    from wamcp.doctor.outside import challenge, what_came
    from wamcp.errors import Misconfigured

    token = settings.require("verify_token")
    deadline = time.monotonic() + LEADS_HERE_WITHIN_S
    while (came := challenge(f"{address}/webhooks/whatsapp", token)) is not None:
        if time.monotonic() > deadline:
            raise Misconfigured(
                f"{address} does not lead to this WAMCP: {what_came(came)}. Does it run with a public port "
                "(WAMCP_PUBLIC_PORT, `wamcp up --public-port 8001`)?"
            )
        time.sleep(1)
    shown = look("GET", f"{address}{FULL_PORT_ONLY}")
    if shown.status != 404:
        raise Misconfigured(
            f"{address} leads to the full port, where the admin API is: point the tunnel at the public port instead."
        )


def _public_port(settings: "Settings") -> str:
    from wamcp.mcp.bridge import read_runtime

    return str(read_runtime().get("public_url") or f"http://127.0.0.1:{settings.public_port or 8001}")


@contextlib.contextmanager
def _cloudflared(url: str) -> Iterator["subprocess.Popen[str]"]:
    from wamcp.errors import CannotStart

    program = shutil.which("cloudflared")
    if program is None:
        raise CannotStart(
            "cloudflared is not installed: get it from Cloudflare, or use `make tunnel`, which runs it in a container."
        )
    command = [program, "tunnel", "--no-autoupdate", "--url", url]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    except KeyboardInterrupt:
        typer.echo("The tunnel is closed.", err=True)
        raise typer.Exit(0) from None
    finally:
        process.terminate()
        process.wait(30)
        if process.stderr:
            process.stderr.close()


def _address(process: "subprocess.Popen[str]") -> str:
    """The address that cloudflared was given, from what it writes. Raises ``CannotStart``."""
    from wamcp.errors import CannotStart

    deadline, last = time.monotonic() + ADDRESS_WITHIN_S, ""
    for line in process.stderr or ():
        if found := ADDRESS.search(line):
            return found.group()
        last = line.strip() or last
        if time.monotonic() > deadline:
            break
    raise CannotStart(f"cloudflared opened no tunnel; it said: {last[:300]}")


def _keep(address: str) -> None:
    """Sets PUBLIC_BASE_URL where the other commands look for it; processes that run have to be started again for it."""
    from wamcp.doctor.env_file import write

    write(Path(".env"), {"PUBLIC_BASE_URL": address})
