"""The disk of the database is full: nothing is acknowledged that is not kept, and when there is room all goes on."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.engine import Stack, until
from tests.containers.traffic import Traffic

MEGABYTE = 1_000_000
SMALL = "400m"
OVERRIDE = """
volumes:
  database:
    driver_opts: {{type: none, o: bind, device: "{device}"}}
"""
FILL_WAL = "SELECT pg_logical_emit_message(false, 'test', repeat('x', 1000000)), pg_switch_wal()"


def fill_log(stack: Stack) -> bool:
    """Writes into Postgres's log until it refuses: True when it did."""
    command = ("docker", "compose", "exec", "-T", "db", "psql", "-U", "wamcp", "-d", "wamcp", "-c", FILL_WAL)
    return any(stack.run(*command, check=False).returncode for _ in range(30))


class Disk:
    """A file system of a fixed size in this machine's memory, in which the database lies."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._ballast = directory / "ballast"

    def fill(self) -> None:
        """Leaves not a byte."""
        with self._ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(MEGABYTE // 4))
            except OSError:
                pass

    def make_room(self) -> None:
        self._ballast.unlink()


@pytest.fixture
def disk(stack: Stack, tmp_path: Path) -> Iterator[Disk]:
    """The stack, with nothing in it, on a small disk; without it at the end."""
    directory = tmp_path / "disk"
    directory.mkdir()
    override = stack.directory / "docker-compose.override.yml"
    stack.compose("down", "--volumes")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL},mode=1777", "wamcp-test", directory], check=True)
    try:
        override.write_text(OVERRIDE.format(device=directory))
        stack.make("dev")
        yield Disk(directory)
    finally:
        stack.compose("down", "--volumes", "--timeout", "5")
        override.unlink()
        subprocess.run(["umount", directory], check=True)


def test_a_full_disk_is_refused_seen_and_survived(stack: Stack, disk: Disk, tmp_path: Path) -> None:
    others = ("api", "mcp", "worker", "valkey", "minio")
    with Traffic(stack, tmp_path / "ledger", more_bytes=20_000) as traffic:
        until(lambda: traffic.accepts(0), 30, "nothing is acknowledged")
        disk.fill()
        filled = time.monotonic()
        refused = until(lambda: bool(traffic.statuses(filled) - {200}), 60, "the disk does not become full")
        until(lambda: traffic.statuses(time.monotonic() - 3) == {503}, 60, "some are taken still")
        told = stack.unwell("api", "api")
        fill_log(stack)
        ended = time.monotonic()
        until(lambda: fill_log(stack) and stack.health("api") == "unhealthy", 180, "/readyz does not say it")
        red = time.monotonic() - ended
        time.sleep(10)
        restarts = int(stack.container("db")["RestartCount"])
        assert [stack.container(each)["RestartCount"] for each in others] == [0] * len(others)
        while_full = traffic.since(filled + refused)
        disk.make_room()
        room = time.monotonic()
        back = until(lambda: traffic.accepts(room), 120, "webhooks are not taken again")
        for each in ("db", "api", "mcp", "worker"):
            stack.becomes(each, "healthy")
        well = time.monotonic() - room
        traffic.end()
    slowest = max(answer.seconds for answer in while_full)
    print(
        f"disk full: refused after {refused:.1f} s, when /readyz said: {told or 'well'}; with its log full, api was"
        f" red after {red:.1f} s and Postgres was started {restarts} times; {len(while_full)} answers meanwhile, the"
        f" slowest after {slowest:.2f} s; room made: taken after {back:.1f} s, all healthy after {well:.1f} s;"
        f" {len(traffic.bodies)} webhooks, {traffic.told()}"
    )
    traffic.check_all_is_there_once()
    stack.make("smoke")
