"""``order``: products of the catalogue that somebody wants."""

from typing import Any

from wamcp.whatsapp.payload.lines import Said, failures, joined, line, number
from wamcp.whatsapp.payload.scalars import mapping, objects

SHAPE = {
    "catalog_id": None,
    "text": None,
    "product_items": dict.fromkeys(("product_retailer_id", "quantity", "item_price", "currency")),
}


def parse(item: dict[str, Any]) -> Said:
    """The note and a phrase for each line; quantities and prices are numbers, whatever they came as."""
    order = mapping(item.get("order"))
    wanted = objects(order.get("product_items"))
    lines = [
        {key: number(value) if key in ("quantity", "item_price") else value for key, value in each.items()}
        for each in wanted
    ]
    content = {**order, "product_items": lines} if lines else order
    words = [order.get("text"), *map(_phrase, wanted), *failures(item)]
    return Said(line("order", words), {"order": content} if order else {})


def _phrase(wanted: dict[str, Any]) -> str:
    price = joined((wanted.get("item_price"), wanted.get("currency")))
    product = joined((wanted.get("quantity"), "x", wanted.get("product_retailer_id")))
    return f"{product} ({price})" if price else product
