"""``wamcp tunnel`` with a stand-in for cloudflared, which says the address of a WAMCP that really runs."""

import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.running import bare, processes, with_logins
from wamcp.cli import tunnel
from wamcp.cli.main import app
from wamcp.embedded.ports import free_port

KEY = "a-key-of-the-tests"


@pytest.fixture
def ports(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """The full and the public port of a running api, whose settings are those of this process too."""
    full, public = free_port(), free_port()
    given = {
        "DATABASE_URL": with_logins(database_url),
        "WAMCP_ENV": "development",
        "WAMCP_PORT": str(full),
        "WAMCP_PUBLIC_PORT": str(public),
        "ADMIN_API_KEY": KEY,
        "WHATSAPP_VERIFY_TOKEN": "a-word-of-the-tests",
        "WHATSAPP_APP_SECRET": "a-secret-of-the-tests",
    }
    for name in bare(tmp_path) | given:
        monkeypatch.setenv(name, (bare(tmp_path) | given)[name])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tunnel, "ADDRESS", re.compile(r"http://127\.0\.0\.1:\d+"))
    monkeypatch.setattr(tunnel, "LEADS_HERE_WITHIN_S", 3.0)
    with processes(tmp_path, given, "api"):
        yield full, public


def cloudflared(directory: Path, monkeypatch: pytest.MonkeyPatch, says: str) -> None:
    """Puts a cloudflared on PATH that writes down its arguments, says something and ends."""
    program = directory / "bin" / "cloudflared"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" > {directory}/asked\necho "{says}" >&2\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")


def test_a_tunnel_to_the_public_port_is_kept(
    ports: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"http://127.0.0.1:{ports[1]}"
    cloudflared(tmp_path, monkeypatch, f"INF | {address} |")
    done = CliRunner().invoke(app, ["tunnel"])
    assert f"Callback URL for Meta: {address}/webhooks/whatsapp" in done.output
    assert f"PUBLIC_BASE_URL={address}" in (tmp_path / ".env").read_text()
    assert (tmp_path / "asked").read_text() == f"tunnel --no-autoupdate --url {address}\n"


def test_a_tunnel_to_the_full_port_is_closed_again(
    ports: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloudflared(tmp_path, monkeypatch, f"INF | http://127.0.0.1:{ports[0]} |")
    done = CliRunner().invoke(app, ["tunnel"])
    assert "leads to the full port" in str(done.exception)
    assert not (tmp_path / ".env").exists()


def test_a_tunnel_that_leads_elsewhere_is_closed_again(
    ports: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloudflared(tmp_path, monkeypatch, f"INF | http://127.0.0.1:{free_port()} |")
    done = CliRunner().invoke(app, ["tunnel"])
    assert "does not lead to this WAMCP" in str(done.exception)


def test_what_cloudflared_said_is_told_when_it_opens_none(
    ports: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloudflared(tmp_path, monkeypatch, "ERR no more tunnels today")
    assert "ERR no more tunnels today" in str(CliRunner().invoke(app, ["tunnel"]).exception)


def test_it_is_said_when_there_is_no_cloudflared(
    ports: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "cloudflared is not installed" in str(CliRunner().invoke(app, ["tunnel"]).exception)
