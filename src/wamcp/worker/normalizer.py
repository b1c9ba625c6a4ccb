"""The normalizer as a process: works until it is told to stop, and finishes its batch before it does."""

import signal
import threading

from wamcp.ingest.normalize import run
from wamcp.settings import Settings


def serve(settings: Settings) -> None:
    """Runs the normalizer until SIGTERM or SIGINT."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    run(settings.direct_url(), stop)
