"""Reads a workbook as the standard describes it, with nothing but zip and XML."""

import io
import re
import zipfile
from typing import Any
from xml.etree import ElementTree as ET

_SHEETS = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_RELATION = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


def read_sheet(workbook: bytes) -> list[list[Any]]:
    """Give the cells of the first sheet: texts as str, numbers as int or float, nothing as None; no formula."""
    with zipfile.ZipFile(io.BytesIO(workbook)) as archive:
        assert archive.testzip() is None
        (office,) = ET.fromstring(archive.read("_rels/.rels")).findall(_RELATION)
        book = office.attrib["Target"]
        (sheet,) = ET.fromstring(archive.read("xl/_rels/workbook.xml.rels")).findall(_RELATION)
        types = {part.attrib.get("PartName") for part in ET.fromstring(archive.read("[Content_Types].xml"))}
        path = f"xl/{sheet.attrib['Target']}"
        assert {f"/{book}", f"/{path}"} <= types
        (named,) = ET.fromstring(archive.read(book)).iter(f"{_SHEETS}sheet")
        assert sheet.attrib["Id"] in named.attrib.values()
        root = ET.fromstring(archive.read(path))
    assert not list(root.iter(f"{_SHEETS}f")), "a formula"
    return [[_read_cell(cell) for cell in row] for row in root.iter(f"{_SHEETS}row")]


def _read_cell(cell: ET.Element) -> Any:
    if cell.attrib.get("t") == "inlineStr":
        text = cell.find(f"{_SHEETS}is/{_SHEETS}t")
        assert text is not None
        return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text.text or "")
    number = cell.find(f"{_SHEETS}v")
    if number is None or number.text is None:
        return None
    if cell.attrib.get("t") == "b":
        return number.text == "1"
    return int(number.text) if re.fullmatch(r"-?\d+", number.text) else float(number.text)
