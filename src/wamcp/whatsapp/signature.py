"""Whether a webhook really comes from Meta: the HMAC over the raw bytes of its body."""

import hmac
import re
from collections.abc import Sequence

_HEADER = re.compile(rb"sha256=([0-9a-fA-F]{64})")


def is_valid(header_values: list[bytes], body: bytes, secrets: Sequence[bytes]) -> bool:
    """Whether ``body`` was signed with one of ``secrets``; never raises, and without a secret nothing is valid.

    ``header_values`` are all values of ``X-Hub-Signature-256``: exactly one of the form ``sha256=`` and 64 hex digits.
    Several secrets are accepted while one is being replaced.
    """
    if len(header_values) != 1:
        return False
    match = _HEADER.fullmatch(header_values[0])
    if match is None:
        return False
    stated = bytes.fromhex(match[1].decode("ascii"))
    valid = False
    for secret in secrets:
        if secret and hmac.compare_digest(hmac.digest(secret, body, "sha256"), stated):
            valid = True
    return valid


def sign(body: bytes, secret: bytes) -> str:
    """The value of ``X-Hub-Signature-256`` that Meta would send with ``body``."""
    return "sha256=" + hmac.digest(secret, body, "sha256").hex()
