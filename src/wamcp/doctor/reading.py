"""The checks of what reads documents here."""

import io
import wave
from pathlib import Path

from msgspec.structs import replace

from wamcp.doctor.case import Case
from wamcp.doctor.finding import Said, ok, warning
from wamcp.documents.extract import extract
from wamcp.documents.limits import Limits
from wamcp.documents.speech.transcribe import trouble

LOAD_S = 15.0


def voice_notes(case: Case) -> Said:
    """What is said in voice notes is written down, or nobody asked for that."""
    if not case.settings.whisper_model_dir:
        return ok("not written down (WHISPER_MODEL_DIR is not set)")
    limits = Limits.of(case.settings)
    if wrong := trouble(Path(limits.model_dir)):
        said, _, fix = wrong.partition(": ")
        return warning(f"voice notes are not written down: {said}", f"{fix}, or unset WHISPER_MODEL_DIR")
    # The model is loaded where it works: in a child, with the memory of one.
    found = extract(_silence(), replace(limits, speech=replace(limits.speech, wall_seconds=LOAD_S)))
    if found.state == "empty":
        return ok(f"written down with the model in {limits.model_dir}")
    return warning(
        f"voice notes are not written down: the model in {limits.model_dir} cannot be loaded "
        f"({found.error or found.state})",
        "put a smaller model, or a whole one that was made for faster-whisper (CTranslate2), into WHISPER_MODEL_DIR",
    )


def _silence() -> io.BytesIO:
    """A second of it, as WAV."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))
    return file
