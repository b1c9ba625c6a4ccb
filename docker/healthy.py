"""The health checks of the images: ``healthy.py api``, ``worker``, or one half of it; exit code 0 when all is well.

What is wrong is said in one sentence on standard error, which ``docker inspect`` shows.
"""

import os
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

READY_S = 8.0
PONG_S = 8.0
PARTS = ("normalizer", "celery")
STANDS_STILL = "TtZX"


def main() -> str | None:
    """Looks at the part named on the command line; None when it works, else what is wrong."""
    part = sys.argv[1] if len(sys.argv) == 2 else ""
    if part == "api":
        return api()
    if part == "worker":
        return running(PARTS) or pong()
    if part == "normalizer":
        return running([part])
    if part == "celery":
        return running([part]) or pong()
    return "usage: healthy.py api|worker|normalizer|celery"


def api() -> str | None:
    """It answers, and so does the database, with the tables of this release: webhooks can be kept."""
    url = f"http://127.0.0.1:{os.environ.get('WAMCP_PORT') or 8000}/readyz"
    try:
        with urllib.request.urlopen(url, timeout=READY_S):  # nosec B310
            return None
    except urllib.error.HTTPError as refusal:
        return f"/readyz says {refusal.code}: {refusal.read(300).decode(errors='replace')}"
    except OSError as error:
        return f"/readyz does not answer: {error}"


def running(parts: Sequence[str]) -> str | None:
    """These halves of the worker are there, and none is stopped."""
    found = {part: states(f"worker --only {part}") for part in parts}
    for part, seen in found.items():
        if not seen:
            return f"the {part} does not run"
        if set(seen) <= set(STANDS_STILL):
            return f"the {part} stands still"
    return None


def states(command: str) -> str:
    """A letter of the state of each process whose command line ends with ``command``."""
    letters = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            if words.endswith(command):
                letters.append((process / "stat").read_text().rpartition(")")[2].split()[0])
        except OSError:
            continue
    return "".join(letters)


def pong() -> str | None:
    """Celery here answers a ping that came through the broker."""
    from wamcp.cli.environment import settings_here
    from wamcp.jobs import celery_app

    url = settings_here().require("redis_url")
    name = f"celery@{socket.gethostname()}"
    try:
        answers = celery_app(url).control.ping(destination=[name], timeout=PONG_S, limit=1)
    except Exception as error:  # noqa: BLE001 - whatever the broker's library raises
        return f"the broker does not answer: {type(error).__name__}"
    return None if answers else "Celery does not answer"


if __name__ == "__main__":
    if trouble := main():
        print(trouble, file=sys.stderr)  # noqa: T201
    sys.exit(bool(trouble))
