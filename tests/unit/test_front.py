"""Who is believed, how often somebody may ask, and which scope is enough."""

import pytest

from wamcp.access import doorkeeper
from wamcp.access.doorkeeper import Rates, network
from wamcp.access.grants import Grant
from wamcp.errors import Misconfigured, NotAllowed
from wamcp.settings import load, networks
from wamcp.vocabulary import Actor, TokenScope
from wamcp.web import scopes
from wamcp.web.forwarded import put_client


@pytest.mark.parametrize(
    ("peer", "told", "client"),
    [
        ("10.0.0.7", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.7", ["6.6.6.6, 203.0.113.9, 10.1.1.1"], "203.0.113.9"),
        ("10.0.0.7", ["6.6.6.6", "203.0.113.9"], "203.0.113.9"),
        ("10.0.0.7", ["203.0.113.9:4711"], "203.0.113.9"),
        ("10.0.0.7", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("::ffff:10.0.0.7", ["::ffff:203.0.113.9"], "203.0.113.9"),
        ("10.0.0.7", ["10.0.0.9"], "10.0.0.9"),
        ("10.0.0.7", ["203.0.113.9, unknown"], "10.0.0.7"),
        ("10.0.0.7", ["6.6.6.6, unknown, 10.1.1.1"], "10.1.1.1"),
        ("10.0.0.7", [""], "10.0.0.7"),
        ("10.0.0.7", [], "10.0.0.7"),
        ("203.0.113.50", ["127.0.0.1"], "203.0.113.50"),
        ("2001:db8::5", ["127.0.0.1"], "2001:db8::5"),
    ],
)
def test_only_what_trusted_proxies_added_is_believed(peer: str, told: list[str], client: str) -> None:
    headers = [(b"x-forwarded-for", value.encode()) for value in told]
    scope = {"client": (peer, 1), "headers": headers}
    put_client(scope, networks("10.0.0.0/8, 192.168.1.1"))
    assert scope["client"][0] == client


def test_without_a_trusted_proxy_nothing_is_believed() -> None:
    scope = {"client": ("127.0.0.1", 1), "headers": [(b"x-forwarded-for", b"203.0.113.9")]}
    put_client(scope, networks(""))
    assert scope["client"] == ("127.0.0.1", 1)


@pytest.mark.parametrize("wrong", ["somewhere", "10.0.0.0/33", "10.0.0.1 10.0.0.2"])
def test_a_proxy_that_is_no_address_is_refused_by_its_variable(wrong: str) -> None:
    with pytest.raises(Misconfigured, match="WAMCP_TRUSTED_PROXIES"):
        load({"WAMCP_TRUSTED_PROXIES": wrong})


def test_rates_and_connections_have_a_range() -> None:
    for variable, wrong in (("WAMCP_ADMIN_RATE", "-1"), ("WAMCP_MCP_RATE", "many"), ("WAMCP_MAX_CONNECTIONS", "1")):
        with pytest.raises(Misconfigured, match=variable):
            load({variable: wrong})


def test_a_key_may_use_its_minute_at_once_and_then_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(doorkeeper.time, "monotonic", lambda: now)
    rates = Rates(60)
    assert [rates.take("a") for _ in range(60)] == [0.0] * 60
    assert rates.take("a") == pytest.approx(1.0)
    assert rates.take("b") == 0.0
    now += 1.001
    assert rates.take("a") == 0.0
    assert rates.wait("a") > 0
    now += 3600
    assert [rates.take("a") for _ in range(61)].count(0.0) == 60


def test_no_rate_is_no_limit_and_keys_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not any(Rates(0).take("a") for _ in range(1000))
    monkeypatch.setattr(doorkeeper, "MAX_ADDRESSES", 10)
    rates = Rates(60)
    for number in range(100):
        rates.take(str(number))
    assert len(rates._full_at) == 10


def test_a_network_is_one_address() -> None:
    assert network("203.0.113.9") == "203.0.113.9"
    assert network("2001:db8:1:2:3::4") == network("2001:db8:1:2:9::1") == "2001:db8:1:2::/64"
    assert network("::ffff:203.0.113.9") == "203.0.113.9"
    assert network("nowhere") == "nowhere"


@pytest.mark.parametrize(
    ("method", "path", "enough"),
    [
        ("GET", "/admin/conversations", {"read"}),
        ("GET", "/admin/sends", {"read"}),
        ("POST", "/send/text", {"send"}),
        ("POST", "/send/read", {"send"}),
        ("GET", "/send/text", {"send"}),
        ("POST", "/admin/sends/s1/retry", {"operate"}),
        ("POST", "/admin/events/1/replay", {"operate"}),
        ("POST", "/admin/participants/p1/merge", {"operate"}),
        ("POST", "/admin/media/f1/fetch", {"operate"}),
        ("DELETE", "/admin/whatever", {"operate"}),
        ("GET", "/metrics", {"read", "metrics"}),
        ("GET", "/admin/health", {"read", "metrics"}),
        ("HEAD", "/readyz", {"read", "metrics"}),
        ("GET", "/sendings", {"read"}),
    ],
)
def test_each_request_needs_its_scope(method: str, path: str, enough: set[str]) -> None:
    for scope in TokenScope:
        grant = Grant(Actor.ADMIN_API, "x", b"", scopes=frozenset({scope}))
        if scope in enough:
            scopes.require(grant, method, path)
        else:
            with pytest.raises(NotAllowed, match="--scope"):
                scopes.require(grant, method, path)
