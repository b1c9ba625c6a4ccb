"""What a check finds: a state, a sentence for people, and the exact thing to do about it."""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import urlsplit

from wamcp.safety import PLACEHOLDERS
from wamcp.settings import Settings, is_secret

LONGEST = 600
SHORTEST_SECRET = 8
"""Shorter ones, and placeholders, are words: striking them out would spoil sentences and hide nothing."""


class Status(StrEnum):
    """How a check ended."""

    OK = "ok"
    FAILED = "failed"
    WARNING = "warning"
    SKIPPED = "skipped"


class Finding(NamedTuple):
    """One check's answer: ``said`` is what is so, ``fix`` what to do where something has to be done."""

    name: str
    status: Status
    said: str
    fix: str | None = None


class Said(NamedTuple):
    """A finding before its check's name is put to it."""

    status: Status
    said: str
    fix: str | None = None


def ok(said: str) -> Said:
    """All is well."""
    return Said(Status.OK, said)


def failed(said: str, fix: str) -> Said:
    """Something does not work until ``fix`` is done."""
    return Said(Status.FAILED, said, fix)


def warning(said: str, fix: str) -> Said:
    """It works, but not for long, or not all of it."""
    return Said(Status.WARNING, said, fix)


def skipped(said: str) -> Said:
    """It cannot be looked at; ``said`` says why."""
    return Said(Status.SKIPPED, said)


def plain_url(url: str) -> str:
    """``url`` without what may be secret in it: user, password, query and fragment."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an address that cannot be read"
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}{port}{parts.path}"


def secrets_of(settings: Settings) -> list[str]:
    """Every value that may not be shown, the longest first; of an address also the password in it."""
    found = set[str]()
    for field in Settings.model_fields:
        value = getattr(settings, field)
        if value is None or not is_secret(field):
            continue
        text = value.get_secret_value()
        found |= {text, *(part.strip() for part in text.split(","))}
        if "://" in text:
            found.add(_password(text))
    hidden = (secret for secret in found if len(secret) >= SHORTEST_SECRET and secret.lower() not in PLACEHOLDERS)
    return sorted(hidden, key=len, reverse=True)


def clean(finding: Finding, secrets: Iterable[str]) -> Finding:
    """``finding`` without secrets, without what a terminal would obey, and not longer than :data:`LONGEST`."""
    return finding._replace(said=_clean(finding.said, secrets), fix=finding.fix and _clean(finding.fix, secrets))


def printable(text: str) -> str:
    """``text`` on one line, without control characters and what turns the direction of writing."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def _clean(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "[secret]")
    shown = printable(text)
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 4] + " ..."


def _password(url: str) -> str:
    try:
        return urlsplit(url).password or ""
    except ValueError:
        return ""
