"""Cursors: whole, exact, and of no use to anybody else."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import grant
from wamcp.archive import page
from wamcp.errors import BadCursor


@dataclass(frozen=True, slots=True)
class Question:
    text: str = "a"
    limit: int = 5
    cursor: str | None = None


MINE = grant()


@given(st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=3))
def test_a_position_comes_back_as_it_went(position: list[int]) -> None:
    assert page.unseal(MINE, Question(), page.seal(MINE, Question(), position)) == position


def test_limit_and_cursor_are_no_part_of_the_question() -> None:
    cursor = page.seal(MINE, Question(), [1])
    assert page.unseal(MINE, Question(limit=50, cursor=cursor), cursor) == [1]


def test_another_question_and_another_bearer_are_refused() -> None:
    cursor = page.seal(MINE, Question(), [1])
    with pytest.raises(BadCursor):
        page.unseal(MINE, Question(text="b"), cursor)
    with pytest.raises(BadCursor):
        page.unseal(replace(MINE, key=b"o" * 32), Question(), cursor)


@given(st.text())
def test_anything_else_is_refused(cursor: str) -> None:
    with pytest.raises(BadCursor):
        page.unseal(MINE, Question(), cursor)


@given(st.datetimes(timezones=st.just(UTC)))
def test_moments_are_exact_to_the_microsecond(moment: datetime) -> None:
    assert page.moment(page.micros(moment)) == moment


def test_moments_are_taken_to_utc() -> None:
    assert page.utc(datetime(2026, 3, 2, 12)) == datetime(2026, 3, 2, 12, tzinfo=UTC)
    east = timezone(timedelta(hours=2))
    assert page.utc(datetime(2026, 3, 2, 12, tzinfo=east)) == datetime(2026, 3, 2, 10, tzinfo=UTC)
    assert page.utc(None) is None
