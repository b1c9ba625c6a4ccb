"""Which function answers which path of the Graph API; whatever is not here is not emulated, and said to be so."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import Response

from wamcp.simulator.graph import apps, media_routes, nodes, sending
from wamcp.simulator.graph.call import Call
from wamcp.simulator.graph.trouble import Trouble, no_object, not_emulated

Handler = Callable[[Call], Awaitable[dict[str, Any] | Response]]
_VERSION = re.compile(r"v(\d{1,3})\.(\d)")

_NUMBER: dict[tuple[str, str], Handler] = {
    ("POST", "messages"): sending.send,
    ("POST", "media"): media_routes.upload,
    ("GET", ""): nodes.get_number,
    ("POST", ""): nodes.post_number,
}
_WABA: dict[tuple[str, str], Handler] = {
    ("GET", ""): nodes.get_waba,
    ("GET", "phone_numbers"): nodes.get_numbers,
    ("GET", "message_templates"): nodes.get_templates,
    ("GET", "subscribed_apps"): apps.get_subscribed,
    ("POST", "subscribed_apps"): apps.subscribe,
    ("DELETE", "subscribed_apps"): apps.unsubscribe,
}
_APP: dict[tuple[str, str], Handler] = {
    ("GET", "subscriptions"): apps.get_subscriptions,
    ("POST", "subscriptions"): apps.set_subscription,
}
_MEDIA: dict[tuple[str, str], Handler] = {
    ("GET", ""): media_routes.describe,
    ("DELETE", ""): media_routes.remove,
}


def find(call: Call) -> Handler:
    """The function that answers ``call``, whose node and edge are filled in; raises ``Trouble`` where none does."""
    parts = call.path.strip("/").split("/")
    if len(parts) == 2 and parts[0] == "_media" and call.method == "GET":
        call.node = parts[1]
        return media_routes.download
    if not _VERSION.fullmatch(parts[0]) or not 2 <= len(parts) <= 3:
        raise not_emulated(call.method, call.path)
    _check_version(call, parts[0])
    call.node, call.edge = parts[1], parts[2] if len(parts) == 3 else ""
    asked = (call.method, call.edge)
    if (call.node, *asked) == ("debug_token", "GET", ""):
        return apps.debug_token
    if not call.node.isdecimal():
        raise not_emulated(call.method, call.path)
    handler = _of_node(call.node, call).get(asked)
    if handler is not None:
        return handler
    if any(asked in table for table in (_NUMBER, _WABA, _APP, _MEDIA)):
        raise no_object(call.node, call.method)
    raise not_emulated(call.method, call.path)


def _of_node(node: str, call: Call) -> dict[tuple[str, str], Handler]:
    account = call.world.account
    if node in account.numbers:
        return _NUMBER
    if node == account.waba.id:
        return _WABA
    if node == account.app_id:
        return _APP
    return {**_MEDIA, ("POST", "messages"): sending.send, ("POST", "media"): media_routes.upload}


def _check_version(call: Call, version: str) -> None:
    account = call.world.account
    if version in account.sunset_versions or _order(version) < _order(account.min_version):
        raise Trouble(
            2635,
            f"You are calling a deprecated version of the API. Please update to the latest version: "
            f"{account.newest_version}.",
        )
    if _order(version) > _order(account.newest_version):
        raise Trouble(2500, f"Unknown path components: {call.path}")


def _order(version: str) -> tuple[int, int]:
    match = _VERSION.fullmatch(version)
    return (int(match[1]), int(match[2])) if match else (0, 0)
