"""What the doctor says of the readers of pictures, by what is installed."""

import pytest

from wamcp.doctor.finding import Status
from wamcp.doctor.readers import judge
from wamcp.settings import load

ALL = ("eng", "por", "spa", "osd")


@pytest.mark.parametrize(
    ("environ", "packs", "rapidocr", "status", "words"),
    [
        ({}, ALL, "3.10.0", Status.OK, "tesseract with 4 packs and RapidOCR 3.10.0"),
        ({}, ALL, None, Status.OK, "without RapidOCR"),
        ({}, ("eng", "osd"), "3.10.0", Status.WARNING, "none for por, spa"),
        ({"OCR_LANGUAGES": "eng+chi_sim"}, ALL, None, Status.WARNING, "apt install tesseract-ocr-chi-sim,"),
        ({}, (), "3.10.0", Status.WARNING, "without tesseract"),
        ({}, (), None, Status.WARNING, "nothing here reads pictures"),
        ({"OCR_ENGINE": "rapidocr"}, ALL, None, Status.WARNING, "nothing here reads pictures"),
        ({"OCR_ENGINE": "rapidocr"}, (), "3.10.0", Status.OK, "RapidOCR 3.10.0"),
        ({"OCR_ENGINE": "tesseract"}, ALL, "3.10.0", Status.OK, "tesseract with 4 packs, eng+por+spa"),
        ({"OCR_ENGINE": "none"}, (), None, Status.OK, "pictures are not"),
        ({"WAMCP_EXTRACTORS": "0"}, ALL, None, Status.WARNING, "documents are not read"),
    ],
)
def test_what_is_missing_is_named(
    environ: dict[str, str], packs: tuple[str, ...], rapidocr: str | None, status: Status, words: str
) -> None:
    said = judge(load(environ), packs, rapidocr)
    assert said.status is status and words in f"{said.said} {said.fix}"
    assert (said.fix is None) == (status is Status.OK)
