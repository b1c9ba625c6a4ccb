"""``wamcp mcp``: the stdio bridge, and the snippet that makes a client use it or the HTTP endpoint."""

import os
import sys
from enum import StrEnum
from typing import Annotated, Any

import typer

app = typer.Typer(help="Connect Claude: alone it is the stdio bridge; `config` prints what to paste.")


class Client(StrEnum):
    """The programs that `config` knows."""

    CLAUDE_DESKTOP = "claude-desktop"
    CLAUDE_CODE = "claude-code"
    CURSOR = "cursor"
    VSCODE = "vscode"


_WHERE = {
    Client.CLAUDE_DESKTOP: "Claude Desktop > Settings > Developer > Edit Config (claude_desktop_config.json)",
    Client.CLAUDE_CODE: "a shell",
    Client.CURSOR: "~/.cursor/mcp.json, or .cursor/mcp.json of a project",
    Client.VSCODE: ".vscode/mcp.json of a project, or the command `MCP: Open User Configuration`",
}
_NO_TOKEN = "wamcp_PUT_YOUR_TOKEN_HERE"  # noqa: S105


@app.callback(invoke_without_command=True)
def bridge(context: typer.Context) -> None:
    """Speak MCP on stdin and stdout, on behalf of the running server (WAMCP_URL, WAMCP_TOKEN, else runtime.json)."""
    if context.invoked_subcommand is None:
        from wamcp.mcp.bridge import main

        sys.exit(main())


@app.command()
def config(
    client: Annotated[Client, typer.Option(help="The program to connect.")] = Client.CLAUDE_DESKTOP,
    url: Annotated[str | None, typer.Option(envvar="WAMCP_URL", help="The address of /mcp, when not here.")] = None,
    token: Annotated[str | None, typer.Option(envvar="WAMCP_TOKEN", help="From `wamcp token create`.")] = None,
) -> None:
    """Print the exact snippet for a client on stdout; where it goes, on stderr."""
    import json

    snippet = snippet_for(client, url, token)
    print(snippet if isinstance(snippet, str) else json.dumps(snippet, indent=2))
    typer.echo(f"Paste this into {_WHERE[client]}.", err=True)
    if _NO_TOKEN in str(snippet):
        typer.echo("No token was found: make one with `wamcp token create --label claude`.", err=True)


def snippet_for(client: Client, url: str | None, token: str | None) -> str | dict[str, Any]:
    """JSON for a file, or a shell command; without ``url`` and ``token`` it leads to this machine's server."""
    from wamcp.mcp.bridge import read_runtime, runtime_path

    local = url is None and token is None and bool(read_runtime().get("mcp_token"))
    if client is Client.CLAUDE_DESKTOP or local:
        environment = {"WAMCP_RUNTIME_FILE": os.path.abspath(runtime_path())} if local else _access(url, token)  # noqa: PTH100
        return _stdio(client, environment)
    access = _access(url, token)
    return _http(client, access["WAMCP_URL"], {"Authorization": f"Bearer {access['WAMCP_TOKEN']}"})


def _access(url: str | None, token: str | None) -> dict[str, str]:
    from wamcp.mcp.bridge import find_target

    return {"WAMCP_URL": url or find_target().url.geturl(), "WAMCP_TOKEN": token or _NO_TOKEN}


def _stdio(client: Client, environment: dict[str, str]) -> str | dict[str, Any]:
    import shlex

    from wamcp.mcp import bridge as module

    command = [sys.executable, "-I", os.path.abspath(module.__file__)]  # noqa: PTH100
    if client is Client.CLAUDE_CODE:
        variables = [word for name, value in environment.items() for word in ("-e", f"{name}={value}")]
        return shlex.join(["claude", "mcp", "add", "wamcp", *variables, "--", *command])
    server: dict[str, Any] = {"command": command[0], "args": command[1:], "env": environment}
    if client is Client.VSCODE:
        return {"servers": {"wamcp": {"type": "stdio", **server}}}
    return {"mcpServers": {"wamcp": server}}


def _http(client: Client, url: str, headers: dict[str, str]) -> str | dict[str, Any]:
    import shlex

    if client is Client.CLAUDE_CODE:
        given = [word for name, value in headers.items() for word in ("--header", f"{name}: {value}")]
        return shlex.join(["claude", "mcp", "add", "--transport", "http", "wamcp", url, *given])
    if client is Client.VSCODE:
        return {"servers": {"wamcp": {"type": "http", "url": url, "headers": headers}}}
    return {"mcpServers": {"wamcp": {"url": url, "headers": headers}}}
