"""Every webhook in fixtures/whatsapp says exactly what stands beside it in its .expected.json."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from wamcp.whatsapp.payload.envelope import read_event
from wamcp.whatsapp.payload.facts import Facts

FIXTURES = Path(__file__).parents[1] / "fixtures" / "whatsapp"
NAMES = sorted(
    str(path.relative_to(FIXTURES).with_suffix(""))
    for path in FIXTURES.rglob("*.json")
    if not path.name.endswith(".expected.json")
)


def as_json(facts: Facts) -> Any:
    """Facts as a fixture states them: what is empty or absent left out, raw JSON as JSON."""

    def plain(value: Any) -> Any:
        if isinstance(value, msgspec.Struct):
            pairs = ((name, getattr(value, name)) for name in value.__struct_fields__)
            return {
                name: plain(each) for name, each in pairs if each not in (None, []) and (name, each) != ("kind", "")
            }
        if isinstance(value, bytes):
            return json.loads(value)
        return [plain(each) for each in value] if isinstance(value, list | tuple) else value

    return plain(facts)


@pytest.mark.parametrize("name", NAMES)
def test_a_webhook_says_what_its_fixture_expects(name: str) -> None:
    expected = json.loads((FIXTURES / f"{name}.expected.json").read_text())
    assert as_json(read_event((FIXTURES / f"{name}.json").read_bytes())) == expected


def test_every_fixture_has_its_expectation_and_every_expectation_its_fixture() -> None:
    expectations = sorted(
        str(path.relative_to(FIXTURES)).removesuffix(".expected.json") for path in FIXTURES.rglob("*.expected.json")
    )
    assert expectations == NAMES
