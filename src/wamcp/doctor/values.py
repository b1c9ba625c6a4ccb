"""The four values that only the owner of the account knows, each tried at Meta as soon as it is there."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from pydantic import SecretStr

from wamcp.doctor import account, meta, number
from wamcp.doctor.case import Case
from wamcp.doctor.finding import Said, Status
from wamcp.doctor.place import Place
from wamcp.safety import PLACEHOLDERS
from wamcp.settings import is_secret
from wamcp.whatsapp.graph import Graph
from wamcp.whatsapp.payload.scalars import objects, string


class Value(NamedTuple):
    """A setting to ask for: its field, the question, where the answer is found, and the checks that it must pass."""

    field: str
    question: str
    where: str
    checks: tuple[Callable[[Case], Said], ...]


VALUES = (
    Value(
        "access_token",
        "Access token",
        "Meta's Business settings > Users > System users > Generate token, for your app, that never expires",
        (meta.graph, meta.token, meta.scopes),
    ),
    Value(
        "app_secret",
        "App secret",
        "Meta's App Dashboard > App settings > Basic",
        (meta.app_secret,),
    ),
    Value(
        "waba_id",
        "WhatsApp Business Account ID",
        "Meta's App Dashboard > WhatsApp > API Setup",
        (account.waba,),
    ),
    Value(
        "phone_number_id",
        "Phone number ID (not the number)",
        "Meta's App Dashboard > WhatsApp > API Setup",
        (number.number, number.number_of_waba),
    ),
)
"""In the order in which they are asked for: the later ones can then be suggested."""


class Trial:
    """What is known so far; close it. ``case`` is filled in by the values that were right."""

    def __init__(self, place: Place) -> None:
        blank = {value.field: None for value in VALUES}
        self.case = Case(replace(place, settings=place.settings.model_copy(update=blank)), None)

    def close(self) -> None:
        """Ends the connections to Meta."""
        if self.case.graph is not None:
            self.case.graph.close()

    def take(self, value: Value, text: str) -> Said | None:
        """Takes ``text`` for ``value`` if Meta agrees; None then, else what is wrong."""
        given = SecretStr(text) if is_secret(value.field) else text
        settings = self.case.settings.model_copy(update={value.field: given})
        self.case.place = replace(self.case.place, settings=settings)
        if value.field == "access_token":
            self.close()
            self.case.graph = Graph(settings.base_url, settings.api_version, text)
        for check in value.checks:
            said = check(self.case)
            if said.status is Status.FAILED:
                return said
        return None

    def suggestion(self, value: Value) -> str | None:
        """What the value probably is, as far as Meta tells: the token's only account, the account's only number."""
        if value.field == "phone_number_id":
            found = self.case.waba_numbers
        elif value.field == "waba_id":
            found = _accounts(self.case)
        else:
            found = []
        return found[0] if len(found) == 1 else None


def given(place: Place, field: str) -> str | None:
    """What the settings hold, None where that is nothing or a placeholder."""
    value = getattr(place.settings, field)
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    return text if text and text.lower() not in PLACEHOLDERS else None


def _accounts(case: Case) -> list[str]:
    """What the token's rights to accounts are limited to, as ``debug_token`` tells it."""
    rows = objects(case.token.get("granular_scopes"))
    ids = [row.get("target_ids") for row in rows if row.get("scope") in meta.SCOPES]
    words = [string(each) for found in ids if isinstance(found, list) for each in found]
    return list(dict.fromkeys(word for word in words if word))
