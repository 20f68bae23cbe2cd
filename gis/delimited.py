"""Delimited text as utilities deliver it: any usual separator and encoding, blank lines, ragged rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection
from pathlib import Path

import pandas as pd

SEPARATORS = ";,\t|"

BYTE_ORDER_MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
"""How a Unicode text tells its encoding (The Unicode Standard 15.0, table 23-6)."""


def read_delimited(path: Path, shown: str, used: Collection[str]) -> tuple[pd.DataFrame, list[int], list[str]]:
    """All columns as text, the line of the file that each row begins in, and sentences for the report.

    Parameters
    ----------
    path, shown : the file, and how the user wrote it.
    used : column names that something rests on, in lower case; only these must be unique in the header.

    Returns
    -------
    The table; the separator is the one that cuts the header into the most names (or what Excel's ``sep=`` line says).
    Raises ValueError, naming the line, for an empty file, a used name that stands twice, and a row with more values
    than the header has names (a decimal comma in a comma-separated file).
    """
    lines = _decoded(path.read_bytes(), shown).splitlines(keepends=True)
    n_lead = next((number for number, line in enumerate(lines) if line.strip()), len(lines))
    if n_lead == len(lines):
        raise ValueError(f"{shown}: the file is empty")
    told = lines[n_lead].strip().lower()
    separator = ""
    if told.startswith("sep=") and len(told) == 5:
        separator, n_lead = lines[n_lead].strip()[4], n_lead + 1
    text = "".join(lines[n_lead:])
    separator = separator or max(SEPARATORS, key=lambda one: len(next(csv.reader(io.StringIO(text), delimiter=one))))
    reader = csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True)
    header = _unique([name.strip() for name in next(reader)], shown, used)
    rows: list[list[str]] = []
    begins: list[int] = []
    n_blank, ended = 0, n_lead + reader.line_num
    for row in reader:
        begin, ended = ended + 1, n_lead + reader.line_num
        if not any(value.strip() for value in row):
            n_blank += 1
            continue
        if len(row) > len(header) and any(value.strip() for value in row[len(header) :]):
            raise ValueError(
                f"{shown}: line {n_lead + reader.line_num} has {len(row)} values under {len(header)} column names; "
                f"quote values that hold a {separator!r} or write decimals with a point"
            )
        begins.append(begin)
        rows.append(row[: len(header)] + [""] * (len(header) - len(row)))
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(header)
    frame = pd.DataFrame({name: list(values) for name, values in zip(header, columns, strict=True)}, dtype=object)
    return frame, begins, [f"{shown}: {n_blank} blank lines were skipped."] if n_blank else []


def _decoded(content: bytes, shown: str) -> str:
    """The text: by its byte order mark, by the zero bytes of UTF-16 without one, else UTF-8 or Windows-1252.

    Raises ValueError for what is no text at all, such as a workbook with another ending.
    """
    start = content[:4000]
    try:
        for mark, encoding in BYTE_ORDER_MARKS:
            if content.startswith(mark):
                return content.decode(encoding)
        if b"\x00" in start:
            even, odd = start[0::2].count(0), start[1::2].count(0)
            if max(even, odd) > 0.3 * len(start) and min(even, odd) < 0.02 * len(start):
                return content.decode("utf-16-be" if even > odd else "utf-16-le")
    except UnicodeDecodeError as error:
        raise ValueError(f"{shown}: cut off or damaged at byte {error.start}; save it again as CSV in UTF-8") from None
    if b"\x00" in start or content.startswith(b"PK\x03\x04"):
        raise ValueError(f"{shown}: not a text table; save it as CSV in UTF-8")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")


def _unique(names: list[str], shown: str, used: Collection[str]) -> list[str]:
    seen: dict[str, int] = {}
    result = []
    for place, name in enumerate(names, start=1):
        seen[name] = seen.get(name, 0) + 1
        if seen[name] == 2 and name and name.lower() in used:
            raise ValueError(f'{shown}: the column name "{name}" stands twice in the header; rename one of the two')
        result.append(name if name and seen[name] == 1 else f"{name or 'column'}.{place}")
    return result
