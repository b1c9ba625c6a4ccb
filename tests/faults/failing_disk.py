"""A disk that keeps nothing any more: a Postgres whose fsync and fdatasync fail with EIO while a file is there."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from wamcp.embedded import programs
from wamcp.embedded.process import choose_account

_SHIM = """
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>
static int flush(long how, int file) {
  if (access(TRIGGER, F_OK) == 0) { errno = EIO; return -1; }
  return (int)syscall(how, file);
}
int fsync(int file) { return flush(SYS_fsync, file); }
int fdatasync(int file) { return flush(SYS_fdatasync, file); }
"""


@dataclass(frozen=True)
class FailingDisk:
    """Postgres's programs, for ``WAMCP_PG_BIN``, and the file by which their disk fails."""

    bin: Path
    trigger: Path


def can_be_built() -> bool:
    """Whether there is a compiler."""
    return shutil.which("gcc") is not None


def failing_disk(directory: Path) -> FailingDisk:
    """Builds it below ``directory``, which the user of the servers has to reach; the server alone is touched."""
    real = programs.postgres_bin(None, choose_account(None), directory / "copies")
    made = FailingDisk(directory / "bin", directory / "the disk fails")
    shim = directory / "eio.so"
    build = ["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", f'-DTRIGGER="{made.trigger}"', "-xc", "-"]
    subprocess.run([*build, "-o", str(shim)], input=_SHIM, text=True, check=True)
    made.bin.mkdir()
    for program in real.iterdir():
        (made.bin / program.name).symlink_to(program)
    (directory / "lib").symlink_to(real.parent / "lib")
    server = made.bin / "postgres"
    server.unlink()
    server.write_text(f'#!/bin/sh\nLD_PRELOAD={shim} exec {real / "postgres"} "$@"\n')
    for path in (made.bin, server, shim):
        path.chmod(0o755)
    return made
