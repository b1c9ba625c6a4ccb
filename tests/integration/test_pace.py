"""The clocks that keep sends to Meta's limits: rows that all processes share."""

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import psycopg
import pytest

from wamcp.db import pace
from wamcp.db.pace import PAIR, Backoff, Pace, Stop, number_pace


@pytest.fixture
def connection(database_url: str) -> psycopg.Connection:
    with psycopg.connect(database_url, autocommit=True) as opened:
        yield opened


def turns_of(connection: psycopg.Connection, rate: Pace, count: int, patience_s: float = 1e6) -> list[float]:
    return [pace.take_turn(connection, "N", "", rate, patience_s).wait_s for _ in range(count)]


def test_a_burst_goes_at_once_and_then_one_by_one(connection: psycopg.Connection) -> None:
    waits = turns_of(connection, PAIR, 48)
    assert waits[:45] == [0.0] * 45
    for index, wait in enumerate(waits[45:], start=1):
        assert 6.0 * index - 5 < wait <= 6.0 * index


def test_a_turn_that_is_too_far_away_is_not_taken(connection: psycopg.Connection) -> None:
    rate = Pace(10.0, 1)
    assert pace.take_turn(connection, "N", "", rate, 1.0).is_taken
    far = pace.take_turn(connection, "N", "", rate, 1.0)
    assert not far.is_taken and 5 < far.wait_s <= 10
    again = pace.take_turn(connection, "N", "", rate, 1.0)
    assert not again.is_taken and again.wait_s <= far.wait_s


def test_numbers_and_people_have_clocks_of_their_own(connection: psycopg.Connection) -> None:
    rate = Pace(10.0, 1)
    for number, person in (("N", ""), ("N", "15550100001"), ("M", ""), ("N", "15550100002")):
        assert pace.take_turn(connection, number, person, rate, 0.0).is_taken


def test_many_processes_together_keep_the_rate(database_url: str) -> None:
    rate = number_pace(50)

    def work(_: int) -> list[float]:
        gone = []
        with psycopg.connect(database_url, autocommit=True) as own:
            for _ in range(15):
                turn = pace.take_turn(own, "N", "", rate, 60.0)
                assert turn.is_taken
                time.sleep(turn.wait_s)
                gone.append(time.monotonic())
        return gone

    with ThreadPoolExecutor(6) as threads:
        gone = sorted(moment for moments in threads.map(work, range(6)) for moment in moments)
    assert len(gone) == 90
    within_a_second = max(sum(1 for other in gone if moment <= other < moment + 1.0) for moment in gone)
    late = 6  # each of the six may wake up later than its turn
    assert within_a_second <= 50 + rate.burst + 2 + late
    assert gone[-1] - gone[0] >= (90 - rate.burst) / 50 - 0.05


def test_each_refusal_in_a_row_makes_the_hold_longer(connection: psycopg.Connection) -> None:
    rate, wait = number_pace(80), Backoff(4, 4, 300)
    held = [pace.hold(connection, "N", "15550100001", rate, wait) for _ in range(5)]
    assert held == pytest.approx([4, 16, 64, 256, 300], abs=1.0)
    assert all(one <= other for one, other in pairwise(held))
    assert not pace.take_turn(connection, "N", "15550100001", rate, 10.0).is_taken
    assert pace.take_turn(connection, "N", "15550100002", rate, 0.0).is_taken
    pace.forget_refusals(connection, "N", "15550100001")
    connection.execute("UPDATE send_pace SET ready_at = now()")
    assert pace.hold(connection, "N", "15550100001", rate, wait) == pytest.approx(4, abs=1.0)


def test_a_hold_is_as_long_as_meta_asks(connection: psycopg.Connection) -> None:
    assert pace.hold(connection, "N", "", number_pace(80), Backoff(1, 2, 60, least_s=30)) == pytest.approx(30, abs=1.0)


def test_a_stop_lets_one_try_now_and_then(connection: psycopg.Connection) -> None:
    assert pace.stopped(connection, "token", 60) is None
    pace.stop(connection, "token", Stop(190, "the access token has expired"), 60)
    assert pace.stopped(connection, "token", 60) == Stop(190, "the access token has expired")
    assert pace.stopped(connection, "another token", 60) is None
    connection.execute("UPDATE send_stops SET probe_at = now() - interval '1 second'")
    assert pace.stopped(connection, "token", 60) is None, "one may try"
    assert pace.stopped(connection, "token", 60) is not None, "and only one"
    pace.resume(connection, "token")
    assert pace.stopped(connection, "token", 60) is None


def test_calls_that_ran_together_make_the_hold_longer_once(connection: psycopg.Connection) -> None:
    rate, wait = Pace(1.0, 10), Backoff(60, 2, 3600)
    seen = pace.take_turn(connection, "N", "", rate, 0.0).refusals
    held = [pace.hold(connection, "N", "", rate, wait, seen) for _ in range(8)]
    assert held == pytest.approx([60] * 8, abs=2.0)
    connection.execute("UPDATE send_pace SET ready_at = now()")
    seen = pace.take_turn(connection, "N", "", rate, 0.0).refusals
    held = [pace.hold(connection, "N", "", rate, wait, seen) for _ in range(8)]
    assert held == pytest.approx([120] * 8, abs=2.0)


def test_a_clock_from_before_the_time_was_set_back_holds_nobody(connection: psycopg.Connection) -> None:
    connection.execute("INSERT INTO send_pace VALUES ('N', '', now() + interval '1 day')")
    turns = [pace.take_turn(connection, "N", "", Pace(10.0, 2), 1.0) for _ in range(3)]
    assert [turn.is_taken for turn in turns] == [True, True, False]
    pace.stop(connection, "token", Stop(190, "the access token has expired"), 60)
    connection.execute("UPDATE send_stops SET probe_at = now() + interval '1 day'")
    assert pace.stopped(connection, "token", 60) is None, "one may try"


def test_clocks_of_people_to_whom_nothing_goes_are_removed(connection: psycopg.Connection) -> None:
    connection.execute(
        "INSERT INTO send_pace VALUES ('N', '', now() - interval '2 days'), ('N', 'old', now() - interval '25 hours'),"
        " ('N', 'new', now() - interval '1 hour'), ('N', 'held', now() + interval '1 hour')"
    )
    assert pace.forget_idle(connection) == 1
    assert connection.execute("SELECT recipient FROM send_pace ORDER BY 1").fetchall() == [("",), ("held",), ("new",)]
