"""``wamcp token`` and ``wamcp mcp config`` as somebody types them."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from wamcp.access import tokens
from wamcp.access.tokens import NewToken, generate, is_well_formed
from wamcp.cli import token
from wamcp.vocabulary import TokenKind


def wamcp(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("WAMCP_", "DATABASE_"))}
    command = [str(Path(sys.executable).parent / "wamcp"), *arguments]
    given = inherited | {"XDG_DATA_HOME": str(cwd), "COLUMNS": "200"} | environment
    return subprocess.run(command, cwd=cwd, env=given, capture_output=True, text=True, timeout=60)


def test_a_token_is_made_listed_rotated_and_revoked(database_url: str, tmp_path: Path) -> None:
    def token(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return wamcp("token", *arguments, cwd=tmp_path, DATABASE_URL=database_url, **environment)

    made = token("create", "--label", "Ada's laptop", "--numbers", "1,2", "--since", "2026-11-01").stdout.strip()
    assert is_well_formed(made)
    kept = generate()
    for _ in range(2):
        assert token("ensure", "--label", "here", WAMCP_TOKEN=kept).returncode == 0
    rotated = token("rotate", "1", "--overlap-minutes", "5")
    assert is_well_formed(rotated.stdout.strip()) and "5 minutes" in rotated.stderr
    assert token("revoke", "1").returncode == 0
    again = token("revoke", "1")
    assert again.returncode == 1 and "wamcp token list" in again.stderr
    listed = token("list").stdout
    assert "Ada's laptop" in listed and "1,2" in listed and "revoked" in listed
    assert made not in listed and kept not in listed and listed.count("here") == 1


def test_an_admin_key_gets_its_scopes_and_its_end(database_url: str, tmp_path: Path) -> None:
    def create(*arguments: str) -> subprocess.CompletedProcess[str]:
        return wamcp("token", "create", "--label", "shop", *arguments, cwd=tmp_path, DATABASE_URL=database_url)

    admin = ("--kind", "admin")
    assert create(*admin, "--scope", "send,metrics", "--scope", "read", "--expires", "90d").returncode == 0
    assert create(*admin).returncode == 0
    with psycopg.connect(database_url) as connection:
        plain, full = tokens.list_all(connection)
    assert (plain.scopes, plain.expires_at) == (["read"], None)
    assert full.scopes == ["metrics", "read", "send"] and full.expires_at is not None
    assert timedelta(days=89) < full.expires_at - datetime.now(UTC) < timedelta(days=91)
    listed = wamcp("token", "list", cwd=tmp_path, DATABASE_URL=database_url).stdout
    assert "metrics,read,send" in listed and "never" in listed


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("--kind admin --scope everything", "read, send, operate, metrics"),
        ("--kind admin --scope ,", "no scope is named"),
        ("--scope read", "--kind admin"),
        ("--kind admin --expires soon", "90d"),
        ("--kind admin --expires 2w --expires-days 3", "not both"),
    ],
)
def test_a_wrong_scope_or_end_is_a_sentence_and_no_token(wrong: str, told: str) -> None:
    done = CliRunner().invoke(token.app, ["create", "--label", "shop", *wrong.split()], env={"COLUMNS": "200"})
    assert done.exit_code == 2 and "wamcp_" not in done.output and told in " ".join(done.output.split())


def test_an_end_that_is_over_is_a_sentence_and_no_token(database_url: str, tmp_path: Path) -> None:
    given = ["create", "--label", "x", "--kind", "admin", "--expires", "2020-01-01"]
    done = wamcp("token", *given, cwd=tmp_path, DATABASE_URL=database_url)
    assert done.returncode == 2 and "wamcp_" not in done.stdout and "over already" in done.stderr


def test_a_list_of_numbers_without_a_number_does_not_mean_all(database_url: str, tmp_path: Path) -> None:
    for empty in ("", " , "):
        given = ["create", "--label", "x", "--numbers", empty]
        done = wamcp("token", *given, cwd=tmp_path, DATABASE_URL=database_url)
        assert done.returncode == 2 and "wamcp_" not in done.stdout and "leave the option out" in done.stderr


def test_a_token_that_has_expired_is_not_rotated_into_another_expired_one(database_url: str, tmp_path: Path) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        tokens.create(connection, NewToken(TokenKind.MCP, "old", expires_at=datetime.now(UTC) - timedelta(1)))
    done = wamcp("token", "rotate", "1", cwd=tmp_path, DATABASE_URL=database_url)
    assert done.returncode == 1 and not done.stdout and "no valid token 1" in done.stderr


def test_without_a_database_the_error_is_a_sentence(tmp_path: Path) -> None:
    done = wamcp("token", "list", cwd=tmp_path, DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert done.returncode == 1 and "Traceback" not in done.stderr and "does not answer" in done.stderr
    ensure = wamcp("token", "ensure", cwd=tmp_path)
    assert ensure.returncode == 1 and "WAMCP_TOKEN is not set" in ensure.stderr


@pytest.mark.parametrize("client", ["claude-desktop", "claude-code", "cursor", "vscode"])
def test_each_client_gets_its_snippet(tmp_path: Path, client: str) -> None:
    given = ["--url", "https://wamcp.example.com/mcp", "--token", "wamcp_x"]
    remote = wamcp("mcp", "config", "--client", client, *given, cwd=tmp_path)
    assert remote.returncode == 0 and "wamcp_x" in remote.stdout and "https://wamcp.example.com/mcp" in remote.stdout
    runtime = tmp_path / "wamcp" / "runtime.json"
    runtime.parent.mkdir()
    runtime.write_text(json.dumps({"mcp_url": "http://127.0.0.1:8000/mcp", "mcp_token": "wamcp_secret"}))
    local = wamcp("mcp", "config", "--client", client, cwd=tmp_path).stdout
    assert str(runtime) in local and "bridge.py" in local and "wamcp_secret" not in local
    if client != "claude-code":
        assert json.loads(local) and json.loads(remote.stdout)


def test_the_command_is_the_bridge(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).parent / "wamcp"), "mcp"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    line = b'{"jsonrpc": "2.0", "id": 3, "method": "initialize"}\n'
    done = subprocess.run(command, input=line, env=environment, cwd=tmp_path, capture_output=True, timeout=60)
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["id"]) == (0, 3) and "wamcp token create" in answer["error"]["message"]
