"""The message templates of the invented account, and Meta's checks of what is filled into them."""

import re
from typing import Any

import msgspec

from wamcp.simulator.graph.trouble import invalid, missing, trouble, unexpected

NAMED = "NAMED"
MAX_BODY = 1024
_VARIABLE = re.compile(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}")
_BLANKS = re.compile(r"[\n\t]| {5}")
_KEYS = {"name", "language", "components", "namespace"}
_PARTS = {"type", "sub_type", "index", "parameters"}
_HEADER_KINDS = {"IMAGE": "image", "VIDEO": "video", "DOCUMENT": "document", "LOCATION": "location"}
_VALUES = {
    "text",
    "currency",
    "date_time",
    "payload",
    "image",
    "video",
    "document",
    "location",
    "coupon_code",
    "action",
}


class Template(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A template as its Graph node describes it; ``components`` are in Meta's own shape."""

    name: str
    language: str
    id: str = "500000000000001"
    category: str = "UTILITY"
    status: str = "APPROVED"
    parameter_format: str = "POSITIONAL"
    components: list[dict[str, Any]] = msgspec.field(default_factory=list)

    def component(self, kind: str) -> dict[str, Any]:
        """The component of this kind (HEADER, BODY, BUTTONS), empty where there is none."""
        return next((part for part in self.components if str(part.get("type", "")).upper() == kind), {})


def check(content: Any, templates: list[Template]) -> Template:
    """The template that ``content`` (the ``template`` of a send request) fills; raises ``Trouble`` as Meta would."""
    if not isinstance(content, dict):
        raise missing("template")
    for key in content.keys() - _KEYS:
        raise unexpected(key, "template")
    template = _find(content, templates)
    components = content.get("components", [])
    if not isinstance(components, list) or not all(isinstance(part, dict) for part in components):
        raise trouble(100, "template.components must be an array of objects.")
    given = [_part(part) for part in components]
    _check_header(template, given)
    _check_body(template, given)
    _check_buttons(template, given)
    return template


def _find(content: dict[str, Any], templates: list[Template]) -> Template:
    name, language = content.get("name"), content.get("language")
    if not name or not isinstance(name, str):
        raise missing("template.name")
    code = language.get("code") if isinstance(language, dict) else None
    if not code or not isinstance(code, str):
        raise missing("template.language.code")
    found = next((each for each in templates if (each.name, each.language) == (name, code)), None)
    if found is None or found.status not in ("APPROVED", "PAUSED", "DISABLED"):
        raise trouble(132001, f"template name ({name}) does not exist in {code}", status=404)
    if found.status == "PAUSED":
        raise trouble(132015, f"template name ({name}) is paused")
    if found.status == "DISABLED":
        raise trouble(132016, f"template name ({name}) is disabled")
    return found


def _part(part: dict[str, Any]) -> dict[str, Any]:
    for key in part.keys() - _PARTS:
        raise unexpected(key, "template.components")
    kind = part.get("type")
    if not isinstance(kind, str) or kind.lower() not in ("header", "body", "button"):
        raise trouble(100, f"template.components: type must be header, body or button, got {kind!r}.")
    parameters = part.get("parameters", [])
    if not isinstance(parameters, list) or not all(isinstance(each, dict) for each in parameters):
        raise trouble(100, f"{kind}: parameters must be an array of objects.")
    for parameter in parameters:
        _check_parameter(kind, parameter)
    return part | {"type": kind.lower(), "parameters": parameters}


def _check_parameter(kind: str, parameter: dict[str, Any]) -> None:
    form = parameter.get("type")
    if not isinstance(form, str) or form not in _VALUES:
        raise trouble(100, f"{kind}: a parameter's type is one of {', '.join(sorted(_VALUES))}, got {form!r}.")
    value = parameter.get(form)
    if value is None or value == "":
        raise missing(f"{kind}: parameters.{form}")
    if form == "text" and (not isinstance(value, str) or _BLANKS.search(value)):
        raise trouble(
            100, "Param text cannot have new-line/tab characters or more than 4 consecutive spaces and is a string"
        )


def _check_header(template: Template, given: list[dict[str, Any]]) -> None:
    header = template.component("HEADER")
    parameters = _parameters(given, "header")
    form = str(header.get("format", "TEXT")).upper()
    if form == "TEXT":
        _compare(template, "header", _variables(header), parameters)
        return
    wanted = _HEADER_KINDS.get(form, form.lower())
    got = [parameter["type"] for parameter in parameters]
    if got != [wanted]:
        received = ", ".join(kind.upper() for kind in got) or "UNKNOWN"
        raise trouble(132012, f"header: Format mismatch, expected {form}, received {received}")
    if wanted in ("image", "video", "document"):
        media = parameters[0][wanted]
        if not isinstance(media, dict) or ("id" in media) == ("link" in media):
            raise invalid(f"header: {wanted} needs either id or link.")


def _check_body(template: Template, given: list[dict[str, Any]]) -> None:
    body = template.component("BODY")
    parameters = _parameters(given, "body")
    _compare(template, "body", _variables(body), parameters)
    filled = len(str(body.get("text", ""))) + sum(len(str(each.get("text", ""))) for each in parameters)
    if filled > MAX_BODY:
        raise trouble(132005, f"body: the filled-in text has {filled} characters, the limit is {MAX_BODY}")


def _compare(template: Template, where: str, variables: list[str], parameters: list[dict[str, Any]]) -> None:
    names = [each.get("parameter_name") for each in parameters]
    if template.parameter_format == NAMED and parameters and None in names:
        raise trouble(132012, f"{where}: the template has named parameters; parameter_name is missing")
    if template.parameter_format != NAMED and any(name is not None for name in names):
        raise trouble(132012, f"{where}: the template has positional parameters; parameter_name is not accepted")
    if len(parameters) != len(variables):
        raise trouble(
            132000,
            f"{where}: number of localizable_params ({len(parameters)}) does not match the expected number of "
            f"params ({len(variables)})",
        )
    if template.parameter_format == NAMED and sorted(map(str, names)) != sorted(variables):
        raise trouble(132012, f"{where}: the parameters are {', '.join(variables)}")


def _check_buttons(template: Template, given: list[dict[str, Any]]) -> None:
    buttons = template.component("BUTTONS").get("buttons", [])
    for index, button in enumerate(buttons):
        kind = str(button.get("type", "")).upper()
        needs = kind == "COPY_CODE" or (kind in ("URL", "OTP") and ("{{" in button.get("url", "") or kind == "OTP"))
        if needs and not _filled(given, index, "copy_code" if kind == "COPY_CODE" else "url"):
            raise trouble(
                131008, f"buttons: Button at index {index} of type {kind.title()} requires a parameter", status=400
            )
    for part in given:
        if part["type"] == "button" and not 0 <= _index(part) < len(buttons):
            raise trouble(132000, f"buttons: the template has no button at index {part.get('index')}")


def _filled(given: list[dict[str, Any]], index: int, sub_type: str) -> bool:
    return any(
        part["type"] == "button"
        and _index(part) == index
        and str(part.get("sub_type", "")).lower() == sub_type
        and len(part["parameters"]) == 1
        for part in given
    )


def _index(part: dict[str, Any]) -> int:
    written = str(part.get("index", ""))
    if not (written.isascii() and written.isdecimal() and len(written) < 3):
        raise missing("template.components.index")
    return int(written)


def _parameters(given: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [parameter for part in given if part["type"] == kind for parameter in part["parameters"]]


def _variables(component: dict[str, Any]) -> list[str]:
    return list(dict.fromkeys(_VARIABLE.findall(str(component.get("text", "")))))


def _body(text: str) -> dict[str, Any]:
    return {"type": "BODY", "text": text}


_DOCUMENT = {"type": "HEADER", "format": "DOCUMENT"}
BUILT_IN: tuple[Template, ...] = (
    Template(name="hello_world", language="en_US", id="500000000000001", components=[_body("Hello {{1}}, welcome.")]),
    Template(
        name="order_update",
        language="en_US",
        id="500000000000002",
        components=[_DOCUMENT, _body("Order {{1}} will arrive on {{2}}.")],
    ),
    Template(
        name="order_update",
        language="pt_BR",
        id="500000000000003",
        components=[_DOCUMENT, _body("O pedido {{1}} chega em {{2}}.")],
    ),
    Template(
        name="appointment",
        language="en",
        id="500000000000004",
        parameter_format=NAMED,
        components=[_body("{{first_name}}, we expect you on {{day}}.")],
    ),
    Template(
        name="login_code",
        language="en_US",
        id="500000000000005",
        category="AUTHENTICATION",
        components=[
            _body("{{1}} is your code."),
            {"type": "BUTTONS", "buttons": [{"type": "URL", "text": "Copy code", "url": "https://example.com/{{1}}"}]},
        ],
    ),
)
