"""What outside people wrote, made fit to show to a model: nothing invisible, no live links, odd things flagged.

The stored text stays as it was; this is done on the way out. It lowers risk and promises no safety.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

HIDDEN = "hidden_chars_removed"
INJECTION = "possible_injection"

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_TAGS = {letter: chr(0xE0000 + ord(letter)) for letter in "begnlstwc"}
_SUBDIVISION_FLAG = re.compile(
    "\U0001f3f4(?:" + "|".join("".join(_TAGS[c] for c in code) for code in ("gbeng", "gbsct", "gbwls")) + ")\U000e007f"
)
_FILLERS = frozenset("\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u2800\u3164\uffa0")
_ZWNJ, _ZWJ, _VS15, _VS16 = "\u200c", "\u200d", "\ufe0e", "\ufe0f"
_PLAIN, _MARK, _DEPENDS, _UNSEEN = "plain", "mark", "depends", "hidden"
_MAX_MARKS = 3
_VIRAMA = 9
# Arabic to N'Ko, the Indic blocks, Tibetan and Myanmar, Khmer and Mongolian, the presentation forms of Arabic.
_JOINING = (
    *((0x0600, 0x08FF), (0x0900, 0x0DFF), (0x0F00, 0x109F), (0x1780, 0x18AF)),
    *((0xA840, 0xABFF), (0xFB50, 0xFDFF), (0xFE70, 0xFEFC)),
)
_IDEOGRAPHS = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFD))

_LINKISH = re.compile(r"//|:[/\\]|www\.|\]\(|data:|script:", re.IGNORECASE)
# What stands before a link may be glued to it, as in Chinese or in _italics_: programs that show text look for the
# scheme alone, and so do these.
_URL = re.compile(r"([a-z][a-z0-9+.\-]{1,30}):([/\\]{1,3})([^\s/\\?#<>\"'`()\[\]]*)", re.IGNORECASE)
_BARE = re.compile(r"(?<![a-z0-9:/\\.@-])(//|www\.)([^\s/\\?#<>\"'`()\[\]]+\.[^\s/\\?#<>\"'`()\[\]]+)", re.IGNORECASE)
_SCRIPT = re.compile(r"(?<![a-z0-9])(data|javascript|vbscript)\s*:(?=\S)", re.IGNORECASE)
_DOTS = re.compile(r"[.\u3002\uff0e\uff61]")
_DEFANGED_SCHEMES = {"http": "hxxp", "https": "hxxps", "ftp": "fxp"}

_ORDERS = (
    r"ignore (?:all |any |the |your )*(?:previous|prior|above|earlier)",
    r"disregard (?:all |any |the |your )*(?:previous|prior|above|instructions)",
    r"forget (?:all |your |the |previous )*instructions",
    r"(?:new|override|hidden) (?:system )?instructions?\b|system prompt|you are now\b|developer mode",
    r"do not tell the user",
    r"ignor\w* (?:\w{1,6} ){0,3}(?:instru|istruzioni|anweisungen|consignes|ordini|vorher|bisher)",
    r"vergiss alle|oublie\w* (?:toutes )?les (?:instructions|consignes)|dimentica (?:tutte )?le istruzioni",
    r"negeer (?:alle )?(?:vorige|eerdere)|zignoruj (?:wszystkie|poprzednie)|(?:önceki|tüm) (?:tüm )?talimatları",
    r"игнорируй|забудь (?:все )?(?:предыдущие )?инструкции",
    r"忽略(?:之前|以上|前面|所有)|無視(?:して|しろ)|이전.{0,6}지시.{0,6}무시",
    r"تجاهل (?:جميع |كل )?(?:التعليمات|الأوامر)|पिछले.{0,12}निर्देश|abaikan (?:semua )?(?:instruksi|perintah)",
)
_PHRASES = re.compile("|".join(_ORDERS), re.IGNORECASE)
_ROLES = re.compile(
    r"<\|(?:im_start|im_end|system|user|assistant|endoftext)|\[/?INST\]|<</?SYS>>"
    r"|</?(?:system|assistant|human|tool_result|tool_use|function_results|function_calls|instructions?)\b[^>]{0,80}>"
    r"|^[^\S\n]*(?:#{1,3}[^\S\n]*)?(?:system|assistant|human)[^\S\n]*:",
    re.IGNORECASE | re.MULTILINE,
)
_BASE64_RUN = re.compile(r"[A-Za-z0-9+/=_-]{200,}")


@dataclass(frozen=True, slots=True)
class Clean:
    """A text that may be shown, what was noticed about it, and the hosts that its links pointed to."""

    text: str
    flags: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()


def clean(text: str) -> Clean:
    """``text`` without invisible characters and with its links broken, and what was noticed on the way."""
    visible = strip_hidden(text)
    lost = len(visible) < len(text) and _lost_characters(text, visible)
    safe, hosts = defang(visible)
    return Clean(safe, (HIDDEN,) if lost else (), hosts)


def looks_like_an_order(text: str) -> bool:
    """Whether ``text`` has the marks of an attempt to instruct a model. A hint for readers; it misses much."""
    return bool(_PHRASES.search(text) or _ROLES.search(text) or _BASE64_RUN.search(text))


def clean_line(text: str, limit: int) -> str:
    """A name or title: as :func:`clean`, on one line, cut at ``limit`` characters."""
    return cut(" ".join(defang(strip_hidden(text))[0].split()), limit)


def cut(text: str, limit: int) -> str:
    """``text``, or its first ``limit`` characters and an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1].rstrip("\u200d") + "…"


def strip_hidden(text: str) -> str:
    """``text`` without what a person cannot see. Emoji, Persian and Indic joiners stay; the result is NFC."""
    if text.isascii() and not _CONTROL.search(text):
        return text
    text = _plain_newlines(text)
    if all(_kind(char) == _PLAIN for char in set(text)):
        return unicodedata.normalize("NFC", text)
    kept: list[str] = []
    position = marks = 0
    while position < len(text):
        char = text[position]
        if char == "\U0001f3f4" and (flag := _SUBDIVISION_FLAG.match(text, position)):
            kept.append(flag.group())
            position, marks = flag.end(), 0
            continue
        kind = _kind(char)
        marks = marks + 1 if kind == _MARK else 0
        if (
            kind == _PLAIN
            or (kind == _MARK and marks <= _MAX_MARKS)
            or (kind == _DEPENDS and _belongs(char, kept[-1][-1] if kept else "", text[position + 1 : position + 2]))
        ):
            kept.append(char)
        position += 1
    return unicodedata.normalize("NFC", "".join(kept))


def defang(text: str) -> tuple[str, tuple[str, ...]]:
    """``text`` with links that nothing will fetch or render (``hxxps://host[.]tld/path``), and the hosts they named."""
    if not _LINKISH.search(text):
        return text, ()
    hosts: dict[str, None] = {}

    def url(match: re.Match[str]) -> str:
        scheme, slashes, host = match.groups()
        if scheme.lower() in ("hxxp", "hxxps", "fxp") or (not host and "//" not in slashes):
            return match.group()
        hosts[_host_name(host)] = None
        safe = _DEFANGED_SCHEMES.get(scheme.lower())
        return (f"{safe}:" if safe else f"{scheme}[:]") + slashes + _DOTS.sub("[.]", host)

    def bare(match: re.Match[str]) -> str:
        lead, host = match.groups()
        hosts[_host_name(host)] = None
        return ("/[/]" if lead == "//" else "www[.]") + _DOTS.sub("[.]", host)

    text = _BARE.sub(bare, _URL.sub(url, text))
    text = _SCRIPT.sub(r"\1[:]", text).replace("](", "] (")
    return text, tuple(host for host in hosts if host)


def _plain_newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")


def _lost_characters(text: str, visible: str) -> bool:
    return len(unicodedata.normalize("NFC", _plain_newlines(text))) > len(visible)


def _host_name(host: str) -> str:
    return _DOTS.sub(".", host).rpartition("@")[2].lower()[:100]


@lru_cache(maxsize=20_000)
def _kind(char: str) -> str:
    if char in "\n\t":
        return _PLAIN
    if char in _FILLERS:
        return _UNSEEN
    category = unicodedata.category(char)
    if char in (_ZWJ, _ZWNJ) or "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef":
        return _DEPENDS
    if "\u180b" <= char <= "\u180f" or char == "\U0001f3f4":
        return _DEPENDS
    if category in ("Mn", "Me"):
        return _MARK
    return _UNSEEN if category in ("Cc", "Cf", "Cn", "Co", "Cs") else _PLAIN


def _belongs(char: str, before: str, after: str) -> bool:
    if char == "\U0001f3f4":
        return True
    if char in (_ZWJ, _ZWNJ):
        return _joiner_belongs(char, before, after)
    if "\u180b" <= char <= "\u180f":
        return "\u1800" <= before <= "\u18af"
    return _selector_belongs(char, before)


def _joiner_belongs(char: str, before: str, after: str) -> bool:
    if not before:
        return False
    if char == _ZWJ and (_is_emoji(before) or before == _VS16) and after and _is_emoji(after):
        return True
    if not _within(before, _JOINING):
        return False
    return bool(after and _within(after, _JOINING)) or unicodedata.combining(before) == _VIRAMA


def _selector_belongs(char: str, before: str) -> bool:
    if not before:
        return False
    if char in (_VS15, _VS16):
        return before in "#*0123456789" or _is_emoji(before)
    return char >= "\U000e0100" and _within(before, _IDEOGRAPHS)


def _is_emoji(char: str) -> bool:
    return unicodedata.category(char) in ("So", "Sk", "Sm", "Po") and not char.isascii()


def _within(char: str, ranges: tuple[tuple[int, int], ...]) -> bool:
    point = ord(char)
    return any(first <= point <= last for first, last in ranges)
