"""What is refused about settings because it would not be safe, and what is made up for people who develop."""

import re
import secrets
from pathlib import Path
from typing import NamedTuple

from pydantic import SecretStr

from wamcp.errors import Misconfigured
from wamcp.phones import international
from wamcp.settings import SENTENCES, Settings, env_names

PLACEHOLDERS = {"dev-verify-token", "admin123", "change-me", "changeme", "minioadmin", "secret", "password"}
_NO_ECHO = "DEBUG_ECHO_MODE=true is refused in production: set it to false, or set WAMCP_ENV=development."
_BSUID = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")


def refusals(settings: Settings) -> list[str]:
    """What production refuses about these settings, one sentence each; empty in development."""
    if settings.env != "production":
        return []
    found = []
    for field in ("verify_token", "admin_api_key", "app_secret"):
        variable = env_names(field)[0]
        value = getattr(settings, field)
        if value is None or not value.get_secret_value():
            found.append(f"{variable} is missing: {SENTENCES[variable]}.")
        elif value.get_secret_value().lower() in PLACEHOLDERS:
            found.append(f"{variable} is still a placeholder: {SENTENCES[variable]}.")
    if not settings.verify_webhook_signature:
        found.append(
            "VERIFY_WEBHOOK_SIGNATURE=false is refused in production: remove it, or set WAMCP_ENV=development."
        )
    if settings.debug_echo_mode:
        found.append(_NO_ECHO)
    return found


class EchoList(NamedTuple):
    """Who may be echoed: phone numbers by their digits, and BSUIDs."""

    phones: frozenset[str]
    bsuids: frozenset[str]


def echo_list(settings: Settings) -> EchoList:
    """``DEBUG_ECHO_ALLOWLIST_E164``. Raises :class:`Misconfigured` for what is neither a whole number nor a BSUID."""
    phones, bsuids = set[str](), set[str]()
    for written in filter(None, (part.strip() for part in settings.debug_echo_allowlist.split(","))):
        if _BSUID.fullmatch(written):
            bsuids.add(written)
            continue
        try:
            phones.add(international(written))
        except ValueError as error:
            raise Misconfigured(f"DEBUG_ECHO_ALLOWLIST_E164 names {written[:40]!r}: {error}.") from None
    return EchoList(frozenset(phones), frozenset(bsuids))


def require_safe_echo(settings: Settings) -> None:
    """Raises :class:`Misconfigured` when the debug echo is on in production, or its list cannot be understood."""
    if not settings.debug_echo_mode:
        return
    if settings.env == "production":
        raise Misconfigured(_NO_ECHO)
    echo_list(settings)


def require_safe(settings: Settings) -> None:
    """Raises :class:`Misconfigured` with every refusal when production settings are unsafe."""
    if found := refusals(settings):
        raise Misconfigured("\n".join(found))
    require_safe_echo(settings)


def generate_app_secret(dotenv: Path, settings: Settings) -> Settings:
    """In development, a missing app secret is generated into ``dotenv``; returns the settings that hold it."""
    if settings.env != "development" or settings.app_secret is not None or not dotenv.is_file():
        return settings
    secret = secrets.token_hex(16)
    lines = [line for line in dotenv.read_text().splitlines() if line.strip() != "WHATSAPP_APP_SECRET="]
    dotenv.write_text("\n".join([*lines, f"WHATSAPP_APP_SECRET={secret}"]) + "\n")
    return settings.model_copy(update={"app_secret": SecretStr(secret)})
