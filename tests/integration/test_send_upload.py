"""Files posted to be sent: kept when Meta takes them, refused before anything is kept when it does not."""

import threading
import time
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from anyio import to_thread
from fastapi.testclient import TestClient

from tests.factories import ADMIN_KEY, Archive, settings_for
from tests.sending import Recorder
from wamcp.db.session import Pool
from wamcp.sending.told import SendAnswer
from wamcp.sending.wanted import Wanted
from wamcp.web import send_media, send_work
from wamcp.web.app import create_app

KEY = {"X-Admin-Api-Key": ADMIN_KEY}
TO = "15555550100"
FORM = {"to": TO, "media_type": "document"}


def png() -> bytes:
    """One red pixel."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")

    header = (1).to_bytes(4, "big") * 2 + b"\x08\x02\x00\x00\x00"
    pixels = zlib.compress(b"\x00\xff\x00\x00")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def pdf(size: int = 0) -> bytes:
    """An empty page, and as many bytes as wanted after it."""
    objects = ["<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>", "<</Type/Page/Parent 2 0 R>>"]
    body = "".join(f"{number} 0 obj{text}endobj\n" for number, text in enumerate(objects, start=1))
    written = f"%PDF-1.4\n{body}trailer<</Root 1 0 R>>\n%%EOF\n".encode()
    return written + b"\n" * max(0, size - len(written))


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def client(archive: Archive, reader: Pool, auditor: Pool, recorder: Recorder) -> Iterator[TestClient]:
    app = create_app(settings_for(archive.url), reader, auditor)
    app.state.sending = recorder
    with TestClient(app, client=("203.0.113.9", 1234), raise_server_exceptions=False) as client:
        yield client


def post(client: TestClient, form: dict[str, Any], file: Any = None) -> Any:
    return client.post("/send/media", headers=KEY, data=form, files={"file": file} if file else None)


def test_an_image_is_kept_and_wanted(client: TestClient, recorder: Recorder) -> None:
    form = {
        "to": "+1 555 555 0100",
        "media_type": "image",
        "caption": "Olá 👋",
        "from": "15550100099",
        "reply_to": "m7",
    }
    answer = post(client, form, ("red.png", png(), "image/png"))
    assert answer.status_code == 200, answer.text
    assert recorder.kept == [(png(), "image/png", "red.png", "15550100099")]
    [wanted] = recorder.wanted
    assert (wanted.media_row_id, wanted.type, wanted.body["image"]) == (71, "image", {"caption": "Olá 👋"})
    assert wanted.body["context"] == {"message_id": "wamid.of.m7"}


@pytest.mark.parametrize(
    ("form", "name", "shown"),
    [
        ({}, "C:\\Users\\ana\\invoice 7.pdf", "invoice 7.pdf"),
        ({}, "../../etc/invoice.pdf", "invoice.pdf"),
        ({"filename": "March.pdf"}, "x.pdf", "March.pdf"),
    ],
)
def test_a_document_has_a_name(
    client: TestClient, recorder: Recorder, form: dict[str, str], name: str, shown: str
) -> None:
    answer = post(client, {**FORM, **form}, (name, pdf(), "application/octet-stream"))
    assert answer.status_code == 200, answer.text
    assert recorder.kept[0][1] == "application/pdf"
    assert recorder.wanted[0].body["document"] == {"filename": shown}


def test_a_large_file_goes_through_the_disk_whole(client: TestClient, recorder: Recorder) -> None:
    content = pdf(7_000_001)
    answer = post(client, FORM, ("large.pdf", content, "application/pdf"))
    assert answer.status_code == 200, answer.text
    assert recorder.kept[0][0] == content


@pytest.mark.parametrize(
    ("form", "file", "told"),
    [
        (
            {"media_type": "image"},
            ("a.webp", b"RIFF\x10\0\0\0WEBPVP8X" + bytes(20), "image/webp"),
            "is image/webp by its",
        ),
        ({}, ("virus.pdf", b"MZ\x90\0\x03\0\0\0\x04\0", "application/pdf"), "is of no type that Meta takes"),
        ({}, ("empty.pdf", b"", "application/pdf"), "file is empty"),
        ({"media_type": "image"}, ("a.png", png() + bytes(5 * 1024 * 1024), "image/png"), "Meta takes at most 5 MB"),
        ({"media_type": "audio", "caption": "x"}, ("a.mp3", b"ID3\x04", "audio/mpeg"), "caption cannot go with audio"),
        (
            {"media_url": "https://example.com/a.pdf"},
            ("a.pdf", pdf(), "application/pdf"),
            "file stands beside media_url",
        ),
        ({"to": "Ana"}, ("a.pdf", pdf(), "application/pdf"), "to holds letters"),
        ({"colour": "red"}, ("a.pdf", pdf(), "application/pdf"), "colour: there is no such key here"),
        ({"media_type": ""}, ("a.pdf", pdf(), "application/pdf"), "media_type"),
        ({"reply_to": "m404"}, ("a.pdf", pdf(), "application/pdf"), "no message m404"),
    ],
)
def test_what_meta_does_not_take_is_refused_before_it_is_kept(
    client: TestClient, recorder: Recorder, form: dict[str, str], file: Any, told: str
) -> None:
    answer = post(client, {**FORM, **form}, file)
    assert answer.status_code in (404, 422) and told in answer.json()["detail"], answer.text
    assert recorder.kept == [] and recorder.wanted == []


def test_a_form_without_a_file_is_like_json(client: TestClient, recorder: Recorder) -> None:
    form = {"to": TO, "media_type": "audio", "media_id": "4490", "voice": "true"}
    answer = client.post("/send/media", headers=KEY, files={name: (None, value) for name, value in form.items()})
    assert answer.status_code == 200, answer.text
    assert recorder.wanted[0].body["audio"] == {"id": "4490", "voice": True}
    answer = client.post("/send/media", headers=KEY, files={"to": (None, TO), "media_type": (None, "image")})
    assert answer.status_code == 422 and "media_url is missing" in answer.json()["detail"]


def part(name: str, more: str = "", content: str = "x") -> str:
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{content}\r\n'


@pytest.mark.parametrize(
    ("content_type", "content", "status", "told"),
    [
        ("multipart/form-data", "--b--", 400, "names no boundary"),
        ("multipart/form-data; boundary=b", "nonsense", 400, "no valid multipart form"),
        ("multipart/form-data; boundary=b", part("to") + part("to") + "--b--", 400, "'to' twice"),
        ("multipart/form-data; boundary=b", part("photo", '; filename="a"') + "--b--", 400, "part named `file`"),
        ("multipart/form-data; boundary=b", part("file", '; filename="a"') * 2 + "--b--", 400, "give one"),
        ("multipart/form-data; boundary=b", part("to", content="1" * 70_000) + "--b--", 400, "65,536 bytes"),
        ("multipart/form-data; boundary=b", "".join(part(f"f{at}") for at in range(31)), 400, "too many fields"),
        ("multipart/form-data; boundary=b", part("file", '; filename="a.pdf"', "%PDF-")[:-9], 422, "Field required"),
        ("multipart/form-data; boundary=b", "", 422, "Field required"),
        ("application/x-www-form-urlencoded", "to=1", 415, "multipart/form-data"),
    ],
)
def test_odd_forms_are_refused(
    client: TestClient, recorder: Recorder, content_type: str, content: str, status: int, told: str
) -> None:
    answer = client.post("/send/media", headers={**KEY, "Content-Type": content_type}, content=content.encode())
    assert (answer.status_code, told in answer.json()["detail"]) == (status, True), answer.text
    assert recorder.kept == [] and recorder.wanted == []


def test_what_is_larger_than_anything_is_refused_while_it_comes(
    client: TestClient, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send_media, "MAX_FORM", 3_000_000)
    came = 0

    def endless() -> Iterator[bytes]:
        nonlocal came
        yield part("file", '; filename="a.pdf"', "%PDF-").encode()
        while came < 9_000_000:
            came += 100_000
            yield bytes(100_000)

    headers = {**KEY, "Content-Type": "multipart/form-data; boundary=b"}
    for content in (endless(), pdf(3_000_001)):
        answer = client.post("/send/media", headers=headers, content=content)
        assert answer.status_code == 413 and "100 MB" in answer.json()["detail"], answer.text
    assert recorder.kept == []


class Slow(Recorder):
    """Waits until as many sends are under way as there are threads."""

    def __init__(self) -> None:
        super().__init__()
        self.all_here = threading.Barrier(send_work.SENDING_THREADS + 1, timeout=20)
        self.go = threading.Event()

    def send(self, wanted: Wanted) -> SendAnswer:
        self.all_here.wait()
        assert self.go.wait(20)
        return super().send(wanted)


async def _leave_two_threads_to_questions() -> None:
    to_thread.current_default_thread_limiter().total_tokens = 2


def test_sends_under_way_hold_up_no_question(archive: Archive, reader: Pool, auditor: Pool) -> None:
    slow = Slow()
    app = create_app(settings_for(archive.url), reader, auditor)
    app.state.sending = slow
    with TestClient(app, raise_server_exceptions=False) as client:
        assert client.portal is not None
        client.portal.call(_leave_two_threads_to_questions)
        given = {"headers": KEY, "json": {"to": TO, "body": "Hello"}}
        senders = [
            threading.Thread(target=client.post, args=["/send/text"], kwargs=given)
            for _ in range(send_work.SENDING_THREADS)
        ]
        for sender in senders:
            sender.start()
        slow.all_here.wait()
        began = time.monotonic()
        assert client.get("/admin/conversations", headers=KEY).status_code == 200
        assert time.monotonic() - began < 10
        slow.go.set()
        for sender in senders:
            sender.join()
    assert len(slow.wanted) == send_work.SENDING_THREADS
