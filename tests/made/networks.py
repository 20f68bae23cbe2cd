"""Made-up networks of three phases and neutral, and their plain dense nodal solution."""

import numpy as np
from amiplan.channels.powerline.cables import CABLES
from amiplan.channels.powerline.network import edge_admittances, lines

TYPES = tuple(CABLES.values())
FREQUENCY_HZ = 35_937.5 + 1562.5 * np.arange(36)


def network(seed, n=150, *, kind="coupled", extra=0, n_states=2, n_carriers=36, shortest_m=0.5):
    """A tree of random cables and loads (with ``extra`` edges that close loops) as line, shunts and edge phases.

    kind: ``one`` circuit, ``balanced`` three-phase, ``coupled`` with single-phase branches of up to three edges.
    """
    rng = np.random.default_rng(seed)
    start = np.array([rng.integers(max(0, i - 12), i) for i in range(1, n)])
    end, phase_at, phase = np.arange(1, n), np.full(n, -1), np.full(n - 1, -1, np.int8)
    leaf = np.bincount(start, minlength=n) == 0
    if kind == "coupled":
        for e in range(n - 1):
            branch = rng.random() < (0.7 if leaf[end[e]] else 0.05)
            phase[e] = phase_at[start[e]] if phase_at[start[e]] >= 0 else rng.integers(0, 3) if branch else -1
            phase_at[end[e]] = phase[e]
    ring = rng.choice(np.flatnonzero(phase_at < 0), (extra, 2), replace=False)
    start, end = np.append(start, ring[:, 0]), np.append(end, ring[:, 1])
    phase = np.append(phase, np.full(extra, -1, np.int8))
    order, flip = rng.permutation(start.size), rng.random(start.size) < 0.5
    start, end = np.where(flip, end, start)[order], np.where(flip, start, end)[order]
    length = rng.uniform(shortest_m, 60, start.size)
    three = np.array([row for row, cable in enumerate(TYPES) if cable.n_phases == 3])
    thin = np.array([row for row, cable in enumerate(TYPES) if cable.n_phases == 1])
    cable = np.where(phase[order] >= 0, rng.choice(thin, start.size), rng.choice(three, start.size))
    line = lines(start, end, length, cable, TYPES, n, FREQUENCY_HZ[:n_carriers])
    n_phases = 1 if kind == "one" else 3
    size = (n_states, n, 1 if kind == "balanced" else n_phases, n_carriers)
    ohm = rng.uniform(0.8, 60, size) * np.exp(1j * rng.uniform(-0.6, 1.1, size))
    shunt = np.where(rng.random((1, n, size[2], 1)) < 0.5, 1 / ohm, 0)
    shunt[:, 0] += 0.1 - 0.02j
    shunt = np.repeat(shunt, n_phases // size[2], axis=2)
    if kind == "coupled":
        for p in range(3):
            shunt[:, (phase_at >= 0) & (phase_at != p), p] = 0
    return line, shunt, phase[order]


def dense_matrix(line, shunt, edge_phase, state, carrier):
    """(n, P, n, P) nodal admittance matrix, entry by entry."""
    n, n_phases = shunt.shape[1:3]
    matrix = np.zeros((n, n_phases, n, n_phases), complex)
    for node in range(n):
        for p in range(n_phases):
            matrix[node, p, node, p] += shunt[state, node, p, carrier]
    own, mutual = (y[:, :, carrier] for y in edge_admittances(line))
    for e, (u, v) in enumerate(zip(line.edge_from, line.edge_to, strict=True)):
        for (a, b), y in {(u, u): own, (v, v): own, (u, v): mutual, (v, u): mutual}.items():
            difference, common = y[0, e], y[1, e]
            if n_phases == 1:
                matrix[a, 0, b, 0] += difference
            elif edge_phase[e] >= 0:
                matrix[a, edge_phase[e], b, edge_phase[e]] += difference
            else:
                matrix[a, :, b] += difference * np.eye(3) + (common - difference) / 3
    return matrix


def dense_voltages(matrix, sources, source_v):
    """For each source held at its ``source_v`` (n, P): voltages (nodes, P), and the (P, P) admittance seen there."""
    n, n_phases = matrix.shape[:2]
    flat = matrix.reshape(n * n_phases, -1)
    live = np.abs(flat).sum(1) > 0
    own = [source * n_phases + np.flatnonzero(live.reshape(n, -1)[source]) for source in sources]
    impedance = np.zeros((n * n_phases, sum(rows.size for rows in own)), complex)
    impedance[live] = np.linalg.solve(flat[np.ix_(live, live)], np.eye(n * n_phases)[np.ix_(live, np.concatenate(own))])
    answers, column = [], 0
    for rows, held in zip(own, source_v, strict=True):
        transfer = impedance[:, column : column + rows.size]
        column += rows.size
        has = rows % n_phases
        seen = np.zeros((n_phases, n_phases), complex)
        seen[np.ix_(has, has)] = np.linalg.inv(transfer[rows])
        answers.append(((transfer @ seen[np.ix_(has, has)] @ held[has]).reshape(n, -1), seen))
    return answers
