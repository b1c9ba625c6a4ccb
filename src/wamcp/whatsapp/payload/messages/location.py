"""``location``: a place on the map, with its name where the sender chose one."""

from typing import Any

from wamcp.whatsapp.payload.lines import Said, failures, joined, line, number, said
from wamcp.whatsapp.payload.scalars import mapping

SHAPE = dict.fromkeys(("latitude", "longitude", "name", "address", "url", "accuracy", "live"))


def parse(item: dict[str, Any]) -> Said:
    """Name, address and coordinates; these are numbers, whatever they came as."""
    location = mapping(item.get("location"))
    place = joined((location.get("name"), location.get("address")), ", ")
    latitude, longitude = said(location.get("latitude")), said(location.get("longitude"))
    where = joined((place, f"({latitude}, {longitude})" if latitude and longitude else None))
    straightened = {
        key: number(value) if key in ("latitude", "longitude") else value for key, value in location.items()
    }
    words = [where, location.get("url"), *failures(item)]
    return Said(line("location", words), {"location": straightened} if location else {})
