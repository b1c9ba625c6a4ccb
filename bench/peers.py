"""Our documents beside what others make of the same ones: ``python -m bench.peers FOLDER`` (INDEX.tsv as in invoices).

Every document goes the whole way, child processes included. Right means that number, date and total are, as far as the
document has them. What others reached was measured once on the same documents and is only repeated here.
"""

import argparse
import csv
import io
from collections import Counter
from pathlib import Path

from bench.documents import children_cpu
from bench.invoices import NAMES, score
from bench.measure import percentile, print_table
from wamcp.documents.extract import extract
from wamcp.documents.limits import Limits

PDF, RECEIPT = "PDF invoice", "receipt photo"
OTHERS = (
    (PDF, "invoice2data 1.0.1, its 215 templates", "6 of 28"),
    (PDF, "lionel509/WAMCP, regular expressions", "1 of 29"),
    (RECEIPT, "tesseract as it comes, lionel509/WAMCP's expressions", "1 of 20"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--engines", default="rapidocr,tesseract", help="what reads the receipts; empty: nothing")
    arguments = parser.parse_args()
    with (arguments.folder / "INDEX.tsv").open(newline="") as index:
        rows = list(csv.DictReader(io.StringIO(index.read()), delimiter="\t"))
    pdfs = [row for row in rows if row["kind"].startswith("invoice-pdf")]
    receipts = [row for row in rows if row["kind"] == "receipt-img"]
    table = [(PDF, "wamcp", *measured(pdfs, arguments.folder, "none"))]
    for engine in filter(None, arguments.engines.split(",")):
        table.append((RECEIPT, f"wamcp, {engine}", *measured(receipts, arguments.folder, engine)))
    table += [(kind, who, right, *["-"] * 4) for kind, who, right in OTHERS]
    heads = ["kind", "who", "all right", *(f"{name} right/wrong/null" for name in NAMES), "CPU s median"]
    print_table(heads, sorted(table, key=lambda line: line[0]))


def measured(rows: list[dict[str, str]], folder: Path, engine: str) -> tuple[str, ...]:
    """How many are all right, each field's counts, and the median of the CPU seconds of the children."""
    counts: Counter[str] = Counter()
    seconds = []
    for row in rows:
        before = children_cpu()
        score(row, extract(folder / row["file"], Limits(engine=engine)).fields, counts)
        seconds.append(children_cpu() - before)
    cells = ["/".join(str(counts[f"{name} {state}"]) for state in ("right", "wrong", "null")) for name in NAMES]
    return (f"{counts['all right']} of {counts['files']}", *cells, f"{percentile(seconds, 0.5):.2f}")


if __name__ == "__main__":
    main()
