"""One small HTTP request whose answer is read up to a bound: to the public address, or to the api that runs here."""

from typing import NamedTuple

import httpx

LOOK_S = 5.0
MAX_BYTES = 4096


class Answer(NamedTuple):
    """An answer; ``status`` 0 stands for none, ``text`` then says why in a word."""

    status: int
    text: str
    location: str = ""


def look(
    method: str, url: str, *, params: dict[str, str] | None = None, content: bytes | None = None,
    headers: dict[str, str] | None = None, here: bool = False,
) -> Answer:  # fmt: skip
    """Asks once. ``here``: past every proxy. Never raises for what the network does."""
    try:
        with (
            httpx.Client(timeout=LOOK_S, follow_redirects=False, trust_env=not here) as client,
            client.stream(method, url, params=params, content=content, headers=headers) as response,
        ):
            read = b""
            for part in response.iter_bytes():
                read += part
                if len(read) > MAX_BYTES:
                    break
            location = response.headers.get("location", "")
            return Answer(response.status_code, read[:MAX_BYTES].decode("utf-8", "replace"), location)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as failure:
        return Answer(0, _reason(failure))


def _reason(failure: Exception) -> str:
    words = str(failure)
    if "CERTIFICATE_VERIFY_FAILED" in words:
        return "its certificate is not valid"
    if "Name or service not known" in words or "nodename nor servname" in words or "No address associated" in words:
        return "the name does not exist"
    if "refused" in words:
        return "connection refused"
    return type(failure).__name__
