"""Small office documents written by hand, part by part."""

from tests.hostile_documents import WORD, docx, office

OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
SLIDE = "http://schemas.openxmlformats.org/presentationml/2006/main"
DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
CHART = "http://schemas.openxmlformats.org/drawingml/2006/chart"


def related(**targets: str) -> str:
    """A part of relations: ``kind_1=target`` gets the id ``kind_1`` and the kind before the underscore."""
    lines = "".join(
        f'<Relationship Id="{name}" Type="{OFFICE}/{name.partition("_")[0]}" Target="{target}"/>'
        for name, target in targets.items()
    )
    return f'<Relationships xmlns="{RELATIONS}">{lines}</Relationships>'


def letter() -> bytes:
    """A Word document with a table, a header used twice, a footer, a footnote, a deleted word and a text box."""

    def part(name: str, text: str) -> str:
        return f'<w:{name} xmlns:w="{WORD}"><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:{name}>'

    body = (
        '<w:p><w:r><w:t xml:space="preserve">Dear </w:t></w:r><w:r><w:t>Ana</w:t><w:tab/><w:t>2026</w:t></w:r></w:p>'
        "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>Tea</w:t></w:r></w:p></w:tc>"
        "<w:tc><w:p><w:r><w:t>3.50</w:t></w:r></w:p></w:tc></w:tr></w:tbl>"
        "<w:p><w:del><w:r><w:delText>never</w:delText></w:r></w:del>"
        "<w:r><w:instrText>PAGE</w:instrText></w:r>"
        '<mc:AlternateContent xmlns:mc="urn:mc"><mc:Choice><w:r><w:t>box</w:t></w:r></mc:Choice>'
        "<mc:Fallback><w:r><w:t>box</w:t></w:r></mc:Fallback></mc:AlternateContent></w:p>"
    )
    parts = {
        "word/_rels/document.xml.rels": related(
            header_1="header1.xml", header_2="header2.xml", footer_1="footer1.xml", footnotes="footnotes.xml"
        ),
        "word/header1.xml": part("hdr", "Tea and Sons"),
        "word/header2.xml": part("hdr", "Tea and Sons"),
        "word/footer1.xml": part("ftr", "at your service"),
        "word/footnotes.xml": part("footnotes", "without milk"),
    }
    return docx(body, **parts)


def table() -> bytes:
    """An Excel document: two sheets out of order, shared and inline strings, a date, money, a percentage, a formula."""
    cells = (
        '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" s="1"><v>46352</v></c><c r="C1" s="2"><v>1234.5</v></c></row>'
        '<row r="2"><c r="A2" t="inlineStr"><is><t>inside</t></is></c><c r="B2" s="3"><v>0.19</v></c>'
        '<c r="C2" t="b"><v>1</v></c><c r="D2" t="str"><f>A1&amp;"x"</f><v>made</v></c></row>'
    )
    second = '<row r="1"><c r="A1"><v>0.30000000000000004</v></c></row>'
    parts = {
        "xl/workbook.xml": f'<workbook xmlns="{SHEET}" xmlns:r="{OFFICE}"><sheets><sheet name="Prices" sheetId="1" '
        'r:id="worksheet_2"/><sheet name="Rest" sheetId="2" r:id="worksheet_1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": related(
            worksheet_1="worksheets/a.xml",
            worksheet_2="/xl/worksheets/b.xml",
            sharedStrings="sharedStrings.xml",
            styles="styles.xml",
        ),
        "xl/worksheets/b.xml": f'<worksheet xmlns="{SHEET}"><sheetData>{cells}</sheetData></worksheet>',
        "xl/worksheets/a.xml": f'<worksheet xmlns="{SHEET}"><sheetData>{second}</sheetData></worksheet>',
        "xl/sharedStrings.xml": f'<sst xmlns="{SHEET}"><si><r><t>two </t></r><r><t>runs</t></r>'
        "<rPh><t>furigana</t></rPh></si></sst>",
        "xl/styles.xml": f'<styleSheet xmlns="{SHEET}"><numFmts><numFmt numFmtId="164" formatCode="dd/mm/yyyy"/>'
        '<numFmt numFmtId="165" formatCode="&quot;R$&quot;\\ #,##0.00"/></numFmts><cellXfs><xf numFmtId="0"/>'
        '<xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="9"/></cellXfs></styleSheet>',
    }
    return office(parts)


def show() -> bytes:
    """A PowerPoint document: two slides out of order, the first with a table, a chart and the speaker's notes."""

    def slide(inside: str) -> str:
        return f'<p:sld xmlns:p="{SLIDE}" xmlns:a="{DRAWING}">{inside}</p:sld>'

    def said(text: str) -> str:
        return f"<a:p><a:r><a:t>{text}</a:t></a:r></a:p>"

    grid = f"<a:tbl><a:tr><a:tc>{said('Q1')}</a:tc><a:tc>{said('99')}</a:tc></a:tr></a:tbl>"
    notes = f'{said("say this aloud")}<a:p><a:fld type="slidenum"><a:t>77</a:t></a:fld></a:p>'
    chart = (
        f'<c:chartSpace xmlns:c="{CHART}"><c:ser><c:tx><c:v>Sales</c:v></c:tx><c:cat><c:v>May</c:v>'
        "<c:v>June</c:v></c:cat><c:val><c:v>4</c:v><c:v>7</c:v></c:val></c:ser></c:chartSpace>"
    )
    parts = {
        "ppt/presentation.xml": f'<p:presentation xmlns:p="{SLIDE}" xmlns:r="{OFFICE}"><p:sldIdLst>'
        '<p:sldId id="256" r:id="slide_2"/><p:sldId id="257" r:id="slide_1"/></p:sldIdLst></p:presentation>',
        "ppt/_rels/presentation.xml.rels": related(slide_1="slides/slide1.xml", slide_2="slides/slide2.xml"),
        "ppt/slides/slide1.xml": slide(said("the last one")),
        "ppt/slides/slide2.xml": slide(f"{said('the first one')}{grid}"),
        "ppt/slides/_rels/slide2.xml.rels": related(
            chart="../charts/chart1.xml", notesSlide="../notesSlides/notesSlide1.xml"
        ),
        "ppt/charts/chart1.xml": chart,
        "ppt/notesSlides/notesSlide1.xml": slide(notes),
    }
    return office(parts)
