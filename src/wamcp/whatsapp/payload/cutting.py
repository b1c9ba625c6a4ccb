"""Cutting people out of a webhook: what is theirs is taken out of its bytes, all else stays as it was written."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from wamcp.vocabulary import ERASED_FIELD
from wamcp.whatsapp.payload.envelope import read_event
from wamcp.whatsapp.payload.facts import Facts, Person
from wamcp.whatsapp.payload.gone import Gone
from wamcp.whatsapp.payload.spans import Cuts, Part, parts_of

NOTHING = b'{"object":"whatsapp_business_account","entry":[]}'
"""A webhook that says nothing: what is left of one that cannot be cut in part."""
_BESIDE = ("errors", "user_actions")
_NAMING = ("wa_id", "user_id", "parent_user_id", "input", "phone_number")
_CALLED = ("username", "name", "full_name", "first_name", "profile")


class CutEvent(NamedTuple):
    """A webhook after the cut, and what it said before."""

    body: bytes
    before: Facts
    after: Facts


def cut_out(body: bytes, gone: Gone, received_at: int) -> CutEvent | None:
    """``body`` without what is of ``gone``, or None where nothing of it is in there.

    ``received_at`` is unix seconds, 0 for what was there when they were erased: all of that is old, whatever it says.

    Messages, statuses, calls and other items of theirs are taken out of their lists, entries that name them likewise;
    in what others wrote only the words that name them are blanked. A change of which nothing is left becomes one of
    the field ``wamcp_erased``, which still says which number of ours it was about.
    """
    if not gone.may_be_in(body):
        return None
    before = read_event(body)
    try:
        root = parts_of(body)
    except (ValueError, RecursionError):
        return CutEvent(NOTHING, before, Facts()) if gone.is_written_in(body) else None
    emptied: set[str] = set()
    while True:
        cutter = _Cutter(body, root, gone, received_at, Cuts())
        cut = cutter.cut(before, emptied)
        if cut == body:
            return None
        after = read_event(cut)
        known = {(fact.item, fact.reason) for fact in before.parked}
        hollow = {fact.item for fact in after.parked if (fact.item, fact.reason) not in known} & cutter.changes.keys()
        if hollow <= emptied:
            return CutEvent(cut, before, after)
        emptied |= hollow


class _Item(NamedTuple):
    """Something that a webhook says, where it stands, and whether it goes."""

    path: str
    goes: bool


class _Place(NamedTuple):
    """A part and, where it is an element of an array, which."""

    part: Part
    array: Part | None
    nth: int


@dataclass(slots=True)
class _Change:
    """A change of an entry: its part, its value, the scope of its number, and whether something was cut out of it."""

    part: Part
    value: Part | None
    scope: str
    touched: bool = False
    keeps_theirs: bool = False
    """Something newer of theirs stays."""


@dataclass(slots=True)
class _Cutter:
    body: bytes
    root: Part
    gone: Gone
    received_at: int
    cuts: Cuts
    changes: dict[str, _Change] = field(default_factory=dict)
    kept: set[int] = field(default_factory=set)
    """The items that stay, by where they begin."""

    def cut(self, facts: Facts, emptied: set[str]) -> bytes:
        self.changes = dict(_changes(self.root, self.gone))
        for item in self._items(facts):
            place = self._place(item.path)
            if place is None:
                if item.goes:
                    return NOTHING
            elif not item.goes:
                self.kept.add(place.part.start)
            else:
                self._remove(item.path, place)
        for path, change in self.changes.items():
            if change.value is not None and path not in emptied:
                self._cut_value(change, change.value)
                emptied = emptied | {path} if change.touched and self._is_hollow(change.value) else emptied
        for path in emptied & self.changes.keys():
            self.cuts.replace(self.changes[path].part, self._emptied(self.changes[path]))
        return self.cuts.apply(self.body)

    def _items(self, facts: Facts) -> Iterator[_Item]:
        for message in facts.messages:
            goes = self.gone.is_message(message.phone_number_id, message.wamid)
            yield self._item(message.item, message.phone_number_id, message.person, message.sent_at, goes)
        for status in facts.statuses:
            goes = self.gone.is_message(status.phone_number_id, status.wamid)
            goes = goes or (status.callback_data or "") in self.gone.callbacks
            path = status.item.removesuffix("/history_context")
            yield self._item(path, status.phone_number_id, status.recipient, status.at, goes)
        for told in facts.account:
            goes = told.subject is not None and self.gone.names_message(told.subject)
            at = self.received_at if told.at is None else told.at
            yield self._item(told.item, told.phone_number_id or "", told.person, at, goes)
        for parked in facts.parked:
            place = self._place(parked.item) if parked.item else _Place(self.root, None, 0)
            if place is None:
                yield _Item(parked.item, self.gone.is_written_in(parked.fragment or self.body))
            else:
                yield _Item(parked.item, self._names_anything(place.part, self._scope(parked.item)))

    def _item(self, path: str, number: str, person: Person | None, at: int, goes: bool) -> _Item:
        scope = self.gone.scopes.get(number) or self._scope(path)
        if not goes and person is not None:
            goes = self.gone.owns(scope, person, at if self.received_at else 0)
            if not goes and self.gone.owns(scope, person, 0) and (change := self._change(path)) is not None:
                change.keeps_theirs = True
        return _Item(path, goes)

    def _change(self, path: str) -> _Change | None:
        return self.changes.get("/".join(path.split("/")[:4]))

    def _scope(self, path: str) -> str:
        change = self._change(path)
        return "" if change is None else change.scope

    def _place(self, path: str) -> _Place | None:
        """Where the part with this path stands; None when there is no such."""
        place: _Place | None = _Place(self.root, None, 0)
        names = path.split("/")
        for at, name in enumerate(names):
            if place is None:
                return None
            if at == 4 and name != "value" and place.part.members is not None:
                place = _step(place, "value")
            if place is not None:
                place = _step(place, name, names[at - 1] if at else "")
        return place

    def _remove(self, path: str, place: _Place) -> None:
        change = self._change(path)
        if change is None:
            self.cuts.replace(self.root, NOTHING)
            return
        change.touched = True
        if place.part is change.part or place.part is change.value:
            self.cuts.replace(change.part, self._emptied(change))
        elif place.array is not None:
            self.cuts.remove(place.array, place.nth)
        else:
            self.cuts.replace(place.part, b"[]")

    def _cut_value(self, change: _Change, value: Part) -> None:
        for part in (value, value.get("standby")):
            contacts = None if part is None else part.get("contacts")
            if contacts is not None:
                self._cut_contacts(change, contacts)
        for name, part in value.members or []:
            if name not in ("metadata", "contacts") and (name != "recipient" or part.members is None):
                self._walk(part, change)

    def _cut_contacts(self, change: _Change, contacts: Part) -> None:
        """Contacts that are theirs, and those without identifier beside something of theirs, whose they may be."""
        for index, contact in enumerate(contacts.elements or []):
            words = list(contact.words())
            untils = [until for word in words if (until := self.gone.names_person(change.scope, word)) is not None]
            is_theirs = bool(untils) and not self.gone.is_somebody_else(change.scope, words)
            is_old = any(self.received_at <= until.before for until in untils)
            is_unnamed = not any(contact.get(key) for key in _NAMING)
            if not change.keeps_theirs and (
                (is_theirs and (is_old or change.touched)) or (is_unnamed and change.touched)
            ):
                self.cuts.remove(contacts, index)
                change.touched = True

    def _walk(self, part: Part, change: _Change) -> None:
        """What is left in a part: entries of lists that name them go, words elsewhere are blanked."""
        if part.members is not None:
            self._blank(part, change)
        for index, element in enumerate(part.elements or []):
            if self.cuts.is_removed(part, index):
                continue
            self._walk(element, change)
            if element.members is not None and element.start not in self.kept and self._is_theirs(element, change):
                self.cuts.remove(part, index)
                change.touched = True
        for child in [child for _, child in part.members or []]:
            self._walk(child, change)

    def _is_theirs(self, element: Part, change: _Change) -> bool:
        """Whether an entry of a list names them: somebody in a group, a thread of the history, a card."""
        words = list(element.words())
        for key in ("context", "contact"):
            inner = element.get(key)
            words += inner.words() if inner is not None else []
        phones = element.get("phones")
        words += [word for each in (phones.elements if phones and phones.elements else []) for word in each.words()]
        return self._names(words, change.scope, even_now=self._is_shell(element))

    def _is_shell(self, element: Part) -> bool:
        """Whether lists in it were emptied."""
        lists = [child for child in element.children() if child.elements]
        return any(self.cuts.is_removed(each, 0) for each in lists) and all(map(self._is_cleared, lists))

    def _is_cleared(self, array: Part) -> bool:
        return all(self.cuts.is_removed(array, index) for index in range(len(array.elements or [])))

    def _blank(self, part: Part, change: _Change) -> None:
        """Blanks the words right inside an object that name them, or a message of theirs."""
        words = list(part.words())
        is_somebody_else = self.gone.is_somebody_else(change.scope, words)
        for key, child in part.members or []:
            if child.word is None or not self._names([child.word], change.scope):
                continue
            if is_somebody_else and not self.gone.names_message(child.word):
                continue
            self.cuts.replace(child)
            change.touched = True
            if key in _NAMING:
                for called in filter(None, map(part.get, _CALLED)):
                    self.cuts.replace(called, b'""' if called.word is not None else b"{}")

    def _names(self, words: Iterable[str], scope: str, *, even_now: bool = False) -> bool:
        """Whether one of ``words`` names an erased message, or somebody erased as he was until then."""
        listed = list(words)
        if any(map(self.gone.names_message, listed)):
            return True
        if self.gone.is_somebody_else(scope, listed):
            return False
        untils = [until for word in listed if (until := self.gone.names_person(scope, word)) is not None]
        return any(even_now or self.received_at <= until.before for until in untils)

    def _names_anything(self, part: Part, scope: str) -> bool:
        if part.word is not None:
            scopes = [scope] if scope else [each[0] for each in self.gone.people]
            return any(self._names([part.word], each) for each in scopes or [""])
        return any(self._names_anything(child, scope) for child in part.children())

    def _is_hollow(self, value: Part) -> bool:
        """Whether no item and no contact is left in a value out of which something was cut."""
        standby = value.get("standby")
        members = [*(value.members or []), *((standby.members or []) if standby is not None else [])]
        lists = [part for name, part in members if part.elements and name not in _BESIDE]
        return bool(lists) and all(map(self._is_cleared, lists))

    def _emptied(self, change: _Change) -> bytes:
        number = _number_part(change.value)
        metadata = b'"metadata":' + self.body[number.start : number.end] if number is not None else b""
        return b'{"field":"%b","value":{%b}}' % (ERASED_FIELD.encode(), metadata)


def _changes(root: Part, gone: Gone) -> Iterator[tuple[str, _Change]]:
    entries = root.get("entry")
    for e, entry in enumerate(entries.elements or [] if entries is not None else []):
        changes, waba = entry.get("changes"), entry.get("id")
        for c, change in enumerate(changes.elements or [] if changes is not None else []):
            value = change.get("value")
            number = _number_part(value)
            named = number.get("phone_number_id") if number is not None else None
            scope = gone.scopes.get((named.word or "") if named is not None else "")
            found = _Change(change, value, scope or (waba.word or "" if waba is not None else ""))
            yield f"entry/{e}/changes/{c}", found


def _number_part(value: Part | None) -> Part | None:
    """The object that names our number."""
    for key in ("metadata", "recipient"):
        part = None if value is None else value.get(key)
        if part is not None and part.members is not None and part.get("phone_number_id") is not None:
            return part
    return None


def _step(place: _Place, name: str, under: str = "") -> _Place | None:
    part = place.part
    if part.elements is not None:
        if not name.isdigit():
            return None
        # Only the objects among the threads are counted where they are read.
        elements = [(i, each) for i, each in enumerate(part.elements) if under != "threads" or each.members is not None]
        if int(name) >= len(elements):
            return None
        index, element = elements[int(name)]
        return _Place(element, part, index)
    if name.isdigit() and part.get(name) is None:
        return _Place(part, None, 0) if name == "0" else None
    found = part.get(name)
    return None if found is None else _Place(found, None, 0)
