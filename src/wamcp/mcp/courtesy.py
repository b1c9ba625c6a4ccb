"""Errors that a model can act on: one line, what is wrong, what is allowed; no library's own noise."""

from typing import Any

from fastmcp.exceptions import NotFoundError, PromptError, ResourceError, ToolError, ValidationError
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS
from pydantic import ValidationError as PydanticError

from wamcp.mcp.arguments import quoted
from wamcp.mcp.tools.common import MAX_ERROR

UNEXPECTED = "The archive could not answer this just now; try again, or ask for less (a shorter range, a lower limit)."


class Courtesy(Middleware):
    """Rewrites the errors of FastMCP and pydantic."""

    async def on_call_tool(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        """Wrong arguments in one line; an unknown tool is an error of the protocol; the unexpected stays private."""
        try:
            return await call_next(context)
        except NotFoundError:
            raise await _unknown_tool(context) from None
        except ValidationError as error:
            raise ToolError(_in_one_line(error), log_level=10) from None
        except ToolError as error:
            raise (ToolError(UNEXPECTED, log_level=10) if error.__cause__ else error) from None

    async def on_read_resource(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        """As for tools."""
        try:
            return await call_next(context)
        except ResourceError as error:
            raise (ResourceError(UNEXPECTED, log_level=10) if error.__cause__ else error) from None

    async def on_get_prompt(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        """As for tools."""
        try:
            return await call_next(context)
        except PromptError as error:
            raise MCPError(code=INVALID_PARAMS, message=str(error)[:MAX_ERROR]) from None


async def _unknown_tool(context: MiddlewareContext[Any]) -> MCPError:
    server = context.fastmcp_context.fastmcp if context.fastmcp_context else None
    names = ", ".join(sorted(tool.name for tool in await server.list_tools())) if server else ""
    return MCPError(code=INVALID_PARAMS, message=f"There is no tool {quoted(context.message.name)}; there are {names}.")


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
    message = found["msg"].removeprefix("Input should be ").removeprefix("a valid ")
    return f"{name} should be {message}, not {quoted(str(found['input']))}."
