"""From the previous release to this one, and back, while webhooks come."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.conftest import ROOT, checkout
from tests.containers.engine import Stack
from tests.containers.traffic import Traffic

MIGRATIONS = "src/wamcp/db/migrations/versions"


def git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def migrations(commit: str) -> set[str]:
    return set(git("ls-tree", "--name-only", commit, f"{MIGRATIONS}/").split())


def previous_release() -> str:
    """The newest state of this repository that lacks a migration of this one."""
    ours = {str(path.relative_to(ROOT)) for path in (ROOT / MIGRATIONS).glob("*.py")}
    for commit in git("rev-list", "--first-parent", "HEAD").split():
        if migrations(commit) < ours:
            return commit
    pytest.fail("The repository's history is missing, so that there is no previous release: git fetch --unshallow")


@pytest.fixture(scope="module")
def previous(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack of the previous release, with nothing in it, in a directory of its own."""
    stack.compose("--profile", "*", "down", "--volumes")
    older = Stack(tmp_path_factory.mktemp("previous"))
    checkout(older.directory, previous_release())
    older.make("dev")
    yield older
    older.compose("down", "--volumes", "--timeout", "5")


def test_an_upgrade_from_the_previous_release_under_load(previous: Stack, tmp_path: Path) -> None:
    schema = previous.sql("SELECT version_num FROM alembic_version")
    with Traffic(previous, tmp_path / "ledger") as traffic:
        time.sleep(5)
        checkout(previous.directory)
        began = time.monotonic()
        previous.make("upgrade")
        took = time.monotonic() - began
        time.sleep(5)
        traffic.end()
    now = previous.sql("SELECT version_num FROM alembic_version")
    print(f"upgrade from schema {schema} to {now} in {took:.0f} s; {traffic.longest_silence():.1f} s without a 200; "
          f"{len(traffic.bodies)} webhooks, {traffic.told()}")  # fmt: skip
    assert now > schema
    traffic.check_all_is_there_once()
    previous.make("smoke")


def test_going_back_to_the_previous_release_under_load(previous: Stack, tmp_path: Path) -> None:
    """Its schema stays the newer one."""
    with Traffic(previous, tmp_path / "ledger") as traffic:
        time.sleep(5)
        checkout(previous.directory, previous_release())
        began = time.monotonic()
        previous.compose("build")
        previous.compose("up", "-d", "--no-deps", "api", "worker", "mcp")
        took = time.monotonic() - began
        time.sleep(20)
        traffic.end()
    print(f"back to the previous release in {took:.0f} s; {traffic.longest_silence():.1f} s without a 200; "
          f"{len(traffic.bodies)} webhooks, {traffic.told()}")  # fmt: skip
    traffic.check_all_is_there_once()


def test_this_release_starts_on_the_schema_of_the_next(previous: Stack) -> None:
    """So that going back to it from there is `make dev`."""
    checkout(previous.directory)
    previous.make("dev")
    schema = previous.sql("SELECT version_num FROM alembic_version")
    previous.sql("UPDATE alembic_version SET version_num = '9999'")
    previous.make("dev")
    for service in ("api", "worker", "mcp"):
        assert previous.health(service) == "healthy", service
    previous.make("smoke")
    previous.sql(f"UPDATE alembic_version SET version_num = '{schema}'")
