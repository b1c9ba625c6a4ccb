"""``template``: a template that the business sent, its definition filled with the parameters where both are told."""

import re
from collections.abc import Iterator
from typing import Any

from wamcp.whatsapp.payload.lines import Said, joined, line, said
from wamcp.whatsapp.payload.scalars import mapping, objects, string

SHAPE = {"name": None, "language": None, "components": None, "namespace": None}
DEFINITION = "template_definition"
"""The key under which the reader of echoes puts the definition that Meta sends beside the message."""

_VARIABLE = re.compile(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}")


def parse(item: dict[str, Any]) -> Said:
    """The name and the text that the recipient sees; without a definition the name and the parameters."""
    template, definition = mapping(item.get("template")), mapping(item.get(DEFINITION))
    filled = list(_filled(template, definition))
    words = [template.get("name"), *(filled or _parameters(template))]
    content = {**template, "definition": definition} if definition else template
    return Said(line("template", words), {"template": content} if content else {})


def _filled(template: dict[str, Any], definition: dict[str, Any]) -> Iterator[str]:
    given = {string(each.get("type")): each for each in objects(template.get("components"))}
    given = {(key or "").lower(): each for key, each in given.items()}
    for part in objects(definition.get("components")):
        kind = (string(part.get("type")) or "").lower()
        values = _values(given.get(kind, {}))
        yield _fill(said(part.get("text")), values)
        yield joined((button.get("text") for button in objects(part.get("buttons"))), ", ")


def _fill(text: str, values: dict[str, str]) -> str:
    return _VARIABLE.sub(lambda found: values.get(found[1], found[0]), text)


def _values(component: dict[str, Any]) -> dict[str, str]:
    values: dict[str, str] = {}
    for place, parameter in enumerate(objects(component.get("parameters")), start=1):
        value = _value(parameter)
        values[str(place)] = value
        if name := string(parameter.get("parameter_name")):
            values[name] = value
    return values


def _value(parameter: dict[str, Any]) -> str:
    part = parameter.get(string(parameter.get("type")) or "text")
    return said(part) or said(mapping(part).get("fallback_value")) or said(mapping(part).get("filename"))


def _parameters(template: dict[str, Any]) -> Iterator[str]:
    for component in objects(template.get("components")):
        for parameter in objects(component.get("parameters")):
            yield _value(parameter)
