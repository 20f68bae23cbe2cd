"""Delimited text as utilities deliver it: any usual separator and encoding, blank lines, ragged rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection
from pathlib import Path

import pandas as pd

SEPARATORS = ";,\t|"


def read_delimited(path: Path, shown: str, used: Collection[str]) -> tuple[pd.DataFrame, list[str]]:
    """All columns as text, and sentences for the report.

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
    lines = _decoded(path.read_bytes()).splitlines(keepends=True)
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
    n_blank = 0
    for row in reader:
        if not any(value.strip() for value in row):
            n_blank += 1
            continue
        if len(row) > len(header) and any(value.strip() for value in row[len(header) :]):
            raise ValueError(
                f"{shown}: line {n_lead + reader.line_num} has {len(row)} values under {len(header)} column names; "
                f"quote values that hold a {separator!r} or write decimals with a point"
            )
        rows.append(row[: len(header)] + [""] * (len(header) - len(row)))
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(header)
    frame = pd.DataFrame({name: list(values) for name, values in zip(header, columns, strict=True)}, dtype=object)
    return frame, [f"{shown}: {n_blank} blank lines were skipped."] if n_blank else []


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16")
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
