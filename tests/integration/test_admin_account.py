"""Account events, groups, webhook events, unknowns and gaps over HTTP: what is answered, and to whom."""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.factories import ADMIN_KEY, NOON, Archive, minutes, settings_for
from wamcp.access import tokens
from wamcp.access.tokens import NewToken
from wamcp.db.session import Pool
from wamcp.vocabulary import TokenKind
from wamcp.web.app import create_app

KEY = {"X-Admin-Api-Key": ADMIN_KEY}
GROUP = "group-of-ours"


@pytest.fixture
def client(archive: Archive, reader: Pool, auditor: Pool) -> Iterator[TestClient]:
    app = create_app(settings_for(archive.url), reader, auditor)
    with TestClient(app, client=("203.0.113.9", 1234)) as client:
        yield client


def key(archive: Archive, **rights: Any) -> dict[str, str]:
    """The header of a new admin token."""
    secret = tokens.create(archive.connection, NewToken(TokenKind.ADMIN, "test", **{"phones": True, **rights}))
    return {"X-Admin-Api-Key": secret}


def happened(archive: Archive, field: str = "account_update", at: datetime = NOON, **columns: Any) -> int:
    """One account event."""
    row: dict[str, Any] = {
        "event_id": 1, "field": field, "event": "", "at": at, "waba_id": "waba", "severity": "info", "text": field,
        "details": "{}", **columns,
    }  # fmt: skip
    if not isinstance(row["details"], str):
        row["details"] = json.dumps(row["details"])
    row["digest"] = hashlib.sha256(repr(row).encode()).digest()
    names, marks = ", ".join(row), ", ".join(["%s"] * len(row))
    found = archive.connection.execute(
        f"INSERT INTO account_events ({names}) VALUES ({marks}) RETURNING id", list(row.values())
    ).fetchone()
    assert found is not None
    return int(found[0])


def ids(client: TestClient, query: str = "", headers: dict[str, str] = KEY) -> list[int]:
    answer = client.get(f"/admin/account-events?{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["account_events"]]


def test_account_events_are_listed_newest_first_and_filtered(archive: Archive, client: TestClient) -> None:
    number = archive.number("111", "+1 555 0111")
    person = archive.person("Ana Souza", wa_id="15550100001")
    one = happened(archive, event="DISABLED_UPDATE", severity="critical", details={"ban_info": {"date": "today"}})
    two = happened(
        archive, "user_preferences", NOON + minutes(1), event="stop", number_id=number, participant_id=person
    )
    three = happened(
        archive, "message_template_status_update", NOON + minutes(2), subject_kind="template", subject="880011",
        severity="warning",
    )  # fmt: skip
    four = happened(archive, "security", NOON + minutes(2), display_phone_number="15550111", group_id=GROUP)
    assert ids(client) == [four, three, two, one]
    for query, found in {
        "field=user_preferences": [two],
        "event=DISABLED_UPDATE": [one],
        "severity=warning": [three],
        f"group_id={GROUP}": [four],
        f"participant=p{person}": [two],
        f"participant={person}": [two],
        "number=111": [four, two],
        "since=2026-03-02T12:01:00Z&before=2026-03-02T12:02:00Z": [two],
        "field=%00": [],
    }.items():
        assert ids(client, query) == found, query
    shown = client.get("/admin/account-events?limit=200", headers=KEY).json()["account_events"]
    assert shown[3]["details"] == {"ban_info": {"date": "today"}} and shown[3]["subject"] is None
    assert shown[1]["subject"] == {"kind": "template", "id": "880011"}
    assert (shown[2]["participant"]["name"], shown[2]["phone_number_id"]) == ("Ana Souza", "111")
    assert (shown[2]["at"], shown[2]["display_phone_number"]) == ("2026-03-02T12:01:00Z", "+1 555 0111")


def test_pages_of_account_events_go_on_without_gap(archive: Archive, client: TestClient) -> None:
    made = [happened(archive, at=NOON + minutes(count // 3), text=str(count)) for count in range(10)]
    seen: list[int] = []
    cursor = ""
    while True:
        answer = client.get(f"/admin/account-events?limit=4&cursor={cursor}" if cursor else
                            "/admin/account-events?limit=4", headers=KEY).json()  # fmt: skip
        seen += [item["id"] for item in answer["account_events"]]
        if not (cursor := answer["next_cursor"]):
            break
    assert seen == made[::-1]


def test_a_limited_key_sees_only_what_is_about_its_numbers_and_its_days(archive: Archive, client: TestClient) -> None:
    ours, others = archive.number("111", "+1 555 0111"), archive.number("222", "+1 555 0122")
    mine = happened(archive, number_id=ours)
    named = happened(archive, "security", NOON + minutes(1), display_phone_number="1555-0111")
    happened(archive, "flows", NOON + minutes(1))
    happened(archive, number_id=others, group_id=GROUP)
    happened(archive, "security", display_phone_number="15550122")
    # An event of another's number is not ours because it also shows our number.
    happened(archive, "phone", number_id=others, display_phone_number="15550111")
    limited = key(archive, numbers=["111"])
    assert ids(client, headers=limited) == [named, mine]
    assert ids(client, headers=key(archive, numbers=["111"], since=NOON + minutes(1))) == [named]
    assert ids(client, f"group_id={GROUP}", limited) == []
    assert client.get("/admin/account-events?number=222", headers=limited).status_code == 404
    assert client.get(f"/admin/groups/{GROUP}", headers=limited).status_code == 404


def test_phone_numbers_are_masked_without_the_right_to_see_them(archive: Archive, client: TestClient) -> None:
    person = archive.person("15550100001", wa_id="15550100001")
    details = {
        "wa_id": 15550100001,
        "from": "+1 555 010 0002",
        "id": "wacid.HBgLMTU1NTAxMDAwMDE",
        "list": [{"input": "15550100003", "user_id": "US.15550100001", "errors": [{"code": 131000}]}],
        "timestamp": "1772452800",
    }
    happened(
        archive, "calls", participant_id=person, subject_kind="call", subject="wacid.HBgLMTU1NTAxMDAwMDE",
        text="Call from +15550100002, then 15550100001", details=details,
    )  # fmt: skip
    masked = client.get("/admin/account-events", headers=key(archive, phones=False)).json()["account_events"][0]
    assert masked["details"] == {
        "wa_id": "…0001",
        "from": "…0002",
        "id": None,
        "list": [{"input": "…0003", "user_id": "US.15550100001", "errors": [{"code": 131000}]}],
        "timestamp": "1772452800",
    }
    assert masked["text"] == "Call from …0002, then …0001"
    assert masked["subject"] == {"kind": "call", "id": None}
    assert (masked["participant"]["name"], masked["participant"]["wa_id"]) == ("…0001", "…0001")
    full = client.get("/admin/account-events", headers=KEY).json()["account_events"][0]
    assert full["details"] == details and full["subject"]["id"].startswith("wacid.")


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (r'{"text": "\ud800 and \u0000"}', {"text": "? and \0"}),
        ('{"rate": 1e999}', {"rate": None}),
        ("[" * 3000 + "]" * 3000, "[" * 3000 + "]" * 3000),
        ('{"n": ' + "9" * 5000 + "}", '{"n": ' + "9" * 5000 + "}"),
    ],
)
def test_details_that_json_libraries_choke_on_are_answered(
    archive: Archive, client: TestClient, written: str, shown: Any
) -> None:
    happened(archive, details=written)
    assert client.get("/admin/account-events", headers=KEY).json()["account_events"][0]["details"] == shown
    assert client.get("/admin/account-events", headers=key(archive, phones=False)).status_code == 200


def group_story(archive: Archive, number: int) -> None:
    def told(event: str, minute: float, **details: Any) -> None:
        details = {"type": event, "group_id": GROUP, **details}
        happened(
            archive, "group_update", NOON + minutes(minute), event=event, details=details, number_id=number,
            group_id=GROUP,
        )  # fmt: skip

    ana, bo = {"wa_id": "15550100001", "user_id": "US.1"}, {"input": 15550100002, "wa_id": 15550100002}
    # Kept in another order than it happened.
    told("group_participants_remove", 3, removed_participants=[{"user_id": "US.1"}, "nonsense"])
    told("group_create", 0, subject="Bakery", description="Bread")
    told(
        "group_participants_add", 1, added_participants=[ana, bo, {"errors": []}], failed_participants=[{"input": "9"}]
    )
    told("group_settings_update", 2, group_subject={"text": "Bakers", "update_successful": True},
         group_description={"text": "No", "update_successful": False})  # fmt: skip
    told("group_suspend", 4)
    told(
        "group_add_participants",
        5,
        added_participants=[{"input": "+15550100002"}, {"user_id": "US.3", "username": "c"}],
    )
    told("group_suspend_cleared", 6)


def test_a_group_is_what_its_events_made_of_it(archive: Archive, client: TestClient) -> None:
    number = archive.number("111")
    archive.person("Bo Lind", wa_id="15550100002")
    cara = archive.person("Cara Díaz")
    archive.connection.execute("INSERT INTO participant_aliases VALUES ('waba', 'bsuid', 'US.3', %s)", [cara])
    conversation = archive.conversation(number, group=GROUP)
    archive.message(conversation, "Hello all", NOON + minutes(30))
    group_story(archive, number)
    shown = client.get(f"/admin/groups/{GROUP}", headers=KEY).json()
    assert (shown["subject"], shown["description"], shown["suspended"], shown["deleted"]) == (
        "Bakers", "Bread", False, False,
    )  # fmt: skip
    assert [(member["wa_id"], member["bsuid"], member["username"]) for member in shown["participants"]] == [
        ("+15550100002", None, None),
        (None, "US.3", "c"),
    ]
    assert shown["participants"][1]["participant"]["name"] == "Cara Díaz"
    assert [item["event"] for item in shown["history"]][:2] == ["group_suspend_cleared", "group_add_participants"]
    assert len(shown["history"]) == 7
    [listed] = client.get("/admin/groups", headers=KEY).json()["groups"]
    assert listed == {name: shown[name] for name in listed}
    assert (listed["conversation_id"], listed["last_active_at"]) == (f"c{conversation}", "2026-03-02T12:30:00Z")
    masked = client.get(f"/admin/groups/{GROUP}", headers=key(archive, phones=False)).json()
    assert masked["participants"][0]["wa_id"] == "…0002"
    assert "15550100002" not in json.dumps(masked)


def test_a_group_outside_the_window_is_hidden_and_its_history_keeps_to_it(archive: Archive, client: TestClient) -> None:
    number = archive.number("111")
    group_story(archive, number)
    late = key(archive, since=NOON + minutes(4))
    shown = client.get(f"/admin/groups/{GROUP}", headers=late).json()
    assert shown["subject"] == "Bakers" and len(shown["history"]) == 3
    later = key(archive, since=NOON + minutes(7))
    assert client.get(f"/admin/groups/{GROUP}", headers=later).status_code == 404
    assert client.get("/admin/groups", headers=later).json()["groups"] == []
    assert client.get("/admin/groups/%00", headers=KEY).status_code == 404


def test_groups_are_paged_by_their_last_activity(archive: Archive, client: TestClient) -> None:
    number, other = archive.number("111"), archive.number("222")
    for count in range(5):
        happened(archive, "group_update", NOON + minutes(count), group_id=f"g{count}", number_id=number)
    happened(archive, "group_update", NOON, group_id="not-mine", number_id=other)
    limited = key(archive, numbers=["111"])
    first = client.get("/admin/groups?limit=3", headers=limited).json()
    second = client.get(f"/admin/groups?limit=3&cursor={first['next_cursor']}", headers=limited).json()
    names = [item["group_id"] for item in first["groups"] + second["groups"]]
    assert names == ["g4", "g3", "g2", "g1", "g0"] and second["next_cursor"] is None


def test_webhook_events_say_whether_they_wait_are_parked_or_applied(archive: Archive, client: TestClient) -> None:
    for event in range(1, 7):
        archive.connection.execute(
            "INSERT INTO webhook_events (id, sha256, received_at, body) OVERRIDING SYSTEM VALUE"
            " VALUES (%s, sha256(%s), %s, 'private bytes')",
            [event, str(event).encode(), NOON + minutes(event)],
        )
    archive.connection.execute("INSERT INTO webhook_queue VALUES (5, 321), (6, 654)")
    archive.connection.execute(
        "INSERT INTO parked (event_id, item, kind, reason, fragment) VALUES (2, 'entry/0', 'malformed', 'no object',"
        " 'private'), (2, 'entry/1', 'failed', 'why', NULL), (4, '', 'killed', 'thrice', NULL),"
        " (5, '', 'failed', 'x', NULL)"
    )
    states = {}
    for state in ("", "pending", "parked", "applied"):
        answer = client.get(f"/admin/events?{f'state={state}' if state else ''}", headers=KEY)
        assert "private" not in answer.text
        states[state] = [(item["id"], item["state"], item["size"]) for item in answer.json()["events"]]
    assert states["pending"] == [(6, "pending", 654), (5, "pending", 321)]
    assert states["parked"] == [(4, "parked", None), (2, "parked", None)]
    assert states["applied"] == [(3, "applied", None), (1, "applied", None)]
    assert states[""] == sorted(states["pending"] + states["parked"] + states["applied"], reverse=True)
    [_, second] = client.get("/admin/events?state=parked", headers=KEY).json()["events"]
    assert [(part["item"], part["kind"], part["reason"]) for part in second["parked"]] == [
        ("entry/0", "malformed", "no object"), ("entry/1", "failed", "why"),
    ]  # fmt: skip
    first = client.get("/admin/events?limit=4", headers=KEY).json()
    rest = client.get(f"/admin/events?limit=4&cursor={first['next_cursor']}", headers=KEY).json()
    assert [item["id"] for item in first["events"] + rest["events"]] == [6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize("path", ["/admin/events", "/admin/unknowns"])
def test_what_belongs_to_no_number_needs_a_key_without_limits(archive: Archive, client: TestClient, path: str) -> None:
    archive.number("111")
    for rights in ({"numbers": ["111"]}, {"since": NOON}):
        answer = client.get(path, headers=key(archive, **rights))
        assert (answer.status_code, answer.json()["error"]) == (403, "not_allowed")
    assert client.get(path, headers=key(archive)).status_code == 200


def test_unknowns_are_listed_and_counted_at_each_scrape(archive: Archive, client: TestClient) -> None:
    archive.connection.execute(
        "INSERT INTO unknowns VALUES ('key', 'messages.colour', 3, %(t)s, %(t)s, 1, 2),"
        " ('key', 'messages.smell', 4, %(t)s, %(t)s + interval '1 min', 1, 9),"
        " ('field', 'field.new', 1, %(t)s, %(t)s, 5, 5)",
        {"t": NOON},
    )
    listed = client.get("/admin/unknowns", headers=KEY).json()["unknowns"]
    assert [(item["path"], item["count"], item["last_event_id"]) for item in listed] == [
        ("messages.smell", 4, 9), ("field.new", 1, 5), ("messages.colour", 3, 2),
    ]  # fmt: skip
    told = client.get("/metrics", headers=KEY).text
    assert 'wamcp_unknowns{kind="key"} 2.0' in told and 'wamcp_unknowns{kind="field"} 1.0' in told
    assert 'wamcp_unknowns_seen_total{kind="key"} 7.0' in told
    assert "# TYPE wamcp_unknowns_seen_total counter" in told


def status(archive: Archive, number: int, wamid: str, name: str, at: datetime) -> None:
    archive.connection.execute(
        "INSERT INTO statuses (number_id, wamid, status, at, event_id) VALUES (%s, %s, %s, %s, 1)",
        [number, wamid, name, at],
    )


def refer(archive: Archive, conversation: int, kind: str, wamid: str, at: datetime) -> None:
    message = archive.message(conversation, kind, at, kind=kind)
    archive.connection.execute("UPDATE messages SET refers_to = %s WHERE id = %s", [wamid, message])


def test_gaps_are_what_points_to_messages_that_never_came(archive: Archive, client: TestClient) -> None:
    ours, other = archive.number("111"), archive.number("222")
    conversation = archive.conversation(ours)
    archive.message(conversation, "known", NOON)  # wamid.1
    for wamid in ("wamid.1", "gone.1", "gone.2", "gone.3", "gone.4"):
        for name in ("sent", "read"):
            status(archive, ours, wamid, name, NOON)
    status(archive, ours, "gone.5", "sent", NOON + minutes(60))
    status(archive, other, "wamid.1", "sent", NOON)  # a message of another number is not this one's
    archive.message(conversation, "answer", NOON + minutes(1), reply_to="wamid.1")
    archive.message(conversation, "answer", NOON + minutes(1), reply_to="lost.1")
    for kind in ("reaction", "edit", "revoke"):
        refer(archive, conversation, kind, "wamid.1", NOON + minutes(2))
        refer(archive, conversation, kind, f"{kind}.gone", NOON + minutes(2))
    span = "since=2026-03-01&until=2026-03-03"
    answer = client.get(f"/admin/gaps?{span}", headers=KEY).json()
    assert answer["totals"] == {"statuses": 10, "replies": 1, "reactions": 1, "edits": 1, "revocations": 1}
    late, noon, others = answer["hours"]
    assert (late["hour"], late["statuses"]) == ("2026-03-02T13:00:00Z", {"count": 1, "examples": ["gone.5"]})
    assert (noon["phone_number_id"], noon["hour"], noon["statuses"]["count"]) == ("111", "2026-03-02T12:00:00Z", 8)
    assert len(set(noon["statuses"]["examples"])) == 3 and set(noon["statuses"]["examples"]) < {
        "gone.1", "gone.2", "gone.3", "gone.4",
    }  # fmt: skip
    assert noon["replies"] == {"count": 1, "examples": ["lost.1"]} and late["replies"] is None
    assert noon["reactions"]["examples"] == ["reaction.gone"] and noon["revocations"]["examples"] == ["revoke.gone"]
    assert (others["phone_number_id"], others["statuses"]["examples"]) == ("222", ["wamid.1"])
    limited = client.get(f"/admin/gaps?{span}", headers=key(archive, numbers=["222"])).json()
    assert [hour["phone_number_id"] for hour in limited["hours"]] == ["222"]
    windowed = client.get(f"/admin/gaps?{span}", headers=key(archive, since=NOON + minutes(30))).json()
    assert windowed["hours"] == [late]
    masked = client.get(f"/admin/gaps?{span}", headers=key(archive, phones=False)).json()
    assert masked["totals"] == answer["totals"] and "gone" not in json.dumps(masked)


def test_gaps_look_at_the_last_week_and_at_a_month_at_most(archive: Archive, client: TestClient) -> None:
    number = archive.number("111")
    now = datetime.now(UTC)
    for age in (timedelta(days=1), timedelta(days=8)):
        status(archive, number, f"gone.{age.days}", "sent", now - age)
    assert client.get("/admin/gaps", headers=KEY).json()["totals"]["statuses"] == 1
    since = (now - timedelta(days=9)).timestamp()
    assert client.get(f"/admin/gaps?since={since}", headers=KEY).json()["totals"]["statuses"] == 2
    for query in ("since=2026-01-01&until=2026-03-01", "since=2026-03-02&until=2026-03-01", "until=0001-01-01"):
        assert client.get(f"/admin/gaps?{query}", headers=KEY).status_code == 400, query


def test_each_answer_is_recorded_with_what_it_showed(archive: Archive, client: TestClient) -> None:
    event = happened(archive, group_id=GROUP, number_id=archive.number("111"))
    client.get(f"/admin/account-events?group_id={GROUP}&field=account_update", headers=KEY)
    client.get(f"/admin/groups/{GROUP}", headers=KEY)
    client.get("/admin/events", headers=key(archive, numbers=["111"]))
    rows = archive.connection.execute("SELECT target, parameters, refs, outcome FROM audit_log ORDER BY id").fetchall()
    assert rows == [
        ("/admin/account-events", {"group_id": GROUP, "field": "account_update"}, [f"a{event}"], "ok"),
        (f"/admin/groups/{GROUP}", {}, [GROUP, f"a{event}"], "ok"),
        ("/admin/events", {}, [], "refused"),
    ]
