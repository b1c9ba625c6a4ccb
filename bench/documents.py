"""How much of a directory of real documents is read, and how quickly: ``python -m bench.documents DIRECTORY``.

The directory has an ``INDEX.tsv`` with the columns file, kind, snippets (parted by ``||``) and truth_text. Words are
compared with the truth where there is one; for PDFs with text also with what PDFium says, which is a second opinion and
no truth.
"""

import argparse
import csv
import re
import resource
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

from bench.measure import percentile, print_table
from wamcp.documents.clean import clean
from wamcp.documents.extract import extract
from wamcp.documents.limits import Limits
from wamcp.documents.shapes import Extraction


class Result(NamedTuple):
    """One document; shares are from 0 to 1 or None where there is nothing to compare with."""

    found: Extraction
    seconds: float
    cpu: float
    snippets: float | None
    recall: float | None
    agreement: float | None


def children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def words(text: str) -> "Counter[str]":
    return Counter(re.findall(r"\w{2,}", clean(text).lower()))


def recall(found: str, wanted: str) -> float | None:
    """The share of the words of ``wanted``, each as often as it is there, that ``found`` has."""
    have, want = words(found), words(wanted)
    return (have & want).total() / want.total() if want else None


def by_pdfium(path: Path) -> str:
    import pypdfium2

    document = pypdfium2.PdfDocument(path)
    return "\n".join(page.get_textpage().get_text_bounded() for page in document)


def measured(directory: Path, row: dict[str, str], limits: Limits) -> Result:
    path = directory / row["file"]
    begin, cpu = time.perf_counter(), children_cpu()
    found = extract(path, limits)
    seconds, cpu = time.perf_counter() - begin, children_cpu() - cpu
    text = "\n".join(page.text for page in found.pages)
    flat = " ".join(text.split()).lower()
    snippets = [snippet for snippet in row["snippets"].split("||") if snippet]
    shares = sum(snippet.lower() in flat for snippet in snippets) / len(snippets) if snippets else None
    truth = (directory / row["truth_text"]).read_text() if row["truth_text"] else None
    has_text = row["kind"] in ("text-pdf", "invoice-pdf", "invoice-pdf+xml")
    second = recall(text, by_pdfium(path)) if has_text and found.state == "done" else None
    return Result(found, seconds, cpu, shares, recall(text, truth) if truth else None, second)


def mean(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{sum(known) / len(known):.3f}" if known else "-"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("directory", type=Path)
    options.add_argument("--kinds", default="", help="only these, comma separated")
    options.add_argument("--engine", default="auto", help="what reads pictures")
    options.add_argument("--files", action="store_true", help="a line for each file as well")
    chosen = options.parse_args()
    limits = Limits(engine=chosen.engine)
    with (chosen.directory / "INDEX.tsv").open(newline="") as index:
        rows = [row for row in csv.DictReader(index, delimiter="\t") if not chosen.kinds or row["kind"] in chosen.kinds]
    kinds: dict[str, list[Result]] = defaultdict(list)
    for row in rows:
        result = measured(chosen.directory, row, limits)
        kinds[row["kind"]].append(result)
        if chosen.files:
            told = result.found
            shares = f"{mean([result.snippets])} {mean([result.recall])} {mean([result.agreement])}"
            print(f"{row['file'][:60]:60} {told.state:10} {told.error} {told.language} {result.seconds:.2f} s {shares}")
    heads = (
        "kind",
        "files",
        "states",
        "snippets",
        "word recall",
        "as PDFium",
        "median ms",
        "p95 ms",
        "CPU ms",
        "total s",
    )
    print_table(heads, [line(kind, results) for kind, results in sorted(kinds.items())])
    print(f"largest child: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024} MB")


def line(kind: str, results: list[Result]) -> tuple[object, ...]:
    times = [result.seconds for result in results]
    states = Counter(str(result.found.state) for result in results)
    return (
        kind,
        len(results),
        ", ".join(f"{count} {state}" for state, count in states.most_common()),
        mean([result.snippets for result in results]),
        mean([result.recall for result in results]),
        mean([result.agreement for result in results]),
        round(percentile(times, 0.5) * 1000),
        round(percentile(times, 0.95) * 1000),
        round(percentile([result.cpu for result in results], 0.5) * 1000),
        f"{sum(times):.1f}",
    )


if __name__ == "__main__":
    main()
