"""A second opinion on a page's text: whether one reader ran words together that another keeps apart."""

import re

_WORD = re.compile(r"\w+")
_WORDS = 3000
_LONGEST = 60
_MANY = 3
"""So many words run together are no chance."""
_SHARE_OF_LETTERS = 0.9


def is_better(second: str, first: str) -> bool:
    """Whether ``second`` has the words of ``first``, and keeps some apart that stick together there."""
    if sum(map(str.isalnum, second)) < _SHARE_OF_LETTERS * sum(map(str.isalnum, first)):
        return False
    one, two = _words(first), _words(second)
    return _run_together(one, set(two)) - _run_together(two, set(one)) >= _MANY


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())[:_WORDS]


def _run_together(words: list[str], apart: set[str]) -> int:
    """How many of ``words`` are two words of ``apart`` without the blank between them."""
    odd = [word for word in words if 4 <= len(word) <= _LONGEST and word not in apart]
    return sum(any(word[:at] in apart and word[at:] in apart for at in range(2, len(word) - 1)) for word in odd)
