"""The traffic section of the report: how many bytes, messages and round trips, and what each medium makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from .report_tables import Table, generic_table, session_totals
from .sessions import ENCODING_WORDS, VALUE_WORDS
from .states import count
from .study import Study

_NUMBERS = ("Bytes up", "Bytes down", "Messages", "Round trips")


def traffic_tables(study: Study) -> list[Table]:
    """What stands open: services and encodings, or the case's own services where nothing else is known."""
    if study.traffic is None:
        return [session_totals(study)] if len(study.sessions) else []
    return [_services(study.traffic.totals), _encodings(study.traffic.encodings)]


def folded_tables(study: Study) -> list[Table]:
    """What stands folded: one table a technology, and every leg of the case's services."""
    tables = []
    if study.traffic is not None:
        media = study.traffic.media
        tables = [_medium(study, media[media.technology == name]) for name in media.technology.unique()]
    if len(study.sessions):
        tables.append(generic_table(study.sessions, "Every leg of the services read, bytes on the line", study))
    return tables


def agreement_line(study: Study) -> str:
    """How templates and meters agree, in one sentence; empty where they were not compared."""
    if study.traffic is None:
        return ""
    one = study.traffic.agreement
    compared = count(one.n_answers)
    return (
        f"Template and meter agreed byte for byte for {compared} of {compared} answers compared: {count(one.n_bytes)} "
        f"bytes of {count(one.n_meters)} meters of this study, from {count(one.n_strata)} strata of kind and length."
    )


def _services(totals: pd.DataFrame) -> Table:
    rows = tuple((_plain(row.service), str(row.policy), *_counts(row)) for row in _rows(totals))
    head = ("Service", "Policy", *_NUMBERS)
    return Table("One exchange of one meter, with ciphering and framing", head, rows, (False, False, *[True] * 4))


def _encodings(encodings: pd.DataFrame) -> Table:
    """The day profile in every encoding, and how it compares with registers in full."""
    whole = float(encodings.bytes_up.iloc[0] + encodings.bytes_down.iloc[0])
    rows = tuple(
        (
            f"{_plain(row.encoding)}: {ENCODING_WORDS[row.encoding]}",
            VALUE_WORDS[row.profile_values],
            *_counts(row),
            f"{(row.bytes_up + row.bytes_down) / whole:.2f}",
        )
        for row in _rows(encodings)
    )
    head = ("Encoding of the day profile", "Values", *_NUMBERS, "Of the first")
    return Table("The day profile of a house by encoding, pulled", head, rows, (False, False, *[True] * 5))


def _medium(study: Study, media: pd.DataFrame) -> Table:
    """One technology: frames and time on the medium, in its most robust and its fastest mode."""
    modes = list(dict.fromkeys(media["mode"]))
    rows = []
    for (service, policy), group in media.groupby(["service", "policy"], sort=False):
        carried = zip(group.frames, group.airtime_s, strict=True)
        rows.append((_plain(service), str(policy), *(text for n, s in carried for text in (count(n), _seconds(s)))))
    head = ("Service", "Policy", *(text for mode in modes for text in (f"Frames, {mode}", f"Time, {mode}")))
    caption = f"{study.label(str(media.technology.iloc[0]))}: one exchange on one hop, nothing repeated or lost"
    return Table(caption, head, tuple(rows), (False, False, *[True] * (2 * len(modes))))


def _rows(table: pd.DataFrame) -> Iterator[Any]:
    return iter(table.itertuples(index=False))


def _counts(row: Any) -> tuple[str, ...]:
    return tuple(count(getattr(row, name)) for name in ("bytes_up", "bytes_down", "messages", "turns"))


def _seconds(value: float) -> str:
    return (
        f"{value * 1e3:.0f} ms" if value < 0.9995 else f"{value:.3g} s" if value < 999.5 else f"{np.rint(value):.0f} s"
    )


def _plain(word: object) -> str:
    return str(word).replace("_", " ")
