"""Messages with something to tap: up to three buttons, a list, or a link."""

from typing import Any, NamedTuple

from wamcp.whatsapp.outgoing.limits import count, different, refuse, words
from wamcp.whatsapp.outgoing.links import web_link

MAX_BODY, MAX_LIST_BODY, MAX_FOOTER, MAX_HEADER = 1024, 4096, 60, 60
MAX_BUTTONS, MAX_BUTTON_ID, MAX_BUTTON_TITLE = 3, 256, 20
MAX_SECTIONS, MAX_ROWS, MAX_ROW_ID, MAX_ROW_TITLE, MAX_DESCRIPTION = 10, 10, 200, 24, 72


class Around(NamedTuple):
    """What every kind has. ``header`` is text, or media as :func:`~.media.header_of` makes it."""

    body: str
    header: str | dict[str, Any] | None = None
    footer: str | None = None


class Button(NamedTuple):
    """A reply to tap; ``id`` comes back in the webhook."""

    id: str
    title: str


class Row(NamedTuple):
    """An entry of a list; ``id`` comes back in the webhook."""

    id: str
    title: str
    description: str | None = None


class Section(NamedTuple):
    """Rows under a title, which only the sole section may lack."""

    rows: list[Row]
    title: str | None = None


def buttons_part(around: Around, buttons: list[Button]) -> dict[str, Any]:
    """``interactive`` with 1 to 3 buttons. Raises :class:`NotSendable`."""
    count("buttons", len(buttons), MAX_BUTTONS, "button")
    for place, button in enumerate(buttons):
        words(f"buttons[{place}].id", button.id, MAX_BUTTON_ID)
        words(f"buttons[{place}].title", button.title, MAX_BUTTON_TITLE)
    different("buttons.title", [button.title for button in buttons], "give each button its own")
    different("buttons.id", [button.id for button in buttons], "give each button its own")
    replies = [{"type": "reply", "reply": {"id": button.id, "title": button.title}} for button in buttons]
    return {"type": "button", **_around(around, MAX_BODY), "action": {"buttons": replies}}


def list_part(around: Around, button: str, sections: list[Section]) -> dict[str, Any]:
    """``interactive`` whose ``button`` opens up to 10 rows in up to 10 sections. Raises :class:`NotSendable`."""
    if isinstance(around.header, dict):
        refuse("header", "holds media; a list takes text alone")
    words("button", button, MAX_BUTTON_TITLE)
    count("sections", len(sections), MAX_SECTIONS, "section")
    count("sections.rows", sum(len(section.rows) for section in sections), MAX_ROWS, "row")
    ids = [row.id for section in sections for row in section.rows]
    different("sections.rows.id", ids, "give each row its own")
    made = [_section(f"sections[{place}]", section, len(sections) > 1) for place, section in enumerate(sections)]
    return {"type": "list", **_around(around, MAX_LIST_BODY), "action": {"button": button, "sections": made}}


def link_part(around: Around, display_text: str, url: str) -> dict[str, Any]:
    """``interactive`` with a button that opens ``url``. Raises :class:`NotSendable`."""
    words("display_text", display_text, MAX_BUTTON_TITLE)
    parameters = {"display_text": display_text, "url": web_link("url", url)}
    return {"type": "cta_url", **_around(around, MAX_BODY), "action": {"name": "cta_url", "parameters": parameters}}


def _around(around: Around, limit: int) -> dict[str, Any]:
    part: dict[str, Any] = {}
    if isinstance(around.header, str):
        part["header"] = {"type": "text", "text": words("header", around.header, MAX_HEADER)}
    elif around.header is not None:
        part["header"] = around.header
    part["body"] = {"text": words("body", around.body, limit)}
    if around.footer is not None:
        part["footer"] = {"text": words("footer", around.footer, MAX_FOOTER)}
    return part


def _section(field: str, section: Section, needs_title: bool) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if section.title is not None:
        made["title"] = words(f"{field}.title", section.title, MAX_ROW_TITLE)
    elif needs_title:
        refuse(f"{field}.title", "is missing; with more than one section each needs one")
    if not section.rows:
        refuse(f"{field}.rows", "is empty; give the section a row or leave it out")
    made["rows"] = [_row(f"{field}.rows[{place}]", row) for place, row in enumerate(section.rows)]
    return made


def _row(field: str, row: Row) -> dict[str, Any]:
    made = {
        "id": words(f"{field}.id", row.id, MAX_ROW_ID),
        "title": words(f"{field}.title", row.title, MAX_ROW_TITLE),
    }
    if row.description is not None:
        made["description"] = words(f"{field}.description", row.description, MAX_DESCRIPTION)
    return made
