"""The errors that the simulated Graph API answers, in Meta's shape."""

import secrets
from typing import Any, NamedTuple


class Trouble(Exception):
    """An error to be answered; ``details`` is Meta's ``error_data.details``."""

    def __init__(self, code: int, title: str, details: str = "", *, status: int = 400, **more: Any) -> None:
        super().__init__(title)
        self.code = code
        self.title = title
        self.details = details
        self.status = status
        self.more = more


class Failure(NamedTuple):
    """An error as a failed status carries it."""

    code: int
    title: str
    details: str


def body_of(trouble: Trouble) -> dict[str, Any]:
    """The JSON object that is answered: ``{"error": {message, type, code, error_data, fbtrace_id, ...}}``."""
    kind = trouble.more.get("type", "OAuthException")
    plain = trouble.more.get("plain", False)
    error: dict[str, Any] = {
        "message": trouble.title if plain else f"(#{trouble.code}) {trouble.title}",
        "type": kind,
        "code": trouble.code,
    }
    error |= {key: value for key, value in trouble.more.items() if key not in ("type", "plain")}
    if trouble.details:
        error["error_data"] = {"messaging_product": "whatsapp", "details": trouble.details}
    error["fbtrace_id"] = "A" + secrets.token_urlsafe(16)
    return {"error": error}


TITLES = {
    1: "An unknown error occurred",
    2: "Service temporarily unavailable",
    4: "Application request limit reached",
    10: "Application does not have permission for this action",
    33: "This object does not exist",
    100: "Invalid parameter",
    190: "Invalid OAuth access token",
    368: "Temporarily blocked for policies violations",
    80007: "Rate limit issues",
    130403: "User's number is blocked",
    130429: "Rate limit hit",
    130472: "User's number is part of an experiment",
    131000: "Something went wrong",
    131005: "Access denied",
    131008: "Required parameter is missing",
    131009: "Parameter value is not valid",
    131016: "Service unavailable",
    131021: "Recipient cannot be sender",
    131026: "Message undeliverable",
    131030: "Recipient phone number not in allowed list",
    131031: "Account has been locked",
    131042: "Business eligibility payment issue",
    131047: "Re-engagement message",
    131048: "Spam rate limit hit",
    131049: "This message was not delivered to maintain healthy ecosystem engagement",
    131051: "Unsupported message type",
    131052: "Media download error",
    131053: "Media upload error",
    131056: "(Business Account, Consumer Account) pair rate limit hit",
    131057: "Account in maintenance mode",
    131062: "Business-scoped user id is not supported for this message",
    132000: "Number of parameters does not match the expected number of params",
    132001: "Template name does not exist in the translation",
    132005: "Translated text too long",
    132012: "Parameter format does not match format in the created template",
    132015: "Template is paused",
    132016: "Template is disabled",
    133010: "Account not registered",
}
"""What Meta calls the codes; a script may name others too."""


def trouble(code: int, details: str = "", *, status: int = 400) -> Trouble:
    """The error with this code under its usual title."""
    return Trouble(code, TITLES.get(code, "Something went wrong"), details, status=status)


def missing(name: str) -> Trouble:
    """A parameter is not there, or empty where it may not be."""
    return trouble(131008, f"The parameter {name} is required.")


def invalid(details: str) -> Trouble:
    """A parameter has a value that is not accepted; ``details`` names it and its limit."""
    return trouble(131009, details)


def unexpected(key: str, param: str) -> Trouble:
    """A key that the API does not know."""
    return Trouble(100, f'Unexpected key "{key}" on param "{param}".')


def no_object(node: str, method: str = "post") -> Trouble:
    """What is answered for an id that does not exist or belongs to somebody else."""
    return Trouble(
        100,
        f"Unsupported {method.lower()} request. Object with ID '{node}' does not exist, cannot be loaded due to "
        "missing permissions, or does not support this operation. Please read the Graph API documentation at "
        "https://developers.facebook.com/docs/graph-api",
        type="GraphMethodException",
        plain=True,
        error_subcode=33,
    )


def bad_token(words: str = "Invalid OAuth access token - Cannot parse access token", subcode: int = 0) -> Trouble:
    """The token is missing, unknown or has expired (subcode 463)."""
    more: dict[str, Any] = {"error_subcode": subcode} if subcode else {}
    return Trouble(190, words, status=401, plain=True, **more)


def not_emulated(method: str, path: str) -> Trouble:
    """Said loudly about everything that the simulator does not do, so that nobody takes it for Meta's answer."""
    words = (
        f"NOT EMULATED: {method} {path}. This is WAMCP's Graph API simulator, not Meta; docs/simulator.md lists "
        "what it answers."
    )
    return Trouble(100, words, status=501, type="WamcpSimulator", plain=True)
