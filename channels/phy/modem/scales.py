"""Fit and check the scales of the exponential effective-SNR mapping against the modem, `plc_scales.csv`.

On the even ones of the random channels of `selective` a scale is fitted, on the odd ones it is judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize_scalar

from ..plc_waveforms import WAVEFORMS
from .link import frame_of, simulate
from .modulation import flat_equivalent, pair_snr
from .selective import channel

Array = NDArray[Any]

SCALES = Path(__file__).parents[1] / "plc_scales.csv"
SEED = 12
WANTED = 0.1
"""Packet error ratio at which the needed SNR is compared."""
STEP_DB = 0.4
FLAT_FRAMES_FACTOR = 4
SCALE_RANGE = (0.002, 60.0)


@dataclass(frozen=True)
class Mapping:
    """From a channel to the terms whose exponential mean tells its flat SNR.

    name : waveform
    detected : the SNR behind the detector (`pair_snr`, time-differential carriers with themselves); otherwise that of
        the carrier, frequency-differential pairs as the flat SNR that gives the same pair. Coherent: no difference.
    """

    name: str
    detected: bool

    def terms(self, snr: Array) -> Array:
        """Terms of (n_symbols, n_carriers) linear SNR."""
        detection = WAVEFORMS[self.name].detection
        if detection == "coherent" or (detection == "time" and not self.detected):
            return snr
        if detection == "time":
            return pair_snr(snr, snr)
        pair = pair_snr(snr, np.concatenate([snr[:, :1], snr[:, :-1]], axis=1))
        return pair if self.detected else flat_equivalent(pair)

    def threshold(self, flat_db: float) -> float:
        """Value of every term on a flat channel [dB]."""
        return float(10 * np.log10(self.terms(np.full((1, 2), 10 ** (flat_db / 10)))[0, 0]))

    def shift_db(self, relative: Array, scale: float, flat_db: float) -> float:
        """By how much a channel must be raised until it loses as many frames as a flat one of flat_db [dB]."""
        wanted = self.threshold(flat_db)

        def excess(shift_db: float) -> float:
            return effective_db(self.terms(relative * 10 ** (shift_db / 10)), scale) - wanted

        return float(brentq(excess, -80.0, 120.0, xtol=1e-3))


def effective_db(terms: Array, scale: float) -> float:
    """-scale ln mean exp(-term / scale) [dB], the smallest taken out first."""
    least = float(terms.min())
    return float(10 * np.log10(least - scale * np.log(np.exp((least - terms) / scale).mean())))


def needed_shift_db(name: str, relative: Array, *, n_frames: int, seed: int, start_db: float) -> float:
    """The same by Monte-Carlo: SNR shift at which a tenth of the frames is lost [dB].

    The same random numbers at every shift; the logarithm of the error ratio is taken as straight between two shifts
    0.4 dB apart.
    """

    def per(shift_db: float) -> float:
        snr = relative * 10 ** (shift_db / 10)
        lost = simulate(name, WAVEFORMS[name].reference_bytes, snr, n_frames=n_frames, seed=seed).n_errors
        return max(lost, 0.5) / n_frames

    shift, now = start_db, per(start_db)
    step = STEP_DB if now > WANTED else -STEP_DB
    while True:
        after = per(shift + step)
        if (after > WANTED) != (now > WANTED):
            return float(shift + step * np.log(WANTED / now) / np.log(after / now))
        shift, now = shift + step, after


@dataclass(frozen=True)
class Scale:
    """One row of the file: scale and error on channels not used to fit [dB rms], for both mappings."""

    waveform: str
    beta: float
    rms_db: float
    n_channels: int
    detected_beta: float
    detected_rms_db: float


def scaled_waveforms() -> list[str]:
    """Waveforms whose errors follow an effective SNR: all coded ones."""
    return [name for name, one in WAVEFORMS.items() if one.coded]


def needed_shifts_db(name: str, n_channels: int, n_frames: int) -> tuple[list[Array], Array, float]:
    """Channels, the shift that each needs, and the SNR that a flat one needs [dB], all by Monte-Carlo."""
    layout = frame_of(name, WAVEFORMS[name].reference_bytes)
    flat = np.ones((layout.n_symbols, layout.n_carriers))
    flat_db = needed_shift_db(name, flat, n_frames=FLAT_FRAMES_FACTOR * n_frames, seed=SEED, start_db=2.0)
    channels = [channel(name, number, layout) for number in range(n_channels)]
    needed = [
        needed_shift_db(
            name,
            cells,
            n_frames=n_frames,
            seed=SEED + number,
            start_db=Mapping(name, True).shift_db(cells, 1.0, flat_db),
        )
        for number, cells in enumerate(channels)
    ]
    return channels, np.array(needed), flat_db


def fitted_scale(mapping: Mapping, channels: Sequence[Array], needed: Array, flat_db: float) -> float:
    """Scale of least squared error in the shift."""

    def squares(log_scale: float) -> float:
        return rms_db(mapping, float(np.exp(log_scale)), channels, needed, flat_db)

    best = minimize_scalar(squares, bounds=tuple(np.log(SCALE_RANGE)), method="bounded", options={"xatol": 1e-2})
    return float(np.exp(best.x))


def rms_db(mapping: Mapping, scale: float, channels: Sequence[Array], needed: Array, flat_db: float) -> float:
    """Error of the predicted shift [dB rms]."""
    predicted = np.array([mapping.shift_db(cells, scale, flat_db) for cells in channels])
    return float(np.sqrt(np.mean((predicted - needed) ** 2)))


def fit(name: str, n_channels: int, n_frames: int) -> Scale:
    """Both mappings of a waveform, fitted on n_channels and judged on as many others."""
    channels, needed, flat_db = needed_shifts_db(name, 2 * n_channels, n_frames)
    (plain, plain_rms), (seen, seen_rms) = (
        _fitted_and_judged(Mapping(name, detected), channels, needed, flat_db) for detected in (False, True)
    )
    return Scale(name, plain, plain_rms, n_channels, seen, seen_rms)


def _fitted_and_judged(
    mapping: Mapping, channels: Sequence[Array], needed: Array, flat_db: float
) -> tuple[float, float]:
    scale = fitted_scale(mapping, channels[::2], needed[::2], flat_db)
    return scale, rms_db(mapping, scale, channels[1::2], needed[1::2], flat_db)


def write_scales(scales: Iterable[Scale], path: Path, n_channels: int, n_frames: int) -> None:
    """Scales as CSV behind their recipe."""
    head = (
        "# Scales (beta, linear) of the exponential effective SNR, made by channels/phy/modem/scales.py.\n"
        "# beta: of every carrier's SNR g, frequency-differential pairs as their flat equivalent.\n"
        "# detected_beta: of the SNR behind the detector, 1 / (1/a + 1/b + 1/(a b)); a = b = g in time, neighbours in\n"
        "# frequency; p back to flat SNR: p + sqrt(p p + p). Coherent: g itself.\n"
        f"# Fitted on {n_channels} random channels, errors [dB rms, SNR for 10 % lost frames] on as many others;\n"
        "# log-normal 4 and 8 dB per carrier, notches, two rays, mains cycle (not within a symbol).\n"
        f"# Seed {SEED}; {n_frames} frames a point. Rerun: python -m amiplan.channels.phy.modem.make\n"
        "waveform,beta,rms_db,n_channels,detected_beta,detected_rms_db\n"
    )
    rows = (
        f"{s.waveform},{s.beta:.4g},{s.rms_db:.2f},{s.n_channels},{s.detected_beta:.4g},{s.detected_rms_db:.2f}\n"
        for s in scales
    )
    path.write_text(head + "".join(rows), encoding="utf-8")


def read_scales(path: Path = SCALES) -> dict[str, Scale]:
    """The stored scales by waveform."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    rows = (line.split(",") for line in lines[1:])
    return {
        name: Scale(name, float(beta), float(rms), int(n), float(seen_beta), float(seen_rms))
        for name, beta, rms, n, seen_beta, seen_rms in rows
    }
