"""Strong emitters at meters: what switching converters put on the line at their own terminals.

The noise of a supply, charger, inverter or lamp is not a property of the receiver: it stands somewhere and travels
through the network like a signal. Here is the source, device by device; the solver carries it to every receiver.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..draws import Draws
from ..paths import CUSTOMER_CLASSES
from .cycle import bin_means, constant, interval
from .editable import column, shipped
from .mains import phase_shift
from .spectra import LEVEL_BANDWIDTH_HZ, UPPER_HZ, comb

Array = NDArray[Any]

HOURS = 24


@dataclass(frozen=True)
class EmitterKind:
    """One kind of emitter, a row of ``emitters.csv``; a case file may change it or add others.

    Levels are readings in 200 Hz at the emitter's own terminals; frequencies and widths are drawn evenly in their
    logarithm. Raises ValueError where a range does not rise or a number is impossible.
    """

    name: str
    house: float = column(
        "1", "strong devices running at a house, mean over the day where emitter_ratio is 1", maximum=1000
    )
    flat: float = column("1", "the same at a flat", maximum=1000)
    farm: float = column("1", "the same at a farm", maximum=1000)
    commercial: float = column("1", "the same at a shop or office", maximum=1000)
    public: float = column("1", "the same at a public building", maximum=1000)
    industrial: float = column("1", "the same in industry", maximum=1000)
    other: float = column("1", "the same at any other customer", maximum=1000)
    low_dbuv: float = column(
        "dBuV", "weakest: reading of its first line from the lower edge of a band on, below 150 kHz", -40, 160
    )
    high_dbuv: float = column("dBuV", "strongest, likewise", -40, 160)
    above_150_db: float = column("dB", "how much lower it is from 150 kHz on", -60, 100)
    switching_low_hz: float = column("Hz", "lowest switching frequency", maximum=1e7)
    switching_high_hz: float = column("Hz", "highest switching frequency", maximum=1e7)
    width_low_hz: float = column("Hz", "narrowest line at half its height", maximum=1e6)
    width_high_hz: float = column("Hz", "widest line at half its height", maximum=1e6)
    pattern_centre: float = column(
        "1", "where in the half cycle of its phase it emits: 0 zero crossing, 0.5 crest", 0, 1
    )
    pattern_share: float = column("1", "during which share of the half cycle; 1 all the time")
    pattern_rest_db: float = column("dB", "level outside that time relative to inside", -100)
    hours: tuple[float, ...] = column(
        "1", "24 factors on the number of devices from midnight on, mean about 1", maximum=1000
    )
    confidence: str = "C"
    source: str = ""

    def __post_init__(self) -> None:
        if min(self.mean_devices) < 0:
            raise ValueError("a mean number of devices is negative; give 0 where there is none")
        if self.low_dbuv > self.high_dbuv:
            raise ValueError("emitter levels must rise; give the lower level in dBuV first")
        for what in ("switching", "width"):
            low, high = getattr(self, f"{what}_low_hz"), getattr(self, f"{what}_high_hz")
            if not 0 < low <= high:
                raise ValueError(f"emitter {what} frequencies must be positive and rise; got {low} to {high} Hz")
        if not 0 < self.pattern_share <= 1 or self.pattern_rest_db > 0:
            raise ValueError("pattern_share must lie in 0 to 1 and pattern_rest_db not above 0; correct them")
        if len(self.hours) != HOURS or min(self.hours) < 0:
            raise ValueError(f"hours must be {HOURS} factors that are not negative; got {len(self.hours)}")

    @property
    def mean_devices(self) -> tuple[float, ...]:
        """The columns of the customer classes, in the order of ``CUSTOMER_CLASSES``."""
        return tuple(float(getattr(self, name)) for name in CUSTOMER_CLASSES)

    def at_hour(self, hour: float) -> float:
        """Factor on the number of devices at an hour of the day, 0 to 24."""
        return float(np.interp(hour % HOURS, np.arange(HOURS + 1), (*self.hours, self.hours[0])))


@dataclass(frozen=True)
class EmitterSettings:
    """How many emitters there are and how they are looked at.

    ratio : factor on the table: mean number of emitters at a house, 0 to 1
    hour : of the day, 0 to 24
    kinds : rows of the table
    window_s, mains_hz, n_bins : time a receiver averages, mains frequency, equal parts of its half cycle
    """

    ratio: float
    hour: float
    kinds: tuple[EmitterKind, ...]
    window_s: float
    mains_hz: float
    n_bins: int


@dataclass(frozen=True)
class Emitters:
    """Emitters that run in one replication, by kind, then by meter; one row a device.

    row : (n,) int64 row of the meter that hosts it
    level_uv2 : (n, n_carriers) float64 power at its own terminals, mean over the mains cycle
    pattern : (n, n_bins) power over the half cycle relative to its mean, on the first phase; `emitter_patterns` has
        the others
    kind : (n,) int64 row of the settings' kinds
    """

    row: Array
    level_uv2: Array
    pattern: Array
    kind: Array


def emitter_kinds() -> dict[str, EmitterKind]:
    """The shipped table, name to kind."""
    return shipped(EmitterKind, "emitters.csv")


def emitters_of(
    meter_key: Array,
    meter_class: Array | None,
    frequency_hz: Array,
    bandwidth_hz: float,
    draws: Draws,
    settings: EmitterSettings,
) -> Emitters:
    """Draw the devices that disturb in one replication, each by itself.

    Parameters
    ----------
    meter_key : (n_meters,) uint64 stable keys
    meter_class : (n_meters,) rows of ``CUSTOMER_CLASSES``; None where all are houses
    frequency_hz : (n_carriers,);  bandwidth_hz : of one carrier

    Returns
    -------
    Emitters. A larger ratio keeps the emitters of a smaller one, a busier hour those of a quieter one. Raises
    ValueError where the ratio leaves 0 to 1 or a class does not exist.
    """
    if not 0 <= settings.ratio <= 1:
        raise ValueError(f"emitter ratio {settings.ratio} must lie within 0 to 1; it is a mean number per house")
    customer = np.zeros(meter_key.size, np.int64) if meter_class is None else np.asarray(meter_class, np.int64)
    if np.any(bad := (customer < 0) | (customer >= len(CUSTOMER_CLASSES))):
        row = int(np.argmax(bad))
        raise ValueError(f"meter {row} has customer class {customer[row]}; give 0 to {len(CUSTOMER_CLASSES) - 1}")
    rows, levels = [np.zeros(0, np.int64)], [np.zeros((0, np.size(frequency_hz)))]
    for kind in settings.kinds:
        chance = settings.ratio * kind.at_hour(settings.hour) * np.array(kind.mean_devices)
        hosts = np.flatnonzero(draws.uniform(f"emitter {kind.name}", meter_key) < chance[customer])
        rows.append(hosts)
        level = emission_dbuv(meter_key[hosts], frequency_hz, bandwidth_hz, draws, kind)
        levels.append(10 ** (level / 10))
    number = np.repeat(np.arange(len(settings.kinds)), [one.size for one in rows[1:]])
    pattern = emitter_patterns(settings, 1)[:, 0]
    return Emitters(np.concatenate(rows), np.concatenate(levels), pattern[number], number)


def emitter_patterns(settings: EmitterSettings, n_phases: int) -> Array:
    """Power over the half cycle of each kind on each phase, (n_kinds, n_phases, n_bins), mean 1 over the bins.

    Bins are those of the first phase; a device on another sees its own voltage later (`mains.phase_shift`).
    """
    width = settings.window_s * 2 * settings.mains_hz
    patterns = [_kind_pattern(kind, n_phases, settings.n_bins, width) for kind in settings.kinds]
    return np.stack(patterns) if patterns else np.zeros((0, n_phases, settings.n_bins))


@lru_cache(maxsize=256)
def _kind_pattern(kind: EmitterKind, n_phases: int, n_bins: int, width: float) -> Array:
    shapes = constant, interval(kind.pattern_centre, kind.pattern_share)
    rest = 10 ** (kind.pattern_rest_db / 10)
    steady, burst = bin_means(shapes, n_bins, phase_shift(n_phases), width)
    pattern = rest * steady + (1 - rest) * burst
    return np.asarray(pattern / pattern.mean(axis=1, keepdims=True))


def emission_dbuv(meter_key: Array, frequency_hz: Array, bandwidth_hz: float, draws: Draws, kind: EmitterKind) -> Array:
    """Emission of devices of one kind at their own terminals, per carrier.

    Parameters
    ----------
    meter_key : (n,) uint64 stable keys of the meters that host one
    frequency_hz : (n_carriers,);  bandwidth_hz : of one carrier

    Returns
    -------
    (n, n_carriers) rms level [dBuV]. The switching frequency and all its harmonics, each a Lorentzian line; the power
    of the n-th harmonic falls with n squared. The drawn level is the 200 Hz reading on the first line from the lower
    edge of the band on, or the strongest reading within the band where that is more; less ``above_150_db`` on carriers
    from 150 kHz on. A wide line therefore carries more power than a narrow one. Where the first line lies above the
    band, as that of every device that switches there, only its skirt and those of lines below arrive.

    References
    ----------
    Harmonics of a square wave fall by 20 dB a decade. Lines and sidebands as the form of switching noise between 10
    and 150 kHz are well known; the width stands for jitter, modulation by the mains and leakage between the bins of
    the receiver (confidence C).
    """
    frequency = np.asarray(frequency_hz, dtype=np.float64)
    level, switching, wide = (
        draws.uniform(f"{kind.name} {what}", meter_key) for what in ("level", "switching", "width")
    )
    level_dbuv = kind.low_dbuv + (kind.high_dbuv - kind.low_dbuv) * level
    centre = _log_even(kind.switching_low_hz, kind.switching_high_hz, switching)
    width = _log_even(kind.width_low_hz, kind.width_high_hz, wide) / 2
    carrier, reading = comb(centre, width, frequency, bandwidth_hz, LEVEL_BANDWIDTH_HZ)
    # the strongest reading may lie between two carriers or at an edge of the band. A line that leaves the band upwards
    # keeps its level, else its skirt would be raised to it; one that leaves downwards is followed by its skirt at the
    # edge until the next line is stronger: no step at either edge
    edges = np.array([frequency.min() - bandwidth_hz / 2, frequency.max() + bandwidth_hz / 2])
    at_edges = comb(centre, width, edges, bandwidth_hz, LEVEL_BANDWIDTH_HZ)[1]
    strongest = np.maximum(np.maximum(reading.max(axis=1), at_edges.max(axis=1)), _first_line(centre, width, edges[0]))
    lowered_db = np.where(frequency >= UPPER_HZ, kind.above_150_db, 0.0)
    return np.asarray(level_dbuv[:, None] - lowered_db + 10 * np.log10(carrier / strongest[:, None]))


def _log_even(low: float, high: float, share: Array) -> Array:
    """Between two limits, even in the logarithm, for shares from 0 to 1."""
    return np.asarray(low * (high / low) ** share)


def _first_line(centre: Array, width: Array, low_hz: float) -> Array:
    """200 Hz reading of the lowest harmonic from a frequency on, on its own centre; the fundamental's power is 1."""
    first = np.maximum(np.ceil(low_hz / centre), 1.0)
    return np.asarray(2 / np.pi * np.arctan(LEVEL_BANDWIDTH_HZ / 2 / width) / first**2)
