"""What a value says beside messages and statuses: errors, clicks, a summary of the conversation, and new words."""

from collections.abc import Iterator
from typing import Any

from wamcp.vocabulary import Severity, UnknownKind
from wamcp.whatsapp.payload import repair
from wamcp.whatsapp.payload.facts import AccountFact, Facts
from wamcp.whatsapp.payload.lines import joined, plain_words
from wamcp.whatsapp.payload.scalars import mapping, string, unix_seconds
from wamcp.whatsapp.payload.unknown import note

KNOWN = ("errors", "user_actions", "conversation_context")


def read_notices(
    beside: dict[str, Any], place: tuple[str, str, str], number: tuple[str | None, str | None], facts: Facts
) -> None:
    """Adds an account event for each of the things ``beside`` the messages of a value.

    ``place`` is the account, the field and the path of the change, ``number`` our number's id and display number.
    """
    waba_id, field, path = place
    for key, part in beside.items():
        if key not in KNOWN:
            note(facts.unknowns, UnknownKind.KEY, f"{field}.value.{key}")
        for item, event, at, severity, text, details in _events(key, part):
            facts.account.append(
                AccountFact(
                    f"{path}/{item}", field, event, at, waba_id, *number, None, None, None, None, severity.value,
                    text, repair.encode(details),
                )
            )  # fmt: skip


def _events(key: str, part: object) -> Iterator[tuple[str, str, int | None, Severity, str, object]]:
    if key not in ("errors", "user_actions"):
        summary = mapping(mapping(part).get("summary"))
        words = joined([*plain_words(part), *plain_words(summary)])
        yield key[:64], key[:64], None, Severity.INFO, words, {key: part}
        return
    for index, each in enumerate(part if isinstance(part, list) else [part]):
        given, item = mapping(each), f"{key}/{index}"
        if key == "errors":
            details = mapping(given.get("error_data")).get("details")
            text = joined((given.get("code"), given.get("title") or given.get("message"), details), ": ")
            yield item, "error", None, Severity.WARNING, text, each
        else:
            event = string(given.get("action_type")) or ""
            text = f"Somebody acted: {event.replace('_', ' ')}" if event else "Somebody acted"
            yield item, event, unix_seconds(given.get("timestamp")), Severity.INFO, text, each
