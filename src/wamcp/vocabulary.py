"""The glossary as code: one word, one meaning (docs/glossary.md says each in a sentence)."""

from enum import IntEnum, StrEnum

SENDS_FIELD = "wamcp_sends"
"""The field of our own raw events, which say what we sent in the shape of a webhook."""

ERASED_FIELD = "wamcp_erased"
"""The field that stands in a raw event in the place of a change of which an erasure left nothing."""

BELL = "wamcp_events"
"""The channel of NOTIFY that rings when webhooks were kept. It may get lost: the rows of the queue are the truth."""


NOT_SHOWN = ("system",)
"""Types of messages that are kept, but neither shown in a conversation nor counted in it."""
NOT_SAID = (*NOT_SHOWN, "reaction", "edit", "revoke")
"""Types of messages that ask for no answer and open no window for one."""


class Direction(StrEnum):
    """Which way a message went, seen from the business."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class Source(StrEnum):
    """Through which door a message came to be known."""

    WEBHOOK = "webhook"
    ECHO = "echo"
    STANDBY = "standby"
    HISTORY = "history"
    SEND = "send"
    """We sent it ourselves."""


class Standing(IntEnum):
    """Which of several deliveries of one wamid is kept: the highest; the first among equals."""

    PLACEHOLDER = 0
    """Error 131060, a media_placeholder of the history, a call that has not ended."""
    ENDED_CALL = 1
    MESSAGE = 2


class AliasKind(StrEnum):
    """The identifiers by which Meta names a participant."""

    BSUID = "bsuid"
    PARENT_BSUID = "parent_bsuid"
    WA_ID = "wa_id"


class NameKind(StrEnum):
    """What somebody is called: by himself, by his handle, by the business's contact book."""

    NAME = "name"
    USERNAME = "username"
    BOOK = "book"


class CandidateReason(StrEnum):
    """Why two participants may be one person, which only people decide."""

    NUMBER = "number"
    """A webhook named one of them with the phone number of the other."""
    PARENT_BSUID = "parent_bsuid"
    """A webhook named one of them with the parent BSUID of the other."""
    CHANGE = "change"
    """Meta said that one changed to an identifier which the other already had."""


class DeliveryStatus(StrEnum):
    """The states of an outbound message, in the order in which one overrides another."""

    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"
    DELIVERED = "delivered"
    READ = "read"
    PLAYED = "played"


STATUS_RANK: dict[str, int] = {status.value: rank for rank, status in enumerate(DeliveryStatus, start=1)}
"""The highest rank seen is the state that is shown; a status not listed here ranks 0."""


class SendState(StrEnum):
    """Where a send stands: what we know of handing it over to Meta. What became of it then is told by statuses."""

    QUEUED = "queued"
    SENDING = "sending"
    """Meta is being called right now."""
    SENT = "sent"
    """Meta took it and gave it a wamid."""
    FAILED = "failed"
    """Meta refused it, or it could not be handed over in time: nothing was sent."""
    UNKNOWN = "unknown"
    """It may have been sent; only a status of Meta's can tell."""


class SendOrigin(StrEnum):
    """What had a message sent."""

    API = "api"
    ECHO = "echo"


class EchoOutcome(StrEnum):
    """What the debug echo decided about a message of somebody on its list."""

    ANSWERED = "answered"
    TOO_SOON = "too_soon"
    """The person was answered a moment ago."""
    GROUP = "group"
    """It was said in a group, where echoing has to be switched on as well."""
    STANDBY = "standby"
    """Another app has the conversation; an answer of ours would take it over."""
    OURS = "ours"
    """One of our own numbers wrote it, or it is an echo itself."""


class RecipientKind(StrEnum):
    """How the recipient of a send is named."""

    PHONE = "phone"
    BSUID = "bsuid"
    GROUP = "group"


class MediaState(StrEnum):
    """Where the bytes of a media file are."""

    PENDING = "pending"
    STORED = "stored"
    EXPIRED = "expired"
    FAILED = "failed"


class DocumentState(StrEnum):
    """Where a document stands; all but the first three are final, though a person may ask to try again."""

    PENDING = "pending"
    DOWNLOADING = "downloading"
    EXTRACTING = "extracting"
    DONE = "done"
    EMPTY = "empty"
    """It was read, and there is no text in it."""
    FAILED = "failed"
    TOO_LARGE = "too_large"
    UNSUPPORTED = "unsupported"
    ENCRYPTED = "encrypted"
    TIMEOUT = "timeout"
    QUARANTINED = "quarantined"
    """It killed its reader twice."""


class ParkedKind(StrEnum):
    """Why something was kept without being understood."""

    MALFORMED = "malformed"
    UNMODELLED = "unmodelled"
    FAILED = "failed"
    KILLED = "killed"


class UnknownKind(StrEnum):
    """What can be unknown in a webhook."""

    FIELD = "field"
    TYPE = "type"
    KEY = "key"
    STATUS = "status"


class Severity(StrEnum):
    """How much an account event asks for attention."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Actor(StrEnum):
    """Who asked, in the audit log."""

    ADMIN_API = "admin_api"
    MCP = "mcp"
    COMMAND = "command"
    """Somebody at the machine, by ``wamcp contact``."""


class TokenKind(StrEnum):
    """What a token opens: Claude's door, or the admin API."""

    MCP = "mcp"
    ADMIN = "admin"


class TokenScope(StrEnum):
    """What an admin token may be used for."""

    READ = "read"
    """Ask for everything that its limits let it see."""
    SEND = "send"
    OPERATE = "operate"
    """Replay, merge, fetch and try again."""
    METRICS = "metrics"
    """Ask how the installation is, and nothing of anybody's messages."""


def message_ref(row_id: int) -> str:
    """The short id of a message as people and Claude see it, e.g. ``m48210``."""
    return f"m{row_id}"


def conversation_ref(row_id: int) -> str:
    """The short id of a conversation as people and Claude see it, e.g. ``c123``."""
    return f"c{row_id}"


def participant_ref(row_id: int) -> str:
    """The short id of a participant as people and Claude see it, e.g. ``p7``."""
    return f"p{row_id}"


def send_ref(row_id: int) -> str:
    """The short id of a send as people see it, e.g. ``s12``."""
    return f"s{row_id}"


def media_ref(row_id: int) -> str:
    """The short id of a file as people see it, e.g. ``f12``."""
    return f"f{row_id}"


def document_ref(row_id: int) -> str:
    """The short id of a document as people and Claude see it, e.g. ``d12``."""
    return f"d{row_id}"


def row_id(ref: str, letter: str) -> int | None:
    """The row id in a short id such as ``c123``, or in plain ``123``; None when it is neither."""
    digits = ref.removeprefix(letter)
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > 18:
        return None
    return int(digits)
