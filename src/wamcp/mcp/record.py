"""What the audit keeps of a request and of its answer: who asked what, and which messages the answer showed."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wamcp.archive.audit import AuditEntry
from wamcp.mcp.visit import Visit
from wamcp.vocabulary import Actor

AUDITED = {"tools/call": "name", "resources/read": "uri", "prompts/get": "name", "completion/complete": "ref"}
"""The methods whose answers can hold what was written or by whom, and the parameter that names the target."""

CLIENT_KEY = "io.modelcontextprotocol/clientInfo"
MAX_VALUE = 200
MAX_KEYS = 20
MAX_SHOWN = 1000


@dataclass(frozen=True, slots=True)
class Asked:
    """One JSON-RPC request as it came in."""

    message: Mapping[str, Any]
    headers: Mapping[str, str]
    address: str

    @property
    def method(self) -> str:
        """The JSON-RPC method; for a body that is no JSON-RPC, what the headers call it."""
        found = self.message.get("method") or self.headers.get("mcp-method")
        return found if isinstance(found, str) else ""

    @property
    def params(self) -> Mapping[str, Any]:
        """The parameters, empty when they are not an object."""
        return _mapping(self.message.get("params"))


@dataclass(frozen=True, slots=True)
class Answered:
    """The response, whole, before any of it is sent."""

    status: int
    body: bytes


def entry(asked: Asked, answered: Answered, visit: Visit, duration_ms: int) -> AuditEntry:
    """The audit row of one request."""
    outcome, error, characters = _outcome(answered)
    return AuditEntry(
        actor=Actor.MCP,
        action=asked.method,
        target=plain(_target(asked), MAX_VALUE),
        token_id=visit.grant.token_id,
        token_label=visit.grant.label,
        request_id=plain(str(asked.message.get("id", "")), 100),
        client=_client(asked),
        transport=_transport(asked.headers),
        address=asked.address,
        parameters=_parameters(asked),
        outcome=outcome,
        error=plain(error, MAX_VALUE) if error else None,
        refs=visit.shown[:MAX_SHOWN] if outcome == "ok" else [],
        characters=characters,
        duration_ms=duration_ms,
    )


def plain(text: str, limit: int) -> str:
    """``text`` as Postgres can keep it: no NUL, no lone surrogate, cut."""
    return text[:limit].encode("utf-8", "replace").decode().replace("\x00", "")


def _target(asked: Asked) -> str:
    value = asked.params.get(AUDITED.get(asked.method, ""))
    if isinstance(value, dict):
        value = value.get("name") or value.get("uri")
    return value if isinstance(value, str) else ""


def _client(asked: Asked) -> str:
    info = _mapping(_mapping(asked.params.get("_meta")).get(CLIENT_KEY))
    named = f"{info.get('name', '')} {info.get('version', '')}".strip()
    return plain(named or asked.headers.get("user-agent", ""), 100)


def _transport(headers: Mapping[str, str]) -> str:
    kind = "bridge" if headers.get("x-wamcp-bridge") else "http"
    version = headers.get("mcp-protocol-version", "")
    return plain(f"{kind} {version}".strip(), 40)


def _parameters(asked: Asked) -> dict[str, Any]:
    if asked.method == "completion/complete":
        return {"argument": _short(asked.params.get("argument"))}
    found = asked.params.get("arguments", {})
    return _short_object(found) if isinstance(found, dict) else {"arguments": _short(found)}


def _short_object(value: Mapping[str, Any]) -> dict[str, Any]:
    kept = {plain(str(key), 60): _short(item) for key, item in list(value.items())[:MAX_KEYS] if item is not None}
    if len(value) > MAX_KEYS:
        kept["…"] = len(value) - MAX_KEYS
    return kept


def _short(value: object) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < 2**63:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, dict | list):
        value = json.dumps(value)
    return plain(value if isinstance(value, str) else str(value), MAX_VALUE)


def _outcome(answered: Answered) -> tuple[str, str | None, int]:
    try:
        message = _mapping(json.loads(answered.body)) if answered.body else {}
    except ValueError:
        message = {}
    if isinstance(error := message.get("error"), dict):
        return "refused", f"{error.get('code')} {error.get('message')}", 0
    if answered.status >= 400:
        return "refused", f"HTTP {answered.status}", 0
    result = _mapping(message.get("result"))
    texts = [str(block.get("text") or block.get("data") or "") for block in _blocks(result)]
    if result.get("isError"):
        return "tool_error", " ".join(texts), sum(map(len, texts))
    return "ok", None, sum(map(len, texts))


def _blocks(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for item in [*_list(result.get("content")), *_list(result.get("contents")), *_list(result.get("messages"))]:
        block = _mapping(item)
        found.append(_mapping(block.get("content")) or block)
    values = _list(_mapping(result.get("completion")).get("values"))
    return found + [{"text": str(value)} for value in values]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
