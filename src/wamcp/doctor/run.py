"""The examination: which checks there are, what each needs, and all of them side by side within bounded time."""

import threading
import time
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from wamcp.doctor import account, here, meta, number, outside, readers, services
from wamcp.doctor.case import Case
from wamcp.doctor.finding import Finding, Said, Status, clean, failed, secrets_of, skipped
from wamcp.doctor.place import Place
from wamcp.errors import Rejected
from wamcp.whatsapp.graph import Graph

TOTAL_S = 22.0


class Check(NamedTuple):
    """One check. It is skipped unless all of ``needs`` went well; of ``waits`` it only wants the end."""

    name: str
    look: Callable[[Case], Said]
    needs: tuple[str, ...] = ()
    waits: tuple[str, ...] = ()


CHECKS = (
    Check("settings", here.settings),
    Check("echo", here.echo),
    Check("graph", meta.graph),
    Check("clock", meta.clock, ("graph",)),
    Check("token", meta.token, ("graph",)),
    Check("scopes", meta.scopes, ("token",)),
    Check("app_secret", meta.app_secret, ("token",)),
    Check("waba", account.waba, ("scopes",)),
    Check("number", number.number, ("scopes",)),
    Check("number_of_waba", number.number_of_waba, ("number", "waba")),
    Check("registered", number.registered, ("number",)),
    Check("number_status", number.number_status, ("number",)),
    Check("quality", number.quality, ("number",)),
    Check("display_name", number.display_name, ("number",)),
    Check("throughput", number.throughput, ("number",)),
    Check("subscribed", account.subscribed, ("waba",)),
    Check("webhook", account.webhook, ("app_secret",), ("number", "subscribed")),
    Check("fields", account.fields, ("app_secret",), ("webhook",)),
    Check("override", account.override, ("number",), ("subscribed",)),
    Check("callback", outside.callback),
    Check("verify", outside.verify, ("callback",)),
    Check("api", here.api),
    Check("signature", here.signature, ("api",)),
    Check("database", services.database),
    Check("schema", services.schema, ("database",)),
    Check("reader", services.reader, ("schema",)),
    Check("pending", services.pending, ("reader",)),
    Check("broker", services.broker),
    Check("celery", services.celery, ("broker",)),
    Check("objects", here.objects),
    Check("disk", here.disk),
    Check("voice_notes", readers.voice_notes),
    Check("readers", readers.readers),
)
NAMES = tuple(check.name for check in CHECKS)


def examine(place: Place, only: Collection[str] = ()) -> list[Finding]:
    """Runs the checks, within 30 seconds whatever happens, and returns their findings in the order of :data:`CHECKS`.

    With ``only`` those, and of what they need what went wrong. Raises ``Rejected`` for a name that is no check's.
    """
    if unknown := [name for name in only if name not in NAMES]:
        raise Rejected(f"There is no check {unknown[0][:40]!r}; there are {', '.join(NAMES)}.")
    token = place.settings.access_token
    graph = None
    if token is not None:
        graph = Graph(place.settings.base_url, place.settings.api_version, token.get_secret_value())
    chosen = _with_needs(only or NAMES)
    try:
        found = _Examination(Case(place, graph), chosen).run()
    finally:
        if graph is not None:
            graph.close()
    return [each for each in found if not only or each.name in only or each.status is Status.FAILED]


def has_failed(findings: Iterable[Finding]) -> bool:
    """Whether anything is really wrong."""
    return any(finding.status is Status.FAILED for finding in findings)


class _Examination:
    """A thread for each check; daemons, so that one that hangs holds up nobody."""

    def __init__(self, case: Case, checks: list[Check]) -> None:
        self._case = case
        self._checks = checks
        self._secrets = secrets_of(case.settings)
        self._ended = {check.name: threading.Event() for check in checks}
        self._findings: dict[str, Finding] = {}
        self._roots: dict[str, str] = {}  # of what did not end well: the check that began it

    def run(self) -> list[Finding]:
        end = time.monotonic() + TOTAL_S
        for check in self._checks:
            threading.Thread(target=self._work, args=(check,), name=f"check {check.name}", daemon=True).start()
        for event in self._ended.values():
            event.wait(max(0.0, end - time.monotonic()))
        late = failed(f"no end within {TOTAL_S:.0f} s", "run it again; if it stays so, look at what this check asks")
        return [self._findings.get(check.name) or Finding(check.name, *late) for check in self._checks]

    def _work(self, check: Check) -> None:
        try:
            said = self._said(check)
        except Exception as failure:  # noqa: BLE001 - a check that breaks must not hide the others
            said = failed(
                f"the check itself broke ({type(failure).__name__})", "run it again, and report it if it stays"
            )
        if said.status in (Status.FAILED, Status.SKIPPED):
            self._roots.setdefault(check.name, check.name)
        self._findings[check.name] = clean(Finding(check.name, *said), self._secrets)
        self._ended[check.name].set()

    def _said(self, check: Check) -> Said:
        for name in (*check.needs, *check.waits):
            if name in self._ended:
                self._ended[name].wait()
        for name in check.needs:
            if (root := self._roots.get(name)) is not None:
                self._roots[check.name] = root
                verb = "failed" if self._findings[root].status is Status.FAILED else "was skipped"
                return skipped(f"needs the check `{root}`, which {verb}")
        return check.look(self._case)


def _with_needs(names: Collection[str]) -> list[Check]:
    wanted = set(names)
    for check in reversed(CHECKS):
        if check.name in wanted:
            wanted |= {*check.needs, *check.waits}
    return [check for check in CHECKS if check.name in wanted]
