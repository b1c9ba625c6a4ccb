"""The checks of the public address: that it leads to this WAMCP, and that Meta's verification would succeed."""

import secrets
from urllib.parse import urlsplit

from wamcp.doctor.case import Case
from wamcp.doctor.finding import Said, failed, ok, plain_url, skipped
from wamcp.doctor.http import Answer, look

SENTENCE = "This is WAMCP's webhook"
_META = "facebook.com"


def callback(case: Case) -> Said:
    """The callback URL leads to a WAMCP: without a token it answers 403 and a sentence that nobody else has."""
    url = case.place.callback
    if url is None:
        return skipped("PUBLIC_BASE_URL is not set, so nobody knows how the internet reaches WAMCP")
    if not url.startswith("https://") and _is_meta(case.settings.base_url):
        return failed("PUBLIC_BASE_URL is not https, and Meta calls nothing else", "set it to an https:// address")
    answer = look("GET", url)
    if answer.status == 403 and answer.text.startswith(SENTENCE):
        return ok(f"{plain_url(url)} leads to a WAMCP")
    return failed(f"{plain_url(url)} does not lead to a WAMCP: {what_came(answer)}", _way(case, answer))


def verify(case: Case) -> Said:
    """The callback URL repeats a challenge that comes with our verify token, as Meta will ask it to."""
    url, token = case.place.callback, case.settings.verify_token
    if url is None or token is None:
        return skipped("WHATSAPP_VERIFY_TOKEN is not set")
    answer = challenge(url, token.get_secret_value())
    if answer is None:
        return ok("the challenge comes back")
    if answer.status == 403:
        return failed("the WAMCP behind it has another WHATSAPP_VERIFY_TOKEN", case.place.restart)
    return failed(f"the challenge does not come back: {what_came(answer)}", _way(case, answer))


def challenge(url: str, verify_token: str, *, here: bool = False) -> Answer | None:
    """Verifies ``url`` as Meta does; None when it passes, else what came instead."""
    word = secrets.token_hex(8)
    parameters = {"hub.mode": "subscribe", "hub.challenge": word, "hub.verify_token": verify_token}
    answer = look("GET", url, params=parameters, here=here)
    return None if (answer.status, answer.text) == (200, word) else answer


def what_came(answer: Answer) -> str:
    """An answer that is not the one hoped for, in a few words."""
    if answer.status == 0:
        return f"no answer ({answer.text})"
    if 300 <= answer.status < 400:
        return f"HTTP {answer.status}, a redirection, which Meta does not follow"
    return f"HTTP {answer.status}"


def _way(case: Case, answer: Answer) -> str:
    port = case.settings.public_port or 8001
    if answer.status in (401, 403):
        return "let /webhooks/whatsapp through the login or firewall that stands before it"
    return (
        f"point your tunnel or proxy at the public port (127.0.0.1:{port} of `{case.place.start}`), and set "
        "PUBLIC_BASE_URL to the address that the tunnel shows now"
    )


def _is_meta(base_url: str) -> bool:
    host = urlsplit(base_url).hostname or ""
    return host == _META or host.endswith(f".{_META}")
