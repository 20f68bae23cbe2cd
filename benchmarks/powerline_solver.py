"""Two passes and a walk per source, against one sparse factorisation per carrier and load state.

Same feeder, same outputs (powers of all pairs of members), one thread, in turn. The sparse way gets its best settings,
its matrix pattern made beforehand, and one multi-column solve for all member terminals; `solve only` leaves out its
assembly and its arithmetic on the results. Asked for: 50 times with balanced phases, 20 with one or coupled phases.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
from amiplan.channels.powerline.cables import cable_named
from amiplan.channels.powerline.network import Lines, edge_admittances, forest, lines, solve
from scipy.sparse import csc_array
from scipy.sparse.linalg import splu

MEMBERS, STATES, RUNS = 75, 2, 7
FREQUENCY_HZ = 35_937.5 + 1562.5 * np.arange(36)
WANTED = {"one circuit": 20, "Clarke modes": 50, "coupled phases": 20}


def feeder(kind: str) -> tuple[Lines, np.ndarray, np.ndarray, np.ndarray]:
    """A bus, 75 joints on a string with side branches, 75 houses on drops: line, shunts, edge phases, house phases."""
    rng = np.random.default_rng(1)
    joint = np.arange(1, MEMBERS + 1)
    before = np.where(rng.random(MEMBERS) < 0.15, rng.integers(0, joint), joint - 1)
    start, end = np.concatenate([before, joint]), np.concatenate([joint, joint + MEMBERS])
    drop = np.repeat([0, 1], MEMBERS)
    phase = rng.integers(0, 3, MEMBERS)
    edge_phase = np.where(drop == 1, np.tile(phase, 2), -1) if kind == "coupled phases" else np.full(drop.size, -1)
    cables = cable_named("NAYY 4x150"), cable_named("service 2x16" if kind == "coupled phases" else "NAYY 4x35")
    n_nodes = 2 * MEMBERS + 1
    line = lines(start, end, np.where(drop, 15.0, rng.uniform(10, 40, drop.size)), drop, cables, n_nodes, FREQUENCY_HZ)
    n_phases = 1 if kind == "one circuit" else 3
    load = 1 / (rng.uniform(3, 60, (STATES, MEMBERS, 1, 36)) + 1j * rng.uniform(0, 9, (STATES, MEMBERS, 1, 36)))
    shunt = np.zeros((STATES, n_nodes, n_phases, 36), complex)
    shunt[:, 0] = 0.1 - 0.05j
    shunt[:, MEMBERS + 1 :] = load
    if kind == "coupled phases":
        shunt[:, MEMBERS + 1 :] *= np.eye(3)[phase][None, :, :, None]
    return line, shunt, edge_phase, phase if n_phases == 3 else np.zeros(MEMBERS, int)


def two_passes(line: Lines, shunt: np.ndarray, edge_phase: np.ndarray, phase: np.ndarray) -> Callable[[], np.ndarray]:
    """The product's way; the order of the tree is known beforehand, as in the product."""
    tree, house = forest(line, np.array([0])), np.arange(MEMBERS + 1, 2 * MEMBERS + 1)
    drive = np.zeros((MEMBERS, STATES, shunt.shape[2], 36), complex)
    drive[np.arange(MEMBERS), :, phase] = 1

    def run() -> np.ndarray:
        return solve(line, tree, shunt, edge_phase).pair_power(house, drive, house, phase, -1e9).power

    return run


class Sparse:
    """The nodal matrix as compressed columns whose values are sums of edge and shunt admittances."""

    def __init__(self, line: Lines, shunt: np.ndarray, edge_phase: np.ndarray, phase: np.ndarray) -> None:
        self.line, self.shunt, self.phase = line, shunt, phase
        n_phases = shunt.shape[2]
        live = np.zeros((line.n_nodes, n_phases), bool)
        row, column, which = [], [], []
        for e in range(line.n_edges):
            ends = line.edge_from[e], line.edge_to[e]
            has = range(n_phases) if edge_phase[e] < 0 else [edge_phase[e]]
            for p in has:
                live[list(ends), p] = True
                for q in has:
                    kind = 0 if len(has) == 1 else 1 if p == q else 2
                    for a, b, mutual in ((0, 0, 0), (1, 1, 0), (0, 1, 1), (1, 0, 1)):
                        row.append(ends[a] * n_phases + p)
                        column.append(ends[b] * n_phases + q)
                        which.append((2 * kind + mutual) * line.n_edges + e)
        terminal = np.cumsum(live).reshape(live.shape) - 1
        flat, diagonal = terminal.ravel(), terminal[live]
        self.n, self.live = diagonal.size, live
        rows, columns = np.append(flat[row], diagonal), np.append(flat[column], diagonal)
        order = np.lexsort((rows, columns))
        first = np.append(True, (np.diff(rows[order]) != 0) | (np.diff(columns[order]) != 0))
        self.order, self.first, self.which = order, np.flatnonzero(first), np.array(which)
        self.rows = rows[order][first]
        self.start = np.searchsorted(columns[order][first], np.arange(self.n + 1))
        house = np.arange(MEMBERS + 1, 2 * MEMBERS + 1)
        self.own = terminal[house][live[house]].reshape(MEMBERS, -1)
        self.heard = terminal[house, phase]
        self.solve_s = 0.0

    def __call__(self) -> np.ndarray:
        """(members, members, states, carriers) powers."""
        power = np.empty((MEMBERS, MEMBERS, STATES, 36), np.float32)
        own, mutual = edge_admittances(self.line)
        edges = np.stack(
            [y for one in ((0, 0), (2 / 3, 1 / 3), (-1 / 3, 1 / 3)) for y in self._kinds(own, mutual, *one)]
        ).reshape(-1, 36)
        drive = np.zeros((self.n, self.own.size), complex)
        drive[self.own.ravel(), np.arange(self.own.size)] = 1
        column, self.solve_s = np.eye(self.own.shape[1])[self.phase if self.own.shape[1] == 3 else 0], 0.0
        for k in range(36):
            of_edges = edges[self.which, k]
            for state in range(STATES):
                values = np.append(of_edges, self.shunt[state, :, :, k][self.live])[self.order]
                matrix = csc_array((np.add.reduceat(values, self.first), self.rows, self.start), shape=(self.n, self.n))
                begin = time.process_time()
                volts = factor(matrix).solve(drive)
                self.solve_s += time.process_time() - begin
                blocks = volts[self.own].reshape(MEMBERS, -1, MEMBERS, self.own.shape[1])
                block = blocks[np.arange(MEMBERS), :, np.arange(MEMBERS)]
                current = np.linalg.solve(block, np.broadcast_to(column, block.shape[:2])[..., None])[..., 0]
                heard = np.einsum("jip,ip->ij", volts[self.heard].reshape(MEMBERS, MEMBERS, -1), current)
                power[:, :, state, k] = heard.real**2 + heard.imag**2
        return power

    @staticmethod
    def _kinds(own: np.ndarray, mutual: np.ndarray, difference: float, common: float) -> list[np.ndarray]:
        """Own and transfer admittance of all edges with weighted modes; (0, 0) is the difference mode alone."""
        weights = (1.0, 0.0) if difference == common == 0 else (difference, common)
        return [weights[0] * y[0] + weights[1] * y[1] for y in (own, mutual)]


def factor(matrix: csc_array):  # type: ignore[no-untyped-def]
    """The fastest settings found for these matrices."""
    options = {"SymmetricMode": True}
    return splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, relax=1, panel_size=1, options=options)


def compare(kind: str) -> str:
    """One line: milliseconds both ways, and how many times faster."""
    case = feeder(kind)
    fast, sparse = two_passes(*case), Sparse(*case)
    np.testing.assert_allclose(fast(), sparse(), rtol=1e-3, atol=1e-12)
    ours, theirs, alone = [], [], []
    for _ in range(RUNS):
        begin = time.process_time()
        for _ in range(10):
            fast()
        middle = time.process_time()
        sparse()
        ours.append((middle - begin) / 10)
        theirs.append(time.process_time() - middle)
        alone.append(sparse.solve_s)
    own, other, solved = (statistics.median(times) for times in (ours, theirs, alone))
    return (
        f"  {kind:<16}{own * 1e3:>8.2f} ms   sparse {other * 1e3:>7.1f} ms = {other / own:>4.0f} times   "
        f"solve only {solved * 1e3:>7.1f} ms = {solved / own:>4.0f} times   (asked for {WANTED[kind]})"
    )


def figures() -> None:
    """Run in a process of its own with one thread, and print one line per method."""
    environment = {**os.environ, **dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")}
    subprocess.run([sys.executable, "-m", "benchmarks.powerline_solver", "alone"], env=environment, check=True)


if __name__ == "__main__":
    if sys.argv[1:] != ["alone"]:
        figures()
    else:
        print(f"{2 * MEMBERS + 1} nodes, {MEMBERS} members, 36 carriers, {STATES} states of the loads, all pairs")
        for one in WANTED:
            print(compare(one))
