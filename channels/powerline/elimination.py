"""Factors of a sparse symmetric matrix for many carriers at once: Y = L D L', without pivoting.

The real part of a passive network's admittance matrix is positive definite, and for such complex symmetric matrices
elimination in any order is stable (after A. George, Kh. Ikramov, A. Kucherov, "On the growth factor in Gaussian
elimination for generalized Higham matrices", 2002). So the order may follow the pattern alone, once for all carriers.

Numbers lie in lanes (see `lanes`): (n_cells, n + n_entries, 2 W), first the diagonal, then the columns of L.
"""

from __future__ import annotations

from functools import lru_cache
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

    The last few patterns are remembered: what is tried in an area changes loads and hardly ever the pattern.
    """
    return _pattern(n, np.asarray(row, np.int64).tobytes(), np.asarray(column, np.int64).tobytes())


@lru_cache(maxsize=16)
def _pattern(n: int, rows: bytes, columns: bytes) -> Pattern:
    """Pattern of entries given as bytes of int64."""
    row, column = np.frombuffer(rows, np.int64), np.frombuffer(columns, np.int64)
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
    parts = [np.sort(rank[list(others)]) if others else np.zeros(0, np.int64) for others in later]
    start = np.append(0, np.cumsum([part.size for part in parts])).astype(np.int64)
    below = np.concatenate([np.zeros(0, np.int64), *parts])
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
def needed(pattern: Pattern, row: Array) -> Array:
    """Rows that the solution at some rows hangs on, themselves among them, the last one first.

    Parameters
    ----------
    row : (n_rows,) in the order of elimination

    Returns
    -------
    (n_needed,) int64. Each row hangs on the rows that stand in its column of L; those lie on the way from the first
    of them on, so that one way per row is enough (elimination tree: J. W. H. Liu, SIAM J. Matrix Anal. 11 (1), 1990).
    """
    n = pattern.start.size - 1
    marked, count = np.zeros(n, np.bool_), 0
    for here in row:
        while here >= 0 and not marked[here]:
            marked[here] = True
            count += 1
            first = pattern.start[here]
            here = pattern.below[first] if first < pattern.start[here + 1] else -1
    out, at = np.empty(count, np.int64), 0
    for k in range(n - 1, -1, -1):
        if marked[k]:
            out[at] = k
            at += 1
    return out


@kernel
def substitute(matrix: Array, pattern: Pattern, x: Array, source: Array, wanted: Array) -> None:
    """Solve for one right-hand side of one cell, in place.

    Parameters
    ----------
    matrix : (n + n_entries, 2 W) factors of the cell
    x : (n, 2 W) right-hand side in the order of elimination, zero but where ``source`` says so
    source, wanted : rows at which the right-hand side stands, and the solution is asked for, as of `needed`; afterwards
        the other rows of ``x`` are without meaning
    """
    n = x.shape[0]
    for i in range(source.size - 1, -1, -1):
        k = source[i]
        for s in range(pattern.start[k], pattern.start[k + 1]):
            _less(matrix[n + s], x[k], x[pattern.below[s]])
    for k in wanted:
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
