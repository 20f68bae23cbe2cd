"""Edges as two-ports, trees, phases: closed forms, power balance, and what is refused."""

import numpy as np
import pytest
from amiplan.channels.cable import Cable, LineConstants
from amiplan.channels.powerline.cables import cable_named, propagation
from amiplan.channels.powerline.edges import SHORTEST_EDGE_M
from amiplan.channels.powerline.levels import level_sum_db, scratch
from amiplan.channels.powerline.network import forest, lines, solve, solve_meshed
from amiplan.channels.powerline.power import power_balance
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import FREQUENCY_HZ, network

THICK, THIN = cable_named("NAYY 4x150"), cable_named("service 2x16")


def string(lengths, cable=THICK, frequency=FREQUENCY_HZ[:3]):
    n = len(lengths)
    return lines(np.arange(n), np.arange(1, n + 1), np.array(lengths), np.zeros(n, int), (cable,), n + 1, frequency)


def held(source_v, line, n_states=1):
    """One source at node 0, (1, S, P, K)."""
    return np.broadcast_to(np.asarray(source_v, complex)[None, None, :, None], (1, n_states, 3, line.n_carriers))


@pytest.mark.parametrize("length_m", [1e-3, 0.02, 3.0, 400.0, 30_000.0])
def test_hyperbolic_functions_keep_their_digits(length_m):
    line = string([length_m])
    for mode in (0, 1):
        x = propagation(THICK, FREQUENCY_HZ[:3], mode)[0] * length_m
        np.testing.assert_allclose(line.tanh[mode, 0], np.tanh(x), rtol=1e-13)
        np.testing.assert_allclose(line.sech[mode, 0], 1 / np.cosh(x), rtol=1e-12)


def test_a_matched_line_loses_exactly_its_attenuation():
    line = string([500.0])
    gamma, z0 = propagation(THICK, FREQUENCY_HZ[:3])
    shunt = np.zeros((1, 2, 1, 3), complex)
    shunt[0, 1, 0] = 1 / z0
    solved = solve(line, forest(line, np.array([0])), shunt, np.array([-1]))
    volts = solved.voltages(np.array([0]), np.ones((1, 1, 1, 3), complex), np.array([1]))
    np.testing.assert_allclose(volts[0, 0, 0, 0], np.exp(-gamma * 500), rtol=1e-12)
    np.testing.assert_allclose(solved.seen_s(np.array([0]))[0, 0, 0, 0], 1 / z0, rtol=1e-12)


def test_a_line_that_loses_everything_stays_finite_and_silent():
    line = string([1e7, 5.0])
    shunt = np.full((1, 3, 3, 3), 0.05 + 0.01j)
    shunt[0, 2, 1] = 0.2
    solved = solve(line, forest(line, np.array([0])), shunt, np.full(2, -1))
    nodes = np.arange(3)
    volts = solved.voltages(np.array([0]), held([1, 0, 0], line), nodes)
    assert np.isfinite(volts).all()
    assert abs(volts[0, 1:]).max() < 1e-300
    found = solved.pair_power(np.array([0]), held([1, 0, 0], line), nodes, np.full(3, -1), -200.0)
    assert np.isneginf(found.level_db[0, 1:]).all()
    assert not found.power[0, 1:].any()


@pytest.mark.parametrize(("lost", "cross_db"), [("common", -20 * np.log10(2)), ("difference", 0.0)])
def test_crossing_the_phases_once_a_mode_is_lost(lost, cross_db):
    """A long line on which one mode fades away: without the common mode half the voltage crosses, else all of it."""
    constants = LineConstants((91e3,), (0.5,), (0.3,), (100.0,), (0.5,))
    ratio = {"zero_resistance_ratio": 3e4, "zero_inductance_ratio": 1.0}
    lossy = Cable("lossy", "constants", constants=constants, **(ratio if lost == "common" else {}))
    line = string([4000.0], lossy)
    if lost == "difference":
        heavy = Cable("heavy", "constants", constants=LineConstants((91e3,), (1.5e4,), (0.3,), (100.0,), (0.5,)))
        other = string([4000.0], heavy)
        rows = np.array([1, 0])
        line = type(line)(
            line.edge_from,
            line.edge_to,
            np.stack([other.tanh[0], line.tanh[0]]),
            np.stack([other.sech[0], line.sech[0]]),
            np.stack([other.z0_ohm[0], line.z0_ohm[0]])[rows[rows]],
            line.n_phases_of_edge,
            line.n_nodes,
        )
    shunt = np.full((1, 2, 3, 3), 1 / 30.0, complex)
    shunt[0, 0, 0] *= 1.5
    solved = solve(line, forest(line, np.array([0])), shunt, np.array([-1]))
    assert solved.method == "coupled phases"
    volts = solved.voltages(np.array([0]), held([1, 0, 0], line), np.array([1]))[0, 0, 0]
    np.testing.assert_allclose(20 * np.log10(abs(volts[1:] / volts[0])), cross_db, atol=1e-3)
    assert abs(volts[0]).min() > 1e-3


@pytest.mark.parametrize(("kind", "extra"), [("one", 0), ("balanced", 0), ("coupled", 0), ("coupled", 3)])
@pytest.mark.parametrize("shortest_m", [0.5, 0.0])
def test_power_into_loads_and_line_loss_is_what_was_injected(kind, extra, shortest_m):
    line, shunt, phase = network(5, 60, kind=kind, extra=extra, n_carriers=7, shortest_m=shortest_m)
    if extra:
        solved = solve_meshed(line, shunt, phase, np.arange(60))
    else:
        solved = solve(line, forest(line, np.array([0])), shunt, phase)
    rng = np.random.default_rng(3)
    size = (2, shunt.shape[2], 7)
    for source in (0, 31, 59):
        source_v = rng.normal(size=size) + 1j * rng.normal(size=size)
        found = power_balance(solved, line, shunt, phase, source, source_v)
        assert (found.loss_w > -1e-12 * found.injected_w[:, None]).all()
        assert (found.load_w >= 0).all()
        np.testing.assert_allclose(found.load_w.sum(1) + found.loss_w.sum(1), found.injected_w, rtol=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(1e-30, 1e30), min_size=1, max_size=700), st.integers(0, 3))
def test_a_sum_of_levels_is_the_sum_of_logarithms(values, zeros):
    power = np.array(values + [0.0] * zeros, np.float32)
    want = 10 * np.log10(np.maximum(power.astype(float), 2.0**-127)).sum()
    assert level_sum_db(power, scratch()) == pytest.approx(want, abs=2e-4, rel=1e-6)


def test_what_is_no_edge_or_no_tree_is_refused():
    ends = np.array([0]), np.array([1])
    one = (np.array([0]), (THICK,))
    for length in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="edge 0 has no usable length"):
            lines(*ends, np.array([length]), *one, 2, FREQUENCY_HZ)
    with pytest.raises(ValueError, match="joins a node to itself"):
        lines(ends[0], ends[0], np.array([1.0]), *one, 2, FREQUENCY_HZ)
    line, *_ = network(1, 30, extra=1)
    with pytest.raises(ValueError, match="loop"):
        forest(line, np.array([0]))
    with pytest.raises(ValueError, match="loop"):
        forest(string([1.0, 1.0]), np.array([0, 2]))
    with pytest.raises(ValueError, match="loop"):
        forest(string([1.0]), np.array([0, 0]))
    shortest = string([0.0])
    np.testing.assert_array_equal(shortest.tanh, string([SHORTEST_EDGE_M]).tanh)


def test_phases_that_contradict_each_other_are_refused():
    line = string([10.0, 10.0])
    tree, shunt = forest(line, np.array([0])), np.full((1, 3, 3, 3), 0.1 + 0j)
    for phases in ([0, 1], [0, -1]):
        with pytest.raises(ValueError, match="edge 1 hangs on an edge of phase 0 alone"):
            solve(line, tree, shunt, np.array(phases))
    middle = string([10.0, 10.0, 10.0, 10.0])
    with pytest.raises(ValueError, match="edge 2 carries three phases but is fed by one"):
        solve_meshed(middle, np.full((1, 5, 3, 3), 0.1 + 0j), np.array([-1, 0, -1, -1]), np.arange(5))
    with pytest.raises(ValueError, match="edge_phase needs"):
        solve(line, tree, shunt, np.array([3, 0]))
    with pytest.raises(ValueError, match="a phase of the bus at node 0 floats"):
        solve(line, tree, np.zeros((1, 3, 3, 3), complex), np.array([1, 1]))
    thin = string([10.0], THIN)
    for answer in (
        lambda: solve(thin, forest(thin, np.array([0])), shunt[:, :2], np.array([-1])),
        lambda: solve_meshed(thin, shunt[:, :2], np.array([-1]), np.array([0])),
    ):
        with pytest.raises(ValueError, match="edge 0 carries three phases on a cable of one"):
            answer()


def test_shapes_and_nodes_that_do_not_fit_are_refused():
    line = string([10.0, 10.0])
    tree, none = forest(line, np.array([0])), np.full(2, -1)
    with pytest.raises(ValueError, match="shunt_s has shape"):
        solve(line, tree, np.ones((1, 2, 3, 3), complex), none)
    with pytest.raises(ValueError, match="shunt_s has 5 carriers"):
        solve(line, tree, np.ones((1, 3, 3, 5), complex), none)
    with pytest.raises(ValueError, match="named twice"):
        solve_meshed(line, np.ones((1, 3, 3, 3), complex), none, np.array([1, 1]))
    lonely = lines(*(np.array([end]) for end in (0, 1)), np.array([1.0]), np.array([0]), (THICK,), 3, FREQUENCY_HZ[:1])
    shunt = np.ones((1, 3, 3, 1), complex)
    with pytest.raises(ValueError, match="node 2 of the looped area has no edge"):
        solve_meshed(lonely, shunt, np.array([-1]), np.array([0]))
    shunt[0, 1, 0] = 2
    coupled = solve(lonely, forest(lonely, np.array([0])), shunt, np.array([-1]))
    with pytest.raises(ValueError, match="node 2 is not joined"):
        coupled.seen_s(np.array([2]))
    assert not coupled.voltages(np.array([0]), np.ones((1, 1, 3, 1), complex), np.array([2])).any()
    with pytest.raises(ValueError, match="node 2 is no port"):
        solve_meshed(line, np.ones((1, 3, 3, 3), complex), none, np.array([0])).seen_s(np.array([2]))


def test_terminals_on_a_phase_that_is_not_there_are_refused():
    line, shunt = string([10.0]), np.full((1, 2, 3, 3), 0.1 + 0j)
    shunt[:, 1, [0, 2]] = 0
    single = np.array([1])
    ask = np.array([1]), held([1, 1, 1], line)
    for solved in (
        solve(line, forest(line, np.array([0])), shunt, single),
        solve_meshed(line, shunt, single, np.arange(2)),
    ):
        with pytest.raises(ValueError, match="receiver 0 is on phase 2, its node has phase 1 only"):
            solved.pair_power(*ask, np.array([1]), np.array([2]), -90.0)
        with pytest.raises(ValueError, match="source 0 is on phase 0, its node has phase 1 only"):
            solved.carried_uv2(np.array([1]), np.array([0]), np.ones((1, 3)), np.array([0]))
    balanced = np.full((1, 2, 3, 3), 0.1 + 0j)
    none = np.array([-1])
    uneven = balanced.copy()
    uneven[0, 0, 0] = 0.2
    for solved in (
        solve(line, forest(line, np.array([0])), balanced, none),
        solve(line, forest(line, np.array([0])), uneven, none),
        solve_meshed(line, balanced, none, np.arange(2)),
    ):
        with pytest.raises(ValueError, match="source 0 has no phase"):
            solved.carried_uv2(np.array([1]), np.array([-1]), np.ones((1, 3)), np.array([0]))
