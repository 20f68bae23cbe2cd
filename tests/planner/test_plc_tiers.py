"""Fast tier against packet tier on the same draws: random cells of both standards, and what must grow with what."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from amiplan.channels.draws import Draws
from amiplan.channels.powerline.scenarios import LineScenario
from amiplan.channels.scenario import Scenario
from amiplan.channels.technologies import technology
from amiplan.channels.technologies.prime import Prime
from amiplan.meters.settings import ServiceSettings
from made_cells import cell_of, random_area
from made_tiers import check_bytes, compared, narrowed, pooled, with_window

SEVERITIES = ("quiet", "typical", "harsh")
STANDARDS = ("g3_plc", "prime")
KINDS = {
    "G3": technology("g3_plc"),
    "PRIME 1.4": technology("prime"),
    "PRIME 1.3.6": Prime(version="1.3.6"),
    "PRIME mixed": Prime(version="1.4", legacy_share=0.5),
}
SHARES = (None, 0.6, 0.75, 0.9)
"""Quantile of the fast tier's latencies at which the window ends; None leaves a day."""

N_CELLS, REPLICATIONS = 20, 3
OLDER = range(26, 32)
"""Cells of PRIME with meters of the older version, the same severities by turns; nobody is cut off in them."""


def severity(name):
    return Scenario(powerline=LineScenario(severity=name))


def random_cell(number, replication):
    """Cell ``number``: 50 to 150 meters, its kind, severity and window by turns."""
    older = number in OLDER
    kind = tuple(KINDS)[number % 2 + 2 * older]
    name, share = SEVERITIES[number // 2 % 3], None if older else SHARES[number // 6 % 4]
    paths = random_area(1000 + number, int(np.random.default_rng(number).integers(50, 151)))
    tech = narrowed(KINDS[kind]) if number % 4 < 2 else KINDS[kind]
    piece = with_window(tech, paths, Draws(11, replication), share, scenario=severity(name))
    return f"{number} {kind}, {name}, {paths.n_meters} meters window {share}", piece


@pytest.mark.verification
def test_tiers_agree_over_random_cells(capsys):
    """Read success within a point, its half width at most a point; median latency within 15 %, pooled per kind.

    Meters of PRIME 1.3.6 have a day: single cells of it take half to twice as long in the packet tier, so that a
    shorter window would cut off other meters. Short readings alone, on quiet lines, take 16 % longer there, pooled.
    """
    results = []
    for number in (*range(N_CELLS), *OLDER):
        for replication in range(REPLICATIONS):
            one = compared(*random_cell(number, replication))
            check_bytes(one)
            results.append(one)
            with capsys.disabled():
                print(f"\n{one.label}: {pooled([one]).text}", end="")
    all_cells = pooled(results)
    kinds = {kind: pooled([one for one in results if f" {kind}," in one.label]) for kind in KINDS}
    with capsys.disabled():
        for kind, cells in kinds.items():
            print(f"\n{kind}: {cells.text}", end="")
        print(f"\nall cells: {all_cells.text}")
    assert all_cells.half_width <= 0.01
    assert abs(all_cells.difference) <= 0.01
    for cells in kinds.values():
        assert cells.ratio == pytest.approx(1.0, abs=0.15)
    for kind in ("PRIME 1.3.6", "PRIME mixed"):
        assert abs(kinds[kind].difference) <= 0.01
    short = np.array([one.fast.mean() for one in results])
    assert ((short > 0.5) & (short < 0.99)).sum() >= len(results) // 4


@pytest.mark.parametrize("standard", STANDARDS)
def test_a_small_cell_is_read_alike_in_both_tiers(standard):
    """Thirty meters whose window ends within the cycle: read success within 5 points, median latency within 15 %."""
    piece = with_window(
        technology(standard), random_area(5, 30), Draws(11), 0.8, scenario=severity("typical"), services=("register",)
    )
    one = compared(standard, piece)
    check_bytes(one)
    both = pooled([one])
    assert 0.5 < both.fast < 0.95
    assert both.difference == pytest.approx(0.0, abs=0.05)
    assert both.ratio == pytest.approx(1.0, abs=0.15)


def last_read_s(piece):
    """When the fast tier has read everybody whom it can reach."""
    return float(piece.latency_s[np.isfinite(piece.latency_s)].max())


FLAT, DEEP = 8, 9
"""Seeds of two areas of 90 meters: many short streets, and few long ones."""


@pytest.mark.parametrize("standard", STANDARDS)
def test_trees_span_from_flat_on_a_quiet_feeder_to_deep_on_a_harsh_one(standard):
    hops = {}
    for seed, name in ((FLAT, "quiet"), (DEEP, "harsh")):
        piece = cell_of(technology(standard), random_area(seed, 90), Draws(11), scenario=severity(name))
        hops[name] = piece.course[0].routes.hops[piece.members]
    assert hops["quiet"].mean() < 1.5
    assert hops["quiet"].max() <= 3
    assert hops["harsh"].max() >= 6
    assert hops["harsh"].mean() > 1.5 * hops["quiet"].mean()


@pytest.mark.parametrize("seed", [FLAT, pytest.param(DEEP, marks=pytest.mark.slow)])
@pytest.mark.parametrize("standard", STANDARDS)
def test_harsh_is_not_better_on_the_same_draws(standard, seed):
    paths, cells = random_area(seed, 90), []
    for name in SEVERITIES:
        cells.append(cell_of(technology(standard), paths, Draws(11), scenario=severity(name)))
    for milder, harsher in pairwise(cells):
        assert set(harsher.members) <= set(milder.members)
        assert harsher.p_arrive.sum() <= milder.p_arrive.sum() + 1e-6
    assert last_read_s(cells[0]) / cells[0].members.size < last_read_s(cells[2]) / cells[2].members.size


@pytest.mark.parametrize("standard", STANDARDS)
def test_the_time_to_read_all_grows_with_meters_hops_and_profile_size(standard):
    """Twice the meters on the same streets take about twice as long; further away longer; 96 x 4 longer than 24 x 4."""
    tech = technology(standard)
    quiet = {"scenario": severity("quiet"), "services": ("profile",)}
    base = last_read_s(cell_of(tech, random_area(21, 40, step_m=(5.0, 6.0)), Draws(11), **quiet))
    double = last_read_s(cell_of(tech, random_area(21, 80, step_m=(2.5, 3.0)), Draws(11), **quiet))
    # their loads weaken the links too, so that it may be somewhat more than twice
    assert 1.5 < double / base < 3.5
    far = cell_of(
        tech, random_area(21, 40, step_m=(40.0, 60.0)), Draws(11), **(quiet | {"scenario": severity("harsh")})
    )
    assert last_read_s(far) / far.members.size > 1.2 * base / 40
    hourly = ServiceSettings(profile_interval_min=60)
    small = last_read_s(cell_of(tech, random_area(21, 40, step_m=(5.0, 6.0)), Draws(11), session=hourly, **quiet))
    assert 1.5 < base / small < 4.5


@pytest.mark.parametrize("standard", STANDARDS)
def test_exchanges_side_by_side_wait_for_the_line_beyond_their_patience(standard):
    """Two at once still read all; with fifty, profiles stretch each other beyond the timeout, and capacity is short."""
    told = {"services": ("profile",), "scenario": severity("typical")}
    few, many = (
        cell_of(replace(technology(standard), parallel_polls=n), random_area(78, 60), Draws(11), **told)
        for n in (2, 50)
    )
    assert few.p_arrive.mean() > 0.99
    assert many.p_arrive.mean() < 0.5


@pytest.mark.verification
@pytest.mark.parametrize("service", ["register", "profile"])
def test_side_by_side_in_prime_costs_what_its_collisions_cost(service, capsys):
    """Three cells of 60 meters: as far as the tiers agree, which is less than one at a time (see DESIGN)."""
    for parallel, most in ((2, 0.4), (4, 0.5)):
        results = []
        for seed in (78, 79, 80):
            told = {"scenario": severity("typical"), "services": (service,), "window_s": 86_400.0}
            tech = replace(technology("prime"), parallel_polls=parallel)
            results.append(compared(service, cell_of(tech, random_area(seed, 60), Draws(11), **told)))
        both = pooled(results)
        with capsys.disabled():
            print(f"\n{service}, {parallel} side by side: {both.text}", end="")
        assert abs(both.difference) <= 0.03
        assert both.ratio == pytest.approx(1.0, abs=most)
