"""Documents over HTTP: the list and its filters, one with its text, who sees which, and why some have no text."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.factories import ADMIN_KEY, NOON, Archive, minutes, settings_for
from tests.papers import FIELDS, PDF, paper
from tests.understanding import rows
from wamcp.access import tokens
from wamcp.access.tokens import NewToken
from wamcp.db.session import Pool
from wamcp.vocabulary import TokenKind
from wamcp.web.app import create_app

KEY = {"X-Admin-Api-Key": ADMIN_KEY}


@pytest.fixture
def client(archive: Archive, reader: Pool, auditor: Pool) -> Iterator[TestClient]:
    with TestClient(create_app(settings_for(archive.url), reader, auditor)) as client:
        yield client


@pytest.fixture
def ana(archive: Archive) -> int:
    return archive.conversation(person=archive.person("Ana Souza", wa_id="15550100001"))


@pytest.fixture
def shop(archive: Archive) -> int:
    """A conversation with another of our numbers."""
    return archive.conversation(archive.number("900", "+1 555 0109"), archive.person("Ben Okafor"))


def listed(client: TestClient, key: dict[str, str] = KEY, **asked: Any) -> list[str]:
    answer = client.get("/admin/documents", headers=key, params=asked)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["documents"]]


def one(client: TestClient, document: int, key: dict[str, str] = KEY) -> dict[str, Any]:
    answer = client.get(f"/admin/documents/d{document}", headers=key)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def limited(archive: Archive, **rights: Any) -> dict[str, str]:
    token = tokens.create(archive.connection, NewToken(TokenKind.ADMIN, "limited", **{"documents": True, **rights}))
    return {"X-Admin-Api-Key": token}


def test_the_list_tells_what_came_and_how_far_it_was_read(client: TestClient, archive: Archive, ana: int) -> None:
    old = paper(archive, ana, ["Invoice 4711", "Total 119,00"], doc_type="invoice", extracted_fields_json=FIELDS)
    new = paper(archive, ana, at=NOON + minutes(5), state="pending", outbound=True)
    answer = client.get("/admin/documents", headers=KEY, params={"conversation_id": f"c{ana}", "limit": 50}).json()
    waits, read = answer["documents"]
    assert (waits["id"], waits["extraction_status"], waits["direction"]) == (f"d{new}", "pending", "outbound")
    assert waits["extracted_fields_json"] is None and waits["waiting_since"] == "2026-03-02T12:05:00Z"
    assert (read["id"], read["extraction_status"], read["doc_type"]) == (f"d{old}", "done", "invoice")
    assert (read["filename"], read["mime_type"], read["size"], read["pages_total"]) == ("bill.pdf", PDF, 1234, 2)
    assert read["extracted_fields_json"]["total"] == "119.00" and read["explanation"] is read["waiting_since"] is None
    assert read["sender"]["name"] == "Ana Souza" and read["conversation_id"] == f"c{ana}"
    assert answer["next_cursor"] is None
    assert rows(archive.connection, "SELECT target, outcome, refs, parameters FROM audit_log") == [
        ("/admin/documents", "ok", [f"d{new}", f"d{old}"], {"conversation_id": f"c{ana}", "limit": "50"})
    ]


def test_pages_of_the_list_have_no_gap_and_no_double(client: TestClient, archive: Archive, ana: int, shop: int) -> None:
    made = [paper(archive, (ana, shop)[count % 2], at=NOON + minutes(count // 3)) for count in range(11)]
    seen: list[str] = []
    cursor = None
    while True:
        asked = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        answer = client.get("/admin/documents", headers=KEY, params=asked).json()
        seen += [item["id"] for item in answer["documents"]]
        if (cursor := answer["next_cursor"]) is None:
            break
        refused = client.get("/admin/documents", headers=KEY, params={"cursor": cursor, "state": "done"})
        assert refused.status_code == 400 and "again without a cursor" in refused.json()["detail"]
    assert seen == [f"d{each}" for each in sorted(made, reverse=True)]


def test_every_filter_narrows_the_list(client: TestClient, archive: Archive, ana: int, shop: int) -> None:
    invoice = paper(archive, ana, ["x"], doc_type="invoice", name="Rechnung März 100%.pdf")
    photo = paper(archive, ana, at=NOON + minutes(1), state="empty", name="IMG_1.jpg", mime_detected="image/jpeg")
    office = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    letter = paper(archive, shop, at=NOON + minutes(2), state="pending", name="letter.docx", file={"mime_type": office})
    for asked, expected in [
        ({}, [letter, photo, invoice]),
        ({"conversation_id": str(ana)}, [photo, invoice]),
        ({"number": "+1 (555) 0109"}, [letter]),
        ({"state": "empty"}, [photo]),
        ({"doc_type": "invoice"}, [invoice]),
        ({"doc_type": ""}, []),
        ({"mime": "image"}, [photo]),
        ({"mime": "PDF"}, [invoice]),
        ({"mime": "docx"}, [letter]),
        ({"mime": "application/pdf"}, [invoice]),
        ({"q": "rechnung MARZ"}, [invoice]),
        ({"q": "100%"}, [invoice]),
        ({"q": "%"}, [invoice]),
        ({"q": "_"}, [photo]),
        ({"q": "\0"}, [letter, photo, invoice]),
        ({"after": "2026-03-02T12:01:00Z"}, [letter, photo]),
        ({"before": "2026-03-02T12:01:00Z"}, [invoice]),
    ]:
        assert listed(client, **asked) == [f"d{each}" for each in expected], asked
    for wrong, status in [({"state": "odd"}, 422), ({"number": "7"}, 404), ({"conversation_id": "c999"}, 404)]:
        assert client.get("/admin/documents", headers=KEY, params=wrong).status_code == status


def test_one_document_is_told_with_its_text(client: TestClient, archive: Archive, ana: int) -> None:
    pages = ["Invoice\u202e 4711 \u2063https://quill.example", "", ("Total 119,00", "ocr", 0.8)]
    document = paper(archive, ana, pages, extracted_fields_json=FIELDS, ocr_engine="tesseract", confidence=0.8)
    answer = one(client, document)
    assert answer == client.get(f"/admin/documents/{document}", headers=KEY).json()
    text = answer["extracted_text"]
    assert text == "Invoice 4711 https://quill.example\n\nTotal 119,00"
    assert [(page["page"], page["source"], page["confidence"]) for page in answer["pages"]] == [
        (1, "text", None),
        (3, "ocr", 0.8),
    ]
    last = answer["pages"][1]
    assert text[last["start"] : last["start"] + last["characters"]] == "Total 119,00"
    assert answer["extracted_fields_json"] == FIELDS and answer["ocr_confidence"] == 0.8
    assert answer["storage_key_raw"] == f"raw/{answer['sha256'][:2]}/{answer['sha256']}"
    assert rows(archive.connection, "SELECT target, refs FROM audit_log ORDER BY id LIMIT 1") == [
        (f"/admin/documents/d{document}", [f"d{document}"])
    ]
    for odd in ("d999999", "x", "d-1", "9" * 30):
        assert client.get(f"/admin/documents/{odd}", headers=KEY).status_code == 404


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"state": "pending"}, "has not come from Meta yet, since 2026-03-02T12:00Z"),
        ({"state": "pending", "file": {"reason": "Meta answers 500"}}, "(Meta answers 500)"),
        ({"state": "pending", "file": {"state": "stored", "stored_at": NOON + minutes(3)}}, "since 2026-03-02T12:03Z"),
        ({"state": "pending", "file": {"state": "stored"}, "attempts": 2, "error_code": "memory"}, "too much memory"),
        ({"state": "extracting", "pages_done": 7}, "7 pages so far"),
        ({"state": "done", "truncated": True, "pages_total": 900, "pages_done": 500}, "500 of 900 pages"),
        ({"state": "done", "error_code": "fields"}, "invoice fields"),
        ({"state": "empty"}, "no text was found"),
        ({"state": "failed", "error_code": "not_fetched", "file": {"reason": "gone"}}, "(gone); POST /admin/media/f"),
        ({"state": "failed", "error_code": "no_ocr"}, "OCR_ENGINE"),
        ({"state": "failed", "error_code": "a_new_word"}, "a_new_word"),
        ({"state": "too_large"}, "MAX_DOCUMENT_BYTES"),
        ({"state": "unsupported"}, "GET /admin/media/f"),
        ({"state": "unsupported", "error_code": "no_transcriber"}, "speech"),
        ({"state": "encrypted"}, "password"),
        ({"state": "timeout"}, "/extract"),
        ({"state": "quarantined"}, "left alone"),
        ({"state": "quarantined", "error_code": "cut_off"}, "ended again and again"),
        (
            {"state": "pending", "file": {"state": "stored"}, "attempts": 1, "error_code": "store_down"},
            "did not answer",
        ),
    ],
)
def test_what_has_no_text_says_why(
    client: TestClient, archive: Archive, ana: int, made: dict[str, Any], words: str
) -> None:
    answer = one(client, paper(archive, ana, **made))
    assert words in answer["explanation"] and answer["extracted_text"] == "" and answer["pages"] == []
    assert (answer["waiting_since"] is not None) == (made["state"] in ("pending", "extracting"))


def test_who_may_see_which(client: TestClient, archive: Archive, ana: int, shop: int) -> None:
    early = paper(archive, ana, ["early"])
    late = paper(archive, ana, ["late"], at=NOON + minutes(60))
    other = paper(archive, shop, ["other"], at=NOON + minutes(90))
    for rights, expected in [
        ({}, [other, late, early]),
        ({"numbers": ["100200300400"]}, [late, early]),
        ({"numbers": ["900"]}, [other]),
        ({"numbers": []}, []),
        ({"since": NOON + minutes(30)}, [other, late]),
        ({"documents": False}, []),
        ({"media": False}, [other, late, early]),
    ]:
        key = limited(archive, **rights)
        assert listed(client, key) == [f"d{each}" for each in expected], rights
        for each in (early, late, other):
            status = client.get(f"/admin/documents/d{each}", headers=key).status_code
            assert status == (200 if each in expected else 404), rights
    blind = limited(archive, documents=False)
    hidden, missing = (
        client.get(f"/admin/documents/d{each}", headers=blind).json()["detail"].replace(str(each), "")
        for each in (early, 999_999)
    )
    assert hidden == missing
    sender = one(client, early, limited(archive, phones=False))["sender"]
    assert sender["wa_id"] == "…0001"


def test_a_message_tells_its_files_and_documents(client: TestClient, archive: Archive, ana: int) -> None:
    document = paper(archive, ana, ["text"])
    message = one(client, document)["message_id"]
    answer = client.get(f"/admin/messages/{message}", headers=KEY).json()
    [file] = answer["files"]
    assert (file["state"], file["document_id"], file["document_status"]) == ("stored", f"d{document}", "done")
    assert rows(archive.connection, "SELECT refs FROM audit_log ORDER BY id DESC LIMIT 1") == [
        ([message, file["id"], f"d{document}"],)
    ]
    blind = client.get(f"/admin/messages/{message}", headers=limited(archive, documents=False)).json()["files"]
    assert blind == [{"id": file["id"], "state": "stored", "document_id": None, "document_status": None}]
    plain = archive.message(ana, "no file")
    assert client.get(f"/admin/messages/m{plain}", headers=KEY).json()["files"] == []
