"""Connections whose other end is gone: both ends are told to notice it soon."""

import psycopg

from wamcp.db.session import NETWORK, be_noticed


def test_the_server_notices_as_soon_as_we_do_that_the_other_end_is_gone(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True, **NETWORK) as connection:
        be_noticed(connection)
        shown = [connection.execute(f"SHOW tcp_{name}").fetchone() for name in ("keepalives_idle", "user_timeout")]
        ours = connection.info.get_parameters()
    assert shown == [("5",), ("10000",)]
    assert (ours["keepalives_idle"], ours["tcp_user_timeout"]) == ("5", "10000")
