"""Errors that a model can act on: one line, what is wrong, what is allowed; no library's own noise."""

import logging
import traceback
from pathlib import Path
from typing import Any

from fastmcp.exceptions import NotFoundError, PromptError, ResourceError, ToolError, ValidationError
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS
from pydantic import ValidationError as PydanticError

from wamcp import log
from wamcp.mcp.arguments import quoted
from wamcp.mcp.tools.common import MAX_ERROR

UNEXPECTED = "The archive could not answer this just now; try again, or ask for less (a shorter range, a lower limit)."
NOISY = ("fastmcp.server.server", "fastmcp.server.mixins.mcp_operations", "mcp.server.lowlevel.server")
"""Libraries' loggers that write tracebacks with what the caller typed; what matters of it is logged here."""

_log = log.get(__name__)


class NotThere(ResourceError):
    """A resource that does not exist for this client."""


class Courtesy(Middleware):
    """Rewrites the errors of FastMCP and pydantic, and logs the unexpected ones without what the caller typed."""

    def __init__(self) -> None:
        for name in NOISY:
            logging.getLogger(name).setLevel(logging.CRITICAL)

    async def on_call_tool(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        """Wrong arguments in one line, an unknown tool with the names of those that there are."""
        try:
            return await call_next(context)
        except NotFoundError:
            raise await _unknown_tool(context) from None
        except ValidationError as error:
            raise ToolError(_in_one_line(error), log_level=logging.DEBUG) from None
        except ToolError as error:
            raise ToolError(_told_or_hidden(error), log_level=logging.DEBUG) from None

    async def on_read_resource(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        """A resource that this client may not see is one that is not there."""
        try:
            return await call_next(context)
        except NotThere as error:
            raise NotFoundError(str(error)) from None
        except ResourceError as error:
            raise ResourceError(_told_or_hidden(error), log_level=logging.DEBUG) from None

    async def on_get_prompt(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        """Wrong arguments of a prompt are errors of the protocol."""
        try:
            return await call_next(context)
        except PromptError as error:
            missing = isinstance(error.__cause__, ValueError)
            message = "A required argument is missing; prompts/list names them." if missing else _told_or_hidden(error)
            raise MCPError(code=INVALID_PARAMS, message=message[:MAX_ERROR]) from None


def _told_or_hidden(error: Exception) -> str:
    """An error that we raised speaks for itself; what FastMCP caught is logged by its type and place, and hidden."""
    cause = error.__cause__
    if cause is None:
        return str(error)
    frames = traceback.extract_tb(cause.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    _log.error("mcp_answer_failed", error=type(cause).__name__, place=place)
    return UNEXPECTED


async def _unknown_tool(context: MiddlewareContext[Any]) -> ToolError:
    server = context.fastmcp_context.fastmcp if context.fastmcp_context else None
    names = ", ".join(sorted(tool.name for tool in await server.list_tools())) if server else ""
    return ToolError(f"There is no tool {quoted(context.message.name)}; there are {names}.", log_level=logging.DEBUG)


def _in_one_line(error: ValidationError) -> str:
    cause = error.__cause__
    if not isinstance(cause, PydanticError):
        return "The arguments are not valid; see the tool's input schema."
    told = [_told(found) for found in cause.errors(include_url=False, include_context=False)]
    return " ".join(told)[:MAX_ERROR]


def _told(found: Any) -> str:
    name = str(found["loc"][0]) if found["loc"] else "arguments"
    if found["type"] in ("missing_argument", "missing"):
        return f"{name} is missing."
    if found["type"] == "unexpected_keyword_argument":
        return f"{quoted(name)} is not a parameter of this tool."
    message = found["msg"].partition(" should ")[2] or found["msg"]
    return f"{name} should {message}, not {quoted(str(found['input']))}."
