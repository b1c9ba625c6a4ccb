"""Documents made to hang, bloat or crash whoever reads them, and harmless ones beside them; all of them made here."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable

CONTENT_TYPES = '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
MIB = 1 << 20


def pdf(*objects: bytes, trailer: bytes = b"/Root 1 0 R", header: bytes = b"%PDF-1.7\n") -> bytes:
    """A PDF of ``objects``, numbered from 1, with a right cross-reference table."""
    out, places = bytearray(header), []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    return bytes(out + b"trailer\n<</Size %d %s>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, trailer, start))


def stream(content: bytes, extra: bytes = b"") -> bytes:
    """A stream object; ``content`` is as its filters want it."""
    return b"<</Length %d %s>>\nstream\n%s\nendstream" % (len(content), extra, content)


def one_page(content: bytes, extra: bytes = b"", box: bytes = b"0 0 612 792", resources: bytes = b"") -> bytes:
    """A PDF with one page, which shows the stream ``content``."""
    font = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[%s]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>%s>>>>"
    return pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        page % (box, resources),
        stream(content, extra),
        font,
    )


def shows(text: str, size: int = 12) -> bytes:
    """The content of a page that shows ``text``."""
    return b"BT /F1 %d Tf 72 700 Td (%s) Tj ET" % (size, text.encode("latin-1"))


def good_pdf(text: str = "The quick brown fox jumps over the lazy dog of 2026") -> bytes:
    return one_page(shows(text))


def pages(count: int, text: str = "Page with some words on it, number") -> bytes:
    """A PDF with ``count`` pages of one line."""
    kids = b" ".join(b"%d 0 R" % (4 + 2 * at) for at in range(count))
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, count)]
    objects.append(b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>")
    for at in range(count):
        page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents %d 0 R/Resources<</Font<</F1 3 0 R>>>>>>"
        objects += [page % (5 + 2 * at), stream(shows(f"{text} {at + 1}"))]
    return pdf(*objects)


def packed(size: int, begin: bytes = b"", filler: bytes = b" ") -> bytes:
    """``size`` bytes of ``filler`` behind ``begin``, deflated: one piece, packed by itself, again and again."""
    piece = filler * (MIB // len(filler))
    packer = zlib.compressobj(9, wbits=-15)
    first = packer.compress(begin) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
    last = packer.flush()
    check = zlib.adler32(begin)
    for _ in range(size // MIB):
        check = zlib.adler32(piece, check)
    return b"\x78\xda" + first + again * (size // MIB) + last + struct.pack(">I", check)


def flate_bomb() -> bytes:
    return one_page(packed(2048 * MIB, shows("bomb")), b"/Filter/FlateDecode")


def double_flate_bomb() -> bytes:
    inner = packed(2048 * MIB, shows("bomb"))
    return one_page(zlib.compress(inner, 9), b"/Filter[/FlateDecode/FlateDecode]")


def form_fan_out() -> bytes:
    """Each of 28 forms calls the next one twice."""
    forms = []
    for level in range(28):
        calls = b"/X Do /X Do" if level < 27 else shows("leaf")
        resources = b"/Resources<</XObject<</X %d 0 R>>>>" % (7 + level) if level < 27 else b""
        forms.append(stream(calls, b"/Type/XObject/Subtype/Form/BBox[0 0 612 792]" + resources))
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</XObject<</X 6 0 R>>>>>>"
    tree = b"<</Type/Pages/Kids[3 0 R]/Count 1>>"
    return pdf(b"<</Type/Catalog/Pages 2 0 R>>", tree, page, stream(b"/X Do"), b"null", *forms)


def self_form() -> bytes:
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</XObject<</X 5 0 R>>>>>>"
    form = stream(b"/X Do", b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X 5 0 R>>>>")
    tree = b"<</Type/Pages/Kids[3 0 R]/Count 1>>"
    return pdf(b"<</Type/Catalog/Pages 2 0 R>>", tree, page, stream(b"/X Do"), form)


def many_operators() -> bytes:
    return one_page(packed(48 * MIB, filler=b"n "), b"/Filter/FlateDecode")


def nested_arrays() -> bytes:
    return one_page(b"[" * 200_000 + b"]" * 200_000 + shows("nested"))


def page_tree_loop() -> bytes:
    return pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[2 0 R 2 0 R]/Count 2>>")


def prev_loop() -> bytes:
    whole = pdf(
        b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[]/Count 0>>", trailer=b"/Root 1 0 R /Prev 0000000"
    )
    start = whole.rpartition(b"startxref\n")[2].split(b"\n")[0]
    return whole.replace(b"/Prev 0000000", b"/Prev " + start.rjust(7))


def huge_media_box() -> bytes:
    return one_page(b"0 0 m 9 9 l S", box=b"0 0 100000000 100000000")


def huge_image_in_pdf() -> bytes:
    image = stream(
        packed(64 * MIB, filler=b"\xff"),
        b"/Type/XObject/Subtype/Image/Width 60000/Height 60000/BitsPerComponent 8/ColorSpace/DeviceGray"
        b"/Filter/FlateDecode",
    )
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</XObject<</X 5 0 R>>>>>>"
    tree = b"<</Type/Pages/Kids[3 0 R]/Count 1>>"
    return pdf(b"<</Type/Catalog/Pages 2 0 R>>", tree, page, stream(b"600 0 0 700 0 0 cm /X Do"), image)


def encrypted(password: str = "a word that nobody guesses", text: str = "secret words") -> bytes:
    import pypdf

    writer = pypdf.PdfWriter()
    writer.append(io.BytesIO(good_pdf(text)))
    writer.encrypt(password, "the owner's", algorithm="AES-256")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def png(width: int, height: int, rows: int | None = None) -> bytes:
    """A white picture in grey; only ``rows`` of it are there."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    line = zlib.compress((b"\0" + b"\xff" * width) * min(rows if rows is not None else height, 100_000))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", line) + chunk(b"IEND", b"")


def office(parts: dict[str, str | bytes]) -> bytes:
    """A zipped office document of ``parts``."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", CONTENT_TYPES)
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def docx(body: str, **more: str | bytes) -> bytes:
    """A Word document with ``body`` (WordprocessingML)."""
    document = f'<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>'
    return office({"word/document.xml": document, **more})


def zip_bomb() -> bytes:
    """Three parts of a hundred megabytes each."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("word/document.xml", "word/header1.xml", "word/footer1.xml"):
            with archive.open(name, "w", force_zip64=True) as part:
                part.write(f'<w:document xmlns:w="{WORD}"><w:body><w:p><w:r><w:t>'.encode())
                for _ in range(100):
                    part.write(b"a" * MIB)
    return out.getvalue()


def lying_zip_bomb() -> bytes:
    """A part that says it is small and is not."""
    big = bytearray(docx("<w:p/>" * 400_000))
    size = struct.pack("<I", len(f'<w:document xmlns:w="{WORD}"><w:body></w:body></w:document>') + 6 * 400_000)
    return bytes(big).replace(size, struct.pack("<I", 1000))


def billion_laughs(kind: Callable[[str], bytes] = str.encode) -> bytes:
    entities = '<!ENTITY a "ha">' + "".join(
        f'<!ENTITY {after} "{f"&{before};" * 10}">' for before, after in zip("abcdefgh", "bcdefghi", strict=True)
    )
    return kind(f'<?xml version="1.0"?><!DOCTYPE x [{entities}]><x>&i;</x>')


def laughing_docx() -> bytes:
    return office({"word/document.xml": billion_laughs()})


def deep_xml() -> bytes:
    return b'<?xml version="1.0"?>' + b"<a>" * 500_000


HOSTILE: dict[str, tuple[Callable[[], bytes], set[str], set[str | None]]] = {
    # name: how it is made, the states it may end in, and the errors
    "flate bomb": (flate_bomb, {"failed"}, {"bomb"}),
    "double flate bomb": (double_flate_bomb, {"failed"}, {"bomb"}),
    "form fan-out": (form_fan_out, {"timeout", "failed", "empty"}, {"timeout", "memory", "bomb", "no_ocr", None}),
    "form in itself": (self_form, {"empty", "failed"}, {"no_ocr", "broken", None}),
    "24 M operators": (many_operators, {"timeout", "failed", "empty"}, {"timeout", "memory", "no_ocr", None}),
    "nested arrays": (nested_arrays, {"done", "empty", "failed"}, {"broken", "no_ocr", None}),
    "10k pages": (lambda: pages(10_000), {"done"}, {None}),
    "encrypted": (encrypted, {"encrypted"}, {"encrypted"}),
    "garbage": (lambda: b"%PDF-1.7\n" + bytes(range(256)) * 400, {"failed"}, {"broken"}),
    "empty": (lambda: b"", {"empty"}, {None}),
    "truncated": (lambda: good_pdf()[:200], {"failed", "done"}, {"broken", None}),
    "page tree loop": (page_tree_loop, {"failed", "empty"}, {"broken", "bomb", None}),
    "prev loop": (prev_loop, {"failed", "empty"}, {"broken", None}),
    "huge media box": (huge_media_box, {"failed", "empty"}, {"no_ocr", "bomb", "broken", None}),
    "60k x 60k image in a PDF": (
        huge_image_in_pdf,
        {"failed", "empty", "timeout"},
        {"no_ocr", "memory", "timeout", None},
    ),
    "60k x 60k image": (lambda: png(60_000, 60_000, 1), {"failed"}, {"bomb"}),
    "a line of 2,000,000 pixels": (lambda: png(1, 2_000_000), {"failed"}, {"bomb"}),
    "docx bomb": (zip_bomb, {"failed"}, {"bomb"}),
    "docx that lies": (lying_zip_bomb, {"failed"}, {"broken", "bomb"}),
    "docx laughs": (laughing_docx, {"failed"}, {"bomb"}),
    "xml laughs": (billion_laughs, {"failed"}, {"bomb"}),
    "deep xml": (deep_xml, {"failed"}, {"bomb"}),
    "half a png": (lambda: png(600, 600, 300)[:120], {"failed", "empty"}, {"broken", "no_ocr", None}),
}
