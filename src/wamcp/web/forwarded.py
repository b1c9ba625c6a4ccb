"""Where a request came from: its connection's address, or what a trusted proxy says of it."""

import ipaddress
from collections.abc import MutableMapping, Sequence
from typing import Any

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def put_client(scope: MutableMapping[str, Any], trusted: Sequence[Network]) -> None:
    """Makes ``scope["client"]`` the nearest address that is no trusted proxy, as ``X-Forwarded-For`` tells.

    Each proxy adds the address it was called from, so that only what trusted ones added can be believed: the list is
    read from its end. What is no address ends the reading.
    """
    client = scope.get("client")
    if not trusted or not client or not _is_trusted(parsed(client[0]), trusted):
        return
    told = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for").decode("latin-1")
    found = None
    for written in reversed(told.split(",")):
        address = parsed(written)
        if address is None:
            break
        found = address
        if not _is_trusted(address, trusted):
            break
    if found is not None:
        scope["client"] = (str(found), 0)


def parsed(written: str) -> Address | None:
    """An address, also with a port, in brackets, or IPv4 in IPv6's clothes; None when it is none."""
    text = written.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_trusted(address: Address | None, trusted: Sequence[Network]) -> bool:
    return address is not None and any(address in network for network in trusted)
