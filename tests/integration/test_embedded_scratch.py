"""The servers that the other tests stand on."""

import psycopg
import redis

from wamcp.embedded.scratch import TemporaryPostgres


def test_a_new_database_folds_letters_of_every_script(empty_database: str) -> None:
    with psycopg.connect(empty_database) as connection:
        connection.execute("CREATE EXTENSION pg_trgm")
        row = connection.execute("SELECT lower('ÉЖΣ'), show_trgm('नमस्ते') <> '{}', current_setting('jit')").fetchone()
    assert row == ("éжσ", True, "off")


def test_a_clone_holds_what_its_template_was_given_once(postgres: TemporaryPostgres) -> None:
    given = []

    def prepare(url: str) -> None:
        given.append(url)
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS one")

    clones = [postgres.clone("kept-once", prepare) for _ in range(2)]
    assert len(given) == 1 and len({*clones, *given}) == 3
    for url in clones:
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT one FROM kept").fetchone() == (1,)
        postgres.drop(url)


def test_valkey_keeps_a_log_and_never_evicts(valkey_url: str) -> None:
    client = redis.Redis.from_url(valkey_url, decode_responses=True)
    assert client.config_get("appendonly", "appendfsync", "maxmemory-policy", "save") == {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "save": "",
    }
    client.close()
