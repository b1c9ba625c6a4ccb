"""Array literals of our own making arrive in Postgres as they were."""

import psycopg
from hypothesis import given, settings
from hypothesis import strategies as st

from wamcp.db.columns import columns

STORABLE = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


def test_every_string_number_truth_and_byte_arrives(empty_database: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:

        @settings(max_examples=300, deadline=None)
        @given(
            st.lists(
                st.tuples(
                    st.none() | STORABLE,
                    st.none() | st.integers(-(2**63), 2**63 - 1),
                    st.none() | st.booleans(),
                    st.none() | st.binary(),
                )
            )
        )
        def arrives(rows: list[tuple[str | None, int | None, bool | None, bytes | None]]) -> None:
            back = connection.execute(
                "SELECT * FROM unnest(%s::text[], %s::bigint[], %s::bool[], %s::bytea[])", columns(rows, 4)
            ).fetchall()
            assert back == rows

        arrives()


def test_words_that_look_like_array_syntax_arrive(empty_database: str) -> None:
    words = ["NULL", "null", "", " ", "{}", '"', "\\", '\\"', "a,b", "{a,b}", "\n\t", "é你🎉"]
    with psycopg.connect(empty_database) as connection:
        back = connection.execute(
            "SELECT * FROM unnest(%s::text[])", columns([(word,) for word in words], 1)
        ).fetchall()
    assert [row[0] for row in back] == words
