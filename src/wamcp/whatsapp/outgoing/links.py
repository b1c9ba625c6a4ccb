"""Addresses that people are sent, and addresses from which Meta shall fetch a file."""

import ipaddress
import re
import socket
from urllib.parse import SplitResult, urlsplit

from wamcp.whatsapp.outgoing.limits import refuse, words

MAX_LINK = 2000
_INSIDE = ("localhost", "local", "internal", "lan", "home.arpa", "onion")


def public_link(field: str, written: str) -> str:
    """An https address that Meta's servers can reach, as far as its spelling tells. Raises :class:`NotSendable`."""
    link = _split(field, written)
    if link.scheme.lower() != "https":
        refuse(field, "does not begin with https://; Meta fetches files by https alone")
    host = (link.hostname or "").rstrip(".")
    address = _literal(host)
    if address is not None and (not address.is_global or address.is_multicast):
        refuse(field, "names a private or reserved address; Meta has to reach it over the internet")
    is_inside = any(host == name or host.endswith("." + name) for name in _INSIDE)
    if address is None and (is_inside or "." not in host):
        refuse(field, "names a host inside of a network; Meta has to reach it over the internet")
    return written


def web_link(field: str, written: str) -> str:
    """An http or https address for people to open. Raises :class:`NotSendable`."""
    if _split(field, written).scheme.lower() not in ("http", "https"):
        refuse(field, "does not begin with https:// or http://; write a whole web address")
    return written


def _split(field: str, written: str) -> SplitResult:
    words(field, written, MAX_LINK)
    advice = "write an address like https://example.com/image.jpg"
    if re.search(r"[\s\x00-\x1f\x7f\\]", written):
        refuse(field, f"holds blanks, backslashes or control characters; {advice}")
    try:
        link = urlsplit(written)
        _ = link.port
    except ValueError:
        refuse(field, f"is no web address; {advice}")
    if not link.hostname:
        refuse(field, f"has no host; {advice}")
    if "@" in link.netloc:
        refuse(field, "holds a user name or password; put neither into an address")
    return link


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that ``host`` writes out, also in the short and hexadecimal ways that clients understand."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        if not re.fullmatch(r"(0x[0-9a-f]*|\d+)(\.(0x[0-9a-f]*|\d+))*", host):
            return None
        try:
            return ipaddress.IPv4Address(socket.inet_aton(host))
        except OSError:
            return None
    return getattr(address, "ipv4_mapped", None) or address
