"""Speech on its way to pages: marks, stretches, what sound is by its bytes, and how long a child may write."""

import io
import tempfile
import time

import numpy
import pytest

from tests.speaking import silence, tone
from tests.unit.test_documents_sandbox import BEGIN
from wamcp.documents import sandbox, wire
from wamcp.documents.readers.sound import paragraphs
from wamcp.documents.sandbox import Ending
from wamcp.documents.sniff import sniff_head
from wamcp.documents.speech.sound import RATE, Sound, hear, stretches
from wamcp.documents.speech.transcribe import Segment
from wamcp.documents.trouble import Unreadable


def said(start: float, end: float, text: str) -> Segment:
    return Segment(start, end, text, 0.9, "en")


def test_a_pause_or_a_minute_begins_a_paragraph_with_its_mark() -> None:
    segments = [said(0.4, 3, "Hello."), said(3.5, 9, "It is me."), said(11.2, 40, "The chairs"), said(41, 70, "came.")]
    assert paragraphs(segments) == "[00:00]\nHello. It is me.\n\n[00:11]\nThe chairs came."
    assert paragraphs([*segments, said(71.3, 80, "All.")]).endswith("came.\n\n[01:11]\nAll.")
    assert paragraphs([said(305, 309, "Later.")]) == "[05:05]\nLater."
    assert paragraphs([]) == ""


def test_long_sound_is_parted_where_it_is_quiet_and_nothing_is_lost() -> None:
    samples = numpy.ones(700 * RATE, dtype=numpy.float32)
    samples[290 * RATE : 291 * RATE] = 0
    parts = list(stretches(Sound(samples, is_cut=False)))
    assert [int(begin) for begin, _ in parts] == [0, 290, 570]
    assert 290 < parts[1][0] < 291
    assert sum(len(part) for _, part in parts) == len(samples)
    assert all(len(part) <= 300 * RATE for _, part in parts)
    assert [begin for begin, _ in stretches(Sound(samples[: 300 * RATE], is_cut=False))] == [0]


def test_sound_is_heard_as_long_as_it_lasts_and_no_longer_than_is_wanted() -> None:
    heard = hear(io.BytesIO(tone(2)), "audio/wav", 10)
    assert (round(heard.seconds, 2), heard.is_cut) == (2.0, False)
    assert 0.2 < float(abs(heard.samples).max()) < 0.4
    heard = hear(io.BytesIO(tone(2)), "audio/wav", 1)
    assert (heard.seconds, heard.is_cut) == (1.0, True)


def test_samples_that_would_grow_out_of_all_proportion_are_refused() -> None:
    slow = bytearray(silence(1))
    slow[24:28] = (1).to_bytes(4, "little")
    with pytest.raises(Unreadable):
        hear(io.BytesIO(bytes(slow)), "audio/wav", 900)


@pytest.mark.parametrize(
    ("head", "mime"),
    [
        (b"RIFF\x24\x08\0\0WAVEfmt ", "audio/wav"),
        (b"OggS\0\2" + bytes(20), "audio/ogg"),
        (b"ID3\4" + bytes(20), "audio/mpeg"),
        (b"\xff\xfb\x90\x64" + bytes(20), "audio/mpeg"),
        (b"\0\0\0\x20ftypM4A " + bytes(20), "audio/mp4"),
        (b"\xff\xf1\x50\x80" + bytes(20), "audio/aac"),
        (b"#!AMR\n" + bytes(20), "audio/amr"),
        (b"#!AMR-WB\n" + bytes(20), "audio/amr"),
        (b"RIFF\x24\x08\0\0AVI LIST", None),
    ],
)
def test_sound_is_known_by_its_bytes(head: bytes, mime: str | None) -> None:
    assert sniff_head(head) == mime


def test_sound_gives_a_child_its_own_seconds_once_and_no_more_than_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import time\nfor _ in range(3): os.write(1, wire.framed(wire.Heard(1000)))\ntime.sleep(20)"
    monkeypatch.setattr(sandbox, "_START", BEGIN + code)
    job = wire.Job(task="read", memory=1 << 30, cpu_seconds=6, file_bytes=1, sound_seconds=2, wall_per_second=1.0)
    begin = time.monotonic()
    with tempfile.TemporaryFile() as file:
        done = sandbox.run(job, file.fileno(), 4.0)
    assert done.ending is Ending.TIMEOUT
    assert 5.9 < time.monotonic() - begin < 7.9
