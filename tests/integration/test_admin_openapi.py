"""Requests made up from the published contract: whatever is asked, nothing breaks."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, strategies

from tests.factories import ADMIN_KEY, NOON, Archive, settings_for
from tests.papers import paper
from tests.sending_office import office
from wamcp.db.session import Pool
from wamcp.web.app import create_app

KEY = {"X-Admin-Api-Key": ADMIN_KEY}
EXAMPLES = 25
SECONDS = 60
"""All routes together; those that come last get fewer examples when time is short."""


@pytest.fixture
def application(archive: Archive, reader: Pool, auditor: Pool, tmp_path: Path) -> Iterator[Any]:
    """The admin API over a small archive in which everything that has an id has a row with id 1."""
    archive.message(archive.conversation(person=archive.person("Ana Souza", wa_id="15550100001")), "Hello", NOON)
    archive.message(archive.conversation(group="1"), "Hello all", NOON)
    paper(archive, 1, ["Invoice 4711"])
    archive.connection.execute("INSERT INTO webhook_events (sha256, body) VALUES ('x', '{}')")
    archive.connection.execute("INSERT INTO applied (event_id) VALUES (1)")
    app = create_app(settings_for(archive.url), reader, auditor)
    with office(archive.url, tmp_path / "objects") as here:
        app.state.sending = here.desk
        here.send()
        yield app


def test_no_request_breaks_a_route(application: Any) -> None:
    with TestClient(application, client=("203.0.113.9", 1), raise_server_exceptions=False) as client:
        contract = client.get("/openapi.json", headers=KEY).json()
        routes = [route.ok() for route in schemathesis.openapi.from_dict(contract).get_all_operations()]
        assert {"GET", "POST"} <= {route.method.upper() for route in routes} and len(routes) > 12
        deadline = time.monotonic() + SECONDS
        tried = [_try(route, client, deadline) for route in routes]
    assert min(tried) > 0, dict(zip((route.label for route in routes), tried, strict=True))


def _try(route: Any, client: TestClient, deadline: float) -> int:
    """How many requests were made up for this route; none of them may break it."""
    tried = 0

    @hypothesis.given(case=route.as_strategy(), of_known=strategies.booleans())
    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any, of_known: bool) -> None:
        nonlocal tried
        if tried and time.monotonic() > deadline:
            return
        tried += 1
        if of_known:
            case.path_parameters = dict.fromkeys(case.path_parameters or {}, "1")
        given = case.as_transport_kwargs()
        given["headers"] = {**dict(given["headers"]), **KEY}
        given.pop("cookies", None)
        if isinstance(given.get("data"), bytes | str):
            given["content"] = given.pop("data")
        answer = client.request(**given)
        assert answer.status_code < 500, (route.label, given, answer.text)
        assert answer.headers["content-type"].startswith("application/json"), (route.label, given)

    ask()
    return tried
