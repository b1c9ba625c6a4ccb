"""Voice notes, from the bytes of each wrapping to text, with a real model in a real child."""

import io
import json
import re
from pathlib import Path

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from tests.speaking import MODEL, SENTENCES, silence, spoken, tone, voice_note, wrapped
from wamcp.cli.main import app
from wamcp.doctor.case import Case
from wamcp.doctor.finding import Status
from wamcp.doctor.place import Place
from wamcp.doctor.readers import voice_notes
from wamcp.documents.extract import extract
from wamcp.documents.limits import Limits
from wamcp.documents.shapes import Extraction
from wamcp.settings import load

WITH_MODEL = Limits(model_dir=str(MODEL))


def read(content: bytes, limits: Limits = WITH_MODEL) -> Extraction:
    return extract(io.BytesIO(content), limits)


def test_a_voice_note_is_written_down() -> None:
    found = read(voice_note(spoken()))
    assert (found.state, found.mime, found.error, found.truncated) == ("done", "audio/ogg", None, False)
    assert (found.language, found.fields, found.pages_total) == ("en", {}, 1)
    (page,) = found.pages
    assert page.source == "speech"
    mark, _, words = page.text.partition("\n")
    assert mark == "[00:00]"
    expected = re.findall(r"\w+", SENTENCES.lower())
    assert sum(word in re.findall(r"\w+", words.lower()) for word in expected) >= 0.8 * len(expected)
    assert re.fullmatch(r"faster-whisper \d+\.\d+\.\d+ model", found.engine)
    assert found.engine == page.engine == f"faster-whisper {found.engine_version} model"
    assert found.confidence is not None and 0.2 < found.confidence <= 1


@pytest.mark.parametrize(
    ("codec", "container", "rate", "mime"),
    [
        ("libmp3lame", "mp3", 44_100, "audio/mpeg"),
        ("aac", "ipod", 44_100, "audio/mp4"),
        ("aac", "mp4", 44_100, "audio/mp4"),
        ("aac", "adts", 44_100, "audio/aac"),
        ("libopencore_amrnb", "amr", 8_000, "audio/amr"),
        ("pcm_s16le", "wav", 8_000, "audio/wav"),
    ],
)
def test_so_is_sound_in_other_wrappings(codec: str, container: str, rate: int, mime: str) -> None:
    found = read(wrapped(spoken(), codec, container, rate))
    assert (found.state, found.mime) == ("done", mime)
    assert "before friday" in found.pages[0].text.lower()


@pytest.mark.parametrize("sound", [silence(2), tone(2)], ids=["silence", "tone"])
def test_where_nobody_speaks_nothing_is_written(sound: bytes) -> None:
    found = read(sound)
    assert (found.state, found.error, [page.text for page in found.pages]) == ("empty", None, [""])


def test_a_film_is_not_listened_to() -> None:
    film = wrapped(spoken(), "aac", "mp4", 44_100, film=True)
    for limits in (WITH_MODEL, Limits()):
        found = read(film, limits)
        assert (found.state, found.error, found.mime) == ("unsupported", "unsupported", "video/mp4")


def test_what_cannot_be_decoded_is_broken_and_half_of_it_is_half() -> None:
    found = read(b"OggS" + bytes(600))
    assert (found.state, found.error) == ("failed", "broken")
    whole = voice_note(spoken())
    found = read(whole[: len(whole) // 2])
    assert found.state == "done" and "before friday" not in found.pages[0].text.lower()


def test_what_comes_after_the_limit_is_left_out() -> None:
    found = read(spoken(), replace(WITH_MODEL, sound_seconds=2))
    assert found.truncated and found.state == "done"
    assert "morning" in found.pages[0].text.lower() and "friday" not in found.pages[0].text.lower()
    found = read(spoken(), replace(WITH_MODEL, audio_bytes=1000))
    assert (found.state, found.mime) == ("too_large", "audio/wav")


def test_a_child_that_takes_too_long_is_ended() -> None:
    found = read(spoken(), replace(WITH_MODEL, speech=replace(WITH_MODEL.speech, wall_seconds=0.2)))
    assert (found.state, found.error, found.pages) == ("timeout", "timeout", [])


def none_at_all(_directory: Path) -> str:
    return ""


def missing(directory: Path) -> str:
    return str(directory / "nowhere")


def half(directory: Path) -> str:
    (directory / "model.bin").write_bytes(b"")
    return str(directory)


def spoiled(directory: Path) -> str:
    for name in ("config.json", "tokenizer.json"):
        (directory / name).write_bytes((MODEL / name).read_bytes())
    (directory / "model.bin").write_bytes(b"no model")
    return str(directory)


@pytest.mark.parametrize("make", [none_at_all, missing, half, spoiled])
def test_without_a_model_sound_is_unsupported_and_the_doctor_says_why(make, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    directory = make(tmp_path)
    found = read(silence(1), Limits(model_dir=directory))
    assert (found.state, found.error, found.pages) == ("unsupported", "no_transcriber", [])
    said = examined(directory)
    words = {
        none_at_all: "WHISPER_MODEL_DIR is not set",
        missing: "there is no directory",
        half: "config.json, tokenizer.json is not in it",
        spoiled: "cannot be loaded (no_transcriber)",
    }
    assert words[make] in said.said
    assert said.status is (Status.OK if make is none_at_all else Status.WARNING)
    assert (said.fix is None) == (make is none_at_all)


def examined(directory: str):  # type: ignore[no-untyped-def]
    settings = load({"WAMCP_ENV": "development"} | ({"WHISPER_MODEL_DIR": directory} if directory else {}))
    return voice_notes(Case(Place(settings, "http://127.0.0.1:1", is_up=False), None))


def test_the_doctor_loads_the_model() -> None:
    said = examined(str(MODEL))
    assert said.status is Status.OK and str(MODEL) in said.said


def test_the_command_reads_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "note.ogg").write_bytes(voice_note(spoken()))
    done = CliRunner().invoke(app, ["extract", "--json", "note.ogg"])
    told = json.loads(done.stdout)
    assert (done.exit_code, told["status"], told["error"]) == (1, "unsupported", "no_transcriber")
    monkeypatch.setenv("WHISPER_MODEL_DIR", str(MODEL))
    done = CliRunner().invoke(app, ["extract", "note.ogg"])
    assert done.exit_code == 0
    assert "done, audio/ogg, 1 pages, en, faster-whisper" in done.stdout
    assert "before friday" in done.stdout.lower()
