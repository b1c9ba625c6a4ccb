"""Every kind of message and every webhook field that is read has an example that says what it means."""

from pathlib import Path

import pytest

from wamcp.whatsapp.payload.fields import FIELDS
from wamcp.whatsapp.payload.messages import MESSAGE_TYPES, SHAPES

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures" / "whatsapp"


@pytest.mark.parametrize("kind", sorted(MESSAGE_TYPES))
def test_every_kind_of_message_has_a_module_a_shape_and_a_fixture(kind: str) -> None:
    assert (ROOT / "src/wamcp/whatsapp/payload/messages" / f"{kind}.py").is_file()
    assert kind in SHAPES
    assert (FIXTURES / "messages" / f"{kind}.json").is_file()


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_every_field_has_a_fixture(field: str) -> None:
    assert (FIXTURES / "fields" / f"{field}.json").is_file()


def test_every_kind_and_field_is_described() -> None:
    messages = (ROOT / "docs/messages.md").read_text()
    assert [kind for kind in MESSAGE_TYPES if f"`{kind}`" not in messages] == []
    events = (ROOT / "docs/account_events.md").read_text()
    assert [field for field in FIELDS if f"`{field}`" not in events] == []
