"""Logs carry identifiers only."""

import pytest

from wamcp.log import redact


@pytest.mark.parametrize("key", ["authorization", "x_admin_api_key", "access_token", "app_secret", "signature"])
def test_secrets_are_dropped_by_key(key: str) -> None:
    assert redact(None, "", {key: "wamcp_abc"})[key] == "[secret]"


def test_bodies_and_texts_are_dropped() -> None:
    assert redact(None, "", {"body": "hello", "text": "hello"}) == {"body": "[not logged]", "text": "[not logged]"}


def test_phone_numbers_are_masked_to_four_digits() -> None:
    assert redact(None, "", {"event": "call from +15550100234 came"})["event"] == "call from ****0234 came"


def test_identifiers_stay() -> None:
    assert redact(None, "", {"event_id": 15550100234, "item": "m48210"}) == {"event_id": 15550100234, "item": "m48210"}
