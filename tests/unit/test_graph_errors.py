"""Meta's error codes: what each says about the message that was to be sent."""

import pytest

from wamcp.whatsapp.graph_errors import After, meaning_of, read_error

NOTHING_SENT = (130429, 4, 80007, 131057, 2494100)
MAYBE_SENT = (1, 2, 131000, 131016, 133004)
NEVER_AGAIN = (131047, 131026, 131021, 131030, 131051, 131008, 131009, 100, 135000, 33, 131048, 131049, 131050, 130472)
NEVER_AGAIN += (131052, 131053, 131062, 131064, 137000, 130403, 130497, 131042, 131037, 133010, 132000, 132001, 132012)
NEVER_AGAIN += (131031, 368, 3, 10, 200, 131005, 133015, 131041, 131207, 138000, 2388042)


def test_only_what_was_surely_not_sent_is_tried_again() -> None:
    assert {meaning_of(code).after for code in NOTHING_SENT} == {After.LATER}
    assert meaning_of(131056).after == After.PAIR
    assert {meaning_of(code).after for code in MAYBE_SENT} == {After.UNKNOWN}
    assert {meaning_of(code).after for code in NEVER_AGAIN} == {After.REFUSED}
    assert {meaning_of(code).after for code in (0, 190)} == {After.REPLACE}


@pytest.mark.parametrize(
    ("status", "after"),
    [(500, After.UNKNOWN), (503, After.UNKNOWN), (429, After.LATER), (401, After.REPLACE), (400, After.REFUSED)],
)
def test_a_code_that_nobody_knows_is_judged_by_the_status(status: int, after: After) -> None:
    assert meaning_of(987654, status=status).after == after


def test_the_code_counts_more_than_the_status() -> None:
    assert meaning_of(130429, status=500).after == After.LATER
    assert meaning_of(131026, status=500).after == After.REFUSED
    assert meaning_of(987654, status=400, is_transient=True).after == After.UNKNOWN


def test_every_meaning_says_what_to_do() -> None:
    for code in (*NOTHING_SENT, *MAYBE_SENT, *NEVER_AGAIN, 131056, 190):
        meaning = meaning_of(code)
        assert meaning.words and meaning.advice


def test_an_error_is_read_in_all_its_shapes() -> None:
    error = read_error(
        {
            "error": {
                "message": "(#131047) Re-engagement message",
                "type": "OAuthException",
                "code": "131047",
                "error_data": {"messaging_product": "whatsapp", "details": "More than 24 hours"},
                "is_transient": False,
                "fbtrace_id": "A1",
            }
        }
    )
    assert error is not None and (error.code, error.details, error.trace) == (131047, "More than 24 hours", "A1")
    assert read_error({"error": "odd"}) is None
    assert read_error({"messages": []}) is None
    odd = read_error({"error": {"code": None, "error_data": [], "message": 7}})
    assert odd is not None and odd.code == -1 and odd.message == "7"
