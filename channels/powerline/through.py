"""Edges with their loads, and admittances of one phase among three, in lanes."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from .lanes import CLARKE, LANES, inverse, kernel

Array = NDArray[Any]
W = LANES


@kernel
def through1(load: Array, constant: Array, seen: Array, ratio: Array) -> None:
    """An edge of one mode with its load: admittance seen at the near end, V_far / V_near."""
    for cell in range(load.shape[0]):
        for w in range(W):
            y = complex(load[cell, w], load[cell, W + w])
            series = complex(constant[cell, w], constant[cell, W + w])
            shunt = complex(constant[cell, 2 * W + w], constant[cell, 3 * W + w])
            decay = complex(constant[cell, 4 * W + w], constant[cell, 5 * W + w])
            r = inverse(1 + series * y) * decay
            y_in = shunt + y * r * decay
            ratio[cell, w], ratio[cell, W + w] = r.real, r.imag
            seen[cell, w], seen[cell, W + w] = y_in.real, y_in.imag


@kernel
def through3(load: Array, constant: Array, seen: Array, ratio: Array) -> None:
    """An edge of three phases with its load, in Clarke's basis; W is found by adding one mode's impedance at a time."""
    for cell in range(load.shape[0]):
        for w in range(W):
            y00, y01 = complex(load[cell, w], load[cell, W + w]), complex(load[cell, 2 * W + w], load[cell, 3 * W + w])
            y02 = complex(load[cell, 4 * W + w], load[cell, 5 * W + w])
            y11 = complex(load[cell, 6 * W + w], load[cell, 7 * W + w])
            y12 = complex(load[cell, 8 * W + w], load[cell, 9 * W + w])
            y22 = complex(load[cell, 10 * W + w], load[cell, 11 * W + w])
            ad = complex(constant[cell, w], constant[cell, W + w])
            td = complex(constant[cell, 2 * W + w], constant[cell, 3 * W + w])
            sd = complex(constant[cell, 4 * W + w], constant[cell, 5 * W + w])
            a0 = complex(constant[cell, 6 * W + w], constant[cell, 7 * W + w])
            t0 = complex(constant[cell, 8 * W + w], constant[cell, 9 * W + w])
            s0 = complex(constant[cell, 10 * W + w], constant[cell, 11 * W + w])
            r = inverse(1 + a0 * y00)
            f, g, h = a0 * r, y01, y02
            y00, y01, y02 = y00 * r, y01 * r, y02 * r
            y11, y12, y22 = y11 - f * g * g, y12 - f * g * h, y22 - f * h * h
            r = inverse(1 + ad * y11)
            f, g, h = ad * r, y01, y12
            y11, y01, y12 = y11 * r, y01 * r, y12 * r
            y00, y02, y22 = y00 - f * g * g, y02 - f * g * h, y22 - f * h * h
            r = inverse(1 + ad * y22)
            f, g, h = ad * r, y02, y12
            y22, y02, y12 = y22 * r, y02 * r, y12 * r
            y00, y01, y11 = y00 - f * g * g, y01 - f * g * h, y11 - f * h * h
            p, q, both = a0 * sd, ad * s0, ad * sd
            one = s0 - a0 * y00 * s0
            ratio[cell, w], ratio[cell, W + w] = one.real, one.imag
            one = -p * y01
            ratio[cell, 2 * W + w], ratio[cell, 3 * W + w] = one.real, one.imag
            one = -p * y02
            ratio[cell, 4 * W + w], ratio[cell, 5 * W + w] = one.real, one.imag
            one = -q * y01
            ratio[cell, 6 * W + w], ratio[cell, 7 * W + w] = one.real, one.imag
            one = sd - both * y11
            ratio[cell, 8 * W + w], ratio[cell, 9 * W + w] = one.real, one.imag
            other = -both * y12
            ratio[cell, 10 * W + w], ratio[cell, 11 * W + w] = other.real, other.imag
            one = -q * y02
            ratio[cell, 12 * W + w], ratio[cell, 13 * W + w] = one.real, one.imag
            ratio[cell, 14 * W + w], ratio[cell, 15 * W + w] = other.real, other.imag
            one = sd - both * y22
            ratio[cell, 16 * W + w], ratio[cell, 17 * W + w] = one.real, one.imag
            dd, cross = sd * sd, s0 * sd
            one = t0 + s0 * s0 * y00
            seen[cell, w], seen[cell, W + w] = one.real, one.imag
            one = cross * y01
            seen[cell, 2 * W + w], seen[cell, 3 * W + w] = one.real, one.imag
            one = cross * y02
            seen[cell, 4 * W + w], seen[cell, 5 * W + w] = one.real, one.imag
            one = td + dd * y11
            seen[cell, 6 * W + w], seen[cell, 7 * W + w] = one.real, one.imag
            one = dd * y12
            seen[cell, 8 * W + w], seen[cell, 9 * W + w] = one.real, one.imag
            one = td + dd * y22
            seen[cell, 10 * W + w], seen[cell, 11 * W + w] = one.real, one.imag


@kernel
def seen_on_phase(total: Array, phase: int, out: Array) -> None:
    """Admittance on one phase with the other two open: 1 / (q' Y^-1 q)."""
    q0, q1, q2 = CLARKE[0, phase], CLARKE[1, phase], CLARKE[2, phase]
    for cell in range(total.shape[0]):
        for w in range(W):
            a, b = complex(total[cell, w], total[cell, W + w]), complex(total[cell, 2 * W + w], total[cell, 3 * W + w])
            c = complex(total[cell, 4 * W + w], total[cell, 5 * W + w])
            d = complex(total[cell, 6 * W + w], total[cell, 7 * W + w])
            e = complex(total[cell, 8 * W + w], total[cell, 9 * W + w])
            f = complex(total[cell, 10 * W + w], total[cell, 11 * W + w])
            c00, c01, c02 = d * f - e * e, c * e - b * f, b * e - c * d
            c11, c12, c22 = a * f - c * c, b * c - a * e, a * d - b * b
            determinant = a * c00 + b * c01 + c * c02
            p0, p1, p2 = q0 * c00 + q1 * c01 + q2 * c02, q0 * c01 + q1 * c11 + q2 * c12, q0 * c02 + q1 * c12 + q2 * c22
            y = determinant * inverse(q0 * p0 + q1 * p1 + q2 * p2)
            out[cell, w], out[cell, W + w] = y.real, y.imag


@kernel
def pattern(total: Array, phase: int, out: Array) -> None:
    """Voltages in Clarke's basis while one phase is held at 1 V and nothing drives the others."""
    q0, q1, q2 = CLARKE[0, phase], CLARKE[1, phase], CLARKE[2, phase]
    for cell in range(total.shape[0]):
        for w in range(W):
            a, b = complex(total[cell, w], total[cell, W + w]), complex(total[cell, 2 * W + w], total[cell, 3 * W + w])
            c = complex(total[cell, 4 * W + w], total[cell, 5 * W + w])
            d = complex(total[cell, 6 * W + w], total[cell, 7 * W + w])
            e = complex(total[cell, 8 * W + w], total[cell, 9 * W + w])
            f = complex(total[cell, 10 * W + w], total[cell, 11 * W + w])
            c00, c01, c02 = d * f - e * e, c * e - b * f, b * e - c * d
            c11, c12, c22 = a * f - c * c, b * c - a * e, a * d - b * b
            p0, p1, p2 = q0 * c00 + q1 * c01 + q2 * c02, q0 * c01 + q1 * c11 + q2 * c12, q0 * c02 + q1 * c12 + q2 * c22
            t = q0 * p0 + q1 * p1 + q2 * p2
            over = 1 / (t.real * t.real + t.imag * t.imag)
            scale = complex(t.real * over, -t.imag * over)
            p0, p1, p2 = p0 * scale, p1 * scale, p2 * scale
            out[cell, w], out[cell, W + w] = p0.real, p0.imag
            out[cell, 2 * W + w], out[cell, 3 * W + w] = p1.real, p1.imag
            out[cell, 4 * W + w], out[cell, 5 * W + w] = p2.real, p2.imag


@kernel
def add_to_phase(total: Array, part: Array, phase: int) -> None:
    """Add an admittance on one phase to a 3x3 admittance in Clarke's basis."""
    q0, q1, q2 = CLARKE[0, phase], CLARKE[1, phase], CLARKE[2, phase]
    weight = (q0 * q0, q0 * q1, q0 * q2, q1 * q1, q1 * q2, q2 * q2)
    for cell in range(total.shape[0]):
        for i in range(6):
            for w in range(2 * W):
                total[cell, 2 * i * W + w] += weight[i] * part[cell, w]


@kernel
def add(total: Array, part: Array) -> None:
    """Add cell by cell."""
    for cell in range(total.shape[0]):
        for i in range(total.shape[1]):
            total[cell, i] += part[cell, i]


@kernel
def without(total: Array, part: Array, out: Array) -> None:
    """What is left of a sum without one part."""
    for cell in range(total.shape[0]):
        for i in range(total.shape[1]):
            out[cell, i] = total[cell, i] - part[cell, i]
