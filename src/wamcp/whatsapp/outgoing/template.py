"""Templates that Meta approved before, which alone may be sent outside of the window."""

import re
from typing import Any

from wamcp.whatsapp.outgoing.limits import kind_of, list_of, object_of, refuse, words

MAX_PARAMETER = 32_768
MAX_NAME = 512


def template_part(
    name: str,
    language: str,
    *,
    parameters: object = None,
    components: object = None,
    header: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """``template``: its ``name`` and ``language`` as approved, and what fills its variables in.

    ``parameters`` fills the body: a list of strings by position, or by name an object of strings or a list of such
    objects. ``header`` comes from :func:`~.media.header_of`. ``components`` are Meta's own,
    instead of both. Raises :class:`NotSendable`.
    """
    part: dict[str, Any] = {"name": _name(name), "language": {"code": _language(language)}}
    filled = _filled(parameters, header)
    if components is not None:
        if filled:
            refuse("components", "stands beside parameters or header; put everything into components")
        filled = _components(components)
    if filled:
        part["components"] = filled
    return part


def _name(name: str) -> str:
    words("template_name", name, MAX_NAME)
    if not re.fullmatch(r"[a-z0-9_]+", name):
        refuse("template_name", "has other signs than a-z, 0-9 and _; copy the name from WhatsApp Manager")
    return name


def _language(code: str) -> str:
    if re.fullmatch(r"[a-z]{2,3}(_[A-Za-z0-9]{2,4})?", code):
        return code
    refuse("language_code", "is no language of a template; write it as WhatsApp Manager does, like en, en_US or pt_BR")


def _filled(parameters: object, header: dict[str, Any] | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if header is not None:
        found.append({"type": "header", "parameters": [header]})
    body = _body(parameters) if parameters is not None else []
    if body:
        found.append({"type": "body", "parameters": body})
    return found


def _body(parameters: object) -> list[dict[str, Any]]:
    if isinstance(parameters, dict):
        return [_named(f"parameters.{name}"[:100], name, text) for name, text in parameters.items()]
    items = list_of("parameters", parameters)
    made = [_parameter(f"parameters[{place}]", item) for place, item in enumerate(items)]
    if len({"parameter_name" in parameter for parameter in made}) > 1:
        refuse("parameters", "mixes positions and names; a template has either")
    return made


def _parameter(field: str, item: object) -> dict[str, Any]:
    if isinstance(item, dict):
        if set(item) == {"parameter_name", "text"}:
            return _named(field, item["parameter_name"], item["text"])
        if len(item) == 1:
            ((name, text),) = item.items()
            return _named(field, name, text)
        refuse(field, 'has other keys than it may; write {"first_name": "Ana"}')
    return {"type": "text", "text": _text(field, item)}


def _named(field: str, name: object, text: object) -> dict[str, Any]:
    if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]{0,99}", name):
        refuse(field, "has no name that a variable can have: a-z, 0-9 and _, a letter first; copy it from the template")
    return {"type": "text", "parameter_name": name, "text": _text(field, text)}


def _text(field: str, text: object) -> str:
    found = words(field, text, MAX_PARAMETER)
    if re.search(r"[\n\r\t\v\f\u0085\u2028\u2029]", found):
        refuse(field, "holds a line break or a tab, which Meta refuses in templates; write it in one line")
    if " " * 5 in found:
        refuse(field, "holds more than 4 spaces in a row, which Meta refuses in templates; use fewer")
    return found


def _components(written: object) -> list[dict[str, Any]]:
    items = list_of("components", written)
    return [_component(f"components[{place}]", item) for place, item in enumerate(items)]


def _component(field: str, written: object) -> dict[str, Any]:
    component = dict(object_of(field, written))
    kind = component.get("type")
    if not isinstance(kind, str) or not kind:
        refuse(f"{field}.type", "is missing; it is header, body, button, or another of Meta's words")
    if kind.lower() == "button":
        component["index"] = _index(f"{field}.index", component.get("index"))
        if not isinstance(component.get("sub_type"), str):
            refuse(
                f"{field}.sub_type", "is missing; it is quick_reply, url, copy_code, flow, or another of Meta's words"
            )
    if "parameters" in component:
        parameters = list_of(f"{field}.parameters", component["parameters"])
        for place, parameter in enumerate(parameters):
            _check_parameter(f"{field}.parameters[{place}]", parameter)
    return component


def _check_parameter(field: str, written: object) -> None:
    parameter = object_of(field, written)
    kind = parameter.get("type")
    if not isinstance(kind, str) or not kind:
        refuse(f"{field}.type", "is missing; it is text, image, payload, or another of Meta's words")
    if kind == "text":
        _text(f"{field}.text", parameter.get("text"))


def _index(field: str, written: object) -> str:
    """Meta wants the place of a button as a string."""
    if isinstance(written, int) and not isinstance(written, bool):
        written = str(written)
    if isinstance(written, str) and re.fullmatch(r"\d{1,2}", written):
        return written
    refuse(field, f"is {kind_of(written)}; write the place of the button, the first is 0")
