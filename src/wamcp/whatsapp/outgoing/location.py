"""A place on the map."""

from typing import Any

from wamcp.whatsapp.outgoing.limits import refuse, words

MAX_WORDS = 1000


def location_part(
    latitude: float, longitude: float, name: str | None = None, address: str | None = None
) -> dict[str, Any]:
    """``location``: degrees north and east, and what is written under the pin. Raises :class:`NotSendable`."""
    for field, value, limit in (("latitude", latitude, 90), ("longitude", longitude, 180)):
        if not -limit <= value <= limit:
            refuse(field, f"is outside of -{limit} to {limit}; write degrees")
    part: dict[str, Any] = {"latitude": latitude, "longitude": longitude}
    if name is not None:
        part["name"] = words("name", name, MAX_WORDS)
    if address is not None:
        part["address"] = words("address", address, MAX_WORDS)
    return part
