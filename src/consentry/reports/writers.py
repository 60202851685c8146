"""One writer per format. Each takes an iterator of flat or nested rows and writes to a binary stream."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any

import xlsxwriter

from consentry.core.hostile import neutralise_formula

Rows = Iterable[dict[str, Any]]


def json_chunks(rows: Rows) -> Iterator[bytes]:
    """A JSON list, names byte for byte."""
    yield b"["
    for number, row in enumerate(rows):
        yield (b",\n" if number else b"\n") + json.dumps(row, ensure_ascii=False).encode()
    yield b"\n]\n"


def csv_chunks(rows: Rows) -> Iterator[bytes]:
    """CSV with a header, in UTF-8 with a byte order mark so that Excel reads it; formulas neutralised."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    yield "\ufeff".encode()
    for number, row in enumerate(rows):
        flat = flatten(row)
        if number == 0:
            writer.writerow(flat)
        writer.writerow([neutralise_formula(value) if isinstance(value, str) else value for value in flat.values()])
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()


def xlsx_chunks(rows: Rows) -> Iterator[bytes]:
    """An XLSX workbook written in constant memory; every text is written as text, never as a formula or link."""
    target = io.BytesIO()
    book = xlsxwriter.Workbook(target, {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    sheet = book.add_worksheet("Consentry")
    bold = book.add_format({"bold": True})
    sheet.freeze_panes(1, 0)
    for number, row in enumerate(rows):
        flat = flatten(row)
        if number == 0:
            sheet.write_row(0, 0, list(flat), bold)
        for column, value in enumerate(flat.values()):
            if isinstance(value, str):
                sheet.write_string(number + 1, column, neutralise_formula(value)[:32_767])
            elif value is not None:
                sheet.write(number + 1, column, value)
    book.close()
    yield target.getvalue()


def flatten(row: dict[str, Any]) -> dict[str, Any]:
    """Nested values as columns of their own (``risk.score``) and lists as text, for tables."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": kept for inner, kept in flatten(value).items()}
        elif isinstance(value, list):
            flat[name] = "; ".join(item if isinstance(item, str) else json.dumps(item, ensure_ascii=False) for item in value)
        else:
            flat[name] = value
    return flat


FORMATS: dict[str, Callable[[Rows], Iterator[bytes]]] = {"json": json_chunks, "csv": csv_chunks, "xlsx": xlsx_chunks}
CONTENT_TYPES = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def write(target: IO[bytes], rows: Rows, *, form: str) -> None:
    """Write ``rows`` in a format to a stream."""
    for chunk in FORMATS[form](rows):
        target.write(chunk)
