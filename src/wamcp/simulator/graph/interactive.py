"""Meta's limits of interactive messages: buttons, lists, links, and a look at the other kinds."""

from collections.abc import Callable
from typing import Any

from wamcp.simulator.graph.trouble import invalid, missing, unexpected

Item = dict[str, Any]
_KEYS = {"type", "header", "body", "footer", "action"}
_HEADERS = ("text", "image", "video", "document")


def check(content: Item) -> None:
    """Raises ``Trouble`` where the ``interactive`` of a send request is not as Meta wants it."""
    for key in content.keys() - _KEYS:
        raise unexpected(key, "interactive")
    kind = content.get("type")
    if not kind:
        raise missing("interactive.type")
    rule = _KINDS.get(kind) if isinstance(kind, str) else None
    if rule is None:
        raise invalid(f"interactive.type must be one of {', '.join(sorted(_KINDS))}, got {kind!r}.")
    action = object_in(content, "action", "interactive.action")
    if kind not in _WITHOUT_BODY:
        body = object_in(content, "body", "interactive.body")
        text_in(body, "text", "interactive.body.text", 4096 if kind == "list" else 1024)
    if "footer" in content:
        text_in(object_in(content, "footer", "interactive.footer"), "text", "interactive.footer.text", 60)
    if "header" in content:
        _check_header(kind, object_in(content, "header", "interactive.header"))
    rule(action)


def object_in(holder: Item, key: str, name: str) -> Item:
    """The object under ``key``; raises ``Trouble`` that calls it ``name``."""
    value = holder.get(key)
    if value is None:
        raise missing(name)
    if not isinstance(value, dict):
        raise invalid(f"{name} must be an object.")
    return value


def text_in(holder: Item, key: str, name: str, limit: int) -> str:
    """The text under ``key``, of 1 to ``limit`` characters; raises ``Trouble`` that calls it ``name``."""
    value = holder.get(key)
    if value is None or value == "":
        raise missing(name)
    if not isinstance(value, str):
        raise invalid(f"{name} must be a string.")
    if len(value) > limit:
        raise invalid(f"{name}: length {len(value)}, the limit is {limit} characters.")
    return value


def list_in(holder: Item, key: str, name: str, limit: int) -> list[Item]:
    """The objects under ``key``, 1 to ``limit`` of them; raises ``Trouble`` that calls them ``name``."""
    value = holder.get(key)
    if not value:
        raise missing(name)
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise invalid(f"{name} must be an array of objects.")
    if len(value) > limit:
        raise invalid(f"{name}: {len(value)} items, the limit is {limit}.")
    return value


def _check_header(kind: str, header: Item) -> None:
    form = header.get("type")
    if form not in _HEADERS:
        raise invalid(f"interactive.header.type must be one of {', '.join(_HEADERS)}.")
    if kind == "list" and form != "text":
        raise invalid("interactive.header.type must be text for a list.")
    if form == "text":
        text_in(header, "text", "interactive.header.text", 60)
        return
    media = object_in(header, form, f"interactive.header.{form}")
    if ("id" in media) == ("link" in media):
        raise invalid(f"interactive.header.{form} needs either id or link.")


def _button(action: Item) -> None:
    _only(action, {"buttons"})
    ids, titles = [], []
    for button in list_in(action, "buttons", "interactive.action.buttons", 3):
        if button.get("type") != "reply":
            raise invalid("interactive.action.buttons.type must be reply.")
        reply = object_in(button, "reply", "interactive.action.buttons.reply")
        ids.append(text_in(reply, "id", "interactive.action.buttons.reply.id", 256))
        titles.append(text_in(reply, "title", "interactive.action.buttons.reply.title", 20))
    _differ(ids, "interactive.action.buttons.reply.id")
    _differ(titles, "interactive.action.buttons.reply.title")


def _list(action: Item) -> None:
    _only(action, {"button", "sections"})
    text_in(action, "button", "interactive.action.button", 20)
    sections = list_in(action, "sections", "interactive.action.sections", 10)
    ids = []
    for section in sections:
        if len(sections) > 1 or "title" in section:
            text_in(section, "title", "interactive.action.sections.title", 24)
        for row in list_in(section, "rows", "interactive.action.sections.rows", 10):
            ids.append(text_in(row, "id", "interactive.action.sections.rows.id", 200))
            text_in(row, "title", "interactive.action.sections.rows.title", 24)
            if row.get("description"):
                text_in(row, "description", "interactive.action.sections.rows.description", 72)
    if len(ids) > 10:
        raise invalid(f"interactive.action.sections.rows: {len(ids)} rows in total, the limit is 10.")
    _differ(ids, "interactive.action.sections.rows.id")


def _cta_url(action: Item) -> None:
    _only(action, {"name", "parameters"})
    _named(action, "cta_url")
    parameters = object_in(action, "parameters", "interactive.action.parameters")
    text_in(parameters, "display_text", "interactive.action.parameters.display_text", 20)
    url = text_in(parameters, "url", "interactive.action.parameters.url", 2000)
    if not url.startswith(("https://", "http://")):
        raise invalid("interactive.action.parameters.url must begin with https:// or http://.")


def _flow(action: Item) -> None:
    _named(action, "flow")
    parameters = object_in(action, "parameters", "interactive.action.parameters")
    text_in(parameters, "flow_cta", "interactive.action.parameters.flow_cta", 30)
    if not parameters.get("flow_id") and not parameters.get("flow_name"):
        raise missing("interactive.action.parameters.flow_id")


def _product(action: Item) -> None:
    text_in(action, "catalog_id", "interactive.action.catalog_id", 100)
    text_in(action, "product_retailer_id", "interactive.action.product_retailer_id", 200)


def _product_list(action: Item) -> None:
    text_in(action, "catalog_id", "interactive.action.catalog_id", 100)
    list_in(action, "sections", "interactive.action.sections", 10)


def _carousel(action: Item) -> None:
    list_in(action, "cards", "interactive.action.cards", 10)


def _action_named(name: str) -> Callable[[Item], None]:
    return lambda action: _named(action, name)


def _named(action: Item, name: str) -> None:
    if action.get("name") != name:
        raise invalid(f"interactive.action.name must be {name}.")


def _only(action: Item, keys: set[str]) -> None:
    for key in action.keys() - keys:
        raise unexpected(key, "interactive.action")


def _differ(values: list[str], name: str) -> None:
    if len(set(values)) < len(values):
        raise invalid(f"{name}: every value must be different from the others.")


_KINDS: dict[str, Callable[[Item], None]] = {
    "button": _button,
    "list": _list,
    "cta_url": _cta_url,
    "flow": _flow,
    "product": _product,
    "product_list": _product_list,
    "carousel": _carousel,
    "location_request_message": _action_named("send_location"),
    "request_contact_info": _action_named("request_contact_info"),
    "catalog_message": _action_named("catalog_message"),
    "address_message": _action_named("address_message"),
    "call_permission_request": _action_named("call_permission_request"),
    "voice_call": _action_named("voice_call"),
    "order_details": _action_named("review_and_pay"),
    "order_status": _action_named("review_order"),
}
_WITHOUT_BODY = {"product"}
