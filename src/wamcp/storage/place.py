"""Where the objects lie: the one place that chooses between the drivers of the store."""

from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from wamcp.errors import Misconfigured

REGION = "us-east-1"
"""What S3 servers are taken for that do not care; Amazon's say theirs in their names."""
_AMAZON = ".amazonaws.com"


class Secret(Protocol):
    """A value that does not show itself in a log."""

    def get_secret_value(self) -> str:
        """The value itself."""
        ...


class Chosen(Protocol):
    """The settings that are needed here; Claude's side may not import the others."""

    @property
    def object_dir(self) -> str: ...
    @property
    def minio_endpoint(self) -> str | None: ...
    @property
    def minio_access_key(self) -> Secret | None: ...
    @property
    def minio_secret_key(self) -> Secret | None: ...
    @property
    def minio_bucket(self) -> str: ...


class Bucket(NamedTuple):
    """One bucket of an S3 server; ``host`` with its port where that is not the usual one."""

    host: str
    is_secure: bool
    access_key: str
    secret_key: str
    name: str
    region: str | None

    @property
    def address(self) -> str:
        """The bucket as people are told of it."""
        return f"{'https' if self.is_secure else 'http'}://{self.host}/{self.name}"


def place_of(settings: Chosen) -> Path | Bucket:
    """The bucket that ``MINIO_ENDPOINT`` leads to, else the directory of the objects, absolute.

    ``host:port`` alone is spoken to over plain HTTP unless the port is 443; a host without a port, or ``https://``,
    over TLS. Raises :class:`Misconfigured`.
    """
    if not settings.minio_endpoint:
        return Path(settings.object_dir).absolute()
    host, is_secure = _server(settings.minio_endpoint)
    keys = []
    for name, value in (("ACCESS", settings.minio_access_key), ("SECRET", settings.minio_secret_key)):
        if value is None or not value.get_secret_value():
            raise Misconfigured(f"MINIO_{name}_KEY is not set; MINIO_ENDPOINT needs it, or unset that one.")
        keys.append(value.get_secret_value())
    region = None if host.endswith(_AMAZON) else REGION
    return Bucket(host, is_secure, keys[0], keys[1], settings.minio_bucket, region)


def _server(written: str) -> tuple[str, bool]:
    """The host (and port) that ``MINIO_ENDPOINT`` names, and whether to speak TLS with it."""
    scheme, separator, rest = written.strip().partition("://")
    has_scheme = bool(separator)
    try:
        parts = urlsplit(f"//{rest if has_scheme else written.strip()}")
        port = parts.port
    except ValueError:
        raise _refused(written) from None
    is_bare = bool(parts.hostname) and not (parts.username or parts.path.strip("/") or parts.query or parts.fragment)
    if not is_bare or (has_scheme and scheme.lower() not in ("http", "https")):
        raise _refused(written)
    is_secure = scheme.lower() == "https" if has_scheme else port in (None, 443)
    return parts.netloc, is_secure


def _refused(written: str) -> Misconfigured:
    shown = written.rpartition("@")[2][:80]
    return Misconfigured(
        f"MINIO_ENDPOINT is {shown!r}; it has to be host:port, or http:// or https:// with a host and no path."
    )
