"""Connections whose other end is gone: both ends are told to notice it within half a minute."""

import psycopg
from psycopg.conninfo import conninfo_to_dict

from wamcp.db.session import NOTICING, be_noticed, noticing


def test_a_connection_notices_that_the_server_is_gone_as_its_address_says_or_soon(database_url: str) -> None:
    found = conninfo_to_dict(noticing(f"{database_url}?keepalives_idle=60"))
    wanted = {name: str(value) for name, value in NOTICING.items()}
    assert found == {**conninfo_to_dict(database_url), **wanted, "keepalives_idle": "60"}


def test_the_server_notices_that_the_client_is_gone(database_url: str) -> None:
    with psycopg.connect(noticing(database_url), autocommit=True) as connection:
        be_noticed(connection)
        shown = [connection.execute(f"SHOW tcp_{name}").fetchone() for name in ("keepalives_idle", "user_timeout")]
    assert shown == [("10",), ("15000",)]
