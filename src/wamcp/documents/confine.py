"""The limits a child puts on itself before it looks at a stranger's bytes: memory, time, files, no network."""

import ctypes
import platform
import resource
import signal
import struct
import sys
from contextlib import suppress
from typing import Any

from wamcp.documents import wire

_OPEN_FILES = 64
_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_SECCOMP_MODE_FILTER = 2
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050001  # the second one: EPERM
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_X32 = 0x40000000
"""Calls of the x32 flavour of x86-64 begin here: the same ones by other numbers."""
_MACHINES: dict[str, tuple[int, tuple[int, ...]]] = {
    # AUDIT_ARCH, and the numbers of socket, socketpair, ptrace, process_vm_readv, process_vm_writev, io_uring_setup
    "x86_64": (0xC000003E, (41, 53, 101, 310, 311, 425)),
    "aarch64": (0xC00000B7, (198, 199, 117, 270, 271, 425)),
}


def confine(job: wire.Job) -> None:
    """Limits this process and all that it will start. What a kernel cannot do is done without."""
    for what, soft, hard in (
        (resource.RLIMIT_AS, job.memory, job.memory),
        (resource.RLIMIT_CPU, job.cpu_seconds, job.cpu_seconds + 1),
        (resource.RLIMIT_NOFILE, _OPEN_FILES, _OPEN_FILES),
        (resource.RLIMIT_FSIZE, job.file_bytes, job.file_bytes),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        resource.setrlimit(what, (soft, hard))
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            prctl = ctypes.CDLL(None, use_errno=True).prctl
            prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            _close_the_network(prctl)


def _close_the_network(prctl: Any) -> None:
    """A seccomp filter: sockets, and reaching into other processes, are refused."""
    known = _MACHINES.get(platform.machine())
    if known is None:
        return
    machine, calls = known
    code = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, machine), (_RETURN, 0, 0, _REFUSE), (_LOAD, 0, 0, 0)]
    code.append((_AT_LEAST, len(calls) + 1, 0, _X32))
    code += [(_EQUAL, len(calls) - at, 0, call) for at, call in enumerate(calls)]
    code += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSE)]
    packed = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in code))
    program = struct.pack("HxxxxxxP" if struct.calcsize("P") == 8 else "HxxP", len(code), ctypes.addressof(packed))
    prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.create_string_buffer(program), 0, 0)
