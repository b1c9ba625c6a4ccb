"""One request to the simulated Graph API, read and authorized."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from wamcp.simulator.graph.trouble import Trouble, bad_token
from wamcp.simulator.graph.world import World

MESSAGING = "whatsapp_business_messaging"
MANAGEMENT = "whatsapp_business_management"


class File(NamedTuple):
    """The file of a multipart form."""

    name: str
    mime: str
    content: bytes


@dataclass(slots=True)
class Call:
    """What was asked. ``node`` is the first part of the path after the version, ``edge`` the second, "" for none.

    ``wamid`` and ``notes`` are filled in for the wire log; ``spoil`` is how a script wants media to go wrong.
    """

    world: World
    method: str
    path: str
    base_url: str
    query: dict[str, str]
    body: Any = None
    file: File | None = None
    token: str | None = None
    node: str = ""
    edge: str = ""
    spoil: str | None = None
    wamid: str | None = None
    notes: list[str] = field(default_factory=list)

    def parameter(self, name: str) -> Any:
        """A parameter, wherever the Graph API takes it from: the body or the query."""
        if isinstance(self.body, dict) and name in self.body:
            return self.body[name]
        return self.query.get(name)

    def token_state(self) -> str:
        """What the token is, for the wire log: ``valid``, ``expired``, ``app``, ``unknown`` or ``missing``."""
        account = self.world.account
        if not self.token:
            return "missing"
        if self.token == app_token(self.world):
            return "app"
        if self.token != account.access_token:
            return "unknown"
        return "expired" if account.token.expired() else "valid"

    def authorize(self, scope: str) -> None:
        """Raises ``Trouble`` 190 or 10 unless the token is good for ``scope``."""
        state = self.token_state()
        if state == "expired":
            raise bad_token("Error validating access token: Session has expired.", 463)
        if state == "missing":
            raise bad_token("An access token is required to request this resource.")
        if state != "valid":
            raise bad_token()
        if scope not in self.world.account.token.scopes:
            raise Trouble(10, "Application does not have permission for this action", f"{scope} is missing", status=403)


def app_token(world: World) -> str:
    """The app access token, ``APP_ID|APP_SECRET``."""
    return f"{world.account.app_id}|{world.account.app_secret}"
