"""What files may be called on their way to Meta, and how long it may take."""

import pytest

from wamcp.whatsapp.files import clean_filename, clean_mime_type, upload_deadline_s


@pytest.mark.parametrize(
    ("given", "cleaned"),
    [
        ("invoice 7.pdf", "invoice 7.pdf"),
        ("/etc/passwd", "passwd"),
        ("C:\\Users\\ana\\Ação.PDF", "Ação.PDF"),
        ("../../x.png", "x.png"),
        ("a\r\nContent-Length: 7\r\n\r\n.jpg", "aContent-Length: 7.jpg"),
        ('say "hi".txt', "say 'hi'.txt"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("\ud800broken\0.txt", "broken.txt"),
        ("\u0928\u092e\u0938\u094d\u200d\u0924\u0947.pdf", "\u0928\u092e\u0938\u094d\u200d\u0924\u0947.pdf"),
        ("  .hidden ", ".hidden"),
        *((name, "file") for name in (None, "", " ", ".", "..", "folder/", "\x01\u2028")),
    ],
)
def test_names_are_the_last_part_of_a_path_and_can_be_shown(given: str | None, cleaned: str) -> None:
    assert clean_filename(given) == cleaned
    assert clean_filename(cleaned) == cleaned


@pytest.mark.parametrize("letter", ["a", "é", "日", "🙂"])
def test_long_names_keep_their_ending_and_whole_characters(letter: str) -> None:
    name = clean_filename(letter * 400 + ".pdf")
    assert name.endswith(f"{letter}.pdf") and set(name) == {*letter, *".pdf"}
    assert 240 - len(letter.encode()) < len(name.encode()) <= 240
    assert clean_filename(name) == name
    assert len(clean_filename("x." + letter * 400).encode()) <= 240


@pytest.mark.parametrize(
    "given", ["image/jpeg", "audio/ogg; codecs=opus", 'text/plain; charset="utf-8"', "application/a.b+c"]
)
def test_types_stay_as_they_are(given: str) -> None:
    assert clean_mime_type(f" {given} ") == given


@pytest.mark.parametrize(
    "given", [None, "", "jpeg", "image/", "image/jpeg\r\nX-Evil: 1", 'text/plain; a="\r\nX: 1"', "a/b; c"]
)
def test_what_is_no_type_is_bytes(given: str | None) -> None:
    assert clean_mime_type(given) == "application/octet-stream"


def test_an_upload_has_time_for_its_size() -> None:
    assert [upload_deadline_s(size) for size in (0, 5_000_000, 100_000_000, 10**12)] == [8.0, 13.0, 108.0, 120.0]
