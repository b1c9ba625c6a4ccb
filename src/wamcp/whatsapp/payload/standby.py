"""``standby``: what another app, or Meta's own agent, exchanged with somebody in our number's name."""

from typing import Any

import msgspec

from wamcp.whatsapp.payload import repair
from wamcp.whatsapp.payload.messages.template import DEFINITION
from wamcp.whatsapp.payload.scalars import mapping


def flattened(raw: msgspec.Raw) -> msgspec.Raw:
    """An echo of standby in the shape of any other: its message is the body of a request to Meta's Send API.

    The recipient stands in ``to`` (a phone number) or ``recipient`` (a BSUID), the definition of a template or flow
    beside the message. What has another shape stays as it is.
    """
    try:
        echo = repair.decode(raw)
    except repair.UNREADABLE:
        return raw
    message = mapping(mapping(echo).get("message"))
    if not message:
        return raw
    item: dict[str, Any] = {**message, **{key: part for key, part in echo.items() if key in ("id", "timestamp")}}
    if message.get("recipient"):
        item["to_user_id"] = item.pop("recipient")
    if item.get("recipient_type") == "group":
        item["group_id"] = item.pop("to", None)
    for key, name in (("template", DEFINITION), ("flow", "flow_definition")):
        if echo.get(key):
            item[name] = echo[key]
    item |= {key: part for key, part in echo.items() if key not in ("id", "timestamp", "message", "template", "flow")}
    return msgspec.Raw(repair.encode(item))
