"""What a radio may emit, where and how long: one table of band limits for all radio technologies.

Keyed on frequency, not on band letters, because editions rename the letters. Limits are e.i.r.p.; European limits
are written as e.r.p. in the sources and stand here 2.15 dB higher.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from difflib import get_close_matches

import pandas as pd

ERP_TO_EIRP_DB = 2.15


@dataclass(frozen=True)
class Band:
    """One sub-band with one limit.

    region : ``EU``, ``NA``, ``IN``, ``JP`` or ``BZ``.
    low_hz, high_hz : edges [Hz].
    eirp_dbm : highest radiated power [dBm].
    duty_cycle : share of any hour that one transmitter may be on the air, 0 to 1; 1 means no such limit.
    access : what else the rule asks for, or allows instead of the duty cycle.
    source, confidence : where the row comes from; A read, B to be checked, C uncertain.
    """

    region: str
    low_hz: float
    high_hz: float
    eirp_dbm: float
    duty_cycle: float
    access: str
    source: str
    confidence: str


_EN220 = "EN 300 220-2 V3.3.1, tables 4 and 17-18; ERC/REC 70-03 annex 1"
_303204 = "EN 303 204 (network-based SRD, national adoption only)"
_POLITE = "or polite spectrum access"
_15247 = "47 CFR 15.247: hopping, 0.4 s per channel in 20 s (under 250 kHz) or 10 s"
_T108 = "ARIB STD-T108: listen before talk, 360 s/h per channel"

BANDS: tuple[Band, ...] = (
    #    region  low     high    eirp               duty   access            source            confidence
    Band("EU", 863.00e6, 865.00e6, 14.0 + ERP_TO_EIRP_DB, 0.001, _POLITE, _EN220, "A"),
    Band("EU", 865.00e6, 868.00e6, 14.0 + ERP_TO_EIRP_DB, 0.010, _POLITE, _EN220, "A"),
    Band("EU", 868.00e6, 868.60e6, 14.0 + ERP_TO_EIRP_DB, 0.010, _POLITE, _EN220, "A"),
    Band("EU", 868.70e6, 869.20e6, 14.0 + ERP_TO_EIRP_DB, 0.001, _POLITE, _EN220, "A"),
    Band("EU", 869.40e6, 869.65e6, 27.0 + ERP_TO_EIRP_DB, 0.100, _POLITE, _EN220, "A"),
    Band("EU", 869.70e6, 870.00e6, 14.0 + ERP_TO_EIRP_DB, 0.010, _POLITE, _EN220, "A"),
    Band("EU", 870.00e6, 875.60e6, 14.0 + ERP_TO_EIRP_DB, 0.010, "split by sub-band uncertain", _303204, "C"),
    Band("EU", 169.40e6, 169.475e6, 27.0 + ERP_TO_EIRP_DB, 0.100, "metering, at most 50 kHz wide", _EN220, "B"),
    Band("NA", 902.00e6, 928.00e6, 36.0, 1.0, "50 or more hopping channels, 6 dBi antenna", _15247, "B"),
    Band("IN", 865.00e6, 867.00e6, 30.0, 1.0, "power as RP002-1.0.4 IN865", "WPC 865-867 MHz rules of 2021", "B"),
    Band("JP", 920.50e6, 928.10e6, 16.0, 0.2, "20 mW and 3 dBi; 720 s/h per device", _T108, "B"),
    Band("BZ", 902.00e6, 907.50e6, 36.0, 1.0, "as 47 CFR 15.247", "ANATEL rules for restricted radiation", "C"),
    Band("BZ", 915.00e6, 928.00e6, 36.0, 1.0, "as 47 CFR 15.247", "ANATEL rules for restricted radiation", "C"),
)
REGIONS = tuple(dict.fromkeys(band.region for band in BANDS))


def band_at(region: str, frequency_hz: float) -> Band:
    """The limit that holds at a carrier.

    Parameters
    ----------
    region : one of ``REGIONS``.
    frequency_hz : carrier [Hz].

    Returns
    -------
    Band. Raises ValueError for an unknown region, or where no band of the table covers the carrier.

    >>> band_at("EU", 869.525e6).duty_cycle
    0.1
    """
    if region not in REGIONS:
        near = get_close_matches(region, REGIONS, n=1, cutoff=0.0)
        raise ValueError(f"region {region!r} is unknown; nearest is {near[0]!r}, known are {', '.join(REGIONS)}")
    for band in BANDS:
        if band.region == region and band.low_hz <= frequency_hz <= band.high_hz:
            return band
    raise ValueError(f"no {region} band covers {frequency_hz / 1e6:.3f} MHz; see the table of `channels.regions`")


def check_limits(region: str, frequency_hz: float, *, eirp_dbm: float, duty_cycle: float, culprit: str) -> None:
    """Refuse what the band forbids.

    Parameters
    ----------
    region, frequency_hz : as in `band_at`.
    eirp_dbm, duty_cycle : what shall be emitted [dBm], and for what share of an hour (0 to 1).
    culprit : name of the setting, for the message.

    Raises
    ------
    ValueError naming the culprit, the limit, its source and the way out.
    """
    band = band_at(region, frequency_hz)
    where = f"{band.low_hz / 1e6:.2f}-{band.high_hz / 1e6:.2f} MHz"
    if eirp_dbm > band.eirp_dbm + 1e-9:
        raise ValueError(
            f"{culprit} gives {eirp_dbm:.2f} dBm e.i.r.p.: {where} allows {band.eirp_dbm:.2f} ({band.source}); lower it"
        )
    if duty_cycle > band.duty_cycle + 1e-12:
        raise ValueError(
            f"{culprit} asks for a duty cycle of {duty_cycle:g}: {where} allows {band.duty_cycle:g} ({band.source}); "
            "lower it or change the sub-band"
        )


def bands_table(region: str | None = None) -> pd.DataFrame:
    """The table of band limits, all of it or one region, one row a sub-band."""
    return pd.DataFrame([asdict(band) for band in BANDS if region in (None, band.region)])
