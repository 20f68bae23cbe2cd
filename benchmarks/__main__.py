"""Speed of the parts that decide how large an area may be, as ratios to a reference timed in the same run.

These machines are shared and noisy, so single seconds mean little: each figure is the median of several runs, beside
the median of a plain NumPy reference of known size that runs in turn with it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
from amiplan.channels.draws import Draws
from amiplan.channels.scenario import Scenario
from amiplan.channels.technology import Siting, Technology
from amiplan.meters.load import profile
from amiplan.planner.exchanges import exchanges_of
from amiplan.planner.links import links_of
from amiplan.planner.replicate import replicate
from amiplan.planner.settings import PlannerSettings
from amiplan.studies.assemble import area_of
from amiplan.studies.case import embedded_cases, read_case

from . import dlms, packet_day, powerline_area, powerline_network, powerline_solver, serve_load

RUNS = 3


def reference() -> None:
    """Two million exponentials, logarithms and sorts: about as much memory traffic as one replication."""
    values = np.linspace(0.0, 1.0, 2_000_000)
    np.sort(np.log1p(np.exp(-values)))


def seconds(function: Callable[[], object]) -> float:
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def measured(function: Callable[[], object]) -> tuple[float, float]:
    """Median seconds of the function, and its ratio to the reference run in turn with it."""
    function()
    pairs = [(seconds(function), seconds(reference)) for _ in range(RUNS)]
    return statistics.median(one for one, _ in pairs), statistics.median(one / base for one, base in pairs)


def main() -> None:
    """Print one line per figure."""
    print(f"{'what':<58}{'seconds':>9}{'x reference':>13}")
    case = read_case(embedded_cases()["north_bayreuth"])
    show("north Bayreuth: reading the map (1 core)", lambda: area_of(case))
    area, candidates = area_of(case)
    settings = PlannerSettings()
    keys = area.meters["key"].to_numpy(np.uint64)
    show(
        f"{keys.size} meters: day profiles, 96 x 4 registers", lambda: profile(keys, np.full(keys.size, "house"), 0, 1)
    )
    for technology in case.technologies:
        show(*one_replication(technology, area, candidates, settings))
    powerline_solver.figures()
    powerline_area.figures()
    powerline_network.figures()
    packet_day.figures()
    dlms.figures()
    serve_load.main()


def one_replication(technology: Technology, area, candidates, settings):  # type: ignore[no-untyped-def]
    """Label and function: one replication of one technology with every tenth candidate site built."""
    links = links_of(technology, area, candidates)
    n_sites = links.paths.n_sites
    built = np.ones(n_sites, bool)
    if technology.siting is Siting.CANDIDATE_SITE:
        built = np.arange(n_sites) % 10 == 0
        links = links_of(technology, area, candidates, built=built)
    exchanges = exchanges_of(area.n_meters, technology.exchange_policy, settings.service, settings.session)
    draws = Draws(1, 0)
    label = f"{technology.name}: one replication, {links.paths.n_links} links"
    return label, lambda: replicate(technology, links, exchanges, built, Scenario(), settings.positions, draws)


def show(label: str, function: Callable[[], object]) -> None:
    median_s, ratio = measured(function)
    print(f"{label:<58}{median_s:>9.3f}{ratio:>13.2f}")


if __name__ == "__main__":
    main()
