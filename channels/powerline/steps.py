"""Voltages from one end of an edge to the other, in lanes."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from .lanes import CLARKE, LANES, kernel
from .through import pattern

Array = NDArray[Any]
W = LANES


@kernel
def turn(ratio: Array, volts: Array, out: Array) -> None:
    """Matrix times voltages, three phases."""
    for cell in range(out.shape[0]):
        for w in range(W):
            ar, ai = volts[cell, w], volts[cell, W + w]
            br, bi = volts[cell, 2 * W + w], volts[cell, 3 * W + w]
            cr, ci = volts[cell, 4 * W + w], volts[cell, 5 * W + w]
            for i in range(3):
                o = 6 * i * W + w
                pr, pi = ratio[cell, o], ratio[cell, o + W]
                qr, qi = ratio[cell, o + 2 * W], ratio[cell, o + 3 * W]
                rr, ri = ratio[cell, o + 4 * W], ratio[cell, o + 5 * W]
                out[cell, 2 * i * W + w] = pr * ar - pi * ai + qr * br - qi * bi + rr * cr - ri * ci
                out[cell, (2 * i + 1) * W + w] = pr * ai + pi * ar + qr * bi + qi * br + rr * ci + ri * cr


@kernel
def scale(ratio: Array, volts: Array, out: Array) -> None:
    """Number times voltage, one phase."""
    lanes = ratio.shape[1] // 2
    for cell in range(out.shape[0]):
        for w in range(lanes):
            re, im, vr, vi = ratio[cell, w], ratio[cell, W + w], volts[cell, w], volts[cell, W + w]
            out[cell, w], out[cell, W + w] = re * vr - im * vi, re * vi + im * vr


@kernel
def drop(ratio: Array, phase: int, volts: Array, out: Array) -> None:
    """From three phases onto one."""
    kind = volts.dtype.type
    q0, q1, q2 = kind(CLARKE[0, phase]), kind(CLARKE[1, phase]), kind(CLARKE[2, phase])
    for cell in range(out.shape[0]):
        for w in range(W):
            vr = q0 * volts[cell, w] + q1 * volts[cell, 2 * W + w] + q2 * volts[cell, 4 * W + w]
            vi = q0 * volts[cell, W + w] + q1 * volts[cell, 3 * W + w] + q2 * volts[cell, 5 * W + w]
            re, im = ratio[cell, w], ratio[cell, W + w]
            out[cell, w], out[cell, W + w] = re * vr - im * vi, re * vi + im * vr


@kernel
def power_behind_drop(ratio: Array, phase: int, volts: Array, out: Array) -> None:
    """|V|^2 at the end of a single-phase drop, from three phases."""
    kind = volts.dtype.type
    q0, q1, q2 = kind(CLARKE[0, phase]), kind(CLARKE[1, phase]), kind(CLARKE[2, phase])
    whole = out.size // W
    for cell in range(whole):
        for w in range(W):
            re = q0 * volts[cell, w] + q1 * volts[cell, 2 * W + w] + q2 * volts[cell, 4 * W + w]
            im = q0 * volts[cell, W + w] + q1 * volts[cell, 3 * W + w] + q2 * volts[cell, 5 * W + w]
            gain = ratio[cell, w] * ratio[cell, w] + ratio[cell, W + w] * ratio[cell, W + w]
            out[cell * W + w] = (re * re + im * im) * gain
    for lane in range(whole * W, out.size):
        row, own, w = volts[whole], ratio[whole], lane - whole * W
        re = q0 * row[w] + q1 * row[2 * W + w] + q2 * row[4 * W + w]
        im = q0 * row[W + w] + q1 * row[3 * W + w] + q2 * row[5 * W + w]
        out[lane] = (re * re + im * im) * (own[w] * own[w] + own[W + w] * own[W + w])


@kernel
def lift(ratio: Array, total: Array, phase: int, volts: Array, out: Array) -> None:
    """From one phase onto three: the other two phases are not driven and follow as Y^-1 q / (q' Y^-1 q)."""
    pattern(total, phase, out)
    for cell in range(out.shape[0]):
        for w in range(W):
            re, im, vr, vi = ratio[cell, w], ratio[cell, W + w], volts[cell, w], volts[cell, W + w]
            sr, si = re * vr - im * vi, re * vi + im * vr
            for i in range(3):
                pr, pi = out[cell, 2 * i * W + w], out[cell, (2 * i + 1) * W + w]
                out[cell, 2 * i * W + w], out[cell, (2 * i + 1) * W + w] = pr * sr - pi * si, pr * si + pi * sr
