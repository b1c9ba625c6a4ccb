"""What Meta's error codes mean, in plain words, and what may be done after each of them."""

from enum import StrEnum
from typing import Any, NamedTuple

from wamcp.whatsapp.payload.scalars import string


class GraphError(NamedTuple):
    """An ``error`` of the Graph API. Only ``code`` and ``details`` may be relied upon; the rest is for people."""

    code: int
    message: str
    details: str
    subcode: int | None
    is_transient: bool
    trace: str | None


NO_CODE = -1
"""Stands where Meta gave none."""


class After(StrEnum):
    """What an error says about the message that was to be sent."""

    LATER = "later"
    """Nothing was sent, the same request may succeed later."""
    PAIR = "pair"
    """The same, for this recipient alone."""
    UNKNOWN = "unknown"
    """It may have been sent."""
    REPLACE = "replace"
    """Nothing was sent, nor will be until somebody replaces the access token."""
    REFUSED = "refused"
    """Nothing was sent; the request has to be changed first."""


class Meaning(NamedTuple):
    """An error in plain words: what happened, what to do, and what may be done by itself."""

    after: After
    words: str
    advice: str


def read_error(data: dict[str, Any]) -> GraphError | None:
    """The error in an answer of the Graph API, None where it holds none; never raises."""
    error = data.get("error")
    if not isinstance(error, dict):
        return None
    about = error.get("error_data")
    details = about.get("details") if isinstance(about, dict) else None
    code = _integer(error.get("code"))
    return GraphError(
        code=NO_CODE if code is None else code,
        message=(string(error.get("message")) or "")[:1000],
        details=(string(details) or string(error.get("error_user_msg")) or "")[:1000],
        subcode=_integer(error.get("error_subcode")),
        is_transient=error.get("is_transient") is True,
        trace=(string(error.get("fbtrace_id")) or "")[:100] or None,
    )


def meaning_of(code: int, *, status: int = 400, is_transient: bool = False) -> Meaning:
    """What ``code`` means; a code that nobody knows is judged by the HTTP ``status`` beside it.

    The source is Meta's page on Cloud API error codes.
    """
    found = _MEANINGS.get(code) or _of_range(code)
    if found is not None:
        return found
    if is_transient or status >= 500 or status in (408, 425):
        return Meaning(After.UNKNOWN, "Meta had trouble and did not say whether it took the message", _WAIT_FOR_STATUS)
    if status == 429:
        return Meaning(After.LATER, "Meta asks to slow down", _BY_ITSELF)
    if status == 401:
        return _TOKEN
    if 300 <= status < 400:
        return Meaning(After.REFUSED, "this address of the Graph API has moved", "check WHATSAPP_BASE_URL")
    return Meaning(
        After.REFUSED, "Meta refused the request", "read Meta's own words in `details`, and change the request"
    )


_BY_ITSELF = "nothing: it is tried again by itself"
_WAIT_FOR_STATUS = "wait: a status from Meta settles it; only then, or when you are sure, send it again by hand"
_TOKEN = Meaning(
    After.REPLACE,
    "the access token is invalid or has expired",
    "make a new token in Meta's Business settings > System users and set WHATSAPP_ACCESS_TOKEN",
)
_PERMISSION = Meaning(
    After.REFUSED,
    "the access token lacks a permission for this",
    "give the system user whatsapp_business_messaging and whatsapp_business_management, and make a new token",
)
_PARAMETER = Meaning(
    After.REFUSED, "Meta does not accept a parameter", "read `details`: it names the parameter; change the request"
)
_TEMPLATE = "see WhatsApp Manager > Message templates, then change the request"
_OPERATOR = "see WhatsApp Manager: the account itself needs attention"


def _refused(words: str, advice: str) -> Meaning:
    return Meaning(After.REFUSED, words, advice)


_MEANINGS: dict[int, Meaning] = {
    0: _TOKEN,
    190: _TOKEN,
    1: Meaning(After.UNKNOWN, "an unknown error at Meta", _WAIT_FOR_STATUS),
    2: Meaning(After.UNKNOWN, "Meta was down for a moment", _WAIT_FOR_STATUS),
    3: _PERMISSION,
    4: Meaning(After.LATER, "the app has made too many calls", _BY_ITSELF),
    10: _PERMISSION,
    33: _refused("the sending number does not exist or is not ours", "check WHATSAPP_PHONE_NUMBER_ID"),
    100: _PARAMETER,
    368: _refused("the account is blocked for breaking WhatsApp's policy", _OPERATOR),
    80007: Meaning(After.LATER, "the WhatsApp Business Account has made too many calls", _BY_ITSELF),
    130403: _refused("the recipient has blocked this number", "do not write to this person again"),
    130429: Meaning(After.LATER, "the number sends faster than Meta allows", _BY_ITSELF),
    130472: _refused("the recipient is part of an experiment of Meta's and gets no marketing", "do not try again"),
    130497: _refused("the account may not write to people in this country", "see WhatsApp's country restrictions"),
    131000: Meaning(After.UNKNOWN, "something went wrong at Meta", _WAIT_FOR_STATUS),
    131005: _PERMISSION,
    131008: _refused("a parameter is missing", "read `details`: it names the parameter; add it"),
    131009: _refused("a parameter has a value that Meta does not accept", "read `details`, and change the value"),
    131016: Meaning(After.UNKNOWN, "a service of Meta's was not available", _WAIT_FOR_STATUS),
    131020: _refused("the group does not exist or cannot be written to", "check the group id"),
    131021: _refused("the recipient is the sending number itself", "write to another number"),
    131026: _refused(
        "the message cannot be delivered",
        "the recipient may not be on WhatsApp, use an old version, or not have accepted its terms: ask in another way",
    ),
    131030: _refused(
        "the recipient is not on the list of a test number",
        "add the number in the App Dashboard > WhatsApp > API setup",
    ),
    131031: _refused("the account is locked", _OPERATOR),
    131037: _refused("the display name of the number is not approved", _OPERATOR),
    131041: _refused("the group does not accept this message", "read `details`"),
    131042: _refused("the account has a problem with payment", "see Meta's Business settings > Billing"),
    131044: _refused("the account has a problem with payment for calls", "see Meta's Business settings > Billing"),
    131045: _refused("the sending number is not registered with its certificate", _OPERATOR),
    131047: _refused(
        "more than 24 hours have passed since the recipient last wrote", "send a template (POST /send/template)"
    ),
    131048: _refused("too many people reported messages of this number as spam", _OPERATOR),
    131049: _refused("Meta chose not to deliver this marketing message", "wait at least 24 hours before the next one"),
    131050: _refused("the recipient wants no marketing from you", "do not send marketing to this person"),
    131051: _refused("Meta does not know this type of message", "use another type"),
    131052: _refused("Meta could not download the media", "check that the link is public and small enough"),
    131053: _refused("Meta could not use the media", "check its type, its size and that the link is public https"),
    131056: Meaning(After.PAIR, "too many messages to the same recipient in a short time", _BY_ITSELF),
    131057: Meaning(After.LATER, "the account is in maintenance for a moment", _BY_ITSELF),
    131059: _refused("the group does not accept this message", "read `details`"),
    131062: _refused("this kind of message cannot go to a BSUID", "send it to the phone number"),
    131063: _refused("marketing templates are switched off on this API", "use the marketing messages API"),
    131064: _refused("too many templates were classified wrongly", _OPERATOR),
    132000: _refused("the template has another number of parameters", "count its variables, and send as many"),
    132001: _refused(
        "no approved template has this name in this language",
        "check name and language code (`en` and `en_US` are different)",
    ),
    132005: _refused("a filled-in text of the template is too long", "send shorter parameters"),
    132007: _refused("the template breaks a policy of WhatsApp", _TEMPLATE),
    132008: _refused("the template is not approved for this", _TEMPLATE),
    132012: _refused("a parameter has another format than the template", "compare names and types with the template"),
    132015: _refused("the template is paused for its low quality", _TEMPLATE),
    132016: _refused("the template is disabled for good", _TEMPLATE),
    132068: _refused("the flow is blocked", "see WhatsApp Manager > Flows"),
    132069: _refused("the flow is throttled", "try again in an hour"),
    133004: Meaning(After.UNKNOWN, "the server is not available for a moment", _WAIT_FOR_STATUS),
    133010: _refused("the sending number is not registered", "register it (wamcp doctor says how)"),
    133016: _refused("the number was registered too often", "wait 72 hours"),
    135000: _refused("Meta could not read the request", "read `details`, and change the request"),
    137000: _refused("the recipient's identity has changed", "make sure who it is before you write again"),
    2494100: Meaning(After.LATER, "the number is in maintenance for a moment", _BY_ITSELF),
}

_RANGES: tuple[tuple[range, Meaning], ...] = (
    (range(200, 300), _PERMISSION),
    (range(131201, 131216), _refused("the group does not accept this", "read `details`")),
    (range(132000, 133000), _refused("the template cannot be sent like this", _TEMPLATE)),
    (range(133000, 134000), _refused("the sending number has a problem with its registration", _OPERATOR)),
)


def _of_range(code: int) -> Meaning | None:
    return next((meaning for codes, meaning in _RANGES if code in codes), None)


def _integer(value: object) -> int | None:
    """Codes come as numbers and as strings."""
    word = string(value) or ""
    return int(word) if word.removeprefix("-").isascii() and word.removeprefix("-").isdecimal() else None
