"""Pictures of invented slips, drawn with the font that comes with Pillow, which has no accents."""

import io
import random
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFilter, ImageFont

PORTUGUESE = [
    ("PADARIA SOL NASCENTE", ""),
    ("Rua das Flores 120", ""),
    ("Recibo", "RB-20417"),
    ("Sonho de creme", "12,50"),
    ("Leite quente", "8,90"),
    ("Total", "21,40"),
    ("Obrigado e volte sempre", ""),
]
SPANISH = [
    ("FERRETERIA LOS ALAMOS", ""),
    ("Calle Mayor 14", ""),
    ("Factura", "F-88213"),
    ("Martillo grande", "14,75"),
    ("Tornillos", "3,20"),
    ("Importe total", "17,95"),
    ("Gracias por su compra", ""),
]
ENGLISH = [
    ("HARBOUR STATIONERY", ""),
    ("14 Quay Street", ""),
    ("Receipt", "HS-55192"),
    ("Notebook, ruled", "6.40"),
    ("Fountain pen", "23.15"),
    ("Grand total", "29.55"),
    ("Thank you, come again", ""),
]


def slip(
    rows: Sequence[tuple[str, str]], letters: int = 36, ink: str = "black", paper: str = "white", width: int = 900
) -> Image.Image:
    """A slip ``width`` pixels wide: what was bought on the left, what it cost on the right, a row each."""
    step = letters * 2
    picture = Image.new("RGB", (width, step * (len(rows) + 1)), paper)
    pen = ImageDraw.Draw(picture)
    font = ImageFont.load_default(letters)
    for number, (left, right) in enumerate(rows):
        y = letters + number * step
        pen.text((letters, y), left, ink, font)
        pen.text((width - letters, y), right, ink, font, anchor="ra")
    return picture


def gravel(size: tuple[int, int] = (500, 375)) -> Image.Image:
    """Something photographed that has no letters, in which a reader sees some nevertheless."""
    chance = random.Random(7)
    picture = Image.new("RGB", size, "#776655")
    pen = ImageDraw.Draw(picture)
    for _ in range(900):
        x, y, wide, high = chance.randrange(size[0]), chance.randrange(size[1]), *chance.choices(range(3, 28), k=2)
        shade = chance.randrange(40, 220)
        pen.ellipse((x, y, x + wide, y + high), (shade, shade - 10, shade - 25))
    return picture.filter(ImageFilter.GaussianBlur(1.2))


def see_through(picture: Image.Image) -> Image.Image:
    """The ink alone, on nothing."""
    ink = Image.new("RGBA", picture.size, (0, 0, 0, 0))
    ink.putalpha(picture.convert("L").point(lambda shade: 255 - shade))
    return ink


def as_file(picture: Image.Image, kind: str = "PNG", **options: object) -> io.BytesIO:
    """The picture in a file."""
    file = io.BytesIO()
    picture.save(file, kind, **options)
    file.seek(0)
    return file
