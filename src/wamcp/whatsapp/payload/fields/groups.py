"""The four ``group_*`` fields: groups made and deleted, who joined and left, settings, suspensions."""

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from wamcp.vocabulary import Severity
from wamcp.whatsapp.payload.facts import Facts, Person
from wamcp.whatsapp.payload.fields.lines import called, failures, joined, line, said, word
from wamcp.whatsapp.payload.fields.place import Place
from wamcp.whatsapp.payload.fields.reading import (
    BESIDE_ITEMS,
    PERSON,
    VALUE,
    Reader,
    happened,
    items,
    keys,
    meet,
    our_number,
    person_in,
    read_errors,
)
from wamcp.whatsapp.payload.scalars import identifier, mapping, objects

_MEMBERS = ("added_participants", "removed_participants", "failed_participants")
_SETTINGS = {"group_subject": "subject", "group_description": "description", "profile_picture": "picture"}


def read_groups(value: dict[str, Any], place: Place, facts: Facts) -> None:
    """Adds an event for each item of ``groups[]`` and everybody whom it names; who was invited in vain is not met."""
    ours = our_number(value, place, facts)
    for path, item in items(value, "groups", place, facts):
        people = [person_in(item), *map(person_in, _members(item))]
        named = list(dict.fromkeys(person for person in people if person is not None))
        request = identifier(item.get("join_request_id")) or identifier(item.get("request_id"))
        told = replace(
            happened(place, path, item, ours),
            event=word(item.get("type")),
            group_id=identifier(item.get("group_id")),
            person=named[0] if len(named) == 1 else None,
            subject_kind="request" if request is not None else None,
            subject=request,
            severity=_severity(item).value,
            text=line(_head(item), *_news(item)),
        )
        facts.account.append(told)
        for person in named:
            meet(ours, person, told.at, facts)
    read_errors(value, place, ours, facts)


def _members(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for key in _MEMBERS:
        yield from objects(item.get(key))


def _head(item: dict[str, Any]) -> str:
    kind = word(item.get("type"))
    if item.get("errors") and kind in _FAILED_HEADS:
        return _FAILED_HEADS[kind]
    subject = said(item.get("subject"))
    return (_HEADS.get(kind) or kind.replace("_", " ").capitalize() or "Group") + (f' "{subject}"' if subject else "")


def _news(item: dict[str, Any]) -> Iterator[str]:
    if (asking := person_in(item)) is not None:
        yield called(asking)
    gone = "left" if item.get("initiated_by") == "participant" else "removed"
    for key, verb in zip(_MEMBERS, ("joined", gone, "failed"), strict=True):
        names = joined(map(_member, objects(item.get(key))))
        if names:
            yield f"{verb} {names}"
    for key, name in _SETTINGS.items():
        if isinstance(setting := item.get(key), dict):
            yield _setting(name, setting)
    if reason := said(item.get("reason")):
        yield f"by {reason}"
    if errors := failures(item.get("errors")):
        yield errors


def _member(item: dict[str, Any]) -> str:
    person: Person | None = person_in(item)
    name, errors = called(person) or said(item.get("input")), failures(item.get("errors"))
    return f"{name} ({errors})" if errors else name


def _setting(name: str, setting: dict[str, Any]) -> str:
    if setting.get("update_successful") is False:
        return f"{name} not changed ({failures(setting.get('errors')) or 'no reason given'})"
    text = said(setting.get("text"))
    return f'{name} changed to "{text}"' if text else f"{name} changed"


def _severity(item: dict[str, Any]) -> Severity:
    if item.get("type") == "group_suspend":
        return Severity.CRITICAL
    parts = [item, *_members(item), *(mapping(item.get(key)) for key in _SETTINGS)]
    failed = item.get("failed_participants") or any(
        part.get("errors") or part.get("update_successful") is False for part in parts
    )
    return Severity.WARNING if failed else Severity.INFO


_HEADS = {
    "group_create": "Group created",
    "group_delete": "Group deleted",
    "group_participants_add": "Group members",
    "group_add_participants": "Group members",
    "group_participants_remove": "Group members",
    "group_remove_participants": "Group members",
    "group_join_request_created": "Asks to join the group",
    "group_join_request_revoked": "No longer asks to join the group",
    "group_settings_update": "Group settings",
    "group_suspend": "Group suspended",
    "group_suspend_cleared": "Group no longer suspended",
}

_FAILED_HEADS = {"group_create": "Group not created", "group_delete": "Group not deleted"}

_KNOWN = BESIDE_ITEMS | keys(
    value=VALUE + "groups",
    groups=PERSON + "timestamp group_id type request_id join_request_id subject description invite_link"
    " join_approval_mode added_participants removed_participants failed_participants initiated_by reason"
    " profile_picture group_subject group_description errors",
    added_participants=PERSON + "input errors",
    removed_participants=PERSON + "input errors",
    failed_participants=PERSON + "input errors",
    profile_picture="mime_type sha256 update_successful errors",
    group_subject="text update_successful errors",
    group_description="text update_successful errors",
)

READERS = dict.fromkeys(
    (
        "group_lifecycle_update",
        "group_participants_update",
        "group_participant_update",
        "group_settings_update",
        "group_status_update",
    ),
    Reader(read_groups, _KNOWN),
)
