"""The sum over error paths in single precision, for the choice of a mode, and cheap bounds of the flat SNR it gives.

`plc_error_paths` is the reference, and sums here give its flat SNR within 0.01 dB; below `LEAST_SUM` no frame is lost,
and the caller takes an estimate instead.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from .modem.convolutional import N_STATES
from .plc_error_paths import FAR, HALF_STATES, LANES, NEAR, SENT, WARM_UP
from .plc_exponential import IN_FREQUENCY, decays, decibel, flat_snr, least, total

Array = NDArray[Any]

LEAST_SUM = 1e-29
"""Sums over error paths below this one are not told apart: no frame is lost there."""
_FLOOR, _TINY = np.float32(1e-10), np.float32(1e-35)
"""Smallest decay of a bit, and what every state keeps: single precision never meets its subnormal range."""
_WEAK = 0.02
"""SNR over the scale below which the mean itself stands for the carriers."""
_UP, _UP_BELOW, _DOWN, _DOWN_EIGHT, _SLACK_DB = 2.3, 1.4, 0.6, 1.4, 0.3
"""How far the truth lies from the estimate of the full scale, in distances between the two estimates."""
_BELOW_DB = -3.0
"""So far below the threshold the truth is nearer."""
_HELD, _HELD_APART = 20.0, 1.6
"""Beyond so large a distance the truth may be far above both: a bound from the mean stands then."""


@njit(cache=True, nogil=True, error_model="numpy")
def estimates_db(
    rows: Array, bits: int, beta: float, n_symbols: int, threshold_db: float, work: Array, out: Array
) -> None:  # pragma: no cover - compiled
    """Flat SNR that gives about the same sum over error paths, of every part of the half cycle [dB].

    rows : (n_bins, n_carriers) float32 SNR behind the detector, with copies the sum of theirs
    out : (3, n_bins) lower bound, estimate, upper bound

    Exponential mappings with the waveform's scale and with twice as large a one; what the truth lies from the first is
    measured in their distance, fitted on some ten thousand simulated links: no proof, except that of the upper bound by
    the mean (the logarithm of a bit's decay is straight in its SNR, so unequal carriers never have the smaller sum).
    """
    n_bins, n = rows.shape
    scale = 2.0 * beta * (1.0, 2.0, 1.0 / NEAR)[bits - 1]
    shift = 0.3 if bits == 3 or n_symbols > 1 else 0.0
    for b in range(n_bins):
        row, decay = rows[b], work[:n]
        smallest = np.float64(least(row))
        decays(row, 1.0 / scale, smallest, decay)
        mean = total(row, n) / n
        if mean < _WEAK * scale:
            # nearly nothing decays: the mean, and what its spread can take from it at most
            wide_seen = seen = mean
        else:
            wide_seen = smallest - scale * np.log(total(decay, n) / n)
            for k in range(n):
                decay[k] *= decay[k]
            seen = smallest - 0.5 * scale * np.log(total(decay, n) / n)
        near_db = decibel(flat_snr(seen / n_symbols, IN_FREQUENCY))
        apart = max(decibel(flat_snr(wide_seen / n_symbols, IN_FREQUENCY)) - near_db, 0.0) if seen > 0.0 else 0.0
        over_db = near_db - threshold_db
        most_db = decibel(flat_snr(mean / n_symbols, IN_FREQUENCY))
        # a few dead carriers hold both estimates down, but paths have other bits
        held_db = _HELD * max(apart - _HELD_APART, 0.0) ** 2
        up_db = _SLACK_DB + (_UP if over_db > _BELOW_DB else _UP_BELOW) * apart + held_db
        mid_db = (min(max(0.6 + 0.28 * over_db, 0.35), 2.0) - shift) * apart + 0.5 * held_db
        out[0, b] = near_db - _SLACK_DB - (_DOWN_EIGHT if bits == 3 else _DOWN) * apart
        out[1, b] = min(near_db + mid_db, most_db)
        out[2, b] = min(near_db + up_db, most_db + _SLACK_DB)


@njit(cache=True, nogil=True, error_model="numpy")
def quick_log_sums(
    rows: Array, first: int, bits: int, beta: float, order: Array, coded: Array, states: Array, out: Array
) -> None:  # pragma: no cover - compiled
    """ln of the sums over error paths of up to `LANES` rows from ``first`` on.

    coded : (bits, n_carriers, LANES) float32, states : (2, n_states, LANES) float32, scratch;  out : (LANES,)
    """
    n_bins, n = rows.shape
    decay = np.empty((2, n), np.float32)
    for i in range(LANES):
        row = rows[min(first + i, n_bins - 1)]
        if bits < 3:
            decays(row, 1.0 / (bits * beta), 0.0, decay[0])
            for k in range(n):
                coded[0, k, i] = max(decay[0, k], _FLOOR)
        else:
            decays(row, NEAR / beta, 0.0, decay[0])
            decays(row, FAR / beta, 0.0, decay[1])
            for k in range(n):
                coded[0, k, i] = max(np.float32(0.5) * (decay[0, k] + decay[1, k]), _FLOOR)
                coded[2, k, i] = max(decay[0, k], _FLOOR)
    if bits > 1:
        coded[1] = coded[0]
    _quick_returning(coded.reshape(coded.shape[0] * n, LANES), order, states, out)


@intrinsic  # type: ignore[untyped-decorator]
def _one_step(
    typing: Any, here: Any, there: Any, first: Any, second: Any, total: Any, counts: Any
) -> tuple[Any, Any]:  # pragma: no cover - compiled
    """Masses of all states one step on, `LANES` at once; what is back on the right path joins ``total``.

    here, there, total : addresses of (n_states, LANES), twice, and (LANES,) float32
    first, second : of the (LANES,) decays of the step's two coded bits;  counts : 1 where the step counts, else 0
    Written out as vectors, every branch by its own weight: loops of so few turns are left as they are by the compiler.
    """

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        vector, fused = ir.VectorType(ir.FloatType(), LANES), ("contract",)
        tiny, none = (ir.Constant(vector, LANES * [value]) for value in (float(_TINY), 0.0))
        old, new, *decays_at, sum_at, counted = given

        def place(base: Any, row: int) -> Any:
            return builder.inttoptr(builder.add(base, ir.Constant(base.type, 4 * LANES * row)), vector.as_pointer())

        def product(weight: Any, mass: Any) -> Any:
            return mass if weight is None else builder.fmul(weight, mass, flags=fused)

        def mass(one: Any, first: Any, other: Any, second: Any) -> Any:
            rest = builder.fadd(product(other, second), tiny, flags=fused)
            return builder.fadd(product(one, first), rest, flags=fused)

        high, low = (builder.load(place(base, 0), align=4) for base in decays_at)
        weight = (None, low, high, builder.fmul(low, high))
        for state in range(HALF_STATES):
            one, other = weight[int(SENT[state])], weight[3 - int(SENT[state])]
            even, odd = (builder.load(place(old, 2 * state + side), align=4) for side in (0, 1))
            right, left = mass(one, even, other, odd), mass(other, even, one, odd)
            if state == 0:
                # back on the right path; and a new one leaves it
                told = builder.load(place(sum_at, 0), align=4)
                wanted = builder.trunc(counted, ir.IntType(1))
                builder.store(builder.select(wanted, builder.fadd(told, right), told), place(sum_at, 0), align=4)
                right, left = none, builder.fadd(left, weight[3])
            builder.store(right, place(new, state), align=4)
            builder.store(left, place(new, state + HALF_STATES), align=4)
        return context.get_dummy_value()

    return types.void(*(6 * [types.intp])), generate


@njit(cache=True, nogil=True, error_model="numpy")
def _quick_returning(decay: Array, order: Array, states: Array, out: Array) -> None:  # pragma: no cover - compiled
    """`plc_error_paths._returning` in single precision; ``decay`` in rows of label bit and carrier."""
    n_steps = order.size // 2
    states[:] = np.float32(0.0)
    total = np.zeros(LANES, np.float32)
    # addresses, since every array that changes its name costs time
    base, old, new, sums = decay.ctypes.data, states[0].ctypes.data, states[1].ctypes.data, total.ctypes.data
    for t in range(-WARM_UP, n_steps):
        at = 2 * (t % n_steps)
        first, second = base + 4 * LANES * order[at], base + 4 * LANES * order[at + 1]
        _one_step(old, new, first, second, sums, 1 if t >= 0 else 0)  # type: ignore[call-arg]
        old, new = new, old
    for i in range(LANES):
        out[i] = np.log(np.float64(total[i]) / n_steps)


@njit(cache=True, nogil=True, error_model="numpy")
def quick_states() -> Array:  # pragma: no cover - compiled
    """Scratch of `quick_log_sums`."""
    return np.zeros((2, N_STATES, LANES), np.float32)
