"""The debug echo as its users meet it: who is answered, how often, and what no trouble can make it do twice."""

import random
import time
from collections.abc import Iterator

import pytest

from tests.e2e.echoing import (
    BRANCH,
    GROUP,
    OFFICE,
    PASSERS,
    SETTLED_S,
    Scene,
    change,
    echoing,
    hello,
    item,
    person,
    wait_for_door,
)
from tests.patience import PATIENCE
from tests.working import eventually, text
from wamcp.embedded.scratch import TemporaryPostgres, temporary_directory
from wamcp.ingest.merging import merge
from wamcp.jobs import ECHO, kick
from wamcp.simulator import bodies
from wamcp.simulator.bodies import Item
from wamcp.simulator.contents import ghost, reaction

pytestmark = [pytest.mark.embedded, pytest.mark.slow]

MAIN, QUICK, OPEN, NOBODY, OFF, DYING = range(6)
"""The databases of the broker, one for each kind of worker: none hears the bell of another."""
LISTED = [
    "+1 (555) 010-0001",
    "+55 11 98765-0001",
    "+55 11 8765-0002",
    "+52 55 1234 0001",
    BRANCH.display,
    "US.20000000000001",
    *(f"1555010{number:04}" for number in range(10, 40)),
]
SILENT = "15550100020"
DYING_PEOPLE = [f"1555010{number}" for number in range(5000, 5060)]
HASTY = "15550107001"
IN_GROUPS, ALWAYS = "15550106001", "15550106002"
NOT_ASKED = "15550108001"


@pytest.fixture(scope="module")
def scene(postgres: TemporaryPostgres) -> Iterator[Scene]:
    with temporary_directory() as directory, echoing(postgres, directory) as scene:
        wait_for_door(scene)
        yield scene


@pytest.fixture(scope="module")
def main(scene: Scene) -> Scene:
    """Two workers with the settings that most tests need."""
    for _ in range(2):
        scene.worker(MAIN, DEBUG_ECHO_ALLOWLIST_E164=", ".join([*LISTED, *PASSERS]))
    return scene


@pytest.fixture(scope="module")
def open_to_all(scene: Scene) -> Scene:
    """A worker that echoes in groups too, and as often as somebody writes."""
    more = {"DEBUG_ECHO_GROUP_FALLBACK": "true", "DEBUG_ECHO_RATE_LIMIT_SECONDS": "0"}
    scene.worker(OPEN, DEBUG_ECHO_ALLOWLIST_E164=f"{IN_GROUPS},{ALWAYS}", **more)
    return scene


def test_hello_is_answered_once_by_two_workers_however_often_it_comes(main: Scene) -> None:
    webhook = hello("15550100001")
    main.hear(webhook, webhook, webhook)
    assert main.said_to("+15550100001") == ["Received: Hello"]
    (body,) = main.requests("+15550100001")
    del body["biz_opaque_callback_data"]
    assert body == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "+15550100001",
        "type": "text",
        "text": {"body": "Received: Hello", "preview_url": False},
    }
    main.hear(webhook)
    main.pass_by()
    time.sleep(SETTLED_S)
    assert main.said_to("+15550100001") == ["Received: Hello"]


def test_the_answer_is_in_the_archive_and_its_way_is_known(main: Scene) -> None:
    main.hear(hello("15550100010", "Is the archive complete?"))
    main.said_to("+15550100010")
    told = (
        "SELECT m.direction, m.source, t.status FROM messages m JOIN sends s ON s.wamid = m.wamid"
        " JOIN message_state t ON t.wamid = m.wamid WHERE s.recipient = '15550100010' AND s.origin = 'echo'"
    )
    assert eventually(lambda: main.rows(told) in ([("outbound", "send", way)] for way in ("delivered", "read")))


def test_people_are_found_by_their_digits_in_either_spelling(main: Scene) -> None:
    for written in ("551187650001", "5511987650002", "5215512340001"):
        main.hear(hello(written))
        assert main.said_to(f"+{written}") == ["Received: Hello"]


def test_somebody_without_a_number_is_answered_as_recipient(main: Scene) -> None:
    main.hear(bodies.inbound(person(bsuid="US.20000000000001"), OFFICE, item(text("Hello"))))
    assert main.said_to("US.20000000000001") == ["Received: Hello"]
    (body,) = main.requests("US.20000000000001")
    assert body["recipient"] == "US.20000000000001" and "to" not in body and body["recipient_type"] == "individual"


def test_somebody_listed_by_number_is_known_when_it_is_hidden(main: Scene) -> None:
    both, hidden = person("15550100011", "US.20000000000011"), person(bsuid="US.20000000000011")
    main.hear(bodies.inbound(both, OFFICE, item(reaction("wamid.LONGAGO", "👍"))))
    main.hear(bodies.inbound(hidden, OFFICE, item(text("Hello"))))
    assert main.said_to("US.20000000000011") == ["Received: Hello"]
    assert main.requests("+15550100011") == []


@pytest.mark.parametrize(
    ("phone", "bsuid", "into_phone"), [("15550100012", "US.12", True), ("15550100013", "US.13", False)]
)
def test_somebody_is_known_by_what_he_was_merged_with(main: Scene, phone: str, bsuid: str, into_phone: bool) -> None:
    old = item(text("An order of long ago"), age_s=86_400)
    hidden = person(bsuid=bsuid)
    main.hear(bodies.inbound(person(phone), OFFICE, item(text("And another"), age_s=86_400)))
    main.hear(bodies.inbound(hidden, OFFICE, old))
    assert eventually(lambda: main.understood(old["id"]))
    found = dict(
        main.rows("SELECT value, participant_id FROM participant_aliases WHERE value IN (%s, %s)", phone, bsuid)
    )
    ends = (found[bsuid], found[phone]) if into_phone else (found[phone], found[bsuid])
    merge(main.database_url, *ends, by="a test")
    main.hear(bodies.inbound(hidden, OFFICE, item(text("Hello"))))
    assert main.said_to(bsuid) == ["Received: Hello"]


def test_nobody_else_is_answered(main: Scene) -> None:
    strangers = {"15550100800": person("15550100800"), "US.20000000000099": person(bsuid="US.20000000000099")}
    for stranger in strangers.values():
        main.hear(bodies.inbound(stranger, OFFICE, item(text("Hello"), wamid=f"wamid.{stranger.wa_id}")))
    main.pass_by()
    assert main.requests("+15550100800") == main.requests("US.20000000000099") == []
    assert main.outcome("wamid.15550100800") is main.outcome("wamid.None") is None


def test_a_second_message_comes_too_soon_for_good_and_another_person_does_not(main: Scene) -> None:
    main.hear(hello("15550100014", wamid="wamid.FIRST"))
    main.said_to("+15550100014")
    main.hear(hello("15550100014", "Are you there?", wamid="wamid.SECOND"), hello("15550100015"))
    assert main.said_to("+15550100015") == ["Received: Hello"]
    assert main.outcome("wamid.FIRST") == "answered"
    assert eventually(lambda: main.outcome("wamid.SECOND") == "too_soon")
    assert main.said_to("+15550100014") == ["Received: Hello"]


def test_messages_of_one_post_are_one_answer(main: Scene) -> None:
    messages = [{**bodies.sender(person("15550100016")), **item(text(f"Tile {number}"))} for number in range(5)]
    main.hear(change("messages", {"contacts": [bodies.contact(person("15550100016"))], "messages": messages}))
    assert main.said_to("+15550100016") == ["Received: Tile 0"]
    assert eventually(lambda: [main.outcome(each["id"]) for each in messages] == ["answered", *["too_soon"] * 4])


def test_after_the_time_the_next_message_is_answered_and_none_of_those_between(scene: Scene) -> None:
    between_s = round(2 * PATIENCE)
    more = {"DEBUG_ECHO_ALLOWLIST_E164": HASTY, "DEBUG_ECHO_RATE_LIMIT_SECONDS": str(between_s)}
    scene.worker(QUICK, WAMCP_LOG_LEVEL="debug", **more)
    scene.hear(hello(HASTY, "One", wamid="wamid.ONE"))
    scene.said_to(f"+{HASTY}")
    scene.hear(hello(HASTY, "Two", wamid="wamid.TWO"))
    assert eventually(lambda: scene.outcome("wamid.TWO") == "too_soon")
    time.sleep(between_s + 0.1)
    scene.hear(hello(HASTY, "Three"))
    assert scene.said_to(f"+{HASTY}", 2) == ["Received: One", "Received: Three"]


def test_without_a_time_between_every_message_is_answered_in_order(open_to_all: Scene) -> None:
    open_to_all.hear(*(hello(ALWAYS, f"Tile {number}") for number in range(5)))
    assert open_to_all.said_to(f"+{ALWAYS}", 5) == [f"Received: Tile {number}" for number in range(5)]


def test_a_group_is_answered_where_that_is_switched_on(main: Scene, open_to_all: Scene) -> None:
    for phone in ("15550100017", IN_GROUPS):
        said = item(text(f"Hello, I am {phone}"), wamid=f"wamid.GROUP{phone}")
        main.hear(bodies.in_group(person(phone), OFFICE, GROUP, said))
    assert open_to_all.said_to(GROUP) == [f"Received: Hello, I am {IN_GROUPS}"]
    (body,) = open_to_all.requests(GROUP)
    assert (body["to"], body["recipient_type"]) == (GROUP, "group")
    assert open_to_all.requests(f"+{IN_GROUPS}") == []
    assert eventually(lambda: main.outcome("wamid.GROUP15550100017") == "group")


def test_media_is_answered_by_its_line_and_a_long_text_is_cut(main: Scene) -> None:
    file = {"id": "1201", "mime_type": "image/jpeg", "sha256": "q83vEjRWeJA=", "caption": "the blue one"}
    main.hear(bodies.inbound(person("15550100018"), OFFICE, item({"type": "image", "image": file})))
    main.hear(hello("15550100019", "é" * 4096))
    assert main.said_to("+15550100018") == ["Received: [image] the blue one"]
    (told,) = main.said_to("+15550100019")
    assert told == "Received: " + "é" * (4096 - len("Received: "))


def _aside(content: Item) -> bytes:
    return change("standby", {"standby": content})


def _written(content: Item, age_s: float = 0) -> Item:
    return {"contacts": [bodies.contact(person(SILENT))], "messages": [_mine(content, age_s)]}


def _mine(content: Item, age_s: float = 0) -> Item:
    return {**bodies.sender(person(SILENT)), **item(content, age_s=age_s)}


def _edit() -> Item:
    edit = {"original_message_id": "wamid.LONGAGO", "message": text("Hello, again")}
    return {"type": "edit", "edit": edit}


def _call() -> Item:
    ends = {**bodies.sender(person(SILENT)), "to": OFFICE.display, "direction": "USER_INITIATED"}
    told = {"event": "terminate", "status": "COMPLETED", "duration": 12}
    return {**item(told), **ends}


def test_what_asks_for_no_answer_gets_none(main: Scene) -> None:
    phone = person(SILENT)
    echo = {"from": OFFICE.display, **bodies.recipient(phone), **item(text("We wrote this on the phone"))}
    thread = {"id": SILENT, "context": bodies.participant(phone), "messages": [_mine(text("Told before"))]}
    past = {"metadata": {"phase": 0, "chunk_order": 1, "progress": 50}, "threads": [thread]}
    posted = {
        "reaction": change("messages", _written(reaction("wamid.LONGAGO", "👍"))),
        "edit": change("messages", _written(_edit())),
        "revoke": change("messages", _written({"type": "revoke", "revoke": {"original_message_id": "wamid.LONGAGO"}})),
        "system": change(
            "messages",
            {
                "messages": [
                    _mine({"type": "system", "system": {"body": "Ana changed", "type": "customer_changed_number"}})
                ]
            },
        ),
        "unsupported": change("messages", _written({"type": "unsupported", "unsupported": {"type": "poll_creation"}})),
        "ghost": change("messages", _written(ghost())),
        "call": change("calls", {"contacts": [bodies.contact(phone)], "calls": [_call()]}),
        "our echo": change("smb_message_echoes", {"message_echoes": [echo]}),
        "history": change("history", {"history": [past]}),
        "old": change("messages", _written(text("An order of this morning"), age_s=5 * 60 + 5)),
        "from the future": change("messages", _written(text("An order of tomorrow"), age_s=-86_400)),
        "standby": _aside(_written(text("Somebody else answers this"))),
    }
    before = main.rows("SELECT count(*) FROM messages")[0][0]
    main.hear(*posted.values())
    main.pass_by()
    assert main.rows("SELECT count(*) FROM messages")[0][0] >= before + len(posted)
    kinds = "SELECT m.type, m.text, e.outcome FROM echoes e JOIN messages m USING (wamid) WHERE m.party_wa_id = %s"
    assert main.rows(kinds, SILENT) == [] and main.requests(f"+{SILENT}") == []
    main.hear(hello(SILENT, "You there, who answered?", wamid="wamid.ASIDE"))
    main.pass_by()
    assert main.outcome("wamid.ASIDE") == "standby" and main.requests(f"+{SILENT}") == []


def test_a_message_that_meta_shows_late_is_answered_then(main: Scene) -> None:
    main.hear(bodies.inbound(person("15550100021"), OFFICE, item(ghost(), wamid="wamid.LATE")))
    main.pass_by()
    assert main.understood("wamid.LATE") and main.requests("+15550100021") == []
    main.hear(hello("15550100021", "Here it is", wamid="wamid.LATE"))
    assert main.said_to("+15550100021") == ["Received: Here it is"]


def test_we_do_not_answer_ourselves(main: Scene) -> None:
    """Our branch is listed, its number has two spellings, and it writes to our office; echoes are not echoed."""
    for spelling in ("5511987650009", "551187650009"):
        main.hear(hello(spelling, wamid=f"wamid.{spelling}"))
    main.hear(hello("15550100022", "Received: Hello", wamid="wamid.ECHOED"))
    main.pass_by()
    for wamid in ("wamid.5511987650009", "wamid.551187650009", "wamid.ECHOED"):
        assert main.outcome(wamid) == "ours"
    for phone in ("5511987650009", "551187650009", "15550100022"):
        assert main.requests(f"+{phone}") == []


@pytest.mark.parametrize(
    ("index", "more"),
    [
        (NOBODY, {"DEBUG_ECHO_ALLOWLIST_E164": " , "}),
        (OFF, {"DEBUG_ECHO_ALLOWLIST_E164": NOT_ASKED, "DEBUG_ECHO_MODE": "false"}),
    ],
    ids=["an empty list", "switched off"],
)
def test_nobody_is_answered_with(scene: Scene, index: int, more: dict[str, str]) -> None:
    worker = scene.worker(index, **more)
    said = item(text("Hello"))
    scene.hear(bodies.inbound(person(NOT_ASKED), OFFICE, said))
    assert eventually(lambda: scene.understood(said["id"]))
    assert kick(scene.bell.url(index), ECHO)
    assert eventually(lambda: scene.bell.is_heard(index)), worker.said
    time.sleep(2 * SETTLED_S)
    assert scene.outcome(said["id"]) is None and scene.requests(f"+{NOT_ASKED}") == []
    worker.end()


def test_a_refused_answer_is_not_tried_again(main: Scene) -> None:
    main.meta.script([{"when": {"to": "+15550100023"}, "do": {"answer": {"status": 400, "code": 131047}}}])
    main.hear(hello("15550100023"))
    state = "SELECT state, attempts FROM sends WHERE recipient = '15550100023'"
    assert eventually(lambda: main.rows(state) == [("failed", 1)])
    main.meta.script([])
    main.pass_by()
    assert main.rows(state) == [("failed", 1)]


def test_an_answer_that_was_written_down_is_not_written_again_and_holds_up_nobody(main: Scene) -> None:
    main.rows(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no room'; END $$;"
        "CREATE TRIGGER refuse BEFORE INSERT ON echoes FOR EACH ROW WHEN (new.wamid = 'wamid.CUT')"
        " EXECUTE FUNCTION refuse()"
    )
    main.hear(hello("15550100024", wamid="wamid.CUT"), hello("15550100025"))
    assert main.said_to("+15550100025") == ["Received: Hello"]
    assert main.said_to("+15550100024") == ["Received: Hello"]
    assert main.outcome("wamid.CUT") is None
    main.rows("DROP TRIGGER refuse ON echoes; DROP FUNCTION refuse")
    assert eventually(lambda: main.outcome("wamid.CUT") == "answered")
    assert main.said_to("+15550100024") == ["Received: Hello"]


def test_a_broker_that_forgets_everything_costs_nothing(main: Scene) -> None:
    main.hear(hello("15550100026"))
    until = time.monotonic() + 1
    while time.monotonic() < until:
        main.bell.empty()
    assert main.said_to("+15550100026") == ["Received: Hello"]


def test_a_broker_that_was_killed_costs_nothing(main: Scene) -> None:
    main.bell.kill()
    main.hear(hello("15550100027"))
    time.sleep(1)
    main.bell.start()
    assert main.said_to("+15550100027") == ["Received: Hello"]


def test_a_worker_that_is_killed_at_any_moment_answers_nobody_twice(scene: Scene) -> None:
    more = {"DEBUG_ECHO_ALLOWLIST_E164": ",".join(DYING_PEOPLE), "DEBUG_ECHO_RATE_LIMIT_SECONDS": "0"}
    scene.meta.script([{"when": {"path": "/messages", "share": 0.5}, "do": {"delay_ms": 150}}])
    chance = random.Random(7)
    workers = [scene.worker(DYING, **more) for _ in range(3)]
    people = iter(DYING_PEOPLE)
    for _ in range(10):
        for _ in range(4):
            scene.hear(hello(next(people)))
        time.sleep(chance.uniform(0, 0.6))
        workers.pop(0).kill()
        workers.append(scene.worker(DYING, **more))
    for worker in workers:
        worker.kill()
    scene.meta.script([])
    asked = DYING_PEOPLE[:40]
    _let_leases_end(scene, asked)
    worker = scene.worker(DYING, **more)
    left = "SELECT recipient FROM sends WHERE recipient = ANY(%s) AND state IN ('queued', 'sending')"
    done = "SELECT count(DISTINCT recipient) FROM sends WHERE recipient = ANY(%s)"
    assert eventually(lambda: scene.rows(done, asked) == [(40,)] and scene.rows(left, asked) == [], 40)
    states = "SELECT recipient, state FROM sends WHERE recipient = ANY(%s) AND state IN ('sent', 'unknown')"

    def told() -> bool:
        return all(
            len(scene.requests(f"+{phone}")) == (1 if state == "sent" else 0)
            for phone, state in scene.rows(states, asked)
        )

    assert len(scene.rows(states, asked)) == 40
    assert eventually(told), "what Meta took is known by its statuses"
    worker.kill()


def test_an_answer_that_was_cut_off_at_meta_is_never_sent_again(scene: Scene) -> None:
    """Meta took the one, as its statuses tell; it never took the other, which nobody can know."""
    taken, lost = DYING_PEOPLE[50:52]
    slow = {"when": {"to": f"+{taken}"}, "do": {"delay_ms": 5000}}
    scene.meta.script([slow, {"when": {"to": f"+{lost}"}, "do": {"timeout": "before"}}])
    more = {"DEBUG_ECHO_ALLOWLIST_E164": f"{taken},{lost}"}
    worker = scene.worker(DYING, **more)
    scene.hear(hello(taken), hello(lost))
    states = "SELECT state FROM sends WHERE recipient IN (%s, %s) ORDER BY recipient"
    assert eventually(lambda: scene.rows(states, taken, lost) == [("sending",), ("sending",)])
    worker.kill()
    assert scene.said_to(f"+{taken}") == ["Received: Hello"]
    scene.meta.script([])
    _let_leases_end(scene, [taken, lost])
    worker = scene.worker(DYING, **more)
    assert eventually(lambda: scene.rows(states, taken, lost) == [("sent",), ("unknown",)])
    time.sleep(SETTLED_S)
    assert len(scene.requests(f"+{taken}")) == 1 and scene.requests(f"+{lost}") == []
    worker.kill()


def test_neither_words_nor_numbers_are_in_the_logs(main: Scene) -> None:
    main.hear(hello("15550100028", "a blue bicycle behind the kiln"))
    main.said_to("+15550100028")

    def logged(event: str) -> bool:
        return any(event in program.said for program in main.programs)

    assert eventually(lambda: logged("echo_decided") and logged("send_accepted"))
    main.check()


def _let_leases_end(scene: Scene, phones: list[str]) -> None:
    """For sends that nobody works on any longer: their time is over, without waiting for it."""
    scene.rows("UPDATE sends SET lease_until = now() WHERE recipient = ANY(%s) AND lease_until IS NOT NULL", phones)
