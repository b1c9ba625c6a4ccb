"""Against a directory of real documents ($WAMCP_CORPUS/documents): how many fields are right, and how few are wrong."""

import csv
import os
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from bench.invoices import NAMES, readings, score

pytestmark = pytest.mark.skipif(not os.environ.get("WAMCP_CORPUS"), reason="WAMCP_CORPUS names no real documents")
ROOT = Path(os.environ.get("WAMCP_CORPUS", "/nowhere"), "documents")
DISAGREES = "zf__acme_invoice-42_ZUGFeRD.pdf"


@pytest.fixture(scope="module")
def counts() -> dict[str, Counter[str]]:
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    with (ROOT / "INDEX.tsv").open() as file:
        for row in csv.DictReader(file, delimiter="\t"):
            for kind, read in readings(row, ROOT, None):
                if (kind, row["file"]) != ("PDF with data", DISAGREES):
                    score(row, read(), found[kind])
                else:
                    found["disagrees"]["conflict"] += bool(read().get("conflict"))
    return found


@pytest.mark.parametrize("kind", ["PDF, its lines", "receipt, written out by people"])
def test_fields_read_from_lines(counts: dict[str, Counter[str]], kind: str) -> None:
    for name in NAMES:
        right, wrong, null = (counts[kind][f"{name} {state}"] for state in ("right", "wrong", "null"))
        assert right >= 0.9 * (right + wrong + null), name
        assert wrong <= 0.05 * (right + wrong + null), name
    assert counts[kind]["all right"] >= 0.8 * counts[kind]["files"]


def test_data_is_read_without_a_fault_and_conflicts_are_told(counts: dict[str, Counter[str]]) -> None:
    assert counts["PDF with data"]["all right"] == counts["PDF with data"]["files"] > 10
    assert counts["PDF with data"]["conflict"] == 0
    assert counts["disagrees"]["conflict"] == 1
