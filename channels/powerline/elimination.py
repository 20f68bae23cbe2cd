"""Factors of a sparse symmetric matrix for many carriers at once: Y = L D L', without pivoting.

The real part of a passive network's admittance matrix is positive definite, and for such complex symmetric matrices
elimination in any order is stable (after A. George, Kh. Ikramov, A. Kucherov, "On the growth factor in Gaussian
elimination for generalized Higham matrices", 2002). So the order may follow the pattern alone, once for all carriers.

Numbers lie in lanes (see `lanes`): (n_cells, n + n_entries, 2 W), first the diagonal, then the columns of L.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .lanes import LANES, kernel

Array = NDArray[Any]
W = LANES


class Pattern(NamedTuple):
    """Where the entries of L stand.

    rank : (n,) place of each unknown in the order of elimination
    start : (n + 1,) columns of L in that order;  below : (n_entries,) rows of the entries
    target : entries that the elimination of each column changes, in the order in which it does (``0`` to ``n - 1``
        for the diagonal, then the columns of L)
    """

    rank: Array
    start: Array
    below: Array
    target: Array


def pattern_of(n: int, row: Array, column: Array) -> Pattern:
    """Order of least degree, and the pattern of L.

    Parameters
    ----------
    n : unknowns;  row, column : (n_entries,) entries off the diagonal, on either side of it
    """
    near: list[set[int]] = [set() for _ in range(n)]
    for i, j in zip(row.tolist(), column.tolist(), strict=True):
        if i != j:
            near[i].add(j)
            near[j].add(i)
    rank = np.full(n, -1)
    later: list[set[int]] = []
    heap = [(len(others), i) for i, others in enumerate(near)]
    heapify(heap)
    while heap:
        degree, i = heappop(heap)
        if rank[i] >= 0 or degree != len(near[i]):
            continue
        rank[i] = len(later)
        later.append(near[i])
        for j in near[i]:
            near[j] |= near[i]
            near[j] -= {i, j}
            heappush(heap, (len(near[j]), j))
    columns = [np.sort(rank[list(others)]) if others else np.zeros(0, np.int64) for others in later]
    start = np.append(0, np.cumsum([column.size for column in columns])).astype(np.int64)
    below = np.concatenate([np.zeros(0, np.int64), *columns])
    return Pattern(rank, start, below, _targets(start, below))


@kernel
def _targets(start: Array, below: Array) -> Array:
    """Entries that the elimination of each column changes."""
    n = start.size - 1
    count = 0
    for k in range(n):
        m = start[k + 1] - start[k]
        count += m * (m + 1) // 2
    out, at = np.empty(count, np.int64), 0
    for k in range(n):
        for s in range(start[k + 1] - 1, start[k] - 1, -1):
            for t in range(start[k], s + 1):
                out[at] = entry_of(start, below, below[s], below[t])
                at += 1
    return out


@kernel
def entry_of(start: Array, below: Array, row: int, column: int) -> int:
    """Place of an entry on or below the diagonal, in the order of elimination."""
    if row == column:
        return row
    first, last = start[column], start[column + 1]
    return int(start.size - 1 + first + np.searchsorted(below[first:last], row))


@kernel
def factor(values: Array, pattern: Pattern) -> None:
    """Turn a matrix into its factors, in place; the diagonal becomes 1 / D."""
    n = pattern.start.size - 1
    scaled = np.empty(2 * W)
    for cell in range(values.shape[0]):
        matrix, at = values[cell], 0
        for k in range(n):
            _invert(matrix[k])
            for s in range(pattern.start[k + 1] - 1, pattern.start[k] - 1, -1):
                scaled[:] = 0
                _less(matrix[n + s], matrix[k], scaled)
                for t in range(pattern.start[k], s + 1):
                    _more(scaled, matrix[n + t], matrix[pattern.target[at]])
                    at += 1
                for i in range(2 * W):
                    matrix[n + s, i] = -scaled[i]


@kernel
def substitute(matrix: Array, pattern: Pattern, x: Array, touched: Array) -> None:
    """Solve for one right-hand side of one cell, in place.

    Parameters
    ----------
    matrix : (n + n_entries, 2 W) factors of the cell
    x : (n, 2 W) right-hand side in the order of elimination, zero but where ``touched`` (n,) says so
    """
    n = x.shape[0]
    for k in range(n):
        if not touched[k]:
            continue
        for s in range(pattern.start[k], pattern.start[k + 1]):
            _less(matrix[n + s], x[k], x[pattern.below[s]])
            touched[pattern.below[s]] = True
    for k in range(n - 1, -1, -1):
        _times(matrix[k], x[k])
        for s in range(pattern.start[k], pattern.start[k + 1]):
            _less(matrix[n + s], x[pattern.below[s]], x[k])


@kernel
def _less(a: Array, b: Array, out: Array) -> None:
    """out -= a b."""
    lanes = a.size // 2
    for w in range(lanes):
        ar, ai, br, bi = a[w], a[W + w], b[w], b[W + w]
        out[w], out[W + w] = out[w] - (ar * br - ai * bi), out[W + w] - (ar * bi + ai * br)


@kernel
def _more(a: Array, b: Array, out: Array) -> None:
    """out += a b."""
    lanes = a.size // 2
    for w in range(lanes):
        ar, ai, br, bi = a[w], a[W + w], b[w], b[W + w]
        out[w], out[W + w] = out[w] + (ar * br - ai * bi), out[W + w] + (ar * bi + ai * br)


@kernel
def _times(a: Array, out: Array) -> None:
    """out = a out."""
    lanes = a.size // 2
    for w in range(lanes):
        ar, ai, br, bi = a[w], a[W + w], out[w], out[W + w]
        out[w], out[W + w] = ar * br - ai * bi, ar * bi + ai * br


@kernel
def _invert(a: Array) -> None:
    """a = 1 / a."""
    for w in range(W):
        over = 1 / (a[w] * a[w] + a[W + w] * a[W + w])
        a[w], a[W + w] = a[w] * over, -a[W + w] * over
