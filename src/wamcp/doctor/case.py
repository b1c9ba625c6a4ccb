"""What the checks share: the installation, the way to Meta, and what earlier checks learned for later ones."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from wamcp.doctor.finding import Said, failed
from wamcp.doctor.place import Place
from wamcp.settings import Settings
from wamcp.whatsapp.graph import Graph, Reached, Reply
from wamcp.whatsapp.graph_errors import meaning_of

CALL_S = 5.0
GONE_VERSION, UNKNOWN_PATH = 2635, 2500


@dataclass(slots=True)
class Case:
    """One examination. ``graph`` carries the access token, None without one.

    The rest is filled in by the checks named in the comments; whoever needs it runs after them.
    """

    place: Place
    graph: Graph | None
    token_reply: Reply | None = None  # graph
    token: dict[str, Any] = field(default_factory=dict)  # token
    app_id: str = ""  # token
    app_secret: str = ""  # app_secret: the one that is the app's
    number: dict[str, Any] = field(default_factory=dict)  # number
    waba_numbers: list[str] = field(default_factory=list)  # waba
    waba_override: str | None = None  # subscribed
    fields: list[str] | None = None  # webhook

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.place.settings

    def ask(self, path: str, **parameters: str) -> Reply:
        """GETs ``path`` of the Graph API with the access token."""
        assert self.graph is not None
        return self.graph.get(path, deadline_s=CALL_S, **parameters)

    def as_app(self, secret: str) -> Graph:
        """A client that speaks for the app itself; close it."""
        return Graph(self.settings.base_url, self.settings.api_version, f"{self.app_id}|{secret}")

    def curl(self, path: str, data: str = "") -> str:
        """The command that POSTs to ``path`` of the Graph API; the shell fills in the token."""
        address = f"{self.settings.base_url.rstrip('/')}/{self.settings.api_version}/{path}"
        return f'curl -X POST -H "Authorization: Bearer $WHATSAPP_ACCESS_TOKEN"{data} {address}'


def complaint(reply: Reply, about: str) -> Said:
    """What a call that did not go well says; ``about`` is what was asked for, like ``the number``."""
    if reply.reached is not Reached.ANSWERED:
        return failed(
            f"Meta did not answer when asked for {about} ({reply.reason})",
            "run it again; if it stays so, check the network, the proxy and WHATSAPP_BASE_URL",
        )
    if reply.error is None:
        return failed(
            f"asked for {about}, what answers is not the Graph API (HTTP {reply.status})",
            "check WHATSAPP_BASE_URL: https://graph.facebook.com unless you mean a simulator",
        )
    meaning = meaning_of(reply.error.code, status=reply.status, is_transient=reply.error.is_transient)
    advice = meaning.advice if "details" not in meaning.advice else "change what Meta complains of"
    own = reply.error.details or reply.error.message
    return failed(f"asked for {about}: {meaning.words} (Meta {reply.error.code}: {own})", advice)


def rows_of(reply: Reply) -> list[dict[str, Any]]:
    """The objects in ``data`` of a list that Meta answered; whatever else is there is left out."""
    rows = (reply.data or {}).get("data")
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def day(unix: float) -> str:
    """The day of a time in Unix seconds, like 2026-11-26 (UTC)."""
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%d")
