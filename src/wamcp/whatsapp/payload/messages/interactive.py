"""``interactive``: answers to buttons, lists and forms; and, when it is ours, the buttons and lists themselves."""

import json
from collections.abc import Iterator
from typing import Any

from wamcp.whatsapp.payload.lines import Said, failures, joined, line
from wamcp.whatsapp.payload.scalars import mapping, objects, string

_REPLY = dict.fromkeys(("id", "title", "description"))
SHAPE = {
    "type": None,
    "button_reply": _REPLY,
    "list_reply": _REPLY,
    "nfm_reply": dict.fromkeys(("name", "body", "response_json")),
    "call_permission_reply": dict.fromkeys(("response", "is_permanent", "expiration_timestamp", "response_source")),
    "payment_method": None,
    "payment_notification": None,
    "product": None,
    "header": None,
    "body": None,
    "footer": None,
    "action": None,
}
_SECRETS = ("flow_token", "token")


def parse(item: dict[str, Any]) -> Said:
    """What was chosen or answered; every plain answer of a form is found."""
    interactive = mapping(item.get("interactive"))
    kind = string(interactive.get("type")) or next((key for key in interactive if key.endswith("_reply")), "")
    reply = interactive.get(kind)
    if not isinstance(reply, dict):
        words = [*_ours(interactive), *failures(item)]
        return Said(line("interactive", words), {"interactive": interactive} if interactive else {})
    answer = {**reply, "type": kind}
    words = [reply.get(key) for key in ("title", "description", "body", "response", "payment_method", "reference_id")]
    if "response_json" in reply:
        answers = _answers(reply["response_json"])
        if answers is not None:
            del answer["response_json"]
            answer["answers"] = answers
            words += _plain(answers)
    others = {key: value for key, value in interactive.items() if key not in ("type", kind)}
    return Said(line("interactive", [*words, *failures(item)]), {"interactive": {**others, **answer}})


def _answers(written: object) -> dict[str, Any] | None:
    """The answers of a form, which Meta sends as JSON in a string; None when there are none to be read."""
    if isinstance(written, str):
        try:
            written = json.loads(written, parse_int=lambda digits: int(digits) if len(digits) < 16 else digits)
        except (ValueError, RecursionError):
            return None
    return written if isinstance(written, dict) else None


def _plain(value: object, depth: int = 0) -> Iterator[object]:
    if isinstance(value, dict) and depth < 4:
        for key, each in value.items():
            if key not in _SECRETS:
                yield from _plain(each, depth + 1)
    elif isinstance(value, list) and depth < 4:
        for each in value:
            yield from _plain(each, depth + 1)
    else:
        yield value


def _ours(interactive: dict[str, Any]) -> Iterator[object]:
    """The words of a message with buttons, a list or a form, as the business sends it."""
    for part in ("header", "body", "footer"):
        yield mapping(interactive.get(part)).get("text")
    action = mapping(interactive.get("action"))
    yield action.get("button")
    for button in objects(action.get("buttons")):
        yield mapping(button.get("reply")).get("title")
    for section in objects(action.get("sections")):
        for row in objects(section.get("rows")):
            yield joined((row.get("title"), row.get("description")))
    parameters = mapping(action.get("parameters"))
    yield parameters.get("display_text")
    yield parameters.get("flow_cta")
