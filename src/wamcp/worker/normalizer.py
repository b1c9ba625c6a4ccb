"""The normalizer as a process: works until it is told to stop, and finishes its batch before it does."""

import gc
import signal
import threading

from wamcp.ingest.normalize import run
from wamcp.settings import Settings


def serve(settings: Settings) -> None:
    """Runs the normalizer until SIGTERM or SIGINT."""
    stop = threading.Event()
    # A batch makes some ten thousand objects that all live until it is written; looking through them is lost time.
    gc.set_threshold(50_000, 20, 100)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    run(settings.direct_url(), stop)
