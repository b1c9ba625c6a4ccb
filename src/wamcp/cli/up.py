"""``wamcp up``: everything on this machine, in the foreground."""

import errno
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

StateDir = Annotated[
    Path | None,
    typer.Option(help="Where everything is kept.", show_default="$XDG_DATA_HOME/wamcp or ~/.local/share/wamcp"),
]
Port = Annotated[int, typer.Option(envvar="WAMCP_PORT", min=0, max=65535, help="The full port; 0 for any free one.")]
PublicPort = Annotated[
    int | None,
    typer.Option(
        envvar="WAMCP_PUBLIC_PORT", min=0, max=65535, help="A second port with the webhook alone; 0 for any free one."
    ),
]


def up(
    state_dir: StateDir = None,
    port: Port = 8000,
    public_port: PublicPort = None,
    demo: Annotated[bool, typer.Option("--demo", help="Play Meta as well: send to an invented account.")] = False,
) -> None:
    """Run Postgres, Valkey and WAMCP on this machine until Ctrl-C; prints `ready http://127.0.0.1:N` when it is."""
    from wamcp import supervisor
    from wamcp.errors import WamcpError

    try:
        supervisor.run(supervisor.Request(state_dir or default_state_dir(), port, public_port, demo), os.environ)
    except WamcpError as error:
        _fail(str(error))
    except OSError as error:
        full = "The disk is full: make room and start again. " if error.errno == errno.ENOSPC else ""
        _fail(f"{full}{error.filename or 'A file'} cannot be used: {error.strerror or error}.")


def default_state_dir() -> Path:
    """``$XDG_DATA_HOME/wamcp``, or ``~/.local/share/wamcp`` (XDG Base Directory Specification)."""
    data_home = os.environ.get("XDG_DATA_HOME", "")
    return (Path(data_home) if data_home.startswith("/") else Path("~/.local/share").expanduser()) / "wamcp"


def _fail(message: str) -> None:
    sys.stderr.write(f"wamcp up: {message}\n")
    raise typer.Exit(1)
