"""Finding the keys that nobody has a word for: what a part may have is written down as a shape."""

from collections.abc import Mapping
from typing import Any

from wamcp.vocabulary import UnknownKind
from wamcp.whatsapp.payload.facts import UnknownFact

Shape = Mapping[str, Any]
"""The known keys of an object; the value is the shape of the object, or of the objects in the list, under the key.

None under a key says that whatever is there is known.
"""

LONGEST_PATH = 100
MOST_UNKNOWNS = 50
"""Of one event: hostile or broken JSON may have thousands."""

ERROR: Shape = dict.fromkeys(("code", "title", "message", "error_data", "href", "details", "type", "error_subcode"))


def note_unknown_keys(found: list[UnknownFact], value: object, shape: Shape, path: str) -> None:
    """Adds to ``found`` the keys of ``value`` that ``shape`` does not have, at every depth."""
    if isinstance(value, list):
        for each in value:
            if isinstance(each, dict):
                note_unknown_keys(found, each, shape, path)
        return
    if not isinstance(value, dict) or (value.keys() <= shape.keys() and not any(map(shape.get, value))):
        return
    for key, part in value.items():
        if key not in shape:
            note(found, UnknownKind.KEY, f"{path}.{key}")
        elif (inner := shape[key]) is not None:
            note_unknown_keys(found, part, inner, f"{path}.{key}")


def note(found: list[UnknownFact], kind: UnknownKind, path: str) -> None:
    """Adds one, once, unless there are too many already; a path is at most ``LONGEST_PATH`` printable characters."""
    if len(found) < MOST_UNKNOWNS:
        clean = "".join(character if character.isprintable() else "?" for character in path[:LONGEST_PATH])
        unknown = UnknownFact(kind.value, clean)
        if unknown not in found:
            found.append(unknown)
