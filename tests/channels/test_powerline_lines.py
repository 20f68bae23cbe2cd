"""Cables against the published constants, and the tree solver against a dense nodal solution."""

import numpy as np
import pytest
from amiplan.channels.phy.g3_ofdm import CARRIER_HZ
from amiplan.channels.powerline.cables import CABLES, cable_name, line_constants, propagation
from amiplan.channels.powerline.loops import MOST_LOOPS, cut_open, looped_gains
from amiplan.channels.powerline.network import TreeGains, common_ancestor, forest, lines, solve_tree
from amiplan.channels.powerline.nodal import NodalGains, edge_admittances, impedance_columns

NAMES = tuple(CABLES)

# reference/plc.md table 5.3: cable, kHz, R ohm/km, L mH/km, C nF/km, G mS/km, Z0 ohm, dB/km
TABLE = [
    ("NAYY 4x150", 35, 4.5, 0.164, 327, 6.8, 22, 1.5),
    ("NAYY 4x150", 91, 7.3, 0.164, 307, 14.4, 23, 2.8),
    ("NAYY 4x150", 150, 9.4, 0.164, 297, 21, 24, 3.9),
    ("NAYY 4x150", 487, 16.9, 0.164, 273, 50, 25, 8.3),
    ("NAYY 4x50", 35, 7.8, 0.220, 243, 5.1, 30, 1.8),
    ("NAYY 4x50", 91, 12.6, 0.220, 228, 10.7, 31, 3.2),
    ("NAYY 4x50", 487, 29.2, 0.220, 203, 37, 33, 9.1),
    ("NYCY 70/35", 35, 2.0, 0.036, 1476, 31, 5, 2.4),
    ("NYCY 70/35", 91, 3.2, 0.036, 1388, 65, 5, 4.2),
    ("ABC 4x95", 91, 8.8, 0.31, 70, 0.04, 66, 0.6),
    ("service 2x16", 91, 18.5, 0.42, 54, 0.031, 88, 0.9),
    ("bare Al 50", 91, 7.1, 1.69, 6.6, 0.0, 505, 0.06),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]} {row[1]} kHz")
def test_cable_constants_equal_the_table(row):
    cable, khz, *expected = row
    f = np.array([khz * 1e3])
    r, l, c, g = (float(x[0]) for x in line_constants(cable, f))
    gamma, z0 = propagation(cable, f)
    got = (r * 1e3, l * 1e6, c * 1e12, g * 1e6, abs(z0[0]), gamma.real[0] * 1e3 * 8.685889638)
    # a table entry of two digits is good to 3 %, of one digit to 8 %
    for value, want in zip(got, expected, strict=True):
        assert value == pytest.approx(want, rel=0.08 if want < 1 or want == 5 else 0.03, abs=6e-3)


@pytest.mark.parametrize("written", ["NAYY 4x50 SE", "nayy 4×50", "NAYY-J 4x50 SE 0.6/1kV", " NAYY  4x50 "])
def test_cable_names_as_utilities_write_them(written):
    assert cable_name(written) == "NAYY 4x50"


def test_unknown_cable_and_zero_frequency_are_refused():
    with pytest.raises(ValueError, match=r"map it to a known type in \[area.cable_types\]: .*NAYY 4x150"):
        cable_name("NA2XS2Y 1x240")
    with pytest.raises(ValueError, match="positive"):
        line_constants("NAYY 4x50", np.array([0.0]))


def random_network(seed, n=24, extra=0, n_phases=2, n_carriers=4):
    rng = np.random.default_rng(seed)
    start = np.array([rng.integers(0, i) for i in range(1, n)] + [int(rng.integers(0, n // 2)) for _ in range(extra)])
    end = np.array([*range(1, n), *(n - 1 - i for i in range(extra))])
    flip = rng.random(start.size) < 0.5
    start, end = np.where(flip, end, start), np.where(flip, start, end)
    order = rng.permutation(start.size)
    length = rng.uniform(0.5, 80, start.size)
    line = lines(
        start[order], end[order], length, rng.integers(0, len(NAMES), start.size), NAMES, n, CARRIER_HZ[:n_carriers]
    )
    impedance = rng.uniform(0.8, 60, (n, n_phases, n_carriers)) * np.exp(1j * rng.uniform(-0.6, 1.1, (n, 1, 1)))
    shunt = np.where(rng.random((n, 1, 1)) < 0.5, 1 / impedance, 0)
    shunt[0] += 0.1 - 0.02j
    return line, shunt


def dense_voltages(line, shunt, source, phase, carrier, source_s=0.0):
    """Plain nodal analysis: one ampere (or EMF behind an admittance) at ``source``."""
    matrix = np.diag(shunt[:, phase, carrier]).astype(complex)
    own, mutual = edge_admittances(line)
    for u, v, y, m in zip(line.edge_from, line.edge_to, own[:, carrier], mutual[:, carrier], strict=True):
        matrix[u, u] += y
        matrix[v, v] += y
        matrix[u, v] += m
        matrix[v, u] += m
    matrix[source, source] += source_s
    current = np.zeros(line.n_nodes, complex)
    current[source] = source_s if source_s else 1.0
    return np.linalg.solve(matrix, current)


@pytest.mark.parametrize("seed", range(30))
def test_tree_solver_equals_dense_nodal_solution(seed):
    line, shunt = random_network(seed)
    tree = forest(line, np.array([0]))
    solution = solve_tree(line, tree, shunt)
    at, phase, carrier = tree.position, seed % 2, seed % 4
    for source in (0, 5, 17):
        volts = dense_voltages(line, shunt, source, phase, carrier)
        others = np.arange(line.n_nodes)
        turn = common_ancestor(tree, np.full(others.size, at[source]), at[others])
        log = (
            solution.log_up[at[source]]
            - solution.log_up[turn]
            + solution.log_down[at[others]]
            - solution.log_down[turn]
        )
        np.testing.assert_allclose(np.exp(log[:, phase, carrier]), volts / volts[source], rtol=1e-9)
        np.testing.assert_allclose(1 / solution.y_total_s[at[source], phase, carrier], volts[source], rtol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_after_removing_a_load_the_tree_solver_still_equals_the_dense_one(seed):
    line, shunt = random_network(seed)
    shunt = shunt.copy()
    shunt[np.flatnonzero(shunt[:, 0, 0])[-1]] = 0
    tree = forest(line, np.array([0]))
    solution = solve_tree(line, tree, shunt)
    volts = dense_voltages(line, shunt, 0, 1, 2)
    np.testing.assert_allclose(np.exp(solution.log_down[tree.position, 1, 2]), volts / volts[0], rtol=1e-9)


def test_emf_behind_an_impedance_is_the_voltage_divider():
    line, shunt = random_network(3)
    tree = forest(line, np.array([0]))
    seen = solve_tree(line, tree, shunt).y_total_s[tree.position[7], 0, 0]
    volts = dense_voltages(line, shunt, 7, 0, 0, source_s=1 / 2.5)
    assert volts[7] == pytest.approx(1 / (1 + 2.5 * seen), rel=1e-9)


@pytest.mark.parametrize("extra", [0, 1, 3])
def test_sparse_nodal_solution_equals_dense_with_loops(extra):
    line, shunt = random_network(11, extra=extra)
    ports = np.array([0, 4, 9, 23])
    impedance = impedance_columns(line, shunt, ports)
    for column, source in enumerate(ports):
        volts = dense_voltages(line, shunt, source, 1, 3)
        np.testing.assert_allclose(impedance[1, 3, :, column], volts[ports], rtol=1e-9)


def test_both_solvers_give_the_same_look_ups():
    line, shunt = random_network(2)
    a, b = np.array([0, 3, 8, 8]), np.array([20, 15, 2, 8])
    tree = TreeGains.of(line, forest(line, np.array([0])), shunt)
    nodal = NodalGains.of(line, shunt, np.arange(line.n_nodes))
    phase = np.array([0, 1, 1, 0])
    for gains in (tree, nodal):
        there = gains.swapped(gains.place(a, b))
        np.testing.assert_allclose(gains.gain(there, phase), gains.gain(gains.place(b, a), phase), rtol=1e-6)
    np.testing.assert_allclose(tree.gain(tree.place(a, b), phase), nodal.gain(nodal.place(a, b), phase), atol=2e-5)
    np.testing.assert_allclose(tree.mean_gain(tree.place(a, b)), nodal.mean_gain(nodal.place(a, b)), atol=2e-5)
    np.testing.assert_allclose(tree.admittance(a), nodal.admittance(a), rtol=1e-9)


@pytest.mark.parametrize("extra", [0, 1, 3, MOST_LOOPS])
def test_a_spanning_tree_with_the_rest_put_back_equals_the_nodal_solution(extra):
    line, shunt = random_network(11 + extra, extra=extra)
    tree, left_out = cut_open(line, 5)
    assert left_out.size == line.n_edges - line.n_nodes + 1
    ports = np.array([0, 4, 9, 23])
    fast, slow = looped_gains(line, tree, left_out, shunt, ports), NodalGains.of(line, shunt, ports)
    np.testing.assert_allclose(fast.y_total_s, slow.y_total_s, rtol=1e-9)
    np.testing.assert_allclose(fast.log_gain, slow.log_gain, atol=2e-5)
    np.testing.assert_array_equal(fast.port, slow.port)


def test_a_matched_line_loses_exactly_its_attenuation():
    f = CARRIER_HZ[:3]
    gamma, z0 = propagation("NAYY 4x150", f)
    line = lines(np.array([0]), np.array([1]), np.array([500.0]), np.array([0]), ("NAYY 4x150",), 2, f)
    shunt = np.zeros((2, 1, 3), complex)
    shunt[1, 0] = 1 / z0
    solution = solve_tree(line, forest(line, np.array([0])), shunt)
    np.testing.assert_allclose(np.exp(solution.log_down[1, 0]), np.exp(-gamma * 500), rtol=1e-12)
    np.testing.assert_allclose(solution.y_total_s[0, 0], 1 / z0, rtol=1e-12)


def test_guards_of_the_network_refuse():
    ends = np.array([0]), np.array([1])
    with pytest.raises(ValueError, match="edge 0 has no usable length"):
        lines(*ends, np.array([-1.0]), np.array([0]), NAMES, 2, CARRIER_HZ)
    with pytest.raises(ValueError, match="joins a node to itself"):
        lines(ends[0], ends[0], np.array([1.0]), np.array([0]), NAMES, 2, CARRIER_HZ)
    line, _ = random_network(1, extra=1)
    with pytest.raises(ValueError, match="loop"):
        forest(line, np.array([0]))
    lonely = lines(*ends, np.array([1.0]), np.array([0]), NAMES, 3, CARRIER_HZ[:1])
    with pytest.raises(ValueError, match="no edge"):
        impedance_columns(lonely, np.ones((3, 1, 1), complex), np.array([0]))
