"""The engine: faster-whisper from the extra ``voice``, on one thread, deterministic, and nothing is ever fetched."""

import math
import os
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_MODEL_FILES = ("model.bin", "config.json", "tokenizer.json")
"""Without the last one faster-whisper would ask a server for it."""
_FIX = "download one that was made for faster-whisper (CTranslate2), like faster-whisper-small, and name its directory"

_REPETITION_PENALTY = 1.1
"""Without it small models say a sentence over and over where they are unsure."""


def trouble(model_dir: Path) -> str | None:
    """Why there is no engine, or no model in ``model_dir``; loads nothing."""
    if find_spec("faster_whisper") is None or find_spec("av") is None:
        return "faster-whisper is not installed: install WAMCP with its extra `voice` (pip install 'wamcp[voice]')"
    if not model_dir.is_dir():
        return f"there is no directory {model_dir}: {_FIX}"
    missing = [name for name in _MODEL_FILES if not (model_dir / name).is_file()]
    if missing:
        return f"{model_dir} is no whole model, {', '.join(missing)} is not in it: {_FIX}"
    return None


@cache
def version() -> str:
    """As ``1.2.1``."""
    return metadata.version("faster-whisper")


def load(model_dir: Path) -> Any:
    """The model. Raises whatever its libraries raise."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    from faster_whisper import WhisperModel

    return WhisperModel(
        str(model_dir), device="cpu", compute_type="int8", cpu_threads=1, num_workers=1, local_files_only=True
    )


def write(model: Any, samples: Any, language: str | None) -> Iterator[tuple[float, float, str, float, str]]:
    """Start, end (seconds), text, confidence and language of each piece of speech; ``language`` where it is known.

    One temperature and no memory of what was said before: the same sound gives the same text, and an error is not
    carried on.
    """
    pieces, about = model.transcribe(
        samples,
        language=language,
        beam_size=5,
        temperature=0.0,
        repetition_penalty=_REPETITION_PENALTY,
        condition_on_previous_text=False,
        vad_filter=True,
    )
    for piece in pieces:
        if text := piece.text.strip():
            yield piece.start, piece.end, text, math.exp(min(0.0, piece.avg_logprob)), about.language
