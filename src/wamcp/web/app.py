"""The admin API's application: its gate, its routes, and how errors are said."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from wamcp.access.doorkeeper import Doorkeeper
from wamcp.access.tokens import TokenCache
from wamcp.db.session import Pool
from wamcp.errors import Overloaded, WamcpError
from wamcp.settings import Settings
from wamcp.version import version
from wamcp.vocabulary import TokenKind
from wamcp.web import (
    admin,
    admin_account,
    admin_documents,
    admin_media,
    admin_people,
    admin_sends,
    health,
    metrics,
    operate,
    read_again,
    send,
    send_media,
)
from wamcp.web.auth import Gate, error_body
from wamcp.web.request_id import RequestId, problem


def create_app(settings: Settings, reader: Pool, auditor: Pool) -> FastAPI:
    """The application for everything but the webhook and ``/mcp``; reads through ``reader``, records by ``auditor``."""
    app = FastAPI(title="WAMCP", version=version(), docs_url=None, redoc_url=None, exception_handlers=_HANDLERS)
    app.state.settings = settings
    app.state.reader = reader
    app.include_router(health.router)
    app.include_router(admin.router)
    app.include_router(admin_account.router)
    app.include_router(admin_people.router)
    app.include_router(admin_media.router)
    app.include_router(admin_documents.router)
    app.include_router(operate.router)
    app.include_router(read_again.router)
    app.include_router(admin_sends.router)
    app.include_router(send.router)
    app.include_router(send_media.router)
    key = settings.admin_api_key.get_secret_value() if settings.admin_api_key else None
    keeper = Doorkeeper(TokenCache(reader, TokenKind.ADMIN), door="admin", per_minute=settings.admin_rate)
    app.add_middleware(Gate, admin_api_key=key, keeper=keeper, auditor=auditor)
    app.add_middleware(RequestId)  # around the gate: what is added last comes first
    metrics.expose_door("admin", keeper)
    metrics.expose(reader, settings)
    return app


def _ours(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, WamcpError)
    headers = {"retry-after": "5"} if isinstance(error, Overloaded) else None
    return JSONResponse(error_body(error), error.status_code, headers)


def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    sentences = [_sentence(part) for part in error.errors()]
    return JSONResponse(problem("invalid_request", " ".join(sentences)), 422)


def _sentence(part: dict[str, Any]) -> str:
    kind, told, context = part["type"], part["msg"], part.get("ctx", {})
    place = ".".join(str(step)[:60] for step in part["loc"][1:]) or "request"
    if kind == "json_invalid":
        return "The body is no valid JSON; check quotes and commas."
    if kind == "extra_forbidden":
        told = "there is no such key here; /openapi.json lists those there are"
    if kind.startswith("union_tag"):
        place = context["discriminator"].strip("'")
        told = f"it has to be one of {context['expected_tags']}" if "expected_tags" in context else "Field required"
    return f"{place}: {told[:300]}."


def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    told = {404: f"There is nothing at {request.url.path[:200]}; /openapi.json lists what there is."}
    told[405] = f"{request.method} is not answered here; /openapi.json lists what is."
    detail = told.get(error.status_code, str(error.detail))
    name = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "refused")
    return JSONResponse(problem(name, detail), error.status_code, error.headers)


_HANDLERS: dict[Any, Any] = {WamcpError: _ours, RequestValidationError: _invalid, HTTPException: _http}
