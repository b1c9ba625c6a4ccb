"""Answers that fit a context window: pages shrink until they do, and their cursor goes on exactly where they end."""

import json
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

TOKENS = 6_000
BYTES_PER_TOKEN = 3
MAX_TEXT = 2_000
"""Characters of one message that a list shows."""

Answer = dict[str, Any]


class Paged(Protocol):
    """Any page of the archive."""

    @property
    def items(self) -> list[Any]: ...

    @property
    def next_cursor(self) -> str | None: ...


P = TypeVar("P", bound=Paged)


def compact(answer: Answer) -> str:
    """The JSON that goes to the client, without a needless blank."""
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":"))


def estimated_tokens(answer: Answer) -> int:
    """A careful guess: three bytes of UTF-8 are a token, which is about right for Chinese and too much for English."""
    return len(compact(answer).encode("utf-8", "replace")) // BYTES_PER_TOKEN


def fitted(limit: int, ask: Callable[[int], P], render: Callable[[P], Answer]) -> Answer:
    """The rendered page of at most ``limit`` rows that stays within :data:`TOKENS`, at least one row.

    The page is asked for again with fewer rows rather than cut, so that its own cursor continues without gap.
    """
    page = ask(limit)
    answer = render(page)
    found = len(page.items)
    while (size := estimated_tokens(answer)) > TOKENS and len(page.items) > 1:
        keep = min(len(page.items) - 1, max(1, len(page.items) * TOKENS * 9 // (size * 10)))
        page = ask(keep)
        answer = render(page)
    if len(page.items) < found:
        answer["truncated"] = True
        add_notice(answer, f"Only {len(page.items)} rows fit; go on with next_cursor, or ask for a shorter range.")
    return answer


def add_notice(answer: Answer, sentence: str) -> None:
    """Puts one more sentence into the answer's notice."""
    answer["notice"] = f"{answer['notice']} {sentence}" if answer.get("notice") else sentence
