"""Every way of solving a network against a plain dense nodal solution."""

import numpy as np
import pytest
from amiplan.channels.powerline.network import forest, lines, solve, solve_meshed
from networks import TYPES, dense_matrix, dense_voltages, network

METHODS = {"one": "one circuit", "balanced": "Clarke modes", "coupled": "coupled phases"}
KINDS = tuple(METHODS)
DEEP_NOTCH = 1e-9
"""What single precision may miss where parts cancel: 90 dB below the strongest carrier and phase of the node."""


def complex_normal(rng, *size):
    return rng.normal(size=size) + 1j * rng.normal(size=size)


def solved_as_tree(line, shunt, phase):
    return solve(line, forest(line, np.array([0])), shunt, phase)


def close(got, want, rtol=1e-9):
    """Relative to the largest phase at each node: a phase may be driven by next to nothing."""
    size = np.maximum(abs(want).max(-1, keepdims=True), 1e-300)
    assert (abs(got - want) / size).max() < rtol


@pytest.mark.parametrize("seed", range(100))
def test_a_tree_equals_the_dense_nodal_solution(seed):
    check_tree(seed, [(seed % 2, seed % 36)] if seed % 10 else [(0, 0), (1, 20), (1, 35)])


@pytest.mark.verification
@pytest.mark.parametrize("seed", range(100))
def test_a_tree_equals_the_dense_nodal_solution_on_every_carrier(seed):
    check_tree(seed, [((seed + carrier) % 2, carrier) for carrier in range(36)])


def check_tree(seed, cells):
    """A random tree of 150 nodes and 36 carriers against the dense solution, in some states and carriers."""
    kind = KINDS[seed % 3]
    line, shunt, phase = network(seed, kind=kind)
    solved = solved_as_tree(line, shunt, phase)
    assert solved.method == METHODS[kind]
    rng = np.random.default_rng(seed)
    sources, nodes = rng.integers(0, 150, 3), np.arange(150)
    drive = complex_normal(rng, 3, 2, shunt.shape[2], 36)
    got, seen = solved.voltages(sources, drive, nodes), solved.seen_s(sources)
    for state, carrier in cells:
        matrix = dense_matrix(line, shunt, phase, state, carrier)
        for i, (volts, admittance) in enumerate(dense_voltages(matrix, sources, drive[:, state, :, carrier])):
            close(got[i, :, state, :, carrier], volts)
            np.testing.assert_allclose(
                seen[i, state, :, :, carrier], admittance, rtol=1e-9, atol=1e-9 * abs(admittance).max()
            )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("extra", [0, 1, 3, 9])
def test_a_network_with_loops_equals_the_dense_nodal_solution(kind, extra):
    line, shunt, phase = network(20 + extra, 90, kind=kind, extra=extra, n_carriers=13)
    ports = np.array([0, 4, 9, 23, 88])
    solved = solve_meshed(line, shunt, phase, ports)
    assert solved.method == "sparse nodal"
    rng = np.random.default_rng(extra)
    drive = complex_normal(rng, ports.size, 2, shunt.shape[2], 13)
    got, seen = solved.voltages(ports, drive, np.arange(90)), solved.seen_s(ports)
    for state, carrier in ((0, 0), (1, 12)):
        matrix = dense_matrix(line, shunt, phase, state, carrier)
        for i, (volts, admittance) in enumerate(dense_voltages(matrix, ports, drive[:, state, :, carrier])):
            close(got[i, :, state, :, carrier], volts)
            np.testing.assert_allclose(
                seen[i, state, :, :, carrier], admittance, rtol=1e-9, atol=1e-9 * abs(admittance).max()
            )


def solutions(kind, seed=7, n=60, n_carriers=13):
    """The same network solved both ways."""
    line, shunt, phase = network(seed, n, kind=kind, n_carriers=n_carriers)
    tree = solved_as_tree(line, shunt, phase)
    own = np.full(n, -1)
    if kind == "coupled":
        for end in (line.edge_from, line.edge_to):
            own[end[phase >= 0]] = phase[phase >= 0]
        three = np.zeros(n, bool)
        for end in (line.edge_from, line.edge_to):
            three[end[phase < 0]] = True
        own[three] = -1
    return shunt, tree, solve_meshed(line, shunt, phase, np.arange(n)), own


@pytest.mark.parametrize("kind", KINDS)
def test_pair_power_is_the_square_of_the_voltage(kind):
    shunt, *solved, own = solutions(kind)
    rng = np.random.default_rng(1)
    nodes, n_phases = np.arange(60), shunt.shape[2]
    source = rng.integers(0, 60, 9)
    drive = 1e6 * complex_normal(rng, 9, 2, n_phases, 13)
    listens = np.where(rng.random(60) < 0.5, -1, own if n_phases > 1 else 0)
    listens = np.where((own < 0) & (listens < 0) & (rng.random(60) < 0.5), n_phases - 1, listens)
    for one in solved:
        power = abs(one.voltages(source, drive, nodes)) ** 2
        found = one.pair_power(source, drive, nodes, listens, -1e9)
        assert found.power.dtype == np.float32
        assert found.power.shape == (9, 60, 2, 13)
        fixed = listens >= 0
        np.testing.assert_array_equal(found.heard[:, fixed], np.broadcast_to(listens[fixed], (9, fixed.sum())))
        want = np.take_along_axis(power, found.heard[:, :, None, None, None].astype(int), axis=3)[:, :, :, 0]
        strongest = power.max((2, 3, 4))[:, :, None, None]
        off = abs(found.power - want)
        assert (off > 1e-4 * want).mean() < 1e-3
        assert (off <= 1e-2 * want + DEEP_NOTCH * strongest).all()
        with np.errstate(divide="ignore"):
            level = (10 * np.log10(power)).mean((2, 4))
        np.testing.assert_allclose(found.level_db, level, atol=1e-3)
        best = np.take_along_axis(level, found.heard[:, :, None].astype(int), axis=2)[..., 0]
        assert (best[:, ~fixed] >= level.max(2)[:, ~fixed] - 1e-3).all()


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_below_the_floor_are_silent_and_no_others(kind):
    """Whole branches are left out by a bound; the answer is that of judging every pair."""
    shunt, *solved, _ = solutions(kind, n=120)
    rng = np.random.default_rng(2)
    source, nodes = rng.integers(0, 120, 12), np.arange(120)
    drive = complex_normal(rng, 12, 2, shunt.shape[2], 13)
    for one in solved:
        every = one.pair_power(source, drive, nodes, np.full(120, -1), -1e9)
        level = every.level_db.max(2)
        for floor in np.quantile(level, [0.1, 0.5, 0.9]) + 1e-3:
            found = one.pair_power(source, drive, nodes, np.full(120, -1), floor)
            quiet = level < floor
            assert np.isneginf(found.level_db[quiet]).all()
            assert not found.power[quiet].any()
            assert not found.heard[quiet & (found.heard != every.heard)].any()
            np.testing.assert_array_equal(found.power[~quiet], every.power[~quiet])
            np.testing.assert_array_equal(found.level_db[~quiet], every.level_db[~quiet])
            np.testing.assert_array_equal(found.heard[~quiet], every.heard[~quiet])


@pytest.mark.parametrize("kind", KINDS)
def test_carried_power_is_that_of_sources_that_leave_other_phases_open(kind):
    shunt, *solved, own = solutions(kind)
    rng = np.random.default_rng(3)
    n_phases = shunt.shape[2]
    source, nodes = rng.choice(60, 5, replace=False), np.arange(60)
    phase = np.where(own[source] >= 0, own[source], rng.integers(0, n_phases, 5))
    level = rng.uniform(1, 9, (5, 13))
    want = np.zeros((60, n_phases, 2, 13))
    seen = np.moveaxis(solved[1].seen_s(source), 4, 2)
    for i in range(5):
        has = np.flatnonzero(abs(np.diagonal(seen[i, 0, 0])) > 0)
        volts = np.zeros((1, 2, n_phases, 13), complex)
        column = np.linalg.inv(seen[i][..., has[:, None], has])[..., list(has).index(phase[i])]
        volts[0, :, has] = np.moveaxis(column / column[..., [list(has).index(phase[i])]], 2, 0)
        np.testing.assert_allclose(volts[0, :, phase[i]], 1)
        want += np.moveaxis(abs(solved[1].voltages(source[[i]], volts, nodes)[0]) ** 2, 1, 2) * level[i]
    for one in solved:
        found = one.carried_uv2(source, phase, level, nodes)
        np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-4 * want.max(1, keepdims=True).min())


def test_a_bus_keeps_the_phases_of_its_transformer_where_its_cables_have_one():
    """Two-core cables on the first phase alone, as a tree and with a third cable that closes a ring."""
    shunt = np.full((1, 3, 3, 1), 0.1 - 0.02j)
    shunt[:, 1:, 1:] = 0
    thin = next(row for row, cable in enumerate(TYPES) if cable.n_phases == 1)
    seen = []
    for start, end in (([0, 1], [1, 2]), ([0, 1, 0], [1, 2, 2])):
        phase, n = np.zeros(len(start), np.int8), len(start)
        line = lines(np.array(start), np.array(end), np.full(n, 50.0), np.full(n, thin), TYPES, 3, np.array([50e3]))
        looped = solve_meshed(line, shunt, phase, np.arange(3))
        for solved in (looped, solved_as_tree(line, shunt, phase)) if n == 2 else (looped,):
            seen.append(solved.seen_s(np.arange(3))[:, 0, :, :, 0])
    np.testing.assert_allclose(seen[1], seen[0], rtol=1e-9, atol=1e-15)
    # nothing ties the phases together, and phases 1 and 2 end at the bus
    for one in seen:
        np.testing.assert_allclose(one[0, 1:, 1:], (0.1 - 0.02j) * np.eye(2), atol=1e-15)
        np.testing.assert_allclose(one[0, 0, 1:], 0, atol=1e-15)
        assert not one[1:, 1:].any()


def test_a_source_behind_an_impedance_is_the_voltage_divider():
    line, shunt, phase = network(3, 40, n_carriers=2)
    seen = solved_as_tree(line, shunt, phase).seen_s(np.array([0]))[0, 0, :, :, 0]
    matrix = dense_matrix(line, shunt, phase, 0, 0)
    matrix[0, 1, 0, 1] += 1 / 2.5
    flat = matrix.reshape(120, 120)
    live = abs(flat).sum(1) > 0
    current = np.zeros(120, complex)
    current[1] = 1 / 2.5
    volts = np.linalg.solve(flat[np.ix_(live, live)], current[live])
    want = np.linalg.solve(seen + np.diag([0, 1 / 2.5, 0]), [0, 1 / 2.5, 0])
    np.testing.assert_allclose(volts[:3], want, rtol=1e-9)


def test_several_trees_are_solved_together_and_apart():
    one, first, phase = network(4, 50, n_carriers=5)
    two, second, other = network(5, 50, n_carriers=5)
    both = type(one)(
        np.concatenate([one.edge_from, two.edge_from + 50]),
        np.concatenate([one.edge_to, two.edge_to + 50]),
        *(np.concatenate([getattr(one, k), getattr(two, k)], axis=1) for k in ("tanh", "sech", "z0_ohm")),
        np.concatenate([one.n_phases_of_edge, two.n_phases_of_edge]),
        100,
    )
    shunt = np.concatenate([first, second], axis=1)
    together = solve(both, forest(both, np.array([0, 50])), shunt, np.concatenate([phase, other]))
    drive = complex_normal(np.random.default_rng(0), 2, 2, 3, 5)
    volts = together.voltages(np.array([7, 57]), drive, np.arange(100))
    assert not volts[0, 50:].any()
    assert not volts[1, :50].any()
    alone = solved_as_tree(two, second, other).voltages(np.array([7]), drive[1:], np.arange(50))
    np.testing.assert_array_equal(volts[1, 50:], alone[0])


def test_one_receiver_more_changes_nothing_for_the_others():
    line, shunt, phase = network(9, 60, n_carriers=5)
    solved = solved_as_tree(line, shunt, phase)
    drive = complex_normal(np.random.default_rng(0), 3, 2, 3, 5)
    source, nodes = np.array([1, 20, 59]), np.arange(60)
    every = solved.pair_power(source, drive, nodes, np.full(60, -1), -60.0)
    some = solved.pair_power(source[1:2], drive[1:2], nodes[::7], np.full(9, -1), -60.0)
    np.testing.assert_array_equal(some.power[0], every.power[1, ::7])
    np.testing.assert_array_equal(some.level_db[0], every.level_db[1, ::7])
