"""Every error of the house, grouped by what the caller must do about it. The docstring is the default message."""

import math


class WamcpError(Exception):
    """Something went wrong in WAMCP."""

    status_code = 500

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip())


class Rejected(WamcpError):
    """The request cannot be answered as it stands."""

    status_code = 400


class NotVisible(Rejected):
    """There is no such thing visible to this caller."""

    status_code = 404


class BadCursor(Rejected):
    """The cursor does not belong to this query; call again without a cursor."""


class NotAuthorized(Rejected):
    """A valid key is needed."""

    status_code = 401


class NotAllowed(Rejected):
    """This needs a key without limits: ADMIN_API_KEY, or an admin token that sees every number."""

    status_code = 403


class TooOften(Rejected):
    """This key has asked too often."""

    status_code = 429

    def __init__(self, seconds: float, setting: str) -> None:
        """``seconds`` until it may ask again, ``setting`` the variable that allows more."""
        self.retry_after = max(1, math.ceil(seconds))
        super().__init__(f"This key asks too often: wait {self.retry_after} s; {setting} says how often a key may.")


class NotSendable(Rejected):
    """This cannot be sent as it stands; the message says which field is wrong and what to change."""

    status_code = 422

    def __init__(self, field: str, sentence: str) -> None:
        """``sentence`` goes on after the name of the field, and repeats neither texts nor whole phone numbers."""
        super().__init__(f"{field} {sentence}.")
        self.field = field


class Conflict(Rejected):
    """The same thing is under way already; ask again in a moment."""

    status_code = 409


class WrongContentType(Rejected):
    """The Content-Type of the request is not taken here; send JSON with Content-Type: application/json."""

    status_code = 415


class TooLarge(Rejected):
    """This is larger than anything that may be sent or kept; make it smaller."""

    status_code = 413


class TooSlow(Rejected):
    """The answer took longer than 3 seconds; narrow it with a conversation, a shorter time range or a rarer word."""

    status_code = 422


class Overloaded(WamcpError):
    """The receipt queue is full or the database does not answer; the sender must try again."""

    status_code = 503


class Uncertain(WamcpError):
    """The database stopped answering while a message was being sent; GET /admin/sends will tell whether it went out."""

    status_code = 503


class NotAudited(WamcpError):
    """The access could not be written to the audit log, so there is no answer; try again in a minute."""

    status_code = 503


class StoreUnavailable(WamcpError):
    """The object store cannot be read or written; check the disk and who owns it, then try again."""

    status_code = 503


class NotStored(WamcpError):
    """The object store does not hold this file (any more)."""

    status_code = 404


class BadKey(WamcpError):
    """This is no key of the object store: those are made of the SHA-256 of what they name."""


class Misconfigured(WamcpError):
    """A setting is missing or refused; the message says which one and what to set."""


class CannotStart(WamcpError):
    """A part of the runtime could not be started; the message says why and what to do."""


class BackupFailed(WamcpError):
    """The backup could not be made, or is not whole; the message says what is wrong."""
