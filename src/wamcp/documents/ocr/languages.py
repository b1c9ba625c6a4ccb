"""Which languages can be read: tesseract's names for them, the script of each, and what is left of what was asked."""

import re
from collections.abc import Sequence

_OF_SCRIPT = {
    "Arabic": "ara fas urd pus uig snd kur_ara",
    "Cyrillic": "rus ukr bul srp bel mkd kaz kir mon tgk tat",
    "Greek": "ell grc",
    "Hebrew": "heb yid",
    "Devanagari": "hin mar nep san",
    "Bengali": "ben asm",
    "Gujarati": "guj",
    "Gurmukhi": "pan",
    "Kannada": "kan",
    "Malayalam": "mal",
    "Tamil": "tam",
    "Telugu": "tel",
    "Sinhala": "sin",
    "Thai": "tha",
    "Lao": "lao",
    "Khmer": "khm",
    "Myanmar": "mya",
    "Tibetan": "bod dzo",
    "Ethiopic": "amh tir",
    "Georgian": "kat",
    "Armenian": "hye",
    "Han": "chi_sim chi_tra",
    "Japanese": "jpn",
    "Hangul": "kor",
}
_SCRIPTS = {language: script for script, languages in _OF_SCRIPT.items() for language in languages.split()}


def named(languages: str) -> list[str]:
    """``eng+por`` as a list, without what cannot be the name of a language, each once."""
    return list(dict.fromkeys(name for name in languages.split("+") if re.fullmatch(r"[a-zA-Z_]{2,20}", name)))


def script_of(language: str) -> str:
    """The script a language is written in, by the names tesseract gives to scripts; Latin for all not listed."""
    return _SCRIPTS.get(language, "Latin")


def usable(asked: Sequence[str], installed: Sequence[str]) -> list[str]:
    """Those of ``asked`` that are installed; English, or whatever there is, when none of them is."""
    there = [name for name in installed if name not in ("osd", "equ")]
    return [name for name in asked if name in there] or [name for name in there if name == "eng"] or list(there[:1])


def with_script(languages: Sequence[str], script: str, installed: Sequence[str]) -> list[str]:
    """``languages``, with an installed one that is written in ``script`` before them when none of them is."""
    if any(script_of(name) == script for name in languages) or script in ("Latin", "Fraktur"):
        return list(languages)
    written = [name for name in _OF_SCRIPT.get(script, "").split() if name in installed]
    return written[:1] + list(languages)
