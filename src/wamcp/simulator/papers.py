"""The files of an invented company: invoices as PDF, photographed slips, pictures, and voice notes without a word."""

import io
import random
import struct
from collections.abc import Iterator, Sequence
from datetime import date

from PIL import Image, ImageDraw, ImageFilter, ImageFont

A4 = (595, 842)
"""Points."""
_PACKET = b"\xf8\xff\xfe"
"""20 ms of silence in Opus (RFC 6716, 3.1: 48 kHz CELT, one frame)."""
_SAMPLES = 960
_FIRST, _LAST = 2, 4

Words = tuple[int, int, int, str]
"""Where a line begins on a page, from the left and from the top in points, its size, and what it says."""


def invoice(number: str, day: date) -> bytes:
    """An invoice of two pages in English for 1,187.46 euros; what is to be paid stands on the second one."""
    head = [
        (56, 70, 18, "Serra Clay & Glaze Ltd"),
        (56, 92, 10, "Kiln Road 7, Millbrook   VAT ID PT509999992"),
        (56, 150, 16, "Invoice"),
        (56, 176, 10, f"Invoice number: {number}"),
        (56, 192, 10, f"Invoice date: {day:%d.%m.%Y}"),
        (56, 208, 10, "Bill to: Azulejaria Maré, Rua do Forno 3"),
    ]
    items = [
        ("White earthenware clay, 40 bags", "18.20", "728.00"),
        ("Cobalt glaze, 6 buckets", "31.90", "191.40"),
        ("Kiln shelves, 2 pieces", "23.01", "46.02"),
    ]
    goods: list[Words] = [(56, 260, 10, "Description"), (360, 260, 10, "Unit price"), (470, 260, 10, "Amount EUR")]
    for line, (what, price, amount) in enumerate(items):
        y = 284 + 20 * line
        goods += [(56, y, 10, what), (360, y, 10, price), (470, y, 10, amount)]
    amounts = [("Net amount", "965.42"), ("VAT 23 %", "222.04"), ("Total amount due EUR", "1,187.46")]
    sums: list[Words] = [(56, 70, 10, f"Serra Clay & Glaze Ltd, invoice {number}, page 2 of 2")]
    for line, (what, amount) in enumerate(amounts):
        sums += [(56, 120 + 24 * line, 11, what), (470, 120 + 24 * line, 11, amount)]
    sums.append((56, 230, 10, "Please pay within 14 days, naming the invoice number."))
    return pdf([[*head, *goods, (56, 780, 9, "page 1 of 2, continued overleaf")], sums])


def paper(title: str) -> bytes:
    """A PDF of one page that says little more than its title."""
    return pdf([[(56, 90, 20, title), (56, 130, 11, "Azulejaria Maré: tiles and ceramics, made by hand.")]])


def pdf(pages: Sequence[Sequence[Words]]) -> bytes:
    """A PDF 1.4 of A4 pages set in Helvetica; what Latin-1 has no letters for becomes a question mark."""
    numbers = range(4, 4 + 2 * len(pages), 2)
    kids = " ".join(f"{number} 0 R" for number in numbers)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, words in zip(numbers, pages, strict=True):
        box = f"/MediaBox [0 0 {A4[0]} {A4[1]}] /Resources << /Font << /F1 3 0 R >> >>"
        objects.append(f"<< /Type /Page /Parent 2 0 R {box} /Contents {number + 1} 0 R >>".encode())
        content = "\n".join(_shown(*each) for each in words).encode("latin-1", "replace")
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    end += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    return bytes(out) + end.encode()


def _shown(x: int, y: int, size: int, text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
    return f"BT /F1 {size} Tf {x} {A4[1] - y} Td ({escaped}) Tj ET"


def receipt(number: str, day: date, seed: int = 1) -> bytes:
    """A JPEG: the photograph of a shop's slip over 86.35 euros, a little askew, on a table."""
    rows = [
        ("TAVARES HARDWARE", ""),
        ("14 Harbour Street", ""),
        ("", ""),
        ("Receipt no.", number),
        ("Date", f"{day:%d/%m/%Y}"),
        ("", ""),
        ("Masonry drill bits", "24.90"),
        ("Tile adhesive 25 kg", "38.50"),
        ("Rubber mallet", "22.95"),
        ("", ""),
        ("TOTAL EUR", "86.35"),
        ("Paid in cash", "90.00"),
        ("Change", "3.65"),
    ]
    letters, width = 34, 760
    step = letters * 2
    slip = Image.new("RGB", (width, step * (len(rows) + 1)), (250, 248, 240))
    pen, font = ImageDraw.Draw(slip), ImageFont.load_default(letters)
    for line, (left, right) in enumerate(rows):
        y = letters + line * step
        pen.text((letters, y), left, (30, 30, 40), font)
        pen.text((width - letters, y), right, (30, 30, 40), font, anchor="ra")
    table = Image.new("RGB", (width + 200, slip.height + 200), (112, 84, 60))
    table.paste(slip, (100, 100))
    table = table.rotate(1.4, Image.Resampling.BICUBIC, fillcolor=(112, 84, 60)).filter(ImageFilter.GaussianBlur(0.6))
    return _jpeg(_grainy(table, seed))


def picture(seed: int) -> bytes:
    """A JPEG of tiles in a pattern, with nothing to read in it."""
    rng = random.Random(seed)  # noqa: S311 - invented content
    shades = [(28, 72, 140), (235, 238, 240), (80, 130, 190), (200, 170, 90)]
    tiles = Image.new("RGB", (640, 480), shades[1])
    pen = ImageDraw.Draw(tiles)
    for x in range(0, 640, 80):
        for y in range(0, 480, 80):
            pen.pieslice((x, y, x + 78, y + 78), rng.choice((0, 90, 180, 270)), 300, fill=rng.choice(shades))
    return _jpeg(_grainy(tiles, seed))


def silence(seconds: int) -> bytes:
    """A voice note in Ogg Opus in which nobody speaks (RFC 7845)."""
    head = b"OpusHead" + struct.pack("<BBHIHB", 1, 1, 0, 48_000, 0, 0)
    tags = b"OpusTags" + struct.pack("<I5sI", 5, b"wamcp", 0)
    packets = [_PACKET] * (seconds * 48_000 // _SAMPLES)
    pages = [packets[start : start + 50] for start in range(0, len(packets), 50)]
    out = _page([head], 0, 0, _FIRST) + _page([tags], 1, 0, 0)
    position = 0
    for number, page in enumerate(pages, start=2):
        position += len(page) * _SAMPLES
        out += _page(page, number, position, _LAST if number == len(pages) + 1 else 0)
    return out


def _page(packets: list[bytes], number: int, position: int, kind: int) -> bytes:
    """A page of Ogg (RFC 3533, 6); each packet is shorter than 255 bytes."""
    sizes = bytes(len(packet) for packet in packets)
    head = b"OggS" + struct.pack("<BBqIII", 0, kind, position, 1, number, 0) + bytes([len(sizes)]) + sizes
    whole = head + b"".join(packets)
    return whole[:22] + struct.pack("<I", _crc(whole)) + whole[26:]


def _crc(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C11DB7) & 0xFFFFFFFF if crc & 0x80000000 else crc << 1
    return crc


def _grainy(image: Image.Image, seed: int) -> Image.Image:
    """As a telephone would have taken it."""
    grain = Image.frombytes("L", image.size, bytes(_noise(image.width * image.height, seed)))
    return Image.blend(image, Image.merge("RGB", (grain, grain, grain)), 0.04)


def _noise(count: int, seed: int) -> Iterator[int]:
    yield from random.Random(seed).randbytes(count)  # noqa: S311 - invented content


def _jpeg(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=82)
    return file.getvalue()
