"""How well and how fast pictures are read, by each reader: ``WAMCP_CORPUS=... python -m bench.ocr --limit 10``."""

import argparse
import csv
import io
import json
import os
import re
import resource
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pypdfium2
from PIL import Image

from bench.measure import percentile, print_table
from wamcp.documents.ocr.pick import read_picture
from wamcp.documents.ocr.prepare import CannotRead, open_picture
from wamcp.documents.shapes import Page

ENGINES = ("rapidocr", "tesseract", "auto")
LANGUAGES = "eng+por+spa"
ADDRESS_SPACE = 2 << 30
"""What the child that reads pictures may have."""


def main() -> None:
    """Reads the corpus with each engine in a process of its own, prints one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, default=40, help="so many receipts, evenly taken")
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--turns", type=int, default=4, help="so many receipts are read at 90, 180 and 270 degrees too")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    corpus = Path(os.environ["WAMCP_CORPUS"]) / "documents"
    if arguments.worker:
        _work(corpus, arguments.worker, arguments.limit, arguments.turns)
        return
    rows = []
    for engine in arguments.engines.split(","):
        command = [sys.executable, "-m", "bench.ocr", "--worker", engine]
        command += ["--limit", str(arguments.limit), "--turns", str(arguments.turns)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        rows.append(_row(engine, json.loads(done.stdout)))
    print_table(
        ["engine", "word recall", "columns", "CPU s median", "p95", "snippets", "turned", "RSS MB", "weakest"], rows
    )


def _row(engine: str, seen: dict[str, Any]) -> list[object]:
    recalls = sorted((recall, name) for name, recall, _, _ in seen["receipts"])
    seconds = [second for _, _, second, _ in seen["receipts"]]
    found = [ok for _, ok in seen["snippets"]]
    right = [ok for _, ok in seen["turned"]]
    lost = [name for name, ok in seen["snippets"] + seen["turned"] if not ok]
    return [
        engine,
        f"{sum(recall for recall, _ in recalls) / len(recalls):.3f}",
        sum(wide for _, _, _, wide in seen["receipts"]),
        f"{percentile(seconds, 0.5):.2f}",
        f"{percentile(seconds, 0.95):.2f}",
        f"{sum(found)}/{len(found)}",
        f"{sum(right)}/{len(right)}",
        seen["rss"],
        " ".join(f"{name[7:10]}:{recall:.2f}" for recall, name in recalls[:4]) + f" lost: {', '.join(lost)}",
    ]


def _work(corpus: Path, engine: str, limit: int, turns: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    with (corpus / "INDEX.tsv").open() as file:
        index = list(csv.DictReader(file, delimiter="\t"))
    receipts = [row["file"] for row in index if row["kind"] == "receipt-img"]
    receipts = receipts[:: max(1, len(receipts) // limit)][:limit]
    seen: dict[str, Any] = {"receipts": [], "snippets": [], "turned": []}
    read_picture(Image.new("L", (400, 200), 255), LANGUAGES, engine)
    for name in receipts:
        picture = (corpus / name).read_bytes()
        began = _cpu()
        page = _read(picture, engine)
        second = _cpu() - began
        truth = (corpus / "truth" / f"{name}.txt").read_text()
        wide = sum("  " in line.text for line in page.lines)
        seen["receipts"].append((name, recall(truth, page.text), second, wide))
        print(
            f"{engine} {name} {recall(truth, page.text):.2f} {second:.1f} s {page.rotation} {page.confidence}",
            file=sys.stderr,
        )
    for name, ok in _snippets(corpus, index, engine):
        seen["snippets"].append((name, ok))
    for name in receipts[:: max(1, len(receipts) // turns)][:turns] if turns else []:
        seen["turned"] += _turned(corpus, name, engine)
    seen["rss"] = max(map(_peak, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))
    json.dump(seen, sys.stdout)


def _read(picture: bytes, engine: str) -> Page:
    """What is read, nothing when it takes too long on a busy machine."""
    try:
        return read_picture(open_picture(io.BytesIO(picture)), LANGUAGES, engine)
    except CannotRead as refused:
        return Page(number=1, text="", engine=refused.word)


def _snippets(corpus: Path, index: list[dict[str, str]], engine: str) -> list[tuple[str, bool]]:
    found = []
    for row in index:
        path = corpus / row["file"]
        if row["kind"] not in ("text-img", "scan-pdf") or not row["snippets"]:
            continue
        if path.suffix == ".pdf":
            document = pypdfium2.PdfDocument(path)
            pictures = [page.render(scale=200 / 72).to_pil() for page in document]
            text = " ".join(read_picture(picture, LANGUAGES, engine, scan=True).text for picture in pictures)
        else:
            text = read_picture(open_picture(io.BytesIO(path.read_bytes())), LANGUAGES, engine).text
        for snippet in row["snippets"].split("||"):
            found.append((f"{path.name}: {snippet}", _squeezed(snippet) in _squeezed(text)))
    return found


def _turned(corpus: Path, name: str, engine: str) -> list[tuple[str, bool]]:
    """Whether three quarters of what is read in the upright picture are read in the turned ones, and the turn known."""
    picture = open_picture(io.BytesIO((corpus / name).read_bytes()))
    upright = read_picture(picture, LANGUAGES, engine).text
    found = []
    for degrees in (90, 180, 270):
        try:
            page = read_picture(picture.rotate(degrees, expand=True), LANGUAGES, engine)
        except CannotRead as refused:
            found.append((f"{name} {degrees} {refused.word}", False))
            continue
        part = recall(upright, page.text)
        print(f"{engine} {name} turned {degrees}: found {page.rotation}, {part:.2f}", file=sys.stderr)
        found.append((f"{name} {degrees}", part >= 0.75 and page.rotation == degrees))
    return found


def _peak(who: int) -> int:
    return resource.getrusage(who).ru_maxrss // 1024


def _cpu() -> float:
    """CPU seconds of this process and of its ended children; what others do on the machine does not count."""
    return sum(os.times()[:4])


def recall(truth: str, text: str) -> float:
    """The share of the words of ``truth``, as often as they stand there, that ``text`` has."""
    words, there = _words(truth), _words(text)
    hits = 0
    for word in words:
        if word in there:
            there.remove(word)
            hits += 1
    return hits / max(1, len(words))


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", text).casefold())


def _squeezed(text: str) -> str:
    return "".join(_words(text))


if __name__ == "__main__":
    main()
