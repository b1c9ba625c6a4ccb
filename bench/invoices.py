"""How many invoice fields are right, wrong or left out on real documents, by kind: python -m bench.invoices FOLDER.

FOLDER has INDEX.tsv with the expected values (columns file, kind, sha256, invoice_number, invoice_date, invoice_total),
the files, and under ``truth/`` the transcripts of photographed receipts. The rules were written on the documents whose
hash begins with an even digit; the others were held back until the rules stood, and faults they showed mended after
that. Where data and page disagree the expected value is the page's: ``conflict`` counts where that was said.
"""

import argparse
import csv
import io
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pypdf
import pypdfium2

from bench.measure import print_table
from wamcp.documents.invoice import read_fields
from wamcp.documents.layout import LAYOUT_PAGES, lines_of
from wamcp.documents.shapes import Page, TextSource

NAMES = {"invoice_number": "invoice_number", "invoice_date": "invoice_date", "total": "invoice_total"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--show", choices=["written on", "held back", "all"], help="name what is not right")
    parser.add_argument("--texts", type=Path, help="a folder with NAME.txt: receipts as a machine read them")
    arguments = parser.parse_args()
    scores: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in csv.DictReader(io.StringIO((arguments.folder / "INDEX.tsv").read_text()), delimiter="\t"):
        for kind, read in readings(row, arguments.folder, arguments.texts):
            half = "written on" if row["sha256"][0] in "02468ace" else "held back"
            began = time.perf_counter()
            fields = read()
            scores[kind, half]["ms"] += round((time.perf_counter() - began) * 1000)
            told = score(row, fields, scores[kind, half])
            if told and arguments.show in (half, "all"):
                print(f"{kind}: {row['file']}: {told}")
    heads = [
        "kind",
        "half",
        "files",
        *(f"{name} right/wrong/null" for name in NAMES),
        "all right",
        "conflict",
        "ms each",
    ]
    print_table(heads, [_row(*key, counts) for key, counts in sorted(scores.items())])


def score(row: dict[str, str], fields: dict[str, Any], counts: Counter[str]) -> str:
    """Counts right, wrong and null for every field that has a true value; says what was not right."""
    told, fine = [], True
    for name, column in NAMES.items():
        if not (true := row[column]):
            continue
        got = fields.get(name)
        state = "null" if not got else "right" if same(name, got, true) else "wrong"
        counts[f"{name} {state}"] += 1
        fine &= state == "right"
        if state != "right":
            told.append(f"{name} is {true}, not {got}")
    counts["files"] += 1
    counts["conflict"] += bool(fields.get("conflict"))
    counts["all right"] += fine
    return "; ".join(told)


def same(name: str, got: str, true: str) -> bool:
    """Amounts by value, numbers without blanks and without a leading #."""
    if name == "total":
        return Decimal(got) == Decimal(true)
    return got.replace(" ", "").lstrip("#").lower() == true.replace(" ", "").lstrip("#").lower()


def _row(kind: str, half: str, counts: Counter[str]) -> list[object]:
    cells = ["/".join(str(counts[f"{name} {state}"]) for state in ("right", "wrong", "null")) for name in NAMES]
    files = counts["files"]
    share = f"{counts['all right']} ({counts['all right'] / files:.0%})"
    return [kind, half, files, *cells, share, counts["conflict"], counts["ms"] // files]


def readings(row: dict[str, str], folder: Path, texts: Path | None) -> list[tuple[str, Callable[[], dict[str, Any]]]]:
    """The ways to read the fields of a document of the table, each with its name."""
    path = folder / row["file"]
    if row["kind"].startswith("invoice-pdf"):
        found = [("PDF, its lines", lambda: read_fields(_pages(path), []))]
        if row["kind"].endswith("xml"):
            found.append(("PDF with data", lambda: read_fields(_pages(path), _attachments(path))))
        return found
    if row["kind"] != "receipt-img":
        return []
    sources = {"receipt, written out by people": folder / row["truth_text"]}
    if texts:
        sources["receipt, read by a machine"] = texts / f"{row['file']}.txt"
    return [
        (kind, lambda source=source: read_fields([Page(1, source.read_text(), TextSource.OCR)], []))
        for kind, source in sources.items()
        if source.is_file()
    ]


def _pages(path: Path) -> list[Page]:
    document = pypdfium2.PdfDocument(path)
    count = min(len(document), LAYOUT_PAGES)
    return [Page(number + 1, "", lines=lines_of(document[number])) for number in range(count)]


def _attachments(path: Path) -> list[bytes]:
    found = pypdf.PdfReader(path).attachments
    return [data for name, files in found.items() if name.lower().endswith(".xml") for data in files]


if __name__ == "__main__":
    main()
