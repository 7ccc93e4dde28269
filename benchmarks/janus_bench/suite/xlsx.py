"""Reads and writes the first sheet of an Excel workbook as texts: a zip of XML (ECMA-376), so no library is needed."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from janus_core.errors import UserError

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
LINK = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]|_(?=x[0-9A-Fa-f]{4}_)")
UNREADABLE = (KeyError, IndexError, ValueError, StopIteration, NotImplementedError, RuntimeError)
"""What a workbook raises whose parts do not fit each other, or that is encrypted."""

CELL = 32767
"""The longest text of a cell in Excel."""

PARTS = {
    "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
    '<Override PartName="/xl/worksheets/sheet1.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>',
    "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" '
    'Target="xl/workbook.xml"/></Relationships>',
    "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" '
    'Target="worksheets/sheet1.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{MAIN[1:-1]}" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
    '<sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>',
}


def read_xlsx(path: Path) -> list[list[str]]:
    """The cells of the first sheet; numbers as they are written there, empty cells as "".

    Raises:
        UserError: it is no workbook.
    """
    try:
        with zipfile.ZipFile(path) as parts:
            names = set(parts.namelist())
            texts = _shared(parts) if "xl/sharedStrings.xml" in names else []
            sheet = ElementTree.fromstring(parts.read(_first_sheet(parts)))
        return [_row(row, texts) for row in sheet.iter(f"{MAIN}row")]
    except (OSError, zipfile.BadZipFile, zlib.error, ElementTree.ParseError, *UNREADABLE) as error:
        raise UserError(
            f"{path} is no Excel workbook that can be read: {error!r}", "save it as .xlsx or .tsv"
        ) from None


def write_xlsx(path: Path, rows: Sequence[Sequence[str | int]]) -> None:
    """Write one sheet: texts as texts (never a formula), ints as numbers, "" as an empty cell.

    Raises:
        UserError: a text is longer than a cell may be.
    """
    lines = "".join(_written(number, row, path) for number, row in enumerate(rows, 1))
    sheet = f'<worksheet xmlns="{MAIN[1:-1]}"><sheetData>{lines}</sheetData></worksheet>'
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as parts:
        for name, content in (*PARTS.items(), ("xl/worksheets/sheet1.xml", sheet)):
            # a fixed date, so that the same rows give the same file
            part = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            part.compress_type = zipfile.ZIP_DEFLATED
            parts.writestr(part, '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n' + content)


def _first_sheet(parts: zipfile.ZipFile) -> str:
    sheet = next(ElementTree.fromstring(parts.read("xl/workbook.xml")).iter(f"{MAIN}sheet"))
    for link in ElementTree.fromstring(parts.read("xl/_rels/workbook.xml.rels")):
        if link.get("Id") == sheet.get(LINK):
            target = link.get("Target", "")
            return target[1:] if target.startswith("/") else f"xl/{target}"
    raise KeyError(sheet.get("name"))


def _shared(parts: zipfile.ZipFile) -> list[str]:
    root = ElementTree.fromstring(parts.read("xl/sharedStrings.xml"))
    return [_text(entry) for entry in root.iter(f"{MAIN}si")]


def _text(element: ElementTree.Element) -> str:
    """Runs of rich text joined; what is spoken of a text (``rPh``) is no part of it."""
    spoken = {id(part) for reading in element.iter(f"{MAIN}rPh") for part in reading.iter(f"{MAIN}t")}
    text = "".join(part.text or "" for part in element.iter(f"{MAIN}t") if id(part) not in spoken)
    return ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def _row(row: ElementTree.Element, texts: list[str]) -> list[str]:
    cells: list[str] = []
    for cell in row.iter(f"{MAIN}c"):
        place = cell.get("r")
        if place is not None:
            cells += [""] * (_column(place) - len(cells))
        value, kind = cell.findtext(f"{MAIN}v") or "", cell.get("t")
        if kind == "s":
            cells.append(texts[int(value)])
        elif kind == "inlineStr":
            cells.append(_text(cell))
        elif kind == "b":
            cells.append("True" if value == "1" else "False")
        else:
            cells.append("" if kind == "e" else value)
    return cells


def _column(place: str) -> int:
    """A1 -> 0, AA1 -> 26."""
    number = 0
    for letter in place.rstrip("0123456789"):
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def _written(number: int, row: Sequence[str | int], path: Path) -> str:
    cells = []
    for value in row:
        if isinstance(value, int):
            cells.append(f"<c><v>{value}</v></c>")
        elif len(value) > CELL:
            raise UserError(f"{path}, row {number}: a cell of {len(value)} letters, {CELL} at most", "shorten it")
        else:
            text = escape(CONTROL.sub(lambda found: f"_x{ord(found[0]):04X}_", value))
            cells.append(f'<c t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>' if text else "<c/>")
    return f'<row r="{number}">{"".join(cells)}</row>'
