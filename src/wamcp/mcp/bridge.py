"""The stdio end of Claude's door: each JSON-RPC line becomes one POST to the running server, and its answer a line.

Standard library alone, so that it answers within a host's first second; it holds no logic of its own.
"""

import base64
import contextlib
import http.client
import json
import os
import queue
import re
import sys
import threading
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import SplitResult, urlsplit

WORKERS = 4
TIMEOUT_S = 60
ERROR_CODE = -32000
PARSE_ERROR = -32700
VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
HOW_TO_GET_ACCESS = (
    "make one on the server with `wamcp token create --label claude` and pass it in WAMCP_TOKEN or WAMCP_TOKEN_FILE"
)
_PLAIN = re.compile(r"[\x20-\x7e]*")
_SENTINEL = re.compile(r"=\?base64\?.*\?=")
_NO_ID = re.compile(rb'"id"\s*:\s*null')
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}

Json = dict[str, Any]


class Target(NamedTuple):
    """Where to send, and the bearer token (None when none was found)."""

    url: SplitResult
    token: str | None


class Session:
    """What ``initialize`` taught about this pipe, for the requests of the older protocol era that follow it."""

    def __init__(self) -> None:
        self.protocol_version: str | None = None
        self.client: str | None = None
        self.write_lock = threading.Lock()


class Failure(Exception):
    """A request that got no answer in JSON-RPC; the message says what to do."""


def main() -> int:
    """Serves stdin to stdout until stdin ends. Returns the exit code."""
    if sys.stdin.isatty():
        print("This is WAMCP's stdio bridge for MCP hosts; see `wamcp mcp config --help`.", file=sys.stderr)
    return serve(sys.stdin.buffer, sys.stdout.buffer)


def serve(lines: BinaryIO, out: BinaryIO) -> int:
    """Forwards every line of ``lines`` with :data:`WORKERS` threads, and ends when they have answered."""
    session = Session()
    work: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    workers = [threading.Thread(target=_work, args=(work, session, out), daemon=True) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    try:
        for line in lines:
            if stripped := line.removeprefix(b"\xef\xbb\xbf").strip():
                work.put(stripped)
    except KeyboardInterrupt:
        return 130
    for _ in workers:
        work.put(None)
    for worker in workers:
        worker.join(TIMEOUT_S)
    return 0


def find_target() -> Target:
    """The server's address and token: from the environment, else from ``runtime.json``, else the loopback default.

    The token of ``runtime.json`` belongs to this machine and is never sent to another host.
    """
    runtime = read_runtime()
    port = os.environ.get("WAMCP_PORT", "").strip() or "8000"
    url = urlsplit(
        os.environ.get("WAMCP_URL", "").strip() or str(runtime.get("mcp_url") or f"http://127.0.0.1:{port}/mcp")
    )
    if url.scheme not in ("http", "https") or not url.hostname:
        raise Failure(f"WAMCP_URL must look like http://127.0.0.1:8000/mcp, not {url.geturl()[:80]!r}.")
    token = os.environ.get("WAMCP_TOKEN", "").strip() or _token_file()
    if not token and (not os.environ.get("WAMCP_URL", "").strip() or url.hostname in _LOOPBACK):
        token = str(runtime.get("mcp_token") or "")
    return Target(url, token or None)


def runtime_path() -> str:
    """Where ``runtime.json`` is: ``WAMCP_RUNTIME_FILE``, else in the user's data directory."""
    if path := os.environ.get("WAMCP_RUNTIME_FILE", "").strip():
        return path
    home = os.environ.get("XDG_DATA_HOME", "").strip() or os.path.expanduser("~/.local/share")
    return os.path.join(home, "wamcp", "runtime.json")


def read_runtime() -> Json:
    """What the server on this machine wrote about itself into ``runtime.json``; empty when there is none."""
    try:
        with open(runtime_path(), encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def encode_header(value: str) -> str:
    """``value`` as a header may carry it: plain ASCII as it is, anything else in MCP's base64 sentinel."""
    if _PLAIN.fullmatch(value) and value == value.strip() and not _SENTINEL.fullmatch(value):
        return value
    return f"=?base64?{base64.b64encode(value.encode('utf-8', 'replace')).decode('ascii')}?="


def headers_for(message: Json, session: Session) -> dict[str, str]:
    """The headers that the protocol wants to see repeated from the body."""
    method = str(message.get("method", ""))
    params = message.get("params")
    params = params if isinstance(params, dict) else {}
    meta = params.get("_meta")
    version = meta.get(VERSION_KEY) if isinstance(meta, dict) else None
    if version is None and method != "initialize":
        version = session.protocol_version
    headers = {"Mcp-Method": encode_header(method)} if method else {}
    if isinstance(version, str):
        headers["MCP-Protocol-Version"] = encode_header(version)
    name = params.get(NAMED_BY.get(method, ""))
    if isinstance(name, str):
        headers["Mcp-Name"] = encode_header(name)
    return headers


def _token_file() -> str:
    path = os.environ.get("WAMCP_TOKEN_FILE", "").strip()
    if not path:
        return ""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except (OSError, ValueError) as error:
        raise Failure(f"WAMCP_TOKEN_FILE points to {path}, which cannot be read: {error}.") from error


def _work(work: "queue.SimpleQueue[bytes | None]", session: Session, out: BinaryIO) -> None:
    connection = Connection()
    while (line := work.get()) is not None:
        try:
            for answer in _answers(line, session, connection):
                _write(out, session, answer)
        except BrokenPipeError:
            os._exit(0)  # The host is gone; nobody is left to answer.
        except Exception as error:  # noqa: BLE001 - a worker that dies would leave its requests unanswered
            print(f"wamcp bridge: {error!r}", file=sys.stderr)
    connection.close()


def _write(out: BinaryIO, session: Session, line: bytes) -> None:
    with session.write_lock:
        out.write(line + b"\n")
        out.flush()


def _answers(line: bytes, session: Session, connection: "Connection") -> Iterator[bytes]:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        yield _error(None, PARSE_ERROR, "This line is not JSON.")
        return
    if not isinstance(message, dict):
        yield _error(None, -32600, "Send one JSON-RPC message per line; batches are not part of MCP.")
        return
    wanted = "id" in message and "method" in message
    if message.get("method") == "initialize":
        session.client = _client_name(message)
    try:
        for answer in connection.exchange(line, headers_for(message, session), session.client):
            if wanted:
                yield _owned(answer, message, session)
    except Failure as failure:
        if wanted:
            yield _error(message["id"], ERROR_CODE, str(failure))


def _client_name(message: Json) -> str | None:
    params = message.get("params")
    info = params.get("clientInfo") if isinstance(params, dict) else None
    if not isinstance(info, dict):
        return None
    return re.sub(r"[^\x21-\x7e]+", "-", f"{info.get('name', '')}/{info.get('version', '')}")[:100]


def _owned(answer: bytes, request: Json, session: Session) -> bytes:
    """``answer`` on one line; an error that lost its request's id gets it back, or the host would wait for ever."""
    if request.get("method") != "initialize" and b"\n" not in answer and not _NO_ID.search(answer):
        return answer
    try:
        decoded = json.loads(answer)
    except ValueError as error:
        raise Failure("The server's answer is not JSON; is WAMCP_URL the address of WAMCP's /mcp?") from error
    if isinstance(decoded, dict):
        if "error" in decoded and decoded.get("id") is None:
            decoded["id"] = request["id"]
        result = decoded.get("result")
        if request.get("method") == "initialize" and isinstance(result, dict):
            session.protocol_version = result.get("protocolVersion")
    return _dump(decoded)


def _error(request_id: object, code: int, message: str) -> bytes:
    return _dump({"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message}})


def _dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


class Connection:
    """One worker's kept-alive connection; opened again when the server was restarted or the address changed."""

    def __init__(self) -> None:
        self._http: http.client.HTTPConnection | None = None
        self._origin = ""

    def exchange(self, body: bytes, headers: dict[str, str], client: str | None) -> Iterator[bytes]:
        """Posts ``body`` and yields the JSON-RPC messages of the answer. Raises :class:`Failure`."""
        target = find_target()
        if not target.token:
            raise Failure(f"No WAMCP token was found: {HOW_TO_GET_ACCESS}; or start the server here with `wamcp up`.")
        headers = headers | {
            "Authorization": f"Bearer {encode_header(target.token)}",
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "User-Agent": f"{client} wamcp-bridge" if client else "wamcp-bridge",
            "X-WAMCP-Bridge": "1",
        }
        try:
            response = self._post(target.url, body, headers)
            yield from _messages(response, target)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            reason = "did not answer in time" if isinstance(error, TimeoutError) else f"cannot be reached ({error})"
            where = f"{target.url.scheme}://{target.url.netloc}"
            raise Failure(
                f"WAMCP at {where} {reason}. Start it (`wamcp up` or `make dev`), or set WAMCP_URL to its /mcp."
            ) from error

    def close(self) -> None:
        """Lets go of the connection."""
        if self._http is not None:
            self._http.close()
        self._http = None

    def _post(self, url: SplitResult, body: bytes, headers: dict[str, str]) -> http.client.HTTPResponse:
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        if self._http is not None and self._origin == f"{url.scheme}://{url.netloc}":
            with contextlib.suppress(ConnectionError, http.client.HTTPException):
                self._http.request("POST", path, body, headers)
                return self._http.getresponse()
        self.close()
        factory = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        self._http = factory(str(url.hostname), url.port, timeout=TIMEOUT_S)
        self._origin = f"{url.scheme}://{url.netloc}"
        self._http.request("POST", path, body, headers)
        return self._http.getresponse()


def _messages(response: http.client.HTTPResponse, target: Target) -> Iterator[bytes]:
    kind = response.headers.get_content_type()
    if response.status == 200 and kind == "text/event-stream":
        yield from _frames(response)
        return
    body = response.read().strip()
    if response.status in (202, 204):
        return
    refusal = _refusal(response, target)
    if refusal is None and kind == "application/json" and body.startswith(b"{"):
        if response.status != 200:
            _require_json_rpc(response.status, body)
        yield body
        return
    raise Failure(refusal or f"The server answered HTTP {response.status} without JSON; is WAMCP_URL right?")


def _require_json_rpc(status: int, body: bytes) -> None:
    """Raises :class:`Failure` for an error in any other JSON: no host would recognise it as the answer."""
    try:
        decoded = json.loads(body)
    except ValueError:
        decoded = {}
    if "jsonrpc" not in decoded:
        told = str(decoded.get("detail") or decoded.get("error") or "")[:300]
        hint = " WAMCP_URL must be the address of WAMCP's /mcp." if status in (404, 405) else ""
        raise Failure(f"The server answered HTTP {status}: {told}{hint}")


def _frames(response: http.client.HTTPResponse) -> Iterator[bytes]:
    data: list[bytes] = []
    for raw in response:
        line = raw.rstrip(b"\r\n")
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif not line and data:
            yield b"\n".join(data)
            data = []
    if data:
        yield b"\n".join(data)


def _refusal(response: http.client.HTTPResponse, target: Target) -> str | None:
    wait = response.headers.get("Retry-After", "60")
    return {
        401: f"The server refused the token (HTTP 401): it is unknown, expired or revoked; {HOW_TO_GET_ACCESS}.",
        403: "The server refused this request (HTTP 403): the token's rights or the caller's origin do not allow it.",
        413: "The request is too large (HTTP 413); ask for less at once.",
        421: f"The server does not answer to the name {target.url.hostname} (HTTP 421): set WAMCP_URL to its public "
        "address, or set PUBLIC_BASE_URL on the server.",
        429: f"Too many requests (HTTP 429): wait {wait} s, then try again.",
    }.get(response.status)


if __name__ == "__main__":
    sys.exit(main())
