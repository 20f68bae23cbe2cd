"""Load of single meters: what each uses, interval by interval, and the registers that follow.

Standard profiles are averages of many homes; a single home is a standing load and a few appliance events. Traces here
are drawn event by event and average to the day shape, so the peak of many meters is far below the sum of their peaks.
Every number depends on (seed, day, key of the meter) only. Numbers are choices of ours (confidence C), see
`load_shapes`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from . import clock
from .draws import uniforms
from .load_shapes import APPLIANCES, KINDS, MILKING, Appliance
from .settings import check_limits, setting

Array = NDArray[Any]

KIND_NAMES = tuple(KINDS)
ROLLOVER = 2**32
CHANNELS = ("import_wh", "export_wh", "import_varh", "export_varh")


@dataclass(frozen=True)
class LoadSettings:
    """Spread and surroundings of the load. Raises ValueError for a value outside its limits."""

    spread: float = setting(0.35, "1", "log-normal spread of use between meters of a kind", "choice", "C", 0.0, 2.0)
    season: float = setting(
        0.15, "1", "use in January above the yearly mean, below it in July", "choice", "C", 0.0, 0.9
    )
    ripple: float = setting(0.2, "1", "spread of a business's load from interval to interval", "choice", "C", 0.0, 1.0)
    pv_factor: float = setting(1.0, "1", "multiplies the share of meters with photovoltaics", "choice", "C", 0.0, 10.0)
    pv_kwp: float = setting(7.0, "kW", "mean peak power of a roof", "choice; German roofs average 7-9", "C", 0.0, 100.0)
    latitude_deg: float = setting(50.0, "deg", "latitude of the sun's path", "choice: mid Germany", "C", -65.0, 65.0)
    tan_phi: float = setting(0.2, "1", "mean reactive over active power", "choice", "C", -1.0, 2.0)
    age_years: float = setting(
        8.0, "a", "mean age of the meters on day 0", "choice: half a 16 year life", "C", 0.0, 60.0
    )

    def __post_init__(self) -> None:
        check_limits(self)


DEFAULTS = LoadSettings()


def kind_codes(kind: Array) -> Array:
    """(n,) int8 rows of ``KIND_NAMES`` from names or codes; ValueError naming the first unknown kind."""
    given = np.asarray(kind)
    if given.dtype.kind in "iu":
        bad = (given < 0) | (given >= len(KIND_NAMES))
        codes = given
    else:
        names, inverse = np.unique(given.astype(str), return_inverse=True)
        known = {name: code for code, name in enumerate(KIND_NAMES)}
        codes = np.array([known.get(name, -1) for name in names], np.int8)[inverse]
        bad = codes < 0
    if bad.any():
        culprit = given[np.argmax(bad)]
        raise ValueError(
            f"kind {culprit!r} in row {int(np.argmax(bad))} is unknown: use one of {', '.join(KIND_NAMES)}"
        )
    return codes.astype(np.int8)


def interval_energy_wh(
    keys: Array, kind: Array, day: int, n_intervals: int = 96, seed: int = 0, settings: LoadSettings = DEFAULTS
) -> Array:
    """Energy each meter's customer uses in each interval of one day, photovoltaics not yet subtracted.

    Parameters
    ----------
    keys : (n,) uint64
        Stable keys; equal keys give equal traces.
    kind : (n,) str or int
        Names or codes of ``KIND_NAMES``.
    day
        0 is 1 January 2026; season and weekday follow from it.
    n_intervals
        Intervals of the day, 24 to 1440, dividing 86 400.

    Returns
    -------
    (n, n_intervals) float64 [Wh], positive. Raises ValueError for unknown kinds or lengths that differ.

    Notes
    -----
    Each appliance has twice as many chances a day as events on average, each taken with probability near one half;
    start times follow the hourly weights, power and duration are log-normal. An event that would run past midnight
    continues in the same day's first hours, so that days are alike on average.
    """
    keys, codes = _checked(keys, kind, n_intervals)
    step_h = 24.0 / n_intervals
    column = {name: np.array([getattr(one, name) for one in KINDS.values()])[codes] for name in _NUMBERS}
    size = _spread(seed, "size", keys, settings.spread) * _season(day, settings)
    energy = _standing_wh(keys, column, size, day, n_intervals, seed, settings) * step_h * 1000.0
    for appliance in APPLIANCES:
        _add_events(energy, keys, appliance, column["activity"] * size, day, seed)
    _add_events(energy, keys, MILKING, column["milking"] * size, day, seed)
    return energy


_NUMBERS = ("base_kw", "activity", "milking", "open_kw", "opens_h", "closes_h", "weekend")


def interval_channels(
    keys: Array, kind: Array, day: int, n_intervals: int = 96, seed: int = 0, settings: LoadSettings = DEFAULTS
) -> Array:
    """What the four registers gain in each interval, in whole Wh and varh.

    Import and export are netted per interval; what is below one Wh is carried to the next interval of the day, its
    start drawn at midnight.

    Returns
    -------
    (n, n_intervals, 4) uint32 in the order of ``CHANNELS``; parameters and errors as `interval_energy_wh`.
    """
    keys, codes = _checked(keys, kind, n_intervals)
    used = interval_energy_wh(keys, codes, day, n_intervals, seed, settings)
    net = used - _solar_wh(keys, codes, day, n_intervals, seed, settings)
    reactive = used * _tan_phi(keys, day, n_intervals, seed, settings)
    flows = (np.maximum(net, 0.0), np.maximum(-net, 0.0), np.maximum(reactive, 0.0), np.maximum(-reactive, 0.0))
    whole = np.empty((keys.size, n_intervals, 4), np.uint32)
    for channel, flow in enumerate(flows):
        start = uniforms(seed, f"remainder/{day}", keys, channel)
        total = np.floor(np.cumsum(flow, axis=1) + start[:, None])
        whole[:, :, channel] = np.diff(total, axis=1, prepend=0.0)
    return whole


def start_registers(keys: Array, kind: Array, seed: int = 0, settings: LoadSettings = DEFAULTS) -> Array:
    """(n, 4) uint32 registers on day 0: the meters' ages, drawn evenly, times a year of their kind's use."""
    keys, codes = _checked(keys, kind, 96)
    year = interval_channels(keys, codes, 90, 24, seed, settings).sum(axis=1, dtype=np.float64) * 365.0
    age = 2.0 * settings.age_years * uniforms(seed, "age", keys)
    return np.asarray(np.mod(np.floor(year * age[:, None]), ROLLOVER).astype(np.uint32))


def registers(
    keys: Array,
    kind: Array,
    day: int,
    seed: int = 0,
    *,
    n_intervals: int = 96,
    start: Array | None = None,
    settings: LoadSettings = DEFAULTS,
) -> Array:
    """Registers at the start of ``day``: those of day 0 and everything since, interval by interval.

    Parameters
    ----------
    day
        At least 0; the work grows with it.
    start : (n, 4) uint32
        Registers on day 0; drawn by `start_registers` where not given.

    Returns
    -------
    (n, 4) uint32 in the order of ``CHANNELS`` [Wh, varh], rolled over at 2^32. Raises ValueError for negative days.
    """
    if day < 0:
        raise ValueError(f"day {day}: registers start on day 0, 1 January 2026")
    keys, codes = _checked(keys, kind, n_intervals)
    total = (start_registers(keys, codes, seed, settings) if start is None else np.asarray(start)).astype(np.uint64)
    for earlier in range(day):
        gained = interval_channels(keys, codes, earlier, n_intervals, seed, settings)
        total = total + gained.sum(axis=1, dtype=np.uint64)
    return (total % np.uint64(ROLLOVER)).astype(np.uint32)


def profile(
    keys: Array,
    kind: Array,
    day: int,
    seed: int = 0,
    *,
    n_intervals: int = 96,
    start: Array | None = None,
    settings: LoadSettings = DEFAULTS,
) -> Array:
    """Registers at the end of each interval of ``day``; the last equals `registers` of the next day.

    Returns
    -------
    (n, n_intervals, 4) uint32; parameters and errors as `registers`.
    """
    first = registers(keys, kind, day, seed, n_intervals=n_intervals, start=start, settings=settings)
    gained = interval_channels(keys, kind, day, n_intervals, seed, settings)
    total = first[:, None, :].astype(np.uint64) + np.cumsum(gained, axis=1, dtype=np.uint64)
    return (total % np.uint64(ROLLOVER)).astype(np.uint32)


def consumed(earlier: Array, later: Array, rollover: int = ROLLOVER) -> Array:
    """What a register gained between two readings, one rollover allowed; int64, shape as broadcast.

    >>> int(consumed(np.uint32(2**32 - 5), np.uint32(7)))
    12
    """
    return np.asarray((np.asarray(later, np.int64) - np.asarray(earlier, np.int64)) % rollover)


def _checked(keys: Array, kind: Array, n_intervals: int) -> tuple[Array, Array]:
    keys, codes = np.asarray(keys), kind_codes(kind)
    if keys.ndim != 1 or keys.shape != codes.shape or keys.dtype != np.uint64:
        raise ValueError(f"keys {keys.shape} {keys.dtype}, kind {codes.shape}: pass equally long (n,), keys as uint64")
    if not 24 <= n_intervals <= 1440 or clock.DAY_S % n_intervals:
        raise ValueError(f"n_intervals = {n_intervals}: use 24 to 1440, dividing 86400 seconds")
    return keys, codes


def _spread(seed: int, purpose: str, keys: Array, sigma: float, index: Array | int = 0) -> Array:
    """Log-normal factors with mean 1."""
    return np.asarray(np.exp(sigma * ndtri(uniforms(seed, purpose, keys, index)) - sigma**2 / 2))


def _season(day: int, settings: LoadSettings) -> float:
    swing = float(np.cos(2 * np.pi * (clock.day_of_year(day) - 15) / 365.25))
    return 1.0 + settings.season * swing * (1.0 if settings.latitude_deg >= 0 else -1.0)


def _standing_wh(
    keys: Array, column: dict[str, Array], size: Array, day: int, n_intervals: int, seed: int, settings: LoadSettings
) -> Array:
    """(n, n_intervals) mean power of standing and opening-hours load [kW]."""
    hour = (np.arange(n_intervals) + 0.5) * 24.0 / n_intervals
    shift = uniforms(seed, "opening", keys)[:, None] - 0.5
    week = np.where(clock.is_weekend(day), column["weekend"], 1.0)
    power = np.repeat((column["base_kw"] * size)[:, None], n_intervals, axis=1)
    # A compressor runs about a third of each hour: the standing load swings around its mean, out of step.
    power *= 1.0 + 0.3 * np.sin(2 * np.pi * (hour * 1.1 + uniforms(seed, f"fridge/{day}", keys)[:, None]))
    business = np.flatnonzero(column["open_kw"] > 0)
    if business.size:
        opens, closes = column["opens_h"][business, None], column["closes_h"][business, None]
        is_open = (hour > opens + shift[business]) & (hour < closes + shift[business])
        ripple = _spread(seed, f"ripple/{day}", keys[business, None], settings.ripple, np.arange(n_intervals))
        level = (column["open_kw"] * size * week)[business, None]
        power[business] += np.where(is_open, level * ripple, 0.0)
    return power


def _add_events(energy: Array, keys: Array, appliance: Appliance, activity: Array, day: int, seed: int) -> None:
    """Add one appliance's events of the day to ``energy`` (n, n_intervals) [Wh], in place."""
    # Twice as many chances as events, counted by each meter for itself, so that no other meter matters.
    n_chances = np.ceil(2.0 * appliance.per_day * activity)
    probability = appliance.per_day * activity / np.maximum(n_chances, 1.0)
    cdf = np.concatenate(([0.0], np.cumsum(appliance.hours))) / sum(appliance.hours)
    for chance in range(int(n_chances.max(initial=0.0))):
        name = f"{appliance.name}/{day}/{chance}"
        happens = np.flatnonzero((uniforms(seed, name, keys) < probability) & (chance < n_chances))
        start_h = np.interp(uniforms(seed, f"{name}/start", keys[happens]), cdf, np.arange(25.0))
        power_w = 1000.0 * appliance.power_kw * _spread(seed, f"{name}/power", keys[happens], 0.25)
        duration_h = appliance.duration_h * _spread(seed, f"{name}/duration", keys[happens], 0.3)
        _deposit(energy, happens, start_h, np.minimum(duration_h, 12.0), power_w)


def _deposit(energy: Array, rows: Array, start_h: Array, duration_h: Array, power_w: Array) -> None:
    """Energy of one block of power per row into the intervals it overlaps, around midnight if need be."""
    n_intervals = energy.shape[1]
    step_h = 24.0 / n_intervals
    first = np.floor(start_h / step_h).astype(np.int64)
    n_spans = np.floor((start_h + duration_h) / step_h).astype(np.int64) - first + 1
    for span in range(int(n_spans.max(initial=0))):
        live = np.flatnonzero(n_spans > span)
        begins = (first[live] + span) * step_h
        ends = np.minimum(start_h[live] + duration_h[live], begins + step_h)
        overlap_h = np.maximum(ends - np.maximum(start_h[live], begins), 0.0)
        energy[rows[live], (first[live] + span) % n_intervals] += overlap_h * power_w[live]


def _solar_wh(keys: Array, codes: Array, day: int, n_intervals: int, seed: int, settings: LoadSettings) -> Array:
    """(n, n_intervals) photovoltaic energy: sine of the sun's height, weather of the day, passing clouds."""
    share = np.array([one.pv_share for one in KINDS.values()])[codes] * settings.pv_factor
    energy = np.zeros((keys.size, n_intervals))
    roofs = np.flatnonzero(uniforms(seed, "pv", keys) < share)
    if roofs.size == 0 or settings.pv_kwp == 0:
        return energy
    sky = np.zeros(1, np.uint64)
    clearness = 0.15 + 0.7 * uniforms(seed, f"weather/{day}", sky)
    clouds = 1.0 - 0.4 * uniforms(seed, f"clouds/{day}", sky[:, None], np.arange(n_intervals))
    peak_w = 1000.0 * settings.pv_kwp * _spread(seed, "pv_size", keys[roofs], 0.3)
    energy[roofs] = peak_w[:, None] * clearness * clouds * _sun_height(day, n_intervals, settings) * 24.0 / n_intervals
    return energy


def _sun_height(day: int, n_intervals: int, settings: LoadSettings) -> Array:
    """(n_intervals,) sine of the solar elevation, 0 at night; declination after P. I. Cooper, Solar Energy 12, 1969."""
    latitude = np.radians(settings.latitude_deg)
    declination = np.radians(23.45) * np.sin(2 * np.pi * (284 + clock.day_of_year(day)) / 365.0)
    hour_angle = 2 * np.pi * ((np.arange(n_intervals) + 0.5) / n_intervals - 0.5)
    height = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(hour_angle)
    return np.asarray(np.maximum(height, 0.0))


def _tan_phi(keys: Array, day: int, n_intervals: int, seed: int, settings: LoadSettings) -> Array:
    """(n, n_intervals) reactive over active power: a mean per meter and a ripple, at times capacitive."""
    own = settings.tan_phi + 0.15 * ndtri(uniforms(seed, "tan_phi", keys))
    ripple = uniforms(seed, f"tan_phi/{day}", keys[:, None], np.arange(n_intervals)) - 0.5
    return np.asarray(own[:, None] + 0.3 * ripple)
