"""The stack as people run it: built, started, asked, broken, brought back. In order: each test leaves it healthy."""

import asyncio
import json
import os
import re
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.containers.engine import PROJECT, Stack, until

KEY = "admin123"
DRAW = """
from PIL import Image, ImageDraw, ImageFont
image = Image.new("L", (900, 200), 255)
ImageDraw.Draw(image).text((30, 60), "Blue tiles 4711", font=ImageFont.load_default(72), fill=0)
image.save("/tmp/p.png")
"""
THROUGH = """
import sys, urllib.error, urllib.request
KEY = {"X-Admin-Api-Key": "another-key-of-the-tests"}
for path in sys.argv[1:]:
    request = urllib.request.Request("http://127.0.0.1:8080" + path, headers=KEY)
    try:
        print(urllib.request.urlopen(request, timeout=20).status)
    except urllib.error.HTTPError as refusal:
        print(refusal.code)
"""
REACHED = """
import socket, sys
for name in sys.argv[1:]:
    host, port = name.split(":")
    try:
        socket.create_connection((host, int(port)), 3)
        print(name)
    except OSError:
        pass
"""
LONG_RUNNING = ("db", "valkey", "minio", "api", "worker", "mcp")
FROZEN = {"worker": "worker --only celery"}
"""What is stopped; of the others, everything."""


def address(stack: Stack, service: str, port: int) -> str:
    return f"http://{stack.compose('port', service, str(port)).strip()}"


def fetch(url: str, **headers: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()


def arrive(stack: Stack, *, count: int, seed: int) -> None:
    """Has so many webhooks come, and waits until they are understood."""
    traffic = f"wamcp simulate-traffic --count {count} --rate 0 --seed {seed} --url http://127.0.0.1:8000"
    stack.inside("api", "sh", "-c", f"{traffic} --secret \"$(sed -n 's/^WHATSAPP_APP_SECRET=//p' .env)\"")
    until(lambda: stack.sql("SELECT count(*) FROM webhook_queue") == "0", 120, "not understood in time")


def objects_in(stack: Stack, backup: str) -> list[Path]:
    """The files of a backup."""
    return [path for path in (stack.directory / "backups" / backup / "objects").rglob("*") if path.is_file()]


def test_all_is_healthy_and_one_request_shows_it(stack: Stack) -> None:
    for service in LONG_RUNNING:
        assert stack.health(service) == "healthy", service
    status, body = fetch(f"{address(stack, 'api', 8000)}/admin/health", **{"X-Admin-Api-Key": KEY})
    found = json.loads(body)
    assert (status, found["status"]) == (200, "ok"), found
    assert found["object_store"]["detail"] == "http://minio:9000/wamcp"


def test_the_public_port_shows_the_webhook_alone(stack: Stack) -> None:
    public = address(stack, "api", 8001)
    assert fetch(f"{public}/healthz")[0] == 200
    assert fetch(f"{public}/webhooks/whatsapp")[0] == 403
    for path in ("/admin/health", "/mcp", "/openapi.json", "/metrics", "/readyz"):
        assert fetch(public + path, **{"X-Admin-Api-Key": KEY})[0] == 404, path


@pytest.mark.parametrize("service", LONG_RUNNING)
def test_a_container_can_do_little(stack: Stack, service: str) -> None:
    found = stack.container(service)
    assert found["HostConfig"]["ReadonlyRootfs"]
    assert "no-new-privileges:true" in found["HostConfig"]["SecurityOpt"]
    status = stack.inside(service, "cat", "/proc/self/status")
    allowed = 2 if service == "minio" else 0  # DAC_OVERRIDE: see docker-compose.yml
    assert int(re.search(r"CapEff:\s+(\w+)", status)[1], 16) == allowed  # type: ignore[index]
    assert re.search(r"NoNewPrivs:\s+1", status)
    if service != "minio":
        assert not re.search(r"^Uid:\s+0\s", status, re.MULTILINE)


def test_no_secret_is_in_the_environment_of_a_container(stack: Stack) -> None:
    files = [path for path in (stack.directory / ".secrets").iterdir() if path.name != "settings"]  # their sum alone
    secrets = [path.read_text().strip() for path in files]
    guarded = [secret for secret in secrets if 16 <= len(secret) < 200]
    assert len(guarded) > 5
    for service in LONG_RUNNING:
        shown = json.dumps(stack.container(service)["Config"])
        assert not [secret for secret in guarded if secret in shown], service
    assert (stack.directory / ".secrets").stat().st_mode & 0o777 == 0o700


def test_the_data_network_leads_nowhere(stack: Stack) -> None:
    """From there not even another network of the same machine can be reached; from the other network it can."""
    host = stack.container("mcp")["NetworkSettings"]["Networks"][f"{PROJECT}_front"]["IPAddress"]

    def reached(network: str) -> str:
        command = ("docker", "run", "--rm", "--network", f"{PROJECT}_{network}", "wamcp-api", "python", "-c", REACHED)
        return stack.run(*command, f"{host}:8000").stdout.strip()

    assert reached("front") == f"{host}:8000"
    assert reached("back") == ""


def test_the_smoke_test_passes_and_leaves_nothing(stack: Stack) -> None:
    said = stack.make("smoke").stdout
    print(said)
    assert "taken out  1 message" in said
    for table in ("webhook_events", "messages", "participants", "numbers", "applied"):
        assert stack.sql(f"SELECT count(*) FROM {table}") == "0", table


def test_the_scripts_for_trying_work_without_an_installation(stack: Stack) -> None:
    assert stack.run("./scripts/send_test_webhook.sh").stdout.strip().endswith("200")
    until(lambda: stack.sql("SELECT count(*) FROM messages") == "1", 30, "the message was not understood")
    refused = stack.run("./scripts/send_whatsapp_message.sh", "15555550100", "Hello", check=False)
    assert refused.returncode == 1 and "WHATSAPP_" in refused.stderr


def test_claude_is_answered_through_docker_exec(stack: Stack) -> None:
    from fastmcp import Client
    from fastmcp.client.transports import StdioTransport

    async def ask() -> tuple[int, object]:
        command = ["exec", "-i", f"{PROJECT}-api-1", "python", "-m", "app.mcp.server"]
        transport = StdioTransport("docker", command, env=dict(os.environ))
        async with Client(transport) as claude:
            return len(await claude.list_tools()), (await claude.call_tool("get_status", {})).structured_content

    tools, status = asyncio.run(ask())
    assert tools >= 6
    assert isinstance(status, dict) and status["parked"] == 0


def test_pictures_are_read_in_the_worker(stack: Stack) -> None:
    stack.inside("worker", "python", "-c", DRAW)
    for engine in ("tesseract", "rapidocr"):
        found = json.loads(stack.inside("worker", "wamcp", "extract", "/tmp/p.png", "--json", "--engine", engine))
        assert "4711" in found["text"], (engine, found)
    languages = stack.inside("worker", "tesseract", "--list-langs").split()
    assert {"eng", "por", "spa", "fra", "deu", "ita", "nld", "ara", "osd"} <= set(languages)


@pytest.mark.parametrize("service", LONG_RUNNING)
def test_a_health_check_is_red_when_its_service_is_dead(stack: Stack, service: str) -> None:
    frozen = stack.freeze(service, FROZEN.get(service, ""))
    try:
        taken = stack.becomes(service, "unhealthy")
    finally:
        stack.run("kill", "-CONT", *frozen)
    print(f"{service}: red after {taken:.0f} s")
    for each in LONG_RUNNING:
        stack.becomes(each, "healthy")


def test_a_normalizer_that_stands_still_is_seen(stack: Stack) -> None:
    frozen = stack.freeze("worker", "worker --only normalizer")
    try:
        stack.becomes("worker", "unhealthy")
        last = stack.container("worker")["State"]["Health"]["Log"][-1]["Output"]
    finally:
        stack.run("kill", "-CONT", *frozen)
    assert "the normalizer stands still" in last
    stack.becomes("worker", "healthy")


def test_a_database_that_was_killed_comes_back_and_so_does_all_else(stack: Stack) -> None:
    pid = str(stack.container("db")["State"]["Pid"])
    began = time.monotonic()
    stack.run("kill", "-9", pid)
    until(lambda: stack.container("db")["RestartCount"] >= 1, 60, "it was not started again")
    for service in ("db", "api", "worker", "mcp"):
        stack.becomes(service, "healthy")
    print(f"database killed: all healthy after {time.monotonic() - began:.1f} s")
    stack.make("smoke")


@pytest.mark.parametrize("part", ["normalizer", "celery"])
def test_half_a_worker_that_was_killed_is_started_again(stack: Stack, part: str) -> None:
    lines = stack.run("docker", "top", f"{PROJECT}-worker-1", "-eo", "pid,args").stdout.splitlines()
    (pid,) = [line.split()[0] for line in lines if f"worker --only {part}" in line]
    stack.run("kill", "-9", pid)
    stack.make("smoke")
    stack.becomes("worker", "healthy")


def test_a_worker_that_was_killed_comes_back(stack: Stack) -> None:
    stack.run("kill", "-9", str(stack.container("worker")["State"]["Pid"]))
    until(lambda: stack.container("worker")["RestartCount"] >= 1, 60, "it was not started again")
    stack.make("smoke")
    stack.becomes("worker", "healthy")


def test_workers_are_scaled(stack: Stack) -> None:
    stack.make("scale", "WORKERS=2")
    stack.make("dev")
    assert stack.container("worker", 2)["State"]["Health"]["Status"] == "healthy", "as many go on"
    stack.make("smoke")
    stack.make("scale", "WORKERS=1")


def test_new_settings_are_read_by_the_next_start(stack: Stack) -> None:
    env = stack.directory / ".env"
    env.write_text(env.read_text().replace("ADMIN_API_KEY=admin123", "ADMIN_API_KEY=another-key-of-the-tests"))
    assert stack.make("dev", check=False, WAMCP_BASE="no/such:base").returncode != 0, "nothing was started by this one"
    stack.make("dev", WAMCP_GIT_VERSION="of another image")
    full = address(stack, "api", 8000)
    assert fetch(f"{full}/admin/health", **{"X-Admin-Api-Key": "another-key-of-the-tests"})[0] == 200
    assert fetch(f"{full}/admin/health", **{"X-Admin-Api-Key": KEY})[0] == 401


def test_what_was_saved_comes_back_after_everything_was_wiped(stack: Stack) -> None:
    arrive(stack, count=300, seed=5)
    keep = (
        "import psycopg; from wamcp.cli.environment import settings_here; from wamcp.storage.write import open_store; "
        "from wamcp.db.media import keep_upload; s = settings_here(); c = psycopg.connect(s.direct_url()); "
        "[keep_upload(c, '1', open_store(s).put([b'file %d' % n * 1000], cap=10**6), 'text/plain', None) "
        "for n in range(20)]; c.commit()"
    )
    stack.inside("api", "python", "-c", keep)
    before = (stack.inside("api", "wamcp", "checksum"), stack.inside("api", "wamcp", "token", "list"))
    stack.make("backup", "TO=backups/one")
    copies = {path: path.stat().st_mtime_ns for path in objects_in(stack, "one")}
    assert len(copies) == 20
    stack.make("backup", "TO=backups/one")
    assert {path: path.stat().st_mtime_ns for path in objects_in(stack, "one")} == copies
    own = (stack.directory / "backups/one").stat()
    assert (own.st_mode & 0o777, own.st_uid) == (0o700, os.getuid())
    assert "No difference" in stack.make("backup-verify", "FROM=backups/one").stdout
    refused = stack.make("restore", "FROM=backups/one", check=False)
    assert refused.returncode != 0 and "say REPLACE=1" in refused.stderr
    stack.compose("down", "--volumes")
    stack.make("dev")
    assert stack.sql("SELECT count(*) FROM messages") == "0"
    stack.make("restore", "FROM=backups/one")
    assert (stack.inside("api", "wamcp", "checksum"), stack.inside("api", "wamcp", "token", "list")) == before
    assert "No difference" in stack.inside("api", "wamcp", "reprocess", "--verify")
    done = stack.run("docker", "compose", "exec", "-T", "api", "wamcp", "objects", "check")
    assert "20 files are there, 0 missing" in done.stderr
    stack.make("smoke")


def test_a_backup_that_is_damaged_touches_nothing_and_a_whole_one_replaces_what_is_there(stack: Stack) -> None:
    before = stack.inside("api", "wamcp", "checksum")
    stack.make("backup", "TO=backups/two")
    arrive(stack, count=20, seed=6)
    later = stack.inside("api", "wamcp", "checksum")
    dump = next((stack.directory / "backups/two").glob("database-*.dump"))
    whole = dump.read_bytes()
    dump.write_bytes(whole[:-1])
    refused = stack.make("restore", "FROM=backups/two", "REPLACE=1", check=False)
    assert refused.returncode != 0 and "is damaged: nothing was touched" in refused.stderr
    assert stack.inside("api", "wamcp", "checksum") == later != before
    dump.write_bytes(whole)
    stack.make("restore", "FROM=backups/two", "REPLACE=1")
    assert stack.inside("api", "wamcp", "checksum") == before


def test_an_upgrade_saves_migrates_and_changes_over(stack: Stack) -> None:
    before = stack.inside("api", "wamcp", "checksum")
    stack.make("upgrade", WAMCP_GIT_VERSION="another")
    assert stack.inside("api", "wamcp", "checksum") == before
    assert (stack.directory / "backups/archive/manifest.json").is_file()
    stack.make("smoke")


def test_no_tunnel_is_opened_with_a_placeholder_for_a_key(stack: Stack) -> None:
    env = stack.directory / ".env"
    good = env.read_text()
    env.write_text(re.sub(r"^ADMIN_API_KEY=.*$", "ADMIN_API_KEY=admin123", good, flags=re.MULTILINE))
    refused = stack.make("tunnel", check=False)
    env.write_text(good)
    assert refused.returncode != 0
    assert "No tunnel is opened while ADMIN_API_KEY is missing or a placeholder" in refused.stderr
    assert stack.compose("--profile", "*", "ps", "-q", "tunnel", "door").strip() == ""


def test_a_tunnel_leads_to_the_public_port_and_nothing_else(stack: Stack) -> None:
    said = stack.make("tunnel").stdout
    address = "https://invented-words-of-a-test.trycloudflare.com"
    assert f"Callback URL for Meta: {address}/webhooks/whatsapp" in said
    assert stack.make("tunnel-url").stdout.strip() == address
    challenge = "/webhooks/whatsapp?hub.mode=subscribe&hub.verify_token=dev-verify-token&hub.challenge=42"
    answers = stack.inside(
        "tunnel", "python3", "-c", THROUGH, "/healthz", challenge, "/admin/health", "/mcp", "/metrics"
    )
    assert answers.split() == ["200", "200", "404", "404", "404"]
    assert stack.inside(
        "tunnel", "python3", "-c", REACHED, "door:8001", "door:8000", "api:8000", "db:5432"
    ).split() == ["door:8001"]


def test_new_settings_reach_what_the_tunnel_leads_to(stack: Stack) -> None:
    env, key = stack.directory / ".env", "WHATSAPP_VERIFY_TOKEN"
    env.write_text(re.sub(rf"^{key}=.*$", f"{key}=another-token-of-the-tests", env.read_text(), flags=re.MULTILINE))
    tunnel = stack.container("tunnel")["Id"]
    stack.make("dev")
    tokens = ("dev-verify-token", "another-token-of-the-tests")
    asked = [f"/webhooks/whatsapp?hub.mode=subscribe&hub.verify_token={token}&hub.challenge=42" for token in tokens]
    assert stack.inside("tunnel", "python3", "-c", THROUGH, *asked).split() == ["403", "200"]
    assert stack.container("tunnel")["Id"] == tunnel, "another tunnel has another address"


def test_after_a_restore_the_tunnel_leads_somewhere_and_as_many_work(stack: Stack) -> None:
    stack.make("backup", "TO=backups/three")
    stack.make("scale", "WORKERS=2")
    stack.make("restore", "FROM=backups/three", "REPLACE=1")
    assert stack.health("door") == "healthy"
    assert stack.container("worker", 2)["State"]["Health"]["Status"] == "healthy", "as many go on"
    assert stack.inside("tunnel", "python3", "-c", THROUGH, "/healthz").split() == ["200"]


def test_it_goes_down(stack: Stack) -> None:
    stack.make("down")
    assert stack.compose("--profile", "*", "ps", "-aq").strip() == ""
