"""The traffic section of the report: how many bytes, messages and round trips, and what each medium makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from ..meters.settings import ServiceSettings
from .report_tables import Table, generic_table, session_totals
from .sessions import ENCODING_WORDS, VALUE_WORDS
from .states import count
from .study import Study
from .words import NONE, percent

_NUMBERS = ("Bytes from meter", "Bytes to meter", "Messages", "Round trips")


def traffic_tables(study: Study) -> list[Table]:
    """What stands open: services and encodings, or the case's own services where nothing else is known."""
    if study.traffic is None:
        return [session_totals(study)] if len(study.sessions) else []
    return [_services(study), _encodings(study), *_carried(study)]


def folded_tables(study: Study) -> list[Table]:
    """What stands folded: one table a technology, and every leg of the case's services."""
    tables = []
    if study.traffic is not None:
        media = study.traffic.media
        tables = [_medium(study, media[media.technology == name]) for name in media.technology.unique()]
    if len(study.sessions):
        tables.append(generic_table(study.sessions, "Every leg of the services read, bytes on the line", study))
    return tables


def tier_lines(study: Study) -> Table | None:
    """The packet tier against the fast tier, one line per service of a cell; None where it was not run."""
    if not len(study.tiers):
        return None
    head = ("Technology", "Cell", "Meters", "Direct", "Reads", "Exchanges", "Read, fast", "Read, packet", "Difference",
            "Half of its 95 % interval", "Time, fast", "Time, packet", "Frames sent", "Lost", "Repeated",
            "Refused")  # fmt: skip
    rows = tuple(
        (
            study.label(str(row.technology)), str(row.cell), count(row.n_meters), percent(row.direct_ratio),
            _plain(row.reads), count(row.n_exchanges), percent(row.read_fast), percent(row.read_packet),
            percent(row.difference), percent(row.half_width), _time(row.latency_fast_s), _time(row.latency_packet_s),
            *(count(value) for value in (row.frames_sent, row.frames_lost, row.retries, row.refused)),
        )
        for row in _rows(study.tiers)
    )  # fmt: skip
    caption = "Packet tier against fast tier, same draws; meters with a way, and the share of them without a repeater"
    numeric = (False, False, True, True, False, *[True] * 11)
    return Table(caption, head, rows, numeric)


def _time(value_s: float) -> str:
    return seconds_text(value_s) if np.isfinite(value_s) else NONE


def agreement_line(study: Study) -> str:
    """How templates and meters agree, in one sentence; empty where they were not compared."""
    if study.traffic is None:
        return ""
    one = study.traffic.agreement
    compared = count(one.n_answers)
    return (
        f"Template and meter agreed byte for byte for {compared} of {compared} answers compared: {count(one.n_bytes)} "
        f"bytes of {count(one.n_meters)} meters of this study, from {count(one.n_strata)} "
        f"{'stratum' if one.n_strata == 1 else 'strata'} of kind and length. Notifications were as many and as "
        f"long as counted in {count(one.n_pushes)} of {count(one.n_pushes)} pushes."
    )


def _services(study: Study) -> Table:
    """Every service by every way, with a mark where this study reads it so."""
    assert study.traffic is not None
    read = set(zip(study.sessions["service"], study.sessions["policy"], strict=True)) if len(study.sessions) else set()
    rows = tuple(
        (_plain(row.service), str(row.policy), "yes" if (row.service, row.policy) in read else "", *_counts(row))
        for row in _rows(study.traffic.totals)
    )
    caption = "One exchange of one meter, with ciphering and framing"
    return Table(caption, ("Service", "Policy", "In this study", *_NUMBERS), rows, (False, False, False, *[True] * 4))


def _encodings(study: Study) -> Table:
    """The day profile in every encoding, and how it compares with registers in full."""
    assert study.traffic is not None
    encodings = study.traffic.encodings
    whole = float(encodings.bytes_up.iloc[0] + encodings.bytes_down.iloc[0]) if len(encodings) else 1.0
    rows = tuple(
        (
            f"{_plain(row.encoding)}: {ENCODING_WORDS[row.encoding]}",
            VALUE_WORDS[row.profile_values],
            _is_own(row, study.traffic.settings),
            *_counts(row),
            f"{(row.bytes_up + row.bytes_down) / whole:.2f}",
        )
        for row in _rows(encodings)
    )
    head = ("Encoding of the day profile", "Values", "In this study", *_NUMBERS, "Bytes, first row = 1")
    return Table("The day profile of a house by encoding, pulled", head, rows, (False, False, False, *[True] * 5))


def _carried(study: Study) -> Iterator[Table]:
    """What each medium makes of the encodings; nothing where no medium can carry a profile."""
    assert study.traffic is not None
    rows = []
    for _, group in study.traffic.carried.groupby(["profile_values", "encoding"], sort=False):
        one = next(_rows(group))
        times = dict(zip(group.technology, group.airtime_s, strict=True))
        own = _is_own(one, study.traffic.settings)
        rows.append((_plain(one.encoding), str(one.profile_values), own, *map(seconds_text, times.values())))
    if rows:
        policies = dict(zip(study.traffic.carried.technology, study.traffic.carried.policy, strict=True))
        media = tuple(f"{study.label(name)}, {way}ed" for name, way in policies.items())
        head = ("Encoding of the day profile", "Values", "In this study", *media)
        caption = (
            "The same day profile on each medium: time of one exchange in the most robust mode, one hop, nothing lost"
        )
        yield Table(caption, head, tuple(rows), (False, False, False, *[True] * len(media)))


def _is_own(row: Any, settings: ServiceSettings) -> str:
    return "yes" if (row.encoding, row.profile_values) == (settings.encoding, settings.profile_values) else ""


def _medium(study: Study, media: pd.DataFrame) -> Table:
    """One technology: frames and time on the medium, in its most robust and its fastest mode."""
    modes = list(dict.fromkeys(media["mode"]))
    rows = []
    for (service, policy), group in media.groupby(["service", "policy"], sort=False):
        carried = zip(group.frames, group.airtime_s, strict=True)
        rows.append((_plain(service), str(policy), *(text for n, s in carried for text in (count(n), seconds_text(s)))))
    head = ("Service", "Policy", *(text for mode in modes for text in (f"Frames, {mode}", f"Time, {mode}")))
    caption = f"{study.label(str(media.technology.iloc[0]))}: one exchange on one hop, nothing repeated or lost"
    return Table(caption, head, tuple(rows), (False, False, *[True] * (2 * len(modes))))


def _rows(table: pd.DataFrame) -> Iterator[Any]:
    return iter(table.itertuples(index=False))


def _counts(row: Any) -> tuple[str, ...]:
    return tuple(count(getattr(row, name)) for name in ("bytes_up", "bytes_down", "messages", "turns"))


def seconds_text(value: float) -> str:
    """Three digits, or whole milliseconds and seconds.

    >>> [seconds_text(value) for value in (0.0581, 1.99996, 11.24, 221.4, 4321.0)]
    ['58 ms', '2.00 s', '11.2 s', '221 s', '4\u202f321 s']
    """
    if value < 0.9995:
        return f"{value * 1e3:.0f} ms"
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f} s" if value < 999.5 else f"{count(round(value))} s"


def _plain(word: object) -> str:
    return str(word).replace("_", " ")
