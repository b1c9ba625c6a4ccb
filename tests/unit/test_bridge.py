"""The stdio bridge without a server: where it sends, what it repeats in headers, what it says when it cannot."""

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.shared.inbound import decode_header_value, encode_header_value

from wamcp.mcp import bridge
from wamcp.mcp.bridge import VERSION_KEY, Failure, Session, encode_header, find_target, headers_for


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("WAMCP_URL", "WAMCP_TOKEN", "WAMCP_TOKEN_FILE", "WAMCP_RUNTIME_FILE", "WAMCP_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


def runtime(tmp_path: Path, **keys: str) -> Path:
    path = tmp_path / "wamcp" / "runtime.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(keys))
    return path


def answers(*lines: bytes) -> list[dict[str, object]]:
    out = io.BytesIO()
    assert bridge.serve(io.BytesIO(b"".join(lines)), out) == 0
    return [json.loads(line) for line in out.getvalue().splitlines()]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_names_in_headers_are_spelt_as_the_sdk_spells_them(name: str) -> None:
    assert encode_header(name) == encode_header_value(name)
    assert decode_header_value(encode_header(name)) == name


def test_the_body_is_repeated_in_the_headers() -> None:
    params = {"name": "get_messages", "_meta": {VERSION_KEY: "2026-07-28"}}
    assert headers_for({"method": "tools/call", "params": params}, Session()) == {
        "Mcp-Method": "tools/call",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Name": "get_messages",
    }


def test_the_older_era_gets_the_version_that_initialize_agreed_on() -> None:
    session = Session()
    session.protocol_version = "2025-11-25"
    assert headers_for({"method": "tools/list"}, session)["MCP-Protocol-Version"] == "2025-11-25"
    assert "MCP-Protocol-Version" not in headers_for({"method": "initialize", "params": {}}, session)


def test_nonsense_in_the_parameters_does_not_stop_the_bridge() -> None:
    for params in (None, [], "x", {"_meta": 3}, {"_meta": {VERSION_KEY: 5}, "name": ["x"]}):
        assert headers_for({"method": "tools/call", "params": params}, Session()) == {"Mcp-Method": "tools/call"}


def test_without_anything_it_is_the_loopback_default() -> None:
    assert find_target().url.geturl() == "http://127.0.0.1:8000/mcp"
    assert find_target().token is None


def test_the_port_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAMCP_PORT", "9123")
    assert find_target().url.geturl() == "http://127.0.0.1:9123/mcp"


def test_the_runtime_file_is_used_and_read_anew_each_time(tmp_path: Path) -> None:
    runtime(tmp_path, mcp_url="http://127.0.0.1:9/mcp", mcp_token="one")
    assert (find_target().url.port, find_target().token) == (9, "one")
    runtime(tmp_path, mcp_url="http://127.0.0.1:10/mcp", mcp_token="two")
    assert (find_target().url.port, find_target().token) == (10, "two")


def test_a_broken_runtime_file_is_as_good_as_none(tmp_path: Path) -> None:
    runtime(tmp_path).write_text("{")
    assert find_target().token is None


def test_the_token_of_this_machine_never_goes_to_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime(tmp_path, mcp_token="secret")
    monkeypatch.setenv("WAMCP_URL", "https://wamcp.example.com/mcp")
    assert find_target().token is None
    monkeypatch.setenv("WAMCP_URL", "http://localhost:8001/mcp")
    assert find_target().token == "secret"


def test_a_token_file_is_read_and_a_missing_one_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("wamcp_x\r\n")
    monkeypatch.setenv("WAMCP_TOKEN_FILE", str(tmp_path / "token"))
    assert find_target().token == "wamcp_x"
    monkeypatch.setenv("WAMCP_TOKEN_FILE", str(tmp_path / "nowhere"))
    with pytest.raises(Failure, match="nowhere"):
        find_target()


def test_an_address_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAMCP_URL", "localhost:8000")
    with pytest.raises(Failure, match="WAMCP_URL must look like"):
        find_target()


def test_without_a_token_each_request_is_told_how_to_make_one() -> None:
    said = answers(
        b'\xef\xbb\xbf{"jsonrpc":"2.0","id":"a","method":"initialize"}\r\n',
        b"\r\n",
        b'{"jsonrpc":"2.0","method":"notifications/initialized"}\r\n',
        b'{"jsonrpc":"2.0","id":5,"method":"tools/list"}\n',
    )
    assert sorted(str(answer["id"]) for answer in said) == ["5", "a"]
    for answer in said:
        assert "wamcp token create" in str(answer["error"])


def test_lines_that_are_no_message_are_answered_without_a_server() -> None:
    said = answers(b"{nonsense\n", b"[1]\n")
    assert sorted((answer["id"], answer["error"]["code"]) for answer in said) == [(None, -32700), (None, -32600)]  # type: ignore[index, call-overload, type-var]
