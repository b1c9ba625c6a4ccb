"""``wamcp worker``: the normalizer and Celery, each a process of its own, or one of them alone."""

import os
import sys
from pathlib import Path
from typing import Literal

from wamcp import telemetry
from wamcp.documents.secrecy import keep_to_ourselves
from wamcp.embedded.children import Child, Family, Signals
from wamcp.embedded.process import Launch
from wamcp.safety import require_safe_echo
from wamcp.settings import Settings

Part = Literal["normalizer", "celery"]
PARTS: tuple[Part, ...] = ("normalizer", "celery")


def require_safe_orders(settings: Settings, only: Part | None) -> None:
    """Raises ``Misconfigured`` when Celery is to run and has no broker, or would echo what it must not."""
    if only != "normalizer":
        settings.require("redis_url")
        require_safe_echo(settings)


def run(settings: Settings, only: Part | None) -> None:
    """Works until SIGTERM or SIGINT; :func:`require_safe_orders` is called before."""
    keep_to_ourselves()
    if only is not None:
        telemetry.start(settings, only)
    if only == "normalizer":
        from wamcp.worker.normalizer import serve

        serve(settings)
    elif only == "celery":
        from wamcp.worker.tasks import serve as serve_celery

        serve_celery(settings)
    else:
        _run_both()


def _run_both() -> None:
    env = {**os.environ, "WAMCP_MIGRATE_ON_START": "false"}
    with Signals() as signals:
        signals.interrupts = False
        family = Family()
        try:
            for part in PARTS:
                argv = (sys.executable, "-m", "wamcp.cli.main", "worker", "--only", part)
                family.start(Child(part, Launch(argv=argv, env=env, cwd=Path.cwd())))
            while not signals.received:
                signals.wait(family.tend())
        finally:
            family.close()
