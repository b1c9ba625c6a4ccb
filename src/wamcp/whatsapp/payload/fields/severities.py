"""How much a word of Meta's asks for attention; the words that are not here are merely noted."""

from wamcp.vocabulary import Severity


def severity_of(word: str) -> Severity:
    """The severity of an event, a decision, a status or a quality, in whatever case it is written."""
    return _SEVERITIES.get(word.upper(), Severity.INFO)


_CRITICAL = (
    "ACCOUNT_DELETED ACCOUNT_OFFBOARDED ACCOUNT_RESTRICTION ACCOUNT_VIOLATION DISABLED_UPDATE BLOCKED"
    " COMPROMISED_NOTIFICATION DISABLED REJECTED"
)
_WARNING = (
    "DEFERRED DELETED DOWNGRADE FLAGGED FLOW_VERSION_EXPIRY_WARNING IN_APPEAL LIMIT_EXCEEDED LOCKED"
    " PARTNER_CLIENT_CERTIFICATION_NEEDED PARTNER_REMOVED PAUSED PENDING PENDING_DELETION RED THROTTLED YELLOW"
)
_SEVERITIES = {
    "NEEDS CONNECTING": Severity.WARNING,
    "NEEDS TESTING": Severity.WARNING,
    **dict.fromkeys(_WARNING.split(), Severity.WARNING),
    **dict.fromkeys(_CRITICAL.split(), Severity.CRITICAL),
}
