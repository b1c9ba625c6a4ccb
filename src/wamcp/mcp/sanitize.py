"""What outside people wrote, made fit to show to a model: nothing invisible, no live links, odd things flagged.

The stored text stays as it was; this is done on the way out. It lowers risk and promises no safety.
"""

import re
import unicodedata
from dataclasses import dataclass

from wamcp.visible import plain_newlines, strip_hidden

HIDDEN = "hidden_chars_removed"
INJECTION = "possible_injection"

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


def _lost_characters(text: str, visible: str) -> bool:
    return len(unicodedata.normalize("NFC", plain_newlines(text))) > len(visible)


def _host_name(host: str) -> str:
    return _DOTS.sub(".", host).rpartition("@")[2].lower()[:100]
