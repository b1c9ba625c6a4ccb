"""Downloads: where the token goes, which redirections are followed, and which addresses are not even asked."""

import asyncio
import socket
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest

from tests.recording_server import Recording, recording
from wamcp.whatsapp.download import Download, Downloads, Outcome, Wish, deadline_s, is_public

TOKEN = "a-token-of-the-tests"
META = "https://graph.facebook.com"


@pytest.fixture
def own() -> Iterator[Recording]:
    with recording() as server:
        yield server


@pytest.fixture
def stranger() -> Iterator[Recording]:
    with recording() as server:
        yield server


def fetch(base: str, url: str, **more: Any) -> tuple[Download, bytes]:
    into = BytesIO()
    with Downloads(base, TOKEN) as downloads:
        return downloads.fetch(Wish(url, 5.0, **more), into), into.getvalue()


def test_the_token_and_a_name_go_to_the_configured_host(own: Recording) -> None:
    own.answers["/f?x=%2F&y"] = (200, {"Content-Type": "image/png"}, b"bytes")
    found, content = fetch(own.url, f"{own.url}/f?x=%2F&y")
    assert (found, content) == (Download(Outcome.FETCHED, "", 5, "image/png"), b"bytes")
    [(path, headers)] = own.requests
    assert path == "/f?x=%2F&y" and headers["authorization"] == f"Bearer {TOKEN}"
    assert headers["user-agent"].startswith("curl/") and "wamcp/" in headers["user-agent"]


def test_a_redirection_to_a_stranger_is_refused(own: Recording, stranger: Recording) -> None:
    own.answers["/f"] = (302, {"Location": f"{stranger.url}/f"}, b"")
    found, content = fetch(own.url, f"{own.url}/f")
    assert found.outcome == Outcome.REFUSED and content == b"" and stranger.requests == []


def test_a_redirection_within_the_host_is_followed_a_few_times(own: Recording) -> None:
    own.answers["/f"] = (307, {"Location": "/g"}, b"")
    own.answers["/round"] = (302, {"Location": "/round"}, b"")
    assert fetch(own.url, f"{own.url}/f") == (Download(Outcome.FETCHED, "", 5, None), b"hello")
    assert fetch(own.url, f"{own.url}/round")[0].outcome == Outcome.TROUBLE
    assert [path for path, _ in own.requests] == ["/f", "/g", "/round", "/round", "/round"]


@pytest.mark.parametrize(
    "url",
    [
        "http://lookaside.fbsbx.com/f",
        "https://lookaside.fbsbx.com:8443/f",
        "https://lookaside.fbsbx.com@example.com/f",
        "https://token@lookaside.fbsbx.com/f",
        "https://fbsbx.com.example.com/f",
        "https://evilfbsbx.com/f",
        "https://example.com/?https://lookaside.fbsbx.com/",
        "https://example.com#.fbsbx.com",
        "https://example.com\\.fbsbx.com/f",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/f",
        "//lookaside.fbsbx.com/f",
        "file:///etc/passwd",
        "ftp://lookaside.fbsbx.com/f",
        "http://",
        "https:// /",
        "",
    ],
)
def test_what_is_no_host_of_metas_is_not_asked(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up: list[object] = []

    async def no_network(*arguments: object, **_: object) -> list[object]:
        looked_up.append(arguments)
        return []

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", no_network)
    assert fetch(META, url)[0].outcome == Outcome.REFUSED
    assert looked_up == []


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["10.0.0.7"], ["57.144.0.1", "::1"], ["::ffff:192.168.0.1"], []])
def test_a_host_of_metas_that_leads_inside_is_not_asked(addresses: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(_loop: object, host: str, port: int, **_: object) -> list[Any]:
        assert host == "lookaside.fbsbx.com"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", answer)
    found, _ = fetch(META, "https://lookaside.fbsbx.com/f")
    assert found.outcome == Outcome.REFUSED and "private network" in found.reason


def test_the_port_of_the_configured_host_counts(own: Recording, stranger: Recording) -> None:
    assert fetch(own.url, f"{stranger.url}/f")[0].outcome == Outcome.REFUSED
    assert fetch(own.url, own.url.replace("http:", "https:") + "/f")[0].outcome == Outcome.REFUSED
    assert stranger.requests == [] and own.requests == []


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "::1", "fe80::1%eth0"]
)
def test_addresses_that_are_not_the_internets(address: str) -> None:
    assert not is_public(address)
    assert is_public("157.240.1.1") and is_public("2a03:2880:f12f:83:face:b00c:0:25de")


def test_pages_and_packed_answers_are_no_files(own: Recording) -> None:
    own.answers["/page"] = (200, {"Content-Type": "text/html; charset=utf-8"}, b"<html>")
    own.answers["/packed"] = (200, {"Content-Encoding": "gzip"}, b"\x1f\x8b")
    assert fetch(own.url, f"{own.url}/page", mime_type="image/png")[0].outcome == Outcome.TROUBLE
    assert fetch(own.url, f"{own.url}/page", mime_type="text/html")[0].outcome == Outcome.FETCHED
    assert fetch(own.url, f"{own.url}/packed")[0].outcome == Outcome.TROUBLE


def test_a_body_of_unknown_length_is_measured(own: Recording) -> None:
    own.answers["/f"] = (200, {"Content-Length": "5"}, b"hello")
    assert fetch(own.url, f"{own.url}/f", size=6)[0].outcome == Outcome.TROUBLE
    assert fetch(own.url, f"{own.url}/f", size=5)[0].outcome == Outcome.FETCHED
    assert fetch(own.url, f"{own.url}/f", cap=4)[0].outcome == Outcome.TOO_LARGE
    assert fetch(own.url, f"{own.url}/f", cap=5)[0].outcome == Outcome.FETCHED


def test_what_writing_raises_comes_out(own: Recording) -> None:
    class Full(BytesIO):
        def write(self, _: object) -> int:
            raise OSError(28, "No space left on device")

    with Downloads(own.url, TOKEN) as downloads, pytest.raises(OSError, match="No space"):
        downloads.fetch(Wish(f"{own.url}/f", 5.0), Full())


def test_large_files_have_longer() -> None:
    assert deadline_s(0) == 30 and deadline_s(100_000_000) == 230 and deadline_s(10**15) == 240 > deadline_s(None)
