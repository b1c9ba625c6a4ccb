"""A process that sends one message and is killed at a named point of it, as a power cut would.

usage: python -m tests.killed_send POINT PERSON WORDS     (the environment names database and Meta)
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from tests.sending_office import text_for
from wamcp.db import sends
from wamcp.sending import hand_over
from wamcp.sending.desk import Desk
from wamcp.sending.means import means_of
from wamcp.settings import load
from wamcp.whatsapp.graph import Graph

POINTS = ("written", "turn taken", "marked", "in the call", "answered", "before the commit", "settled")


def main(point: str, person: str, words: str) -> None:
    _kill_at(point)
    with means_of(load(), "killed", connections=2) as means:
        Desk(means).send(text_for(person, words))
        _die()


def _kill_at(point: str) -> None:
    """Wraps what sends so that this process ends when it comes to ``point``."""
    if point == "written":
        _before(hand_over.pace, "stopped")
    elif point == "turn taken":
        _before(hand_over.sends, "begin")
    elif point == "marked":
        _before(Graph, "post")
    elif point == "in the call":
        signal.signal(signal.SIGALRM, lambda *_: _die())
        _around(Graph, "post", lambda: signal.setitimer(signal.ITIMER_REAL, float(os.environ["KILL_AFTER_S"])))
    elif point == "answered":
        _before(hand_over, "read_reply")
    elif point == "before the commit":
        _before(hand_over.sends, "keep_raw")
    elif point == "settled":
        _before(hand_over.pace, "forget_refusals")
    assert sends is hand_over.sends


def _before(place: Any, name: str) -> None:
    _around(place, name, _die)


def _around(place: Any, name: str, first: Callable[[], object]) -> None:
    original = getattr(place, name)

    def wrapped(*arguments: Any, **named: Any) -> Any:
        first()
        return original(*arguments, **named)

    setattr(place, name, wrapped)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(*sys.argv[1:4])
