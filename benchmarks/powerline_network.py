"""A hundred thousand meters of G3-PLC from link tables to outcomes: routes and the day's reading, ten replications.

Asked for: 120 s. Link tables are made up, since solving them is another figure (`powerline_area`): SNR falls with the
length of cable and spreads from link to link, as in a solved area. ``python -m benchmarks.powerline_network 10000 2``
tries fewer meters and replications. Each run has a process of its own, so that the memory is that of the run.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time

import numpy as np
from amiplan.channels.draws import Draws, mix
from amiplan.channels.paths import CablePaths
from amiplan.channels.phy.g3_ofdm import threshold_db
from amiplan.channels.scenario import Scenario
from amiplan.channels.technologies.g3_plc import G3Plc
from amiplan.channels.technology import LinkQuality, Reason
from amiplan.planner.exchanges import exchanges_of
from amiplan.planner.service import ServiceLevel
from amiplan.planner.settings import PlannerSettings

from .powerline_area import areas

ROBUST_AT_BUS_DB, DB_PER_100_M, SPREAD_DB = 30.0, 9.0, 6.0
ASKED_S = 120.0


def made_quality(tech: G3Plc, paths: CablePaths, draws: Draws) -> LinkQuality:
    """Link tables: robust SNR by distance and draw, best mode whose threshold it meets with a reserve."""
    floor_db = threshold_db(tech.table[0], tech.implementation_loss_db)
    needed_db = np.array([threshold_db(mode, tech.implementation_loss_db) for mode in tech.table])
    ladder_db = np.maximum.accumulate(needed_db) + tech.mode_margin_db
    both = []
    for side in ("up", "down"):
        keys = mix(np.arange(paths.n_links, dtype=np.uint64))
        drawn = SPREAD_DB * draws.normal(f"made link {side}", keys)
        snr = ROBUST_AT_BUS_DB - DB_PER_100_M * paths.distance_m / 100.0 + drawn
        mode = np.where(snr >= floor_db, np.maximum(np.searchsorted(ladder_db, snr, side="right") - 1, 0), -1)
        both.append((snr, mode.astype(np.int8)))
    (up, mode_up), (down, mode_down) = both
    rate = np.array([1e3 * (1 + number) for number in range(len(tech.table))] + [0.0])
    limit = np.full(paths.n_links, Reason.ATTENUATION, np.int8)
    return LinkQuality(
        up, down, up - floor_db, down - floor_db, mode_up, mode_down, rate[mode_up], rate[mode_down],
        paths.distance_m / 10.0, limit, np.ones(paths.n_links, bool),
    )  # fmt: skip


def one_replication(tech: G3Plc, paths: CablePaths, number: int, level: ServiceLevel) -> tuple[float, float, float]:
    """Seconds of routes and of the outcome, and the share of exchanges that arrive."""
    draws, scenario, settings = Draws(1, number), Scenario(), PlannerSettings(service=level)
    exchanges = exchanges_of(paths.n_meters, tech.exchange_policy, settings.service, settings.session)
    quality = made_quality(tech, paths, draws)
    begin = time.perf_counter()
    routes = tech.routes(paths, quality, np.ones(paths.n_sites, bool))
    between = time.perf_counter()
    outcome = tech.carry(exchanges, routes, paths, quality, scenario, draws)
    return between - begin, time.perf_counter() - between, float(outcome.p_arrive.mean())


def run(n_meters: int, replications: int) -> None:
    """All replications after a small one that compiles; prints seconds and the peak of the memory."""
    tech, level = G3Plc(), ServiceLevel(services=("register", "profile"), deadline_h=24.0)
    one_replication(tech, areas(100), 0, level)
    paths = areas(n_meters)
    spent = np.array([one_replication(tech, paths, number, level) for number in range(replications)])
    routes_s, carry_s = spent[:, :2].sum(0)
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"power line network: {paths.n_meters} meters, {paths.n_links} links, {replications} replications: routes "
        f"{routes_s:.1f} s, carry {carry_s:.1f} s, {routes_s + carry_s:.1f} s in all ({ASKED_S:.0f} asked), "
        f"{peak_gib:.2f} GiB, {spent[:, 2].mean():.1%} read"
    )


def figures(n_meters: int = 100_000, replications: int = 10) -> None:
    """The figure in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.powerline_network", str(n_meters), str(replications)]
    subprocess.run(command, check=True)


if __name__ == "__main__":
    told = [int(one) for one in sys.argv[1:]]
    run(*(told + [100_000, 10][len(told) :]))
