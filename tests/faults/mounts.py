"""Small file systems of one's own: disks that fill up at once, and that are made larger while somebody uses them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from wamcp.embedded.process import choose_account, give

needs_mounts = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root on Linux can mount a small disk to fill it"
)
MB = 1024 * 1024


class Disk:
    """A file system in memory at ``path``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def used(self) -> int:
        """Bytes that are taken."""
        found = os.statvfs(self.path)
        return (found.f_blocks - found.f_bfree) * found.f_frsize

    @property
    def free(self) -> int:
        """Bytes that are left."""
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize

    def resize(self, size: int) -> None:
        """Makes it ``size`` bytes large, whoever uses it; what is there has to fit."""
        _run("mount", "-o", f"remount,size={size}", str(self.path))

    def leave(self, room: int) -> None:
        """Makes it so small that ``room`` bytes are left, while others write."""
        for _ in range(20):
            try:
                return self.resize(self.used + room)
            except subprocess.CalledProcessError:
                continue  # more was written between the two than there was to be left
        raise AssertionError(f"{self.path} grows too fast to be made small")


@contextmanager
def small_disk(path: Path, size: int, *, for_servers: bool = False) -> Iterator[Disk]:
    """A disk of ``size`` bytes at ``path``, which is made; ``for_servers`` gives it to the user of Postgres and Valkey.

    It is unmounted afterwards, even while something on it is in use still.
    """
    path.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(path)], check=False)
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount: a full disk cannot be tried")
    try:
        if for_servers:
            give(path, choose_account(None))
        yield Disk(path)
    finally:
        _run("umount", "--lazy", str(path))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
