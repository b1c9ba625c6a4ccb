"""What the fault tests measured: a Markdown table at the end, and a red run when a row of the matrix was not held."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

ROWS = {
    1: "the api is killed within a request",
    2: "a worker, or a child of its, is killed within its work",
    3: "Postgres is killed, restarted, frozen for 30 s, fails over",
    4: "the broker is flushed, killed, wiped, frozen, not there at the start",
    5: "the object store is down, hangs, answers 500, cuts short",
    6: "the disk is full",
    7: "the disk reports an I/O error on fsync",
    8: "Meta answers 429, 500, garbage, drop by drop, never, or resets",
    9: "the clocks of processes and database differ by days",
    10: "webhooks that are poison: unknown, broken, deep, deadly",
    11: "a webhook of 3 MB with 1,000 changes",
    12: "clients that send a byte a second",
    13: "a flood of wrong signatures",
    14: "duplicates, any order, the same event in other batches",
    15: "the network is cut, silent, slow",
    16: "memory runs out while a document is read",
    17: "the schema changes while webhooks come",
    18: "everything is lost and comes back from a backup",
}
"""The rows of the matrix; ``docs/reliability.md`` says what WAMCP does in each."""

HEAD = "| row | fault | test | outcome | figure |\n|---|---|---|---|---|"


@dataclass
class Told:
    """What was said of one test; of its cases together when it has parameters."""

    outcomes: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    figures: list[str] = field(default_factory=list)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Writes the rows of a test where its report has them, also when it comes from another process."""
    for item in items:
        item.user_properties += [("fault", mark.args[0]) for mark in item.iter_markers("fault")]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the table, when fault tests ran."""
    told = _told(terminalreporter)
    if not told:
        return
    terminalreporter.section("faults", sep="=")
    terminalreporter.write_line(HEAD)
    for (row, test), one in sorted(told.items()):
        terminalreporter.write_line(_line(row, test, one))
    missing = _missing(terminalreporter) if _is_whole(terminalreporter.config) else []
    if missing:
        terminalreporter.section(f"{len(missing)} ROWS WERE NOT HELD", sep="!", red=True, bold=True)
        for row in missing:
            terminalreporter.write_line(f"row {row}: {ROWS[row]}")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Makes the run red when the whole matrix was asked for and a row was not held."""
    config = session.config
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(config, "workerinput") or config.option.collectonly:
        return
    if _is_whole(config) and _missing(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _is_whole(config: pytest.Config) -> bool:
    """Whether all fault tests were asked for, and only these."""
    chosen = config.option.keyword or config.args_source is pytest.Config.ArgsSource.ARGS
    return config.option.markexpr == "fault" and not chosen


def _told(reporter: pytest.TerminalReporter) -> dict[tuple[int, str], Told]:
    told: dict[tuple[int, str], Told] = defaultdict(Told)
    for outcome, report in _reports(reporter):
        for name, row in report.user_properties:
            if name == "fault":
                one = told[int(row), report.nodeid.partition("[")[0]]
                one.outcomes[outcome] += 1
                one.figures += [str(value) for key, value in report.user_properties if key == "figure"]
    return told


def _reports(reporter: pytest.TerminalReporter) -> Iterator[tuple[str, pytest.TestReport]]:
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in reporter.stats.get(outcome, []):
            if isinstance(report, pytest.TestReport):
                yield outcome, report


def _line(row: int, test: str, told: Told) -> str:
    outcome = ", ".join(name if count == 1 else f"{count} {name}" for name, count in told.outcomes.items())
    return f"| {row} | {ROWS[row]} | `{test}` | {outcome} | {'; '.join(told.figures) or '-'} |"


def _missing(reporter: pytest.TerminalReporter) -> list[int]:
    """The rows that no test held, or that one did not hold."""
    held, broken = set(), set()
    for (row, _), one in _told(reporter).items():
        if one.outcomes.keys() & {"failed", "error"}:
            broken.add(row)
        elif "passed" in one.outcomes:
            held.add(row)
    return [row for row in ROWS if row in broken or row not in held]
