"""One stack for all tests here, made as a user makes it: a copy of the repository, its .env, `make dev`."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.engine import Stack

ROOT = Path(__file__).parents[2]
OF_THE_USER = {".env", ".secrets", "backups"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Only `make test-containers` runs these, in the order in which they stand."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.containers)
            item.add_marker(pytest.mark.timeout(1800))
            if not os.environ.get("WAMCP_TEST_CONTAINERS"):
                item.add_marker(pytest.mark.skip(reason="run `make test-containers`"))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running stack, healthy; removed with its volumes at the end."""
    directory = tmp_path_factory.mktemp("wamcp")
    checkout(directory)
    made = Stack(directory)
    try:
        made.make("dev")
        made.compose("down", "--volumes")
        began = time.monotonic()
        said = made.make("dev").stdout
        print(f"{said}\nfrom nothing to healthy, with images that are there: {time.monotonic() - began:.1f} s")
        yield made
    finally:
        made.run("docker", "compose", "--profile", "*", "down", "--volumes", "--timeout", "5", check=False)


def checkout(directory: Path, commit: str = "") -> None:
    """Makes ``directory`` hold this repository, or its state at ``commit``; what a user has there of his own stays."""
    for path in directory.iterdir():
        if path.name not in OF_THE_USER:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    if commit:
        archive = ["git", "-c", "tar.umask=0022", "archive", commit]  # modes as here, else nothing is found built
        packed = subprocess.run(archive, cwd=ROOT, capture_output=True, check=True).stdout
        subprocess.run(["tar", "-x"], cwd=directory, input=packed, check=True)
    else:
        listed = ["git", "ls-files", "-co", "--exclude-standard"]
        for name in subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines():
            if (ROOT / name).is_file():
                (directory / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, directory / name)
    if not (directory / ".env").exists():
        shutil.copy(directory / ".env.example", directory / ".env")
