"""Where narrow-band power line may transmit, country by country, and how loud.

Rules that could be read or are well known stand with confidence A or B. Where only practice is known the row says C:
check the national rule, or give a reason of your own.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

CENELEC_MEMBERS = (
    "AT", "BE", "BG", "CH", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GB", "GR", "HR", "HU", "IE",
    "IS", "IT", "LT", "LU", "LV", "MK", "MT", "NL", "NO", "PL", "PT", "RO", "RS", "SE", "SI", "SK", "TR",
)  # fmt: skip
"""ISO 3166-1 codes of the 34 members, which adopt EN 50065-1."""


@dataclass(frozen=True)
class Allocation:
    """One band of frequencies and one limit of level.

    countries : ISO 3166-1 codes.
    low_hz, high_hz : edges [Hz].
    users : who may transmit, and how.
    peak_dbuv : highest level on the artificial mains network, single-phase, of a signal of 5 kHz and more, at
        ``low_hz`` and at ``high_hz``, linear in log f between them [dBuV peak]; None where no level is known.
    narrow_dbuv : the same for signals narrower than 5 kHz.
    per_200_hz_dbuv : highest level in any 200 Hz of a wide-band signal [dBuV]; None for no such limit.
    source, confidence : where the row comes from; A read, B to be checked, C practice or uncertain.
    """

    countries: tuple[str, ...]
    low_hz: float
    high_hz: float
    users: str
    peak_dbuv: tuple[float, float] | None
    narrow_dbuv: tuple[float, float] | None
    per_200_hz_dbuv: float | None
    source: str
    confidence: str


_EN = "EN 50065-1"
_FCC = "47 CFR 15.113 (b): 9 to 490 kHz, no interference, no protection; no level is set"
_T84 = "ARIB STD-T84"
_GBT = "GB/T 31983.11 (3 to 500 kHz); levels not known here"
_AS_CENELEC = "practice: equipment for the European band; check the national rule"
_AS_FCC = "practice: equipment for the American band; check the national rule"
_FLAT_134, _FLAT_116 = (134.0, 134.0), (116.0, 116.0)
_ANY, _EU = "anyone, no protocol", CENELEC_MEMBERS

# 95 to 148.5 kHz: devices of class 134; those of class 116 keep 116 dBuV, which `class_116` of `check_level` asks for.
ALLOCATIONS: tuple[Allocation, ...] = (
    #          countries  low      high    users                            wide       narrow    200 Hz source conf.
    Allocation(_EU,       3.0e3,   9.0e3,  "utilities",                     _FLAT_134, _FLAT_134, None, _EN, "C"),
    Allocation(_EU,       9.0e3,  95.0e3,  "utilities",                     _FLAT_134, (134.0, 120.0), 120.0, _EN, "B"),
    Allocation(_EU,      95.0e3, 125.0e3,  _ANY,                            _FLAT_134, _FLAT_134, None, _EN, "B"),
    Allocation(_EU,     125.0e3, 140.0e3,  "anyone, CSMA at 132.5 kHz",     _FLAT_134, _FLAT_134, None, _EN, "B"),
    Allocation(_EU,     140.0e3, 148.5e3,  _ANY,                            _FLAT_134, _FLAT_134, None, _EN, "B"),
    Allocation(("US",),   9.0e3, 490.0e3,  "utilities",                     None,      None,      None, _FCC, "A"),
    Allocation(("JP",),  10.0e3, 450.0e3,  "as the standard says",          None,      None,      None, _T84, "B"),
    Allocation(("CN",),   3.0e3, 500.0e3,  "as the standard says",          None,      None,      None, _GBT, "C"),
    Allocation(("AR", "BR", "CA", "CL", "CO", "KR", "MX", "PE", "PH", "TW"),
                          9.0e3, 490.0e3,  "utilities",                     None,      None,      None, _AS_FCC, "C"),
    Allocation(("AE", "AL", "AU", "BA", "DZ", "EG", "GE", "IL", "IN", "MA", "MD", "ME", "MY", "NZ", "SA", "SG", "TN",
                "UA", "ZA"),
                          3.0e3, 148.5e3,  "utilities",                     None,      None,   None, _AS_CENELEC, "C"),
)  # fmt: skip
OTHER_CODES = {"UK": "GB", "EL": "GR", "GERMANY": "DE", "USA": "US", "JAPAN": "JP"}
"""What people write for a code."""
COUNTRIES = tuple(sorted({country for one in ALLOCATIONS for country in one.countries}))

WIDE_BAND_HZ = 5e3
"""Signals as wide as this count as wide-band in EN 50065-1 (confidence B) [Hz]."""

CLASS_116_DBUV = 116.0
CLASS_LOW_HZ, CLASS_HIGH_HZ = 95e3, 148.5e3


@dataclass(frozen=True)
class Permission:
    """Why a band may be used.

    by_rule : the table allows it; else the user's reason does.
    text : one sentence for the report.
    confidence : of the weakest row that allows it; ``user`` for the user's reason.
    """

    country: str
    low_hz: float
    high_hz: float
    by_rule: bool
    text: str
    confidence: str


def check_band(country: str, low_hz: float, high_hz: float, allow_band: str = "") -> Permission:
    """Refuse a band that the country does not allocate to power line.

    Parameters
    ----------
    country : ISO 3166-1 code of two letters, such as ``"DE"``.
    low_hz, high_hz : outermost carriers of the signal [Hz].
    allow_band : the user's reason to use the band all the same, such as a licence or a trial; empty for none.

    Returns
    -------
    Permission. Raises ValueError for a country that the table does not have or a band outside its allocations, unless
    a reason is given; and always for what is no country code or no band.

    >>> check_band("DE", 35937.5, 90625.0).by_rule
    True
    """
    if not re.fullmatch("[A-Z]{2}", country):
        raise ValueError(
            f"country = {country!r}: write a code of two capital letters (ISO 3166-1), such as 'DE'{_meant(country)}"
        )
    if not 0 < low_hz <= high_hz < np.inf:
        raise ValueError(
            f"a band from {low_hz:g} to {high_hz:g} Hz is none; give positive frequencies, the lower first"
        )
    rows = allocations_of(country)
    covering = _covering(rows, low_hz, high_hz)
    band, reason = f"{_khz(low_hz)} to {_khz(high_hz)} kHz", allow_band.strip()
    if covering:
        words = "; ".join(dict.fromkeys(f"{one.source}, {one.users}" for one in covering))
        weakest = max(one.confidence for one in covering)
        return Permission(country, low_hz, high_hz, True, f"{band} is allocated in {country} ({words}).", weakest)
    allowed = _allowed(rows) if rows else "no rule of this country is known here"
    if reason:
        text = f"{band} has no allocation in {country} ({allowed}); used all the same: {reason}"
        return Permission(country, low_hz, high_hz, False, text, "user")
    if not rows:
        raise ValueError(
            f"country = {country!r}: {allowed}{_meant(country)}; known are {' '.join(COUNTRIES)}; correct the code, or "
            'write allow_band = "your reason", which the report prints'
        )
    raise ValueError(
        f'country = "{country}": {band} has no allocation ({allowed}); choose another band, or write allow_band = '
        '"your reason", which the report prints'
    )


def check_level(
    country: str, low_hz: float, high_hz: float, peak_dbuv: float, per_200_hz_dbuv: float, *, class_116: bool = False
) -> str:
    """Refuse a level above the limit of the country.

    Parameters
    ----------
    country, low_hz, high_hz : as in `check_band`.
    peak_dbuv : peak of the whole signal on the artificial mains network, single-phase [dBuV]: rms plus crest.
    per_200_hz_dbuv : strongest 200 Hz of it [dBuV].
    class_116 : the device is of class 116, which EN 50065-1 holds to 116 dBuV from 95 to 148.5 kHz.

    Returns
    -------
    What the level was checked against, for the report; that no limit is known where so. Raises ValueError naming
    level, limit, source and fix.

    >>> check_level("DE", 35937.5, 90625.0, peak_dbuv=132.0, per_200_hz_dbuv=95.6)
    '132.0 dBuV peak of 134.0 allowed (EN 50065-1)'
    """
    rows = [one for one in allocations_of(country) if one.low_hz < high_hz and one.high_hz > low_hz]
    told = [one for one in rows if one.peak_dbuv is not None]
    if not told:
        return f"no limit of level is known for {country} from {_khz(low_hz)} to {_khz(high_hz)} kHz"
    wide = high_hz - low_hz >= WIDE_BAND_HZ
    limit = min(_limit_dbuv(one, low_hz, high_hz, wide, class_116) for one in told)
    dense = min((one.per_200_hz_dbuv for one in told if one.per_200_hz_dbuv is not None), default=np.inf)
    for level, allowed, what in ((peak_dbuv, limit, "peak"), (per_200_hz_dbuv, dense if wide else np.inf, "in 200 Hz")):
        if not level <= allowed + 1e-9:
            raise ValueError(
                f"{level:.1f} dBuV {what} from {_khz(low_hz)} to {_khz(high_hz)} kHz: {country} allows {allowed:.1f} "
                f"({told[0].source}); lower the level by {level - allowed:.1f} dB"
            )
    return f"{peak_dbuv:.1f} dBuV peak of {limit:.1f} allowed ({told[0].source})"


def allocations_of(country: str) -> tuple[Allocation, ...]:
    """Rows of a country by frequency; none where the table does not have it."""
    return tuple(one for one in ALLOCATIONS if country in one.countries)


def allocations_table() -> pd.DataFrame:
    """The table, one row an allocation."""
    return pd.DataFrame([asdict(one) | {"countries": " ".join(one.countries)} for one in ALLOCATIONS])


def _covering(rows: tuple[Allocation, ...], low_hz: float, high_hz: float) -> list[Allocation]:
    """The rows that together cover the band without a gap; none where they do not."""
    found: list[Allocation] = []
    reached = low_hz
    for one in rows:
        if one.low_hz <= reached <= one.high_hz and (not found or reached < high_hz):
            found.append(one)
            reached = one.high_hz
    return found if found and reached >= high_hz else []


def _limit_dbuv(row: Allocation, low_hz: float, high_hz: float, wide: bool, class_116: bool) -> float:
    """The lowest limit of a row within the band [dBuV]."""
    ends = row.peak_dbuv if wide else row.narrow_dbuv
    assert ends is not None
    inside = np.log([max(low_hz, row.low_hz), min(high_hz, row.high_hz)])
    limit = float(np.interp(inside, np.log([row.low_hz, row.high_hz]), ends).min())
    held = class_116 and row.low_hz >= CLASS_LOW_HZ and row.high_hz <= CLASS_HIGH_HZ
    return min(limit, CLASS_116_DBUV) if held else limit


def _allowed(rows: tuple[Allocation, ...]) -> str:
    """What a country allows, touching bands as one."""
    edges: list[list[float]] = []
    for one in rows:
        if edges and one.low_hz <= edges[-1][1]:
            edges[-1][1] = one.high_hz
        else:
            edges.append([one.low_hz, one.high_hz])
    bands = " and ".join(f"{_khz(low)} to {_khz(high)} kHz" for low, high in edges)
    return f"allowed is {bands}, {rows[0].source.partition(':')[0]}"


def _khz(frequency_hz: float) -> str:
    return f"{frequency_hz / 1e3:.5g}"


def _meant(country: str) -> str:
    """A question where the code that is meant is plain."""
    code = country.strip().upper()
    code = OTHER_CODES.get(code, code)
    return f"; did you mean {code!r}?" if code in COUNTRIES else ""
